//! How far a batch is, for `submit_batch` and `get_job`.

use std::fmt::Write as _;

use reversecore_batch::Severity;
use schemars::JsonSchema;
use serde::Serialize;

use super::shown;
use crate::batch::{BatchView, Batches, Standing};
use crate::schema::List;

/// Files that are named where a batch is looked at.
const SHOWN: usize = 10;

/// How far a batch is.
#[derive(Debug, Serialize)]
pub(in crate::tools) struct BatchReport {
    job_id: String,
    state: Standing,
    /// Whether all files have been found that are to be found.
    listed: bool,
    total: u64,
    done: u64,
    failed: u64,
    poison: u64,
    suspicious: u64,
    high: u64,
    running: Vec<String>,
    /// The last findings while it runs, else the worst.
    findings: Vec<Noted>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    troubled: Vec<Troubled>,
}

/// Its members, as clients are told of them where it may be a job too.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::tools) struct BatchShape {
    job_id: String,
    listed: bool,
    total: u64,
    done: u64,
    failed: u64,
    poison: u64,
    suspicious: u64,
    high: u64,
    running: Vec<String>,
    findings: List,
    troubled: List,
}

#[derive(Debug, Serialize)]
struct Noted {
    path: String,
    severity: Severity,
    what: String,
}

#[derive(Debug, Serialize)]
struct Troubled {
    path: String,
    why: String,
}

impl BatchReport {
    pub(in crate::tools) fn of(id: i64, view: BatchView) -> Self {
        let BatchView {
            standing,
            written,
            progress,
        } = view;
        let runs = standing == Standing::Running;
        // What the journal has is some milliseconds behind.
        let tally = if runs && progress.tally.total > 0 {
            progress.tally
        } else {
            written.tally
        };
        let noted = if runs {
            Vec::from(progress.latest)
        } else {
            tally.worst.clone()
        };
        Self {
            job_id: Batches::name(id),
            state: standing,
            listed: progress.listed || !runs,
            total: tally.total,
            done: tally.done,
            failed: tally.failed,
            poison: tally.poison,
            suspicious: tally.suspicious,
            high: tally.high,
            running: progress.running.iter().map(|path| shown(path)).collect(),
            findings: noted
                .into_iter()
                .take(SHOWN)
                .map(|worst| Noted {
                    path: shown(&worst.path),
                    severity: worst.severity,
                    what: shown(&worst.what),
                })
                .collect(),
            troubled: tally
                .troubled
                .iter()
                .take(SHOWN)
                .map(|(path, why)| Troubled {
                    path: shown(path),
                    why: shown(why),
                })
                .collect(),
        }
    }

    pub(in crate::tools) fn described(&self) -> String {
        let Self {
            job_id,
            state,
            listed,
            total,
            done,
            failed,
            poison,
            suspicious,
            high,
            running,
            findings,
            troubled,
        } = self;
        let state = crate::embedded::present::word(state);
        let more = if *listed { "" } else { " found so far" };
        let mut text = format!(
            "{job_id} {state}: {} of {total} files{more}; {done} done, {failed} failed, {poison} poison; {high} high, {suspicious} suspicious\n",
            done + failed + poison
        );
        // Writing to a String can't fail.
        if !running.is_empty() {
            writeln!(text, "in work: {}", running.join(", ")).ok();
        }
        for noted in findings {
            writeln!(
                text,
                "{} {}: {}",
                noted.severity.name(),
                noted.path,
                noted.what
            )
            .ok();
        }
        for troubled in troubled {
            writeln!(text, "not examined: {}: {}", troubled.path, troubled.why).ok();
        }
        text
    }
}
