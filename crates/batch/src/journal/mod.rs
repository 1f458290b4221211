//! The journal: an SQLite file in the data directory that outlives the process,
//! however that ends. One process at a time has it; each batch in it has a
//! connection of its own, and they take turns to write.
//!
//! It is checked when it is opened. One that is damaged is renamed, never deleted:
//! somebody may want to look at it.

mod batch;
mod read;
mod schema;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{ErrorCode, OptionalExtension as _, params};

use crate::hold::{Hold, HoldError};
use crate::item::State;
use crate::spec::Spec;
use crate::turns::Turns;

pub use batch::Batch;
pub use read::{Filter, Reader, Stored, Written};

/// The number of a batch.
pub type BatchId = i64;

/// The journal's file in the data directory.
const FILE: &str = "batches.sqlite3";
/// Files that SQLite keeps beside it.
const BESIDE: [&str; 2] = ["-wal", "-shm"];
/// Batches that have ended and are still remembered.
const KEPT: i64 = 20;

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process has it.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// SQLite says so.
    #[error("failed to use the journal `{}`", .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// It was written by a later version of this program.
    #[error("the journal `{}` was written by a later version of this program (use that, or another --data-dir)", .path.display())]
    Later {
        /// The file.
        path: PathBuf,
    },
    /// A damaged one could not be renamed.
    #[error("the journal `{}` is damaged and can't be set aside (rename it)", .path.display())]
    Stuck {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// The journal. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
    hold: Arc<Hold>,
    turns: Turns,
}

/// A journal that was opened.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub journal: Journal,
    /// Where the one before it is now, which was damaged; and what was wrong.
    pub set_aside: Option<(PathBuf, String)>,
}

impl Journal {
    /// Opens or makes the journal of a data directory. Blocking.
    ///
    /// # Errors
    /// When another process has it, or it can't be used.
    pub fn open(directory: &Path) -> Result<Opened, JournalError> {
        let hold = Arc::new(Hold::take(directory)?);
        let path = directory.join(FILE);
        let mut set_aside = None;
        let mut prepared = prepare(&path);
        if let Some(damage) = prepared.as_ref().err().and_then(damage) {
            let aside = put_aside(&path).map_err(|source| JournalError::Stuck {
                path: path.clone(),
                source,
            })?;
            tracing::warn!(damage, aside = %aside.display(), "the journal was damaged and is set aside");
            set_aside = Some((aside, damage));
            prepared = prepare(&path);
        }
        match prepared {
            Ok(true) => {}
            Ok(false) => return Err(JournalError::Later { path }),
            Err(source) => return Err(JournalError::Database { path, source }),
        }
        Ok(Opened {
            journal: Self {
                path,
                hold,
                turns: Turns::default(),
            },
            set_aside,
        })
    }

    /// Begins a batch. Batches that ended long ago are forgotten.
    ///
    /// # Errors
    /// When it can't be written down.
    pub fn begin(&self, spec: &Spec, out: Option<&str>) -> Result<Batch, JournalError> {
        let begin = || {
            let db = schema::connect(&self.path)?;
            let _turn = self.turns.take();
            schema::prune(&db, KEPT)?;
            let first: i64 =
                db.query_row("SELECT ifnull(max(id), 0) + 1 FROM item", [], |row| {
                    row.get(0)
                })?;
            db.execute(
                "INSERT INTO batch(spec, begun, first_item, out) VALUES(?1, ?2, ?3, ?4)",
                params![text(spec), now(), first, out],
            )?;
            let id = db.last_insert_rowid();
            Ok(Batch::new(db, self.shared(), (id, first)))
        };
        begin().map_err(|error| failed(&self.path, error))
    }

    /// The last batch with this specification, if there is one; what ran when the
    /// process ended is to run again. When the rows go to another file than before,
    /// all of them are owed.
    ///
    /// # Errors
    /// When it can't be looked up.
    pub fn resume(&self, spec: &Spec, out: Option<&str>) -> Result<Option<Batch>, JournalError> {
        let resume = || {
            let db = schema::connect(&self.path)?;
            let found: Option<(BatchId, i64, Option<String>)> = db
                .query_row(
                    "SELECT id, first_item, out FROM batch WHERE spec = ?1 ORDER BY id DESC LIMIT 1",
                    params![text(spec)],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .optional()?;
            let Some((id, first, before)) = found else {
                return Ok(None);
            };
            let _turn = self.turns.take();
            db.execute(
                "UPDATE item SET state = ?2 WHERE id >= ?4 AND +batch = ?1 AND state = ?3",
                params![
                    id,
                    State::Interrupted.number(),
                    State::Running.number(),
                    first
                ],
            )?;
            if before.as_deref() != out {
                db.execute(
                    "UPDATE batch SET out = ?2, out_length = 0 WHERE id = ?1",
                    params![id, out],
                )?;
                db.execute(
                    "UPDATE item SET written = 0 WHERE id >= ?2 AND +batch = ?1",
                    [id, first],
                )?;
            }
            Ok(Some(Batch::new(db, self.shared(), (id, first))))
        };
        resume().map_err(|error| failed(&self.path, error))
    }

    /// The last batch with this specification, if it was not finished.
    ///
    /// # Errors
    /// When it can't be looked up.
    pub fn unfinished(&self, spec: &Spec) -> Result<Option<BatchId>, JournalError> {
        let look = || {
            let db = schema::connect(&self.path)?;
            let last: Option<(BatchId, Option<i64>)> = db
                .query_row(
                    "SELECT id, ended FROM batch WHERE spec = ?1 ORDER BY id DESC LIMIT 1",
                    params![text(spec)],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            Ok(last.and_then(|(id, ended)| ended.is_none().then_some(id)))
        };
        look().map_err(|error| failed(&self.path, error))
    }

    /// Looks things up, beside what is being written.
    ///
    /// # Errors
    /// When the journal can't be opened once more.
    pub fn reader(&self) -> Result<Reader, JournalError> {
        schema::connect(&self.path)
            .map(|db| Reader::new(db, self.turns.clone()))
            .map_err(|error| failed(&self.path, error))
    }

    /// What was running when another process ended was interrupted.
    ///
    /// # Errors
    /// When it can't be written down.
    pub fn interrupt_all(&self) -> Result<(), JournalError> {
        let interrupt = || {
            let db = schema::connect(&self.path)?;
            let _turn = self.turns.take();
            db.execute(
                "UPDATE item SET state = ?1 WHERE state = ?2",
                params![State::Interrupted.number(), State::Running.number()],
            )?;
            Ok(())
        };
        interrupt().map_err(|error| failed(&self.path, error))
    }

    /// What each batch has of it.
    fn shared(&self) -> (Arc<Hold>, Turns) {
        (Arc::clone(&self.hold), self.turns.clone())
    }
}

/// Makes the file ready, and looks whether it is whole; `false` when a later version
/// of this program has written it.
fn prepare(path: &Path) -> rusqlite::Result<bool> {
    let db = schema::connect_first(path)?;
    let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error {
                code: ErrorCode::DatabaseCorrupt,
                extended_code: rusqlite::ffi::SQLITE_CORRUPT,
            },
            Some(verdict),
        ));
    }
    schema::make(&db)
}

/// What is damaged, when that is what the error says.
fn damage(error: &rusqlite::Error) -> Option<String> {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
    .then(|| error.to_string())
}

/// Renames the file and what belongs to it.
fn put_aside(path: &Path) -> std::io::Result<PathBuf> {
    let with = |path: &Path, ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let mut aside = with(path, &format!(".damaged-{}", now()));
    // More than one a second only in tests.
    for again in 1..100 {
        if !aside.exists() {
            break;
        }
        aside = with(path, &format!(".damaged-{}-{again}", now()));
    }
    std::fs::rename(path, &aside)?;
    for ending in BESIDE {
        match std::fs::rename(with(path, ending), with(&aside, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(aside)
}

fn failed(path: &Path, source: rusqlite::Error) -> JournalError {
    JournalError::Database {
        path: path.to_path_buf(),
        source,
    }
}

/// By which a batch is found again.
fn text(spec: &Spec) -> String {
    // Plain data with string keys.
    serde_json::to_string(spec).unwrap_or_default()
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
