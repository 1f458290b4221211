//! One batch in the journal, as it is worked on. What is written is gathered into
//! transactions: one for every file would cost more than many a file's analysis. That
//! a file is being worked on is written down only if it still is when a transaction
//! ends: most have ended by then.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::BatchId;
use super::read::{self, Stored};
use super::schema::answer;
use crate::examine::Content;
use crate::hold::Hold;
use crate::item::{Found, Item, ItemId, Listed, State};
use crate::ledger::{Ended, Ledger, LedgerError, Sum};
use crate::tally::{Tally, Worst};
use crate::turns::{Turn, Turns};

/// A batch that is worked on.
#[derive(Debug)]
pub struct Batch {
    db: Connection,
    id: BatchId,
    /// Where its files begin.
    first: ItemId,
    turns: Turns,
    /// While a transaction is open. Behind the connection, which ends it.
    turn: Option<Turn>,
    /// What was begun before, and is to be done first; read when it is asked for.
    interrupted: Option<VecDeque<Item>>,
    /// Read ahead, in the order of their numbers, and the last number that was read.
    ahead: VecDeque<Item>,
    read_to: ItemId,
    /// Begun, and not written down as such.
    begun: BTreeSet<ItemId>,
    // The journal stays this process's as long as a batch is.
    _hold: Arc<Hold>,
}

/// Files that are read together.
const AHEAD: usize = 64;

/// The columns of an [`Item`], in the order in which [`item`] reads them.
pub(super) const COLUMNS: &str = "id, path, place, size, parent, root, depth, attempts, content";

pub(super) fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let named = |id: ItemId| (id > 0).then_some(id);
    Ok(Item {
        id: row.get(0)?,
        path: row.get(1)?,
        place: row.get(2)?,
        size: row.get::<_, i64>(3)?.try_into().unwrap_or_default(),
        parent: named(row.get(4)?),
        root: named(row.get(5)?),
        depth: row.get::<_, i64>(6)?.try_into().unwrap_or(u32::MAX),
        attempts: row.get::<_, i64>(7)?.try_into().unwrap_or(u32::MAX),
        content: row.get::<_, Option<[u8; 32]>>(8)?.map(Content),
    })
}

/// By which a content is looked for.
fn key(content: Content) -> i64 {
    let [first, ..] = content.0.as_chunks().0 else {
        return 0;
    };
    i64::from_le_bytes(*first)
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Batch {
    /// The batch of this number, whose files begin at that.
    pub(super) fn new(
        db: Connection,
        (hold, turns): (Arc<Hold>, Turns),
        (id, first): (BatchId, ItemId),
    ) -> Self {
        // One connection, a dozen statements.
        db.set_prepared_statement_cache_capacity(32);
        Self {
            db,
            id,
            first,
            turns,
            turn: None,
            interrupted: None,
            ahead: VecDeque::new(),
            read_to: first.saturating_sub(1),
            begun: BTreeSet::new(),
            _hold: hold,
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> BatchId {
        self.id
    }

    /// Whether all files have been found, and how long the row file is.
    ///
    /// # Errors
    /// When it can't be looked up.
    pub fn standing(&self) -> Result<(bool, u64), LedgerError> {
        let standing = self.db.query_row(
            "SELECT listed, out_length FROM batch WHERE id = ?1",
            [self.id],
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)),
        )?;
        Ok((standing.0, standing.1.try_into().unwrap_or_default()))
    }

    /// No row has been written: all are owed.
    ///
    /// # Errors
    /// When it can't be written down.
    pub fn owe_all(&mut self) -> Result<(), LedgerError> {
        let (batch, first) = (self.id, self.first);
        self.write()?.execute(
            "UPDATE item SET written = 0 WHERE id >= ?2 AND +batch = ?1",
            [batch, first],
        )?;
        Ok(())
    }

    /// At most so many files behind this one that have ended and have no row yet.
    ///
    /// # Errors
    /// When they can't be looked up.
    pub fn owed(&self, after: ItemId, most: usize) -> Result<Vec<Stored>, LedgerError> {
        Ok(read::page(
            &self.db,
            self.id,
            read::Which::Owed(after),
            most,
        )?)
    }

    /// These have rows now.
    ///
    /// # Errors
    /// When it can't be written down.
    pub fn wrote(&mut self, items: &[ItemId]) -> Result<(), LedgerError> {
        let db = self.write()?;
        let mut update = db.prepare_cached("UPDATE item SET written = 1 WHERE id = ?1")?;
        for item in items {
            update.execute([item])?;
        }
        Ok(())
    }

    /// The connection, within a transaction.
    fn write(&mut self) -> rusqlite::Result<&Connection> {
        if self.turn.is_none() {
            let turn = self.turns.take();
            self.db.execute_batch("BEGIN IMMEDIATE")?;
            self.turn = Some(turn);
        }
        Ok(&self.db)
    }

    /// The next file that nobody has looked at.
    fn pending(&mut self) -> rusqlite::Result<Option<Item>> {
        if self.ahead.is_empty() {
            self.ahead = self.read(State::Pending, self.read_to, AHEAD)?;
            if let Some(last) = self.ahead.back() {
                self.read_to = last.id;
            }
        }
        Ok(self.ahead.pop_front())
    }

    /// Files in this state behind that number.
    fn read(&self, state: State, after: ItemId, most: usize) -> rusqlite::Result<VecDeque<Item>> {
        let mut select = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM item WHERE id > ?2 AND +batch = ?1 AND state = ?3 ORDER BY id LIMIT ?4"
        ))?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        select
            .query_map(params![self.id, after, state.number(), most], item)?
            .collect()
    }

    fn insert(&mut self, found: &Found, parent: Option<&Item>) -> rusqlite::Result<Option<ItemId>> {
        let batch = self.id;
        let db = self.write()?;
        let mut insert = db.prepare_cached(
            "INSERT OR IGNORE INTO item(batch, path, place, size, parent, root, depth)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let root = parent.map_or(0, |parent| parent.root.unwrap_or(parent.id));
        let changed = insert.execute(params![
            batch,
            found.path,
            found.place,
            number(found.size),
            parent.map_or(0, |parent| parent.id),
            root,
            parent.map_or(0, |parent| i64::from(parent.depth) + 1),
        ])?;
        Ok((changed > 0).then(|| db.last_insert_rowid()))
    }
}

impl Ledger for Batch {
    fn add(&mut self, listed: &[Listed]) -> Result<Vec<(Item, String)>, LedgerError> {
        let mut refused = Vec::new();
        for listed in listed {
            match listed {
                Listed::File(found) => {
                    self.insert(found, None)?;
                }
                Listed::Refused { path, reason } => {
                    let found = Found {
                        path: path.clone(),
                        place: None,
                        size: 0,
                    };
                    if let Some(id) = self.insert(&found, None)? {
                        let item = Item {
                            id,
                            path: found.path,
                            place: None,
                            size: 0,
                            parent: None,
                            root: None,
                            depth: 0,
                            attempts: 0,
                            content: None,
                        };
                        // It ends at once, before it could be taken up.
                        refused.push((item, reason.clone()));
                    }
                }
                Listed::Skipped(count) => {
                    let (batch, count) = (self.id, number(*count));
                    self.write()?.execute(
                        "UPDATE batch SET skipped = skipped + ?2 WHERE id = ?1",
                        params![batch, count],
                    )?;
                }
            }
        }
        Ok(refused)
    }

    fn listed(&mut self) -> Result<(), LedgerError> {
        let batch = self.id;
        self.write()?
            .execute("UPDATE batch SET listed = 1 WHERE id = ?1", [batch])?;
        Ok(())
    }

    fn next(&mut self, most: usize) -> Result<Vec<Item>, LedgerError> {
        let mut items: Vec<Item> = Vec::new();
        if self.interrupted.is_none() {
            self.interrupted = Some(self.read(State::Interrupted, self.read_to, usize::MAX)?);
        }
        while items.len() < most {
            let before = self.interrupted.as_mut().and_then(VecDeque::pop_front);
            let next = match before {
                Some(item) => Some(item),
                None => self.pending()?,
            };
            let Some(mut item) = next else { break };
            item.attempts += 1;
            self.begun.insert(item.id);
            items.push(item);
        }
        if !items.is_empty() {
            // So that what is begun is written down before long.
            self.write()?;
        }
        Ok(items)
    }

    fn ended(&mut self, content: Content) -> Result<Option<Ended>, LedgerError> {
        let mut select = self.db.prepare_cached(
            "SELECT id, state, evidence FROM item
             WHERE content_key = ?2 AND +batch = ?1 AND content = ?3 AND state >= 3 AND holder = 0 LIMIT 1",
        )?;
        let found: Option<(ItemId, i64, Option<String>)> = select
            .query_row(params![self.id, key(content), content.0], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        Ok(found.and_then(|(holder, state, evidence)| {
            Some(Ended {
                holder,
                state: State::of_number(state)?,
                evidence,
            })
        }))
    }

    fn results(&mut self, holder: ItemId) -> Result<Vec<(usize, String)>, LedgerError> {
        Ok(read::results(&self.db, holder)?)
    }

    fn result(&mut self, item: &Item, tool: usize, envelope: &str) -> Result<(), LedgerError> {
        let db = self.write()?;
        db.prepare_cached("INSERT OR REPLACE INTO result(id, envelope) VALUES(?1, ?2)")?
            .execute(params![answer(item.id, tool), envelope])?;
        Ok(())
    }

    fn begin_anew(&mut self, item: &Item) -> Result<(), LedgerError> {
        let db = self.write()?;
        db.prepare_cached("DELETE FROM result WHERE id >= ?1 AND id < ?2")?
            .execute([answer(item.id, 0), answer(item.id + 1, 0)])?;
        Ok(())
    }

    fn unpacked(&mut self, root: ItemId) -> Result<(u64, u64), LedgerError> {
        let (files, bytes): (i64, i64) = self
            .db
            .prepare_cached(
                "SELECT count(*), ifnull(sum(size), 0) FROM item WHERE root = ?1 AND root > 0",
            )?
            .query_row([root], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok((number(files), number(bytes)))
    }

    fn finish(&mut self, sum: &Sum<'_>) -> Result<(), LedgerError> {
        let Sum {
            item,
            state,
            evidence,
            findings,
            children,
            holder,
        } = sum;
        for child in *children {
            self.insert(child, Some(item))?;
        }
        self.begun.remove(&item.id);
        let worst = Worst::of(&item.path, findings);
        let db = self.write()?;
        db.prepare_cached(
            "UPDATE item SET state = ?2, content = ?3, evidence = ?4, worst = ?5, findings = ?6,
             headline = ?7, content_key = ?8, holder = ?9, attempts = ?10, written = 1 WHERE id = ?1",
        )?
        .execute(params![
            item.id,
            state.number(),
            item.content.map(|content| content.0),
            evidence,
            worst.as_ref().map_or(0, |worst| worst.severity.number()),
            worst.as_ref().map_or(0, |worst| number(worst.findings)),
            worst.as_ref().map(|worst| worst.what.as_str()),
            // Only the file that holds the answers is looked for.
            item.content.filter(|_| holder.is_none()).map(key),
            holder.unwrap_or_default(),
            i64::from(item.attempts),
        ])?;
        Ok(())
    }

    fn is_dirty(&self) -> bool {
        self.turn.is_some()
    }

    fn commit(&mut self, out_length: u64) -> Result<(), LedgerError> {
        if self.turn.is_none() {
            return Ok(());
        }
        let begun = std::mem::take(&mut self.begun);
        if !begun.is_empty() {
            let mut update = self.db.prepare_cached(
                "UPDATE item SET state = ?2, attempts = attempts + 1 WHERE id = ?1",
            )?;
            for item in begun {
                update.execute([item, State::Running.number()])?;
            }
        }
        self.db
            .prepare_cached("UPDATE batch SET out_length = ?2 WHERE id = ?1")?
            .execute(params![self.id, number(out_length)])?;
        self.db.execute_batch("COMMIT")?;
        self.turn = None;
        Ok(())
    }

    fn close(&mut self, complete: bool) -> Result<(), LedgerError> {
        self.begun.clear();
        let (batch, first) = (self.id, self.first);
        let db = self.write()?;
        db.execute(
            "UPDATE item SET state = ?2 WHERE id >= ?4 AND +batch = ?1 AND state = ?3",
            params![
                batch,
                State::Interrupted.number(),
                State::Running.number(),
                first
            ],
        )?;
        let ended = complete.then(super::now);
        db.execute(
            "UPDATE batch SET ended = ?2 WHERE id = ?1 AND cancelled = 0",
            params![batch, ended],
        )?;
        db.execute_batch("COMMIT")?;
        self.turn = None;
        Ok(())
    }

    fn tally(&mut self) -> Result<Tally, LedgerError> {
        Ok(read::tally(&self.db, self.id)?)
    }

    fn opened(&mut self, item: ItemId) -> Result<Option<String>, LedgerError> {
        let mut select = self.db.prepare_cached(
            "SELECT path FROM item WHERE id = ?2
             AND EXISTS (SELECT 1 FROM item WHERE batch = ?1 AND parent = ?2)",
        )?;
        Ok(select
            .query_row([self.id, item], |row| row.get(0))
            .optional()?)
    }

    fn path_of(&mut self, item: ItemId) -> Result<Option<String>, LedgerError> {
        let mut select = self
            .db
            .prepare_cached("SELECT path FROM item WHERE id = ?1")?;
        Ok(select.query_row([item], |row| row.get(0)).optional()?)
    }
}
