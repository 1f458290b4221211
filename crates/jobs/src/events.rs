//! What happens to jobs, as others are told.

use std::time::Duration;

use serde::Serialize;

use crate::spec::{Client, JobId, JobSpec, Lane};
use crate::state::{Ending, Progress, Used};

/// Something happened to a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// To which.
    pub id: JobId,
    /// Its tool.
    pub tool: &'static str,
    /// Who submitted it.
    pub client: Client,
    /// How urgent it is.
    pub lane: Lane,
    /// What.
    pub what: What,
}

/// What can happen to a job. One that is refused at once has no number and no
/// event; the counts have it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum What {
    /// It waits.
    Queued,
    /// It will not run after all.
    Refused,
    /// It runs.
    Started {
        /// How long it waited.
        waited: Duration,
    },
    /// It has got further.
    Progress(Progress),
    /// It is over.
    Ended {
        /// How.
        ending: Ending,
        /// How long it ran.
        ran: Duration,
        /// What it used.
        used: Used,
    },
}

impl Event {
    pub(crate) fn new(id: JobId, spec: &JobSpec, what: What) -> Self {
        Self {
            id,
            tool: spec.label,
            client: spec.client.clone(),
            lane: spec.lane,
            what,
        }
    }
}
