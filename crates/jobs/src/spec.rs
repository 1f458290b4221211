//! What is said of a job when it is submitted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How urgent a job is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Somebody waits for the answer, and it takes a moment.
    Interactive,
    /// Somebody waits for the answer.
    #[default]
    Normal,
    /// One of many; nobody waits for this one.
    Batch,
}

impl Lane {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Interactive, Self::Normal, Self::Batch];

    /// Its name, as in reports and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Normal => "normal",
            Self::Batch => "batch",
        }
    }

    /// Its place in [`Lane::ALL`].
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Interactive => 0,
            Self::Normal => 1,
            Self::Batch => 2,
        }
    }
}

/// Who submitted a job. Shares of the machine are equal between clients, however
/// many jobs each has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(Arc<str>);

impl Client {
    /// The client of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Serialize for Client {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The number of a job; unique as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a job is expected to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// CPU time.
    pub cpu: Duration,
    /// Time from start to end.
    pub wall: Duration,
    /// Memory at its peak, in bytes.
    pub memory: u64,
    /// Child processes at one time.
    pub subprocesses: u32,
}

/// A job, as it is submitted.
#[derive(Debug, Clone)]
pub struct JobSpec {
    /// What it does, in a word: the name of the tool.
    pub label: &'static str,
    /// What it is done to, for whoever looks at the list of jobs.
    pub subject: Option<String>,
    /// Who wants it.
    pub client: Client,
    /// How urgent it is.
    pub lane: Lane,
    /// What it is expected to use.
    pub cost: Cost,
    /// It is not started after this moment.
    pub start_by: Option<Instant>,
}

impl JobSpec {
    /// A job without a file or a deadline, in the normal lane.
    pub fn new(label: &'static str, client: Client, cost: Cost) -> Self {
        Self {
            label,
            subject: None,
            client,
            lane: Lane::Normal,
            cost,
            start_by: None,
        }
    }
}

impl Cost {
    /// What a job of no known kind is taken to use: little.
    #[must_use]
    pub fn light() -> Self {
        Self {
            cpu: Duration::from_millis(5),
            wall: Duration::from_millis(10),
            memory: 8 << 20,
            subprocesses: 0,
        }
    }
}
