//! What comes of a case.

use std::time::Duration;

use serde::Serialize;

use super::cases::Case;
use crate::protocol::Hello;

/// Whether a row of the table is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "evidence", rename_all = "snake_case")]
pub enum Verdict {
    /// It is; with a figure where there is one.
    Holds(String),
    /// It is not, and this was seen.
    Misses(String),
    /// The engine has nothing for it, and does not say that it has.
    NotOffered,
    /// It could not be examined here, and why.
    Skipped(String),
}

impl Verdict {
    /// Holds, when there is nothing to say against it.
    pub(super) fn unless(faults: &[String]) -> Self {
        if faults.is_empty() {
            Self::Holds(String::new())
        } else {
            Self::Misses(faults.join("; "))
        }
    }

    /// The same verdict, with a figure if it is good.
    pub(super) fn with(self, figure: impl FnOnce() -> String) -> Self {
        match self {
            Self::Holds(_) => Self::Holds(figure()),
            other @ (Self::Misses(_) | Self::NotOffered | Self::Skipped(_)) => other,
        }
    }
}

/// One line of an engine's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The case, `E1` to `E12`.
    pub case: &'static str,
    /// What is looked at in it.
    pub what: &'static str,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// All that is known of one engine.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The name on the command line.
    pub name: String,
    /// How it introduced itself.
    pub hello: Result<Hello, String>,
    /// In the order of the cases.
    pub rows: Vec<Row>,
    /// Seconds, by case.
    pub seconds: Vec<(&'static str, f64)>,
}

impl Report {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            hello: Err("it was not asked".to_owned()),
            rows: Vec::new(),
            seconds: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, case: &Case, verdicts: Vec<Verdict>, took: Duration) {
        self.seconds.push((case.name, took.as_secs_f64()));
        for (what, verdict) in case.rows.iter().zip(verdicts) {
            self.rows.push(Row {
                case: case.name,
                what,
                verdict,
            });
        }
    }

    /// What it does not hold, and what it does not offer of what `must` be.
    pub fn misses(&self) -> impl Iterator<Item = &Row> {
        self.rows
            .iter()
            .filter(|row| matches!(row.verdict, Verdict::Misses(_)))
    }

    /// The verdict of one row.
    #[must_use]
    pub fn verdict(&self, case: &str, what: &str) -> Option<&Verdict> {
        self.rows
            .iter()
            .find(|row| row.case == case && row.what == what)
            .map(|row| &row.verdict)
    }
}
