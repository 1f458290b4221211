//! The loop of a batch: what is examined next, what is tried again, what is written
//! down. It owns the ledger and the row file; the work itself is done in tasks that
//! hand their [`step::Step`] back.
//!
//! ```text
//! read ──content──> known? ──yes──────────────────────────────> end
//!   ^                 │no                                        ^
//!   │changed          └──> ask tool 1 ─> ask tool 2 ─> unpack ───┘
//!   └──────────────────────────┘
//! ```
//!
//! What it blocks for is SQLite and the row file, some milliseconds at a time, so it
//! runs on a thread of its own where others have to be served.

mod outcome;
mod runner;
mod step;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::examine::Examiner;
use crate::findings::{Finding, findings};
use crate::item::Listed;
use crate::ledger::{Ledger, LedgerError};
use crate::out::Out;
use crate::spec::Spec;
use crate::tally::{Tally, Worst};
use runner::Runner;

/// A batch that is to be run.
#[derive(Debug)]
pub struct Run<E> {
    /// What it is.
    pub spec: Spec,
    /// Who examines files.
    pub examiner: Arc<E>,
    /// Files in work at one time.
    pub concurrency: usize,
    /// What is found; ends when all is.
    pub inputs: mpsc::Receiver<Vec<Listed>>,
    /// Ends it early: what is done is kept.
    pub stop: CancellationToken,
    /// Where to say how far it is.
    pub progress: watch::Sender<Progress>,
    /// Where the work is done.
    pub runtime: Handle,
}

/// How far a batch is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Progress {
    /// Whether all files have been found that are to be found.
    pub listed: bool,
    /// What has come of it so far.
    pub tally: Tally,
    /// Files in work, the first begun first.
    pub running: Vec<String>,
    /// The last findings.
    pub latest: VecDeque<Worst>,
}

/// Why a batch can't go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Nothing more can be written down.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A task of ours has failed.
    #[error("a file's examination failed unexpectedly")]
    Lost(#[source] tokio::task::JoinError),
}

/// Runs a batch to its end, or until it is told to stop; says whether all is done.
///
/// # Errors
/// When nothing more can be written down.
pub async fn run<L: Ledger, E: Examiner>(
    run: Run<E>,
    ledger: &mut L,
    out: &mut Option<Out>,
) -> Result<bool, RunError> {
    // Whatever way this ends, nothing goes on without it.
    let stop = run.stop.child_token();
    let _ends_the_rest = stop.clone().drop_guard();
    let mut runner = Runner::new(run, ledger, out, stop)?;
    let complete = runner.work().await?;
    runner.ledger.close(complete).map_err(RunError::from)?;
    runner.tell();
    Ok(complete)
}

/// The answers under the names of their columns.
pub(crate) fn named<'a>(
    columns: &'a [String],
    results: &'a [(usize, String)],
) -> Vec<(&'a str, &'a str)> {
    results
        .iter()
        .filter_map(|(tool, envelope)| Some((columns.get(*tool)?.as_str(), envelope.as_str())))
        .collect()
}

/// What all tools have found, the worst first.
pub(crate) fn all_findings(spec: &Spec, results: &[(usize, String)]) -> Vec<Finding> {
    let mut all: Vec<Finding> = results
        .iter()
        .filter_map(|(tool, envelope)| Some(findings(&spec.tools.get(*tool)?.name, envelope)))
        .flatten()
        .collect();
    all.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    all
}
