//! What a job is doing, and how it ended: typed inside, and as others see it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::budget::Resource;
use crate::spec::{Client, Cost, JobId, Lane};

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With an answer.
    Succeeded,
    /// Without one.
    Failed,
    /// Not in time.
    TimedOut,
    /// Whoever wanted it no longer does.
    Cancelled,
    /// For want of room; it is to be run again.
    Evicted,
}

/// What a job used, measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Used {
    /// CPU time of all its processes.
    #[serde(serialize_with = "milliseconds", rename = "cpu_ms")]
    pub cpu: Duration,
    /// Memory at its peak, in bytes.
    #[serde(rename = "memory_bytes")]
    pub memory: u64,
}

/// How far a job has got.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Progress {
    /// What is being done.
    pub stage: String,
    /// From 0 to 1, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
}

/// A job as others see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobView {
    /// Its number.
    pub id: JobId,
    /// The tool.
    pub tool: &'static str,
    /// What it is done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Who submitted it.
    pub client: Client,
    /// How urgent it is.
    pub lane: Lane,
    /// What it is doing.
    #[serde(flatten)]
    pub state: StateView,
    /// What it was expected to use.
    pub predicted: CostView,
}

/// What a job is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StateView {
    /// It waits.
    Queued {
        /// Jobs that are likely to be started before it.
        position: usize,
        /// What it can't have yet.
        waits_for: Resource,
        /// How long it has waited.
        #[serde(serialize_with = "milliseconds", rename = "waited_ms")]
        waited: Duration,
        /// When it will start, from now, if what runs and waits before it takes
        /// as long as expected.
        #[serde(serialize_with = "milliseconds", rename = "predicted_start_ms")]
        predicted_start: Duration,
    },
    /// It runs.
    Running {
        /// How long it waited.
        #[serde(serialize_with = "milliseconds", rename = "waited_ms")]
        waited: Duration,
        /// How long it has run.
        #[serde(serialize_with = "milliseconds", rename = "ran_ms")]
        ran: Duration,
        /// How far it has got, if it says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        progress: Option<Progress>,
    },
    /// It has ended.
    Ended {
        /// How.
        ending: Ending,
        /// How long it waited.
        #[serde(serialize_with = "milliseconds", rename = "waited_ms")]
        waited: Duration,
        /// How long it ran.
        #[serde(serialize_with = "milliseconds", rename = "ran_ms")]
        ran: Duration,
        /// What it used, as far as it was measured.
        used: Used,
    },
}

/// What a job was expected to use, in the units of reports.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CostView {
    /// CPU time.
    pub cpu_ms: f64,
    /// Time from start to end.
    pub wall_ms: f64,
    /// Memory at its peak.
    pub memory_bytes: u64,
}

impl From<&Cost> for CostView {
    fn from(cost: &Cost) -> Self {
        Self {
            cpu_ms: in_milliseconds(cost.cpu),
            wall_ms: in_milliseconds(cost.wall),
            memory_bytes: cost.memory,
        }
    }
}

fn in_milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn milliseconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(in_milliseconds(*time))
}
