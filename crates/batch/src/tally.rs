//! What has come of a batch, in numbers that fit a screen however many files there
//! are.

use serde::Serialize;

use crate::findings::{Finding, Severity};
use crate::item::State;

/// The files that are named in a summary.
const MOST_WORST: usize = 20;
const MOST_FAILED: usize = 10;

/// What has come of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Files.
    pub total: u64,
    /// Every tool has answered.
    pub done: u64,
    /// Could not be read, or a tool has answered with an error.
    pub failed: u64,
    /// Crashed an engine and were set aside.
    pub poison: u64,
    /// Neither: links, sockets, devices.
    pub skipped: u64,
    /// Files with findings, by the worst of each: suspicious and high.
    pub suspicious: u64,
    /// Seldom innocent.
    pub high: u64,
    /// Bytes of the files that have ended.
    pub bytes: u64,
    /// The files with the worst findings.
    pub worst: Vec<Worst>,
    /// The first files that could not be examined, and why.
    pub troubled: Vec<(String, String)>,
}

/// A file to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worst {
    /// The file.
    pub path: String,
    /// Its worst finding.
    pub severity: Severity,
    /// What that is.
    pub what: String,
    /// How many findings it has that count.
    pub findings: u64,
}

impl Tally {
    /// Files that have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.done + self.failed + self.poison
    }

    /// Files with something to look at.
    #[must_use]
    pub fn with_findings(&self) -> u64 {
        self.suspicious + self.high
    }

    /// A file has ended.
    pub(crate) fn take(
        &mut self,
        path: &str,
        size: u64,
        state: State,
        evidence: Option<&str>,
        findings: &[Finding],
    ) {
        self.bytes = self.bytes.saturating_add(size);
        match state {
            State::Done => self.done += 1,
            State::Failed => self.failed += 1,
            State::Poison => self.poison += 1,
            State::Pending | State::Running | State::Interrupted => return,
        }
        if state != State::Done && self.troubled.len() < MOST_FAILED {
            let why = evidence.unwrap_or_default().to_owned();
            self.troubled.push((path.to_owned(), why));
        }
        if let Some(worst) = Worst::of(path, findings) {
            self.note(worst);
        }
    }

    pub(crate) fn note(&mut self, worst: Worst) {
        match worst.severity {
            Severity::Info => return,
            Severity::Suspicious => self.suspicious += 1,
            Severity::High => self.high += 1,
        }
        let rank = |worst: &Worst| std::cmp::Reverse((worst.severity, worst.findings));
        let place = self
            .worst
            .partition_point(|there| rank(there) <= rank(&worst));
        if place < MOST_WORST {
            self.worst.insert(place, worst);
            self.worst.truncate(MOST_WORST);
        }
    }
}

impl Worst {
    /// The worst of these findings, if any counts; they come with the worst first.
    pub(crate) fn of(path: &str, findings: &[Finding]) -> Option<Self> {
        let first = findings
            .iter()
            .max_by_key(|finding| finding.severity)
            .filter(|finding| finding.severity.counts())?;
        let counting = findings.iter().filter(|finding| finding.severity.counts());
        Some(Self {
            path: path.to_owned(),
            severity: first.severity,
            what: first.what.clone(),
            findings: u64::try_from(counting.count()).unwrap_or(u64::MAX),
        })
    }
}

/// How many files of each kind a summary names.
pub(crate) const SHOWN: (usize, usize) = (MOST_WORST, MOST_FAILED);

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity) -> Finding {
        Finding {
            severity,
            what: "w".to_owned(),
            evidence: String::new(),
            tool: "triage".to_owned(),
            offset: None,
        }
    }

    #[test]
    fn the_worst_files_are_kept_and_their_number_is_bounded() {
        let mut tally = Tally::default();
        for index in 0..100 {
            let severity = if index == 70 {
                Severity::High
            } else {
                Severity::Suspicious
            };
            let findings = vec![finding(severity); index % 7];
            tally.take(&index.to_string(), 1, State::Done, None, &findings);
        }
        tally.take("bad", 1, State::Poison, Some("SIGSEGV"), &[]);
        assert_eq!((tally.ended(), tally.poison), (101, 1));
        // 15 of the hundred have none; 70 is one of those.
        assert_eq!(tally.with_findings(), 85);
        assert_eq!(tally.worst.len(), MOST_WORST);
        assert!(
            tally
                .worst
                .windows(2)
                .all(|pair| pair[0].findings >= pair[1].findings)
        );
        assert_eq!(tally.troubled, [("bad".to_owned(), "SIGSEGV".to_owned())]);
    }
}
