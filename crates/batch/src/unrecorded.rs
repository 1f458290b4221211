//! A ledger without a file, for `--no-journal`: it remembers what is still to be
//! done and nothing of what was. Equal files are examined one by one.

use std::collections::VecDeque;

use crate::examine::Content;
use crate::item::{Found, Item, ItemId, Listed};
use crate::ledger::{Ended, Ledger, LedgerError, Sum};
use crate::tally::Tally;

/// What is still to be done, in memory.
#[derive(Debug, Default)]
pub struct Unrecorded {
    waiting: VecDeque<Item>,
    last: ItemId,
    tally: Tally,
    /// Files and bytes that came out of the named file of each number; an entry an
    /// archive that is in work.
    unpacked: std::collections::HashMap<ItemId, (u64, u64)>,
    /// The names of archives that have files in work.
    archives: std::collections::HashMap<ItemId, String>,
}

impl Unrecorded {
    fn item(&mut self, found: &Found, parent: Option<&Item>) -> Item {
        self.last += 1;
        Item {
            id: self.last,
            path: found.path.clone(),
            place: found.place.clone(),
            size: found.size,
            parent: parent.map(|parent| parent.id),
            root: parent.map(|parent| parent.root.unwrap_or(parent.id)),
            depth: parent.map_or(0, |parent| parent.depth + 1),
            attempts: 0,
            content: None,
        }
    }
}

impl Ledger for Unrecorded {
    fn add(&mut self, listed: &[Listed]) -> Result<Vec<(Item, String)>, LedgerError> {
        let mut refused = Vec::new();
        for listed in listed {
            match listed {
                Listed::File(found) => {
                    let item = self.item(found, None);
                    self.waiting.push_back(item);
                    self.tally.total += 1;
                }
                Listed::Refused { path, reason } => {
                    let found = Found {
                        path: path.clone(),
                        place: None,
                        size: 0,
                    };
                    let item = self.item(&found, None);
                    self.tally.total += 1;
                    refused.push((item, reason.clone()));
                }
                Listed::Skipped(count) => self.tally.skipped += count,
            }
        }
        Ok(refused)
    }

    fn listed(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }

    fn next(&mut self, most: usize) -> Result<Vec<Item>, LedgerError> {
        let most = most.min(self.waiting.len());
        Ok(self
            .waiting
            .drain(..most)
            .map(|mut item| {
                item.attempts += 1;
                item
            })
            .collect())
    }

    fn ended(&mut self, _: Content) -> Result<Option<Ended>, LedgerError> {
        Ok(None)
    }

    fn results(&mut self, _: ItemId) -> Result<Vec<(usize, String)>, LedgerError> {
        Ok(Vec::new())
    }

    fn result(&mut self, _: &Item, _: usize, _: &str) -> Result<(), LedgerError> {
        Ok(())
    }

    fn begin_anew(&mut self, _: &Item) -> Result<(), LedgerError> {
        Ok(())
    }

    fn unpacked(&mut self, root: ItemId) -> Result<(u64, u64), LedgerError> {
        Ok(self.unpacked.get(&root).copied().unwrap_or_default())
    }

    fn finish(&mut self, sum: &Sum<'_>) -> Result<(), LedgerError> {
        let Sum {
            item,
            state,
            evidence,
            findings,
            children,
            holder: _,
        } = sum;
        self.tally
            .take(&item.path, item.size, *state, *evidence, findings);
        if !children.is_empty() {
            self.archives.insert(item.id, item.path.clone());
        }
        for found in *children {
            let child = self.item(found, Some(item));
            let sum = self
                .unpacked
                .entry(item.root.unwrap_or(item.id))
                .or_default();
            sum.0 += 1;
            sum.1 = sum.1.saturating_add(found.size);
            // Before what comes next, so that few are unpacked at one time.
            self.waiting.push_front(child);
            self.tally.total += 1;
        }
        Ok(())
    }

    fn is_dirty(&self) -> bool {
        false
    }

    fn commit(&mut self, _: u64) -> Result<(), LedgerError> {
        Ok(())
    }

    fn close(&mut self, _: bool) -> Result<(), LedgerError> {
        Ok(())
    }

    fn tally(&mut self) -> Result<Tally, LedgerError> {
        Ok(self.tally.clone())
    }

    fn opened(&mut self, item: ItemId) -> Result<Option<String>, LedgerError> {
        self.path_of(item)
    }

    fn path_of(&mut self, item: ItemId) -> Result<Option<String>, LedgerError> {
        Ok(self.archives.get(&item).cloned())
    }
}
