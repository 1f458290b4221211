//! Why there is no configuration, in words that say which key of which layer
//! to change. The binary prints these; nothing else makes them.

use std::io;
use std::path::PathBuf;

/// A configuration that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("failed to read the configuration file `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("the configuration file `{}` is not valid TOML: {detail}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        detail: String,
    },
    /// A key is unknown, or its value is not acceptable.
    #[error("bad setting `{key}` from {layer}: {reason}")]
    Setting {
        /// The key, as in the file: `server.http`.
        key: String,
        /// Which layer it came from.
        layer: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A variable that looks like ours and is not.
    #[error("unknown environment variable `{name}` (known are {known})")]
    UnknownVariable {
        /// The variable.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// A variable's value is no text.
    #[error("the environment variable `{name}` is not valid UTF-8")]
    NotText {
        /// The variable.
        name: String,
    },
}
