//! Looking things up in the journal, while a batch is worked on or long after.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use super::BatchId;
use super::batch::{COLUMNS, item};
use super::schema::{answer, tool_of};
use crate::findings::Severity;
use crate::item::{Item, ItemId, State};
use crate::ledger::LedgerError;
use crate::spec::Spec;
use crate::tally::{SHOWN, Tally, Worst};
use crate::turns::Turns;

/// A file as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The file.
    pub item: Item,
    /// How far it has come.
    pub state: State,
    /// What was wrong with it.
    pub evidence: Option<String>,
    /// What the archive is called that it came out of.
    pub parent_path: Option<String>,
    /// The answers: the tool's place in the specification, and the envelope.
    pub results: Vec<(usize, String)>,
}

/// Which files a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Filter {
    /// All that have ended.
    #[default]
    Ended,
    /// Those with findings that count.
    Findings,
    /// Those that could not be examined.
    Troubled,
}

/// What is read of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// Ended, without a row, and behind this file.
    Owed(ItemId),
    /// Behind this file.
    After(ItemId, Filter),
}

/// Where the files of a batch begin.
fn first_item(db: &Connection, batch: BatchId) -> rusqlite::Result<i64> {
    let first = db
        .prepare_cached("SELECT first_item FROM batch WHERE id = ?1")?
        .query_row([batch], |row| row.get(0))
        .optional()?;
    Ok(first.unwrap_or(i64::MAX))
}

/// A batch as the journal has it.
#[derive(Debug, Clone)]
pub struct Written {
    /// What it is.
    pub spec: Spec,
    /// When it was begun, in seconds since 1970.
    pub begun: i64,
    /// When all of it was done.
    pub ended: Option<i64>,
    /// Whether its caller had enough of it.
    pub cancelled: bool,
    /// What has come of it.
    pub tally: Tally,
}

/// Looks things up.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
    turns: Turns,
}

impl Reader {
    pub(super) fn new(db: Connection, turns: Turns) -> Self {
        Self { db, turns }
    }

    /// A batch.
    ///
    /// # Errors
    /// When it can't be looked up.
    pub fn batch(&self, id: BatchId) -> Result<Option<Written>, LedgerError> {
        let found = self
            .db
            .query_row(
                "SELECT spec, begun, ended, cancelled FROM batch WHERE id = ?1",
                [id],
                |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get(3)?,
                    ))
                },
            )
            .optional()?;
        let Some((spec, begun, ended, cancelled)) = found else {
            return Ok(None);
        };
        let Ok(spec) = serde_json::from_str(&spec) else {
            return Ok(None);
        };
        Ok(Some(Written {
            spec,
            begun,
            ended,
            cancelled,
            tally: tally(&self.db, id)?,
        }))
    }

    /// At most so many files behind this one.
    ///
    /// # Errors
    /// When they can't be looked up.
    pub fn page(
        &self,
        id: BatchId,
        after: ItemId,
        filter: Filter,
        most: usize,
    ) -> Result<Vec<Stored>, LedgerError> {
        Ok(page(&self.db, id, Which::After(after, filter), most)?)
    }

    /// The batch is not to be gone on with.
    ///
    /// # Errors
    /// When it can't be written down.
    pub fn cancel(&self, id: BatchId) -> Result<(), LedgerError> {
        let _turn = self.turns.take();
        self.db.execute(
            "UPDATE batch SET cancelled = 1, ended = ifnull(ended, ?2) WHERE id = ?1",
            params![id, super::now()],
        )?;
        Ok(())
    }

    /// Batches that have not ended, the first first.
    ///
    /// # Errors
    /// When they can't be looked up.
    pub fn unfinished(&self) -> Result<Vec<BatchId>, LedgerError> {
        let mut select = self
            .db
            .prepare("SELECT id FROM batch WHERE ended IS NULL ORDER BY id")?;
        let ids = select.query_map([], |row| row.get(0))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }
}

pub(super) fn page(
    db: &Connection,
    batch: BatchId,
    which: Which,
    most: usize,
) -> rusqlite::Result<Vec<Stored>> {
    let (condition, after) = match which {
        Which::Owed(after) => ("written = 0", after),
        Which::After(after, Filter::Ended) => ("1", after),
        Which::After(after, Filter::Findings) => ("worst > 0", after),
        Which::After(after, Filter::Troubled) => ("state > 3", after),
    };
    let after = after.max(first_item(db, batch)?.saturating_sub(1));
    // By their numbers, whatever index there may be.
    let mut select = db.prepare_cached(&format!(
        "SELECT {COLUMNS}, state, evidence, holder,
            (SELECT path FROM item AS above WHERE above.id = item.parent AND item.parent > 0)
         FROM item WHERE id > ?2 AND +batch = ?1 AND state >= 3 AND {condition} ORDER BY id LIMIT ?3"
    ))?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = select.query_map(params![batch, after, most], |row| {
        let stored = Stored {
            item: item(row)?,
            state: State::of_number(row.get(9)?).unwrap_or(State::Failed),
            evidence: row.get(10)?,
            parent_path: row.get(12)?,
            results: Vec::new(),
        };
        Ok((stored, row.get::<_, ItemId>(11)?))
    })?;
    let mut page = Vec::new();
    for row in rows {
        let (mut stored, holder) = row?;
        let holder = if holder > 0 { holder } else { stored.item.id };
        stored.results = results(db, holder)?;
        page.push(stored);
    }
    Ok(page)
}

pub(super) fn results(db: &Connection, holder: ItemId) -> rusqlite::Result<Vec<(usize, String)>> {
    let mut select = db
        .prepare_cached("SELECT id, envelope FROM result WHERE id >= ?1 AND id < ?2 ORDER BY id")?;
    select
        .query_map([answer(holder, 0), answer(holder + 1, 0)], |row| {
            Ok((tool_of(row.get(0)?), row.get(1)?))
        })?
        .collect()
}

pub(super) fn tally(db: &Connection, batch: BatchId) -> rusqlite::Result<Tally> {
    let number = |number: i64| u64::try_from(number).unwrap_or_default();
    let skipped = db
        .query_row("SELECT skipped FROM batch WHERE id = ?1", [batch], |row| {
            row.get(0)
        })
        .optional()?;
    let mut tally = Tally {
        skipped: number(skipped.unwrap_or_default()),
        ..Tally::default()
    };
    let first = first_item(db, batch)?;
    let mut states = db.prepare_cached(
        "SELECT state, count(*), sum(size) FROM item WHERE id >= ?2 AND +batch = ?1 GROUP BY state",
    )?;
    let mut rows = states.query([batch, first])?;
    while let Some(row) = rows.next()? {
        let (count, bytes) = (number(row.get(1)?), number(row.get(2)?));
        tally.total += count;
        let Some(state) = State::of_number(row.get(0)?) else {
            continue;
        };
        if state.is_final() {
            tally.bytes = tally.bytes.saturating_add(bytes);
        }
        match state {
            State::Done => tally.done = count,
            State::Failed => tally.failed = count,
            State::Poison => tally.poison = count,
            State::Pending | State::Running | State::Interrupted => {}
        }
    }
    let mut worst = db.prepare_cached(
        "SELECT worst, count(*) FROM item WHERE id >= ?2 AND +batch = ?1 AND worst > 0 GROUP BY worst",
    )?;
    let mut rows = worst.query([batch, first])?;
    while let Some(row) = rows.next()? {
        let count = number(row.get(1)?);
        match Severity::of_number(row.get(0)?) {
            Some(Severity::High) => tally.high = count,
            Some(Severity::Suspicious) => tally.suspicious = count,
            Some(Severity::Info) | None => {}
        }
    }
    let (worst, troubled) = SHOWN;
    let shown = |most: usize| i64::try_from(most).unwrap_or(i64::MAX);
    let mut select = db.prepare_cached(
        "SELECT path, worst, headline, findings FROM item
         WHERE id >= ?3 AND +batch = ?1 AND worst > 0
         ORDER BY worst DESC, findings DESC, id LIMIT ?2",
    )?;
    tally.worst = select
        .query_map(params![batch, shown(worst), first], |row| {
            Ok(Worst {
                path: row.get(0)?,
                severity: Severity::of_number(row.get(1)?).unwrap_or(Severity::Info),
                what: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                findings: number(row.get(3)?),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut select = db.prepare_cached(
        "SELECT path, ifnull(evidence, '') FROM item
         WHERE id >= ?3 AND +batch = ?1 AND state > 3 ORDER BY id LIMIT ?2",
    )?;
    tally.troubled = select
        .query_map(params![batch, shown(troubled), first], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(tally)
}
