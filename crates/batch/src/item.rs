//! One file of a batch, and how far it has come.

use serde::Serialize;

use crate::examine::Content;

/// The number of a file in its ledger.
pub type ItemId = i64;

/// How far a file has come.
///
/// ```text
/// pending ──> running ──> done | failed | poison
///    ^            │ the process ended
///    └─────── interrupted
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody has looked at it.
    Pending,
    /// It is being examined.
    Running,
    /// It was being examined when the process ended; it is examined again.
    Interrupted,
    /// Every tool has answered.
    Done,
    /// It crashed an engine each time it was tried, and is set aside.
    Poison,
    /// It could not be read, or a tool has answered with an error.
    Failed,
}

impl State {
    /// All of them, by their numbers in the journal.
    const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::Interrupted,
        Self::Done,
        Self::Poison,
        Self::Failed,
    ];

    /// Its number in the journal. Written down: these never change.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Running => 1,
            Self::Interrupted => 2,
            Self::Done => 3,
            Self::Poison => 4,
            Self::Failed => 5,
        }
    }

    pub(crate) fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }

    /// Its name, as in rows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Done => "done",
            Self::Poison => "poison",
            Self::Failed => "failed",
        }
    }

    /// Whether there is nothing left to do.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Interrupted => false,
            Self::Done | Self::Poison | Self::Failed => true,
        }
    }
}

/// What was found where files were looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// A regular file.
    File(Found),
    /// Something that can't be examined, and why: it gets a row that says so.
    Refused {
        /// What it is called.
        path: String,
        /// Why.
        reason: String,
    },
    /// Nothing to examine: links, sockets, devices and the like, so many.
    Skipped(u64),
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is called, in text: bytes that are none are escaped.
    pub path: String,
    /// Where it is, when that is not its path: a file out of an archive.
    pub place: Option<String>,
    /// Bytes.
    pub size: u64,
}

/// A file of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its number.
    pub id: ItemId,
    /// What it is called.
    pub path: String,
    /// Where it is, when that is not its path.
    pub place: Option<String>,
    /// Bytes, when it was found.
    pub size: u64,
    /// The archive that it came out of.
    pub parent: Option<ItemId>,
    /// The file that was named, that it came out of at last.
    pub root: Option<ItemId>,
    /// In so many archives.
    pub depth: u32,
    /// How often it was begun.
    pub attempts: u32,
    /// SHA-256 of its content, once it was read.
    pub content: Option<Content>,
}

impl Item {
    /// Where to open it.
    #[must_use]
    pub fn opened_as(&self) -> &str {
        self.place.as_deref().unwrap_or(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_found_by_its_number() {
        for state in State::ALL {
            assert_eq!(State::of_number(state.number()), Some(state));
        }
        assert_eq!(State::of_number(6), None);
    }
}
