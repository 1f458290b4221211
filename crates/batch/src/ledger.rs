//! Where a batch is written down, as the run sees it: the journal, or memory.

use crate::examine::Content;
use crate::findings::Finding;
use crate::item::{Item, ItemId, Listed, State};
use crate::out::OutError;
use crate::tally::Tally;

/// Why nothing more can be written down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// SQLite says so.
    #[error("failed to write the journal{}", if is_full(source) { " (the disk is full; make room and go on with --resume)" } else { "" })]
    Database {
        /// Why.
        #[from]
        source: rusqlite::Error,
    },
    /// The rows can't be written.
    #[error(transparent)]
    Out(#[from] OutError),
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}

impl LedgerError {
    /// Whether it is for want of room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Database { source } => is_full(source),
            Self::Out(error) => error.is_full(),
        }
    }
}

/// How a file has ended.
#[derive(Debug)]
pub struct Sum<'a> {
    /// The file.
    pub item: &'a Item,
    /// Its last state.
    pub state: State,
    /// What was wrong with it, if anything was.
    pub evidence: Option<&'a str>,
    /// What was found in it.
    pub findings: &'a [Finding],
    /// What came out of it.
    pub children: &'a [crate::item::Found],
    /// The file with the same content that has the answers, where that is another.
    pub holder: Option<ItemId>,
}

/// A file with a certain content that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The file.
    pub holder: ItemId,
    /// As what.
    pub state: State,
    /// What was wrong with it.
    pub evidence: Option<String>,
}

/// Where a batch is written down. Blocking; nothing here takes long.
pub trait Ledger: Send {
    /// Adds what was found; files that are there already are not added again.
    /// Returns those that get a row at once, because nothing can be done with them.
    ///
    /// # Errors
    /// When it can't be written down.
    fn add(&mut self, listed: &[Listed]) -> Result<Vec<(Item, String)>, LedgerError>;

    /// All has been found that is to be found.
    ///
    /// # Errors
    /// When it can't be written down.
    fn listed(&mut self) -> Result<(), LedgerError>;

    /// At most so many files to work on; they are running from now on.
    ///
    /// # Errors
    /// When it can't be written down.
    fn next(&mut self, most: usize) -> Result<Vec<Item>, LedgerError>;

    /// How a file with the same content has ended, if one has.
    ///
    /// # Errors
    /// When it can't be looked up.
    fn ended(&mut self, content: Content) -> Result<Option<Ended>, LedgerError>;

    /// The answers that a file has already: the tool's place in the specification,
    /// and the envelope.
    ///
    /// # Errors
    /// When they can't be looked up.
    fn results(&mut self, holder: ItemId) -> Result<Vec<(usize, String)>, LedgerError>;

    /// A tool has answered.
    ///
    /// # Errors
    /// When it can't be written down.
    fn result(&mut self, item: &Item, tool: usize, envelope: &str) -> Result<(), LedgerError>;

    /// What was answered about a file is about another content.
    ///
    /// # Errors
    /// When it can't be written down.
    fn begin_anew(&mut self, item: &Item) -> Result<(), LedgerError>;

    /// What has come out of a file that was named so far: files and bytes.
    ///
    /// # Errors
    /// When it can't be looked up.
    fn unpacked(&mut self, root: ItemId) -> Result<(u64, u64), LedgerError>;

    /// A file has ended, and its row is on its way.
    ///
    /// # Errors
    /// When it can't be written down.
    fn finish(&mut self, sum: &Sum<'_>) -> Result<(), LedgerError>;

    /// Whether something waits to be committed.
    fn is_dirty(&self) -> bool;

    /// Makes all of it last. The row file has this many bytes then.
    ///
    /// # Errors
    /// When it can't be written down.
    fn commit(&mut self, out_length: u64) -> Result<(), LedgerError>;

    /// The run is over. Whatever is still running was interrupted.
    ///
    /// # Errors
    /// When it can't be written down.
    fn close(&mut self, complete: bool) -> Result<(), LedgerError>;

    /// What has come of it so far.
    ///
    /// # Errors
    /// When it can't be looked up.
    fn tally(&mut self) -> Result<Tally, LedgerError>;

    /// What a file is called that something came out of.
    ///
    /// # Errors
    /// When it can't be looked up.
    fn opened(&mut self, item: ItemId) -> Result<Option<String>, LedgerError>;

    /// What a file is called.
    ///
    /// # Errors
    /// When it can't be looked up.
    fn path_of(&mut self, item: ItemId) -> Result<Option<String>, LedgerError>;
}
