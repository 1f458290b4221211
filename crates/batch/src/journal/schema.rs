//! The tables of the journal, and how it is opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, params};

/// Written into the file; a later program may write more.
const VERSION: i64 = 1;
/// What the file says it is: `RvBa`.
const APPLICATION: i64 = 0x5276_4261;
/// Another connection of this process writes for some milliseconds at a time.
const PATIENCE: Duration = Duration::from_secs(20);

/// States and severities are numbers that never change their meaning; `parent` is 0
/// for a file that was named, so that it can be part of a key. There are few indices:
/// each is pages that every file's end would have to write. The files of a batch lie
/// from `first_item` on, in the order of their numbers. An answer's number is that of
/// its file and of the tool in one; a file whose content was known before has its
/// answers where `holder` says.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS batch(
    id INTEGER PRIMARY KEY,
    spec TEXT NOT NULL,
    begun INTEGER NOT NULL,
    first_item INTEGER NOT NULL,
    ended INTEGER,
    listed INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    out TEXT,
    out_length INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS item(
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL,
    path TEXT NOT NULL,
    place TEXT,
    size INTEGER NOT NULL,
    parent INTEGER NOT NULL DEFAULT 0,
    root INTEGER NOT NULL DEFAULT 0,
    depth INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    content BLOB,
    content_key INTEGER,
    holder INTEGER NOT NULL DEFAULT 0,
    evidence TEXT,
    worst INTEGER NOT NULL DEFAULT 0,
    findings INTEGER NOT NULL DEFAULT 0,
    headline TEXT,
    written INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS item_path ON item(batch, parent, path);
CREATE INDEX IF NOT EXISTS item_content ON item(content_key) WHERE content_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS item_root ON item(root) WHERE root > 0;
CREATE TABLE IF NOT EXISTS result(
    id INTEGER PRIMARY KEY,
    envelope TEXT NOT NULL
);
";

/// The number of an answer: tools of one batch are fewer than this.
const TOOLS: i64 = 64;

/// Where the answer of a tool about a file is.
pub(super) fn answer(item: i64, tool: usize) -> i64 {
    let tool = i64::try_from(tool).unwrap_or(TOOLS - 1).min(TOOLS - 1);
    item.saturating_mul(TOOLS).saturating_add(tool)
}

/// The tool of an answer.
pub(super) fn tool_of(answer: i64) -> usize {
    usize::try_from(answer.rem_euclid(TOOLS)).unwrap_or_default()
}

/// Opens the file for the first time in this process, or makes it. Nobody else may
/// have it open: this writes.
pub(super) fn connect_first(path: &Path) -> rusqlite::Result<Connection> {
    let db = connect(path)?;
    // Only before there are tables, and it takes the right to write even then.
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    Ok(db)
}

/// Opens the file once more. Waits for nobody who writes.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(PATIENCE)?;
    // A process that is killed loses nothing that was committed. A machine that
    // loses power may lose the last seconds, which are then done again; it damages
    // nothing.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "wal_autocheckpoint", 4000)?;
    Ok(db)
}

/// Makes the tables, if they are not there; not in a file that a later version of
/// this program has written. Says whether they are there.
pub(super) fn make(db: &Connection) -> rusqlite::Result<bool> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version > VERSION {
        return Ok(false);
    }
    db.execute_batch(TABLES)?;
    db.pragma_update(None, "application_id", APPLICATION)?;
    db.pragma_update(None, "user_version", VERSION)?;
    Ok(true)
}

/// Forgets all but the last so many batches that have ended.
pub(super) fn prune(db: &Connection, kept: i64) -> rusqlite::Result<()> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    let pruned = prune_within(db, kept);
    db.execute_batch(if pruned.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    pruned
}

fn prune_within(db: &Connection, kept: i64) -> rusqlite::Result<()> {
    let mut old = db.prepare(
        "SELECT id FROM batch WHERE ended IS NOT NULL ORDER BY id DESC LIMIT -1 OFFSET ?1",
    )?;
    let ids = old
        .query_map([kept], |row| row.get::<_, i64>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for id in ids {
        let mut items = db.prepare("SELECT id FROM item WHERE batch = ?1")?;
        let mut answers = db.prepare("DELETE FROM result WHERE id BETWEEN ?1 AND ?2")?;
        for item in items.query_map([id], |row| row.get::<_, i64>(0))? {
            let first = answer(item?, 0);
            answers.execute([first, first + TOOLS - 1])?;
        }
        db.execute("DELETE FROM item WHERE batch = ?1", params![id])?;
        db.execute("DELETE FROM batch WHERE id = ?1", params![id])?;
    }
    Ok(())
}
