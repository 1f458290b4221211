//! Which environment variable sets which key. The pairs come from the binary.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use toml::Value;

use super::error::ConfigError;

/// Names that begin with this belong to us, so an unknown one is a mistake.
const PREFIX: &str = "REVERSECORE_";
const CONFIG_FILE: &str = "REVERSECORE_CONFIG";

/// How the text of a variable becomes a value.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Integer,
    PathList,
    /// A truth value: whether calls run at the same time.
    AsyncSwitch,
}

const VARIABLES: [(&str, &str, Kind); 11] = [
    ("MCP_TRANSPORT", "server.transport", Kind::Text),
    ("REVERSECORE_WORKSPACE", "workspace.path", Kind::Text),
    (
        "REVERSECORE_READ_DIRS",
        "workspace.read_dirs",
        Kind::PathList,
    ),
    ("LOG_LEVEL", "log.level", Kind::Text),
    ("LOG_FORMAT", "log.format", Kind::Text),
    ("MCP_API_KEY", "http.api_key", Kind::Text),
    (
        "DEFAULT_TOOL_TIMEOUT",
        "execution.default_timeout",
        Kind::Integer,
    ),
    ("RATE_LIMIT", "http.rate_limit", Kind::Integer),
    (
        "ENABLE_ASYNC_EXECUTION",
        "execution.mode",
        Kind::AsyncSwitch,
    ),
    ("REVERSECORE_DATA_DIR", "data.dir", Kind::Text),
    ("GHIDRA_INSTALL_DIR", "tools.ghidra.install_dir", Kind::Text),
];

/// What the environment says.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// The configuration file.
    pub(super) file: Option<PathBuf>,
    /// One entry per variable that is set.
    pub(super) settings: Vec<Setting>,
}

/// One variable that is set.
#[derive(Debug)]
pub(super) struct Setting {
    variable: &'static str,
    pub(super) key: &'static str,
    pub(super) value: Value,
}

impl Setting {
    /// The layer, for messages.
    pub(super) fn layer(&self) -> String {
        format!("environment variable `{}`", self.variable)
    }
}

/// Picks out what concerns us. An empty value counts as not set, because
/// container tools pass variables on that way.
pub(super) fn read(pairs: Vec<(OsString, OsString)>) -> Result<Environment, ConfigError> {
    let mut found = Environment::default();
    for (name, value) in pairs {
        let Some(name) = name.to_str() else { continue };
        if value.is_empty() {
            continue;
        }
        if name == CONFIG_FILE {
            found.file = Some(PathBuf::from(value));
        } else if let Some(&(variable, key, kind)) = VARIABLES.iter().find(|known| known.0 == name)
        {
            let text = text(variable, &value)?;
            found.settings.push(Setting {
                variable,
                key,
                value: kind.value(text),
            });
        } else if name.starts_with(PREFIX) {
            return Err(ConfigError::UnknownVariable {
                name: name.to_owned(),
                known: known(),
            });
        }
    }
    Ok(found)
}

impl Kind {
    fn value(self, text: &str) -> Value {
        match self {
            // What is no integer stays text, and is refused with the key named.
            Self::Integer => text
                .parse()
                .map_or_else(|_| Value::String(text.to_owned()), Value::Integer),
            Self::PathList => Value::Array(
                text.split(':')
                    .filter(|part| !part.is_empty())
                    .map(|part| Value::String(part.to_owned()))
                    .collect(),
            ),
            Self::AsyncSwitch => {
                let mode = match text.to_ascii_lowercase().as_str() {
                    "true" | "1" | "yes" | "on" => "async",
                    "false" | "0" | "no" | "off" => "sync",
                    // Refused with the key named.
                    _ => text,
                };
                Value::String(mode.to_owned())
            }
            Self::Text => Value::String(text.to_owned()),
        }
    }
}

fn text<'a>(name: &str, value: &'a OsStr) -> Result<&'a str, ConfigError> {
    value.to_str().ok_or_else(|| ConfigError::NotText {
        name: name.to_owned(),
    })
}

fn known() -> String {
    VARIABLES
        .iter()
        .map(|variable| variable.0)
        .filter(|name| name.starts_with(PREFIX))
        .chain([CONFIG_FILE])
        .collect::<Vec<_>>()
        .join(", ")
}
