//! Why a directory can't serve as a root, and why a path is refused.

use std::io;
use std::path::PathBuf;

use crate::error::{ErrorCode, ToolError};

/// Why the workspace can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkspaceError {
    /// A directory can't be opened.
    #[error("failed to open the directory `{}` (it must exist and be a directory)", .path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The kernel lacks `openat2`.
    #[error(
        "this kernel can't resolve paths beneath a directory (openat2 needs Linux 5.6 or newer)"
    )]
    NoOpenat2 {
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

/// Why a path is refused. The path itself is added where the error is made
/// ready for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The text can't be a path.
    Malformed(&'static str),
    /// It leads outside the roots.
    Outside,
    /// There is nothing.
    Absent,
    /// There is something else.
    NotA {
        wanted: &'static str,
        found: &'static str,
    },
    /// The server's user may not read it.
    Unreadable,
    /// The path was exchanged while it was resolved, time and again.
    Unstable,
    /// Anything else, by error number.
    Other(i32),
}

impl Refused {
    /// The error as the caller sees it. `shown` is the path as the caller gave
    /// it, escaped and cut.
    pub(crate) fn into_tool_error(self, parameter: &str, shown: &str) -> ToolError {
        const LIST: &str = "Paths are relative to the workspace, or absolute beneath a configured directory; list_workspace shows the files.";
        let not_found = |message: String| ToolError::new(ErrorCode::FileNotFound, message, LIST);
        match self {
            Self::Malformed(reason) => ToolError::new(
                ErrorCode::ValidationError,
                format!("parameter `{parameter}`: `{shown}` {reason}"),
                LIST,
            ),
            Self::Outside => ToolError::new(
                ErrorCode::PathNotAllowed,
                format!("`{shown}` leads outside the workspace and the read-only directories"),
                LIST,
            ),
            Self::Absent => not_found(format!("`{shown}` does not exist")),
            Self::NotA { wanted, found } => {
                not_found(format!("`{shown}` is {found}, not {wanted}"))
            }
            Self::Unreadable => {
                not_found(format!("`{shown}` may not be read by the server's user"))
            }
            Self::Unstable => ToolError::new(
                ErrorCode::FileChanged,
                format!("`{shown}` is being changed"),
                "Call again when the file is complete.",
            ),
            Self::Other(number) => ToolError::new(
                ErrorCode::Internal,
                format!("`{shown}` could not be opened"),
                "Call again; if it persists, the server's log has the reason.",
            )
            .log_detail(io::Error::from_raw_os_error(number)),
        }
    }
}
