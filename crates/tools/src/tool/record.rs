//! What is found out about a call while it is in progress. Written by the
//! helpers that tools use; read when the call ends, however it ends.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The facts of one call.
#[derive(Debug, Default)]
pub(crate) struct Record {
    // A std mutex: held for assignments only, never across an await.
    facts: Mutex<Facts>,
}

/// What is known so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The file as the caller named it, escaped.
    pub(crate) file: Option<String>,
    /// SHA-256 of the file.
    pub(crate) sha256: Option<String>,
    /// Which program answered, with its version.
    pub(crate) engine: Option<String>,
    /// What the caller should know, whichever tool it was.
    pub(crate) warnings: Vec<String>,
    /// Bytes that external programs wrote.
    pub(crate) bytes_out: u64,
    /// The largest resident set of any process that worked for it.
    pub(crate) peak_rss: u64,
    /// CPU time of all processes that worked for it.
    pub(crate) cpu: Duration,
}

impl Record {
    /// What is known so far.
    pub(crate) fn facts(&self) -> Facts {
        self.lock().clone()
    }

    /// Takes what is known of a call from where it was found out.
    pub(crate) fn replace(&self, facts: Facts) {
        *self.lock() = facts;
    }

    /// Notes something.
    pub(crate) fn note(&self, note: impl FnOnce(&mut Facts)) {
        note(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
