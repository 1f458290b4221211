//! The types of single settings: whatever can be wrong with a value is found
//! out when it is read, so that the error can name the key.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use reversecore_exec::Containment;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

/// How clients reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// The client starts the server and talks to its standard streams.
    Stdio,
    /// Streamable HTTP.
    Http,
}

/// How calls are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionMode {
    /// As many at one time as there is room for.
    Async,
    /// One at a time, in order.
    Sync,
}

/// How many calls are in progress at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Concurrency {
    /// As configured.
    Static,
    /// Fewer under pressure, as many as configured when there is none.
    Auto,
}

/// The least severe level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Failures of the server.
    #[serde(alias = "ERROR", alias = "critical", alias = "CRITICAL")]
    Error,
    /// What an operator should look at.
    #[serde(alias = "WARN", alias = "warning", alias = "WARNING")]
    Warn,
    /// One line per tool call.
    #[serde(alias = "INFO")]
    Info,
    /// For finding faults.
    #[serde(alias = "DEBUG")]
    Debug,
    /// Everything, message bodies included.
    #[serde(alias = "TRACE")]
    Trace,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[serde(alias = "human")]
    Text,
    /// For machines.
    Json,
}

/// An address to listen on: `127.0.0.1:8700`, `[::1]:8700`, `localhost:8700`,
/// or a port alone, which means the loopback address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress(pub SocketAddr);

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        text.strip_prefix("localhost:")
            .unwrap_or(text)
            .parse()
            .map(|port| Self(SocketAddr::new(LOOPBACK, port)))
            .map_err(|_| "expected an address and a port, such as `127.0.0.1:8700` or `[::1]:8700`")
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|reason| de::Error::custom(format_args!("`{text}`: {reason}")))
    }
}

/// `"auto"` or the name of a rung.
pub(super) fn auto_or_containment<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Containment>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Choice {
        Auto,
        Cgroup,
        PidNamespace,
        Subreaper,
    }
    Ok(match Choice::deserialize(deserializer)? {
        Choice::Auto => None,
        Choice::Cgroup => Some(Containment::Cgroup),
        Choice::PidNamespace => Some(Containment::PidNamespace),
        Choice::Subreaper => Some(Containment::Subreaper),
    })
}

/// A program's path: with a relative one, what runs would depend on where the
/// server was started.
pub(super) fn absolute_path<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    if path.is_absolute() {
        Ok(Some(path))
    } else {
        Err(de::Error::custom(format_args!(
            "expected an absolute path, found `{}`",
            path.display()
        )))
    }
}

/// The same where there must be one.
pub(super) fn required_absolute_path<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<PathBuf, D::Error> {
    absolute_path(deserializer)?.ok_or_else(|| de::Error::custom("expected a path"))
}
