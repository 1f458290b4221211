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
/// for a file that was named, so that it can be part of a key.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS batch(
    id INTEGER PRIMARY KEY,
    spec TEXT NOT NULL,
    begun INTEGER NOT NULL,
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
    evidence TEXT,
    worst INTEGER NOT NULL DEFAULT 0,
    findings INTEGER NOT NULL DEFAULT 0,
    headline TEXT,
    written INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS item_path ON item(batch, parent, path);
CREATE INDEX IF NOT EXISTS item_state ON item(batch, state, id);
CREATE INDEX IF NOT EXISTS item_content ON item(batch, content) WHERE content IS NOT NULL;
CREATE INDEX IF NOT EXISTS item_worst ON item(batch, worst, findings) WHERE worst > 0;
CREATE INDEX IF NOT EXISTS item_root ON item(batch, root) WHERE root > 0;
CREATE INDEX IF NOT EXISTS item_owed ON item(batch, id) WHERE written = 0;
CREATE TABLE IF NOT EXISTS result(
    batch INTEGER NOT NULL,
    content BLOB NOT NULL,
    tool INTEGER NOT NULL,
    envelope TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS result_of ON result(batch, content, tool);
";

/// Opens the file, or makes it.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(PATIENCE)?;
    // Only before there are tables.
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
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
    let mut old = db.prepare(
        "SELECT id FROM batch WHERE ended IS NOT NULL ORDER BY id DESC LIMIT -1 OFFSET ?1",
    )?;
    let ids = old
        .query_map([kept], |row| row.get::<_, i64>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for id in ids {
        db.execute("DELETE FROM result WHERE batch = ?1", params![id])?;
        db.execute("DELETE FROM item WHERE batch = ?1", params![id])?;
        db.execute("DELETE FROM batch WHERE id = ?1", params![id])?;
    }
    Ok(())
}
