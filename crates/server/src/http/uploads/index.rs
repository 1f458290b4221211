//! What is known of each uploaded file, by client: in memory, and as a journal
//! on disk of one JSON line per change. Opens no uploaded file.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest label of a file, in bytes.
const LONGEST_LABEL: usize = 200;
/// What a file is called that has no usable name.
const NO_LABEL: &str = "file";

/// One file of one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Lower-case hexadecimal.
    pub(super) sha256: String,
    /// Bytes.
    pub(super) size: u64,
    /// What the client calls it.
    pub(super) name: String,
    /// Seconds since 1970.
    pub(super) uploaded: u64,
}

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "change")]
pub(super) enum Change {
    /// A client has the file now.
    Add {
        /// The client.
        owner: String,
        /// The file.
        #[serde(flatten)]
        record: Record,
    },
    /// A client has it no longer.
    Remove {
        /// The client.
        owner: String,
        /// The file.
        sha256: String,
    },
}

/// The files of each client, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Index {
    clients: HashMap<Arc<str>, Files>,
    /// How many clients have each file, and its size.
    holders: HashMap<String, (usize, u64)>,
    /// Bytes of all files, each counted once.
    total: u64,
    number: u64,
}

/// The files of one client.
#[derive(Debug, Default)]
struct Files {
    by_number: BTreeMap<u64, Record>,
    by_hash: HashMap<String, u64>,
    bytes: u64,
}

impl Index {
    /// A client has a file. Does nothing when it has it already.
    pub(super) fn add(&mut self, owner: &Arc<str>, record: Record) {
        let files = self.clients.entry(Arc::clone(owner)).or_default();
        if files.by_hash.contains_key(&record.sha256) {
            return;
        }
        self.number += 1;
        files.bytes = files.bytes.saturating_add(record.size);
        files.by_hash.insert(record.sha256.clone(), self.number);
        let (holders, size) = self
            .holders
            .entry(record.sha256.clone())
            .or_insert((0, record.size));
        if *holders == 0 {
            self.total = self.total.saturating_add(*size);
        }
        *holders += 1;
        files.by_number.insert(self.number, record);
    }

    /// A client has a file no longer. Returns whether anybody still has it;
    /// `None` when the client did not have it.
    pub(super) fn remove(&mut self, owner: &str, sha256: &str) -> Option<bool> {
        let files = self.clients.get_mut(owner)?;
        let number = files.by_hash.remove(sha256)?;
        let record = files.by_number.remove(&number)?;
        files.bytes = files.bytes.saturating_sub(record.size);
        if files.by_number.is_empty() {
            self.clients.remove(owner);
        }
        let (holders, size) = self.holders.get_mut(sha256)?;
        *holders = holders.saturating_sub(1);
        if *holders > 0 {
            return Some(true);
        }
        self.total = self.total.saturating_sub(*size);
        self.holders.remove(sha256);
        Some(false)
    }

    pub(super) fn get(&self, owner: &str, sha256: &str) -> Option<&Record> {
        let files = self.clients.get(owner)?;
        files.by_number.get(files.by_hash.get(sha256)?)
    }

    /// Up to `limit` files after the one with this number, each with its own.
    pub(super) fn page(&self, owner: &str, after: u64, limit: usize) -> Vec<(u64, Record)> {
        let Some(files) = self.clients.get(owner) else {
            return Vec::new();
        };
        files
            .by_number
            .range(after.saturating_add(1)..)
            .take(limit)
            .map(|(number, record)| (*number, record.clone()))
            .collect()
    }

    /// How many files a client has.
    pub(super) fn count(&self, owner: &str) -> usize {
        self.clients
            .get(owner)
            .map_or(0, |files| files.by_number.len())
    }

    /// Bytes of a client's files.
    pub(super) fn bytes(&self, owner: &str) -> u64 {
        self.clients.get(owner).map_or(0, |files| files.bytes)
    }

    /// Bytes of all files.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// All files, with their owners, as a journal that leads here.
    pub(super) fn changes(&self) -> impl Iterator<Item = Change> {
        let mut all: Vec<_> = self
            .clients
            .iter()
            .flat_map(|(owner, files)| {
                let owned = move |(number, record): (&u64, &Record)| {
                    (*number, owner.to_string(), record.clone())
                };
                files.by_number.iter().map(owned)
            })
            .collect();
        all.sort_unstable_by_key(|(number, _, _)| *number);
        all.into_iter()
            .map(|(_, owner, record)| Change::Add { owner, record })
    }

    /// Applies a line of the journal.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Add { owner, record } => self.add(&owner.into(), record),
            Change::Remove { owner, sha256 } => {
                self.remove(&owner, &sha256);
            }
        }
    }
}

/// A client's name for a file, made fit for logs, lists and other clients'
/// screens: the last part of a path, without control characters and those that
/// change the direction of text.
pub(super) fn label(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut label = String::new();
    for c in last.trim().chars() {
        let turns_text = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns_text {
            continue;
        }
        if label.len() + c.len_utf8() > LONGEST_LABEL {
            break;
        }
        label.push(c);
    }
    if label.chars().all(|c| c == '.') {
        NO_LABEL.to_owned()
    } else {
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sha256: &str, size: u64) -> Record {
        Record {
            sha256: sha256.to_owned(),
            size,
            name: "n".to_owned(),
            uploaded: 1,
        }
    }

    #[test]
    fn a_file_of_two_clients_counts_for_both_and_once_on_disk() {
        let mut index = Index::default();
        let (alice, bob): (Arc<str>, Arc<str>) = ("alice".into(), "bob".into());
        index.add(&alice, record("a", 10));
        index.add(&alice, record("a", 10));
        index.add(&bob, record("a", 10));
        index.add(&bob, record("b", 5));
        let counts = |index: &Index| (index.bytes("alice"), index.bytes("bob"), index.total());
        assert_eq!(counts(&index), (10, 15, 15));
        assert_eq!(index.remove("carol", "a"), None);
        assert_eq!(index.remove("alice", "a"), Some(true));
        assert_eq!(index.remove("alice", "a"), None);
        assert_eq!(counts(&index), (0, 15, 15));
        assert_eq!(index.remove("bob", "a"), Some(false));
        assert_eq!(counts(&index), (0, 5, 5));
    }

    #[test]
    fn pages_go_through_all_files_and_the_journal_leads_back() {
        let mut index = Index::default();
        let alice: Arc<str> = "alice".into();
        for number in 0..25 {
            index.add(&alice, record(&number.to_string(), number));
        }
        index.remove("alice", "7");
        let all = |index: &Index| {
            let (mut after, mut names) = (0, Vec::new());
            loop {
                let page = index.page("alice", after, 10);
                let Some((last, _)) = page.last() else {
                    return names;
                };
                after = *last;
                names.extend(page.into_iter().map(|(_, record)| record.sha256));
            }
        };
        assert_eq!(all(&index).len(), 24);
        let mut again = Index::default();
        for change in index.changes() {
            let line = serde_json::to_string(&change).unwrap();
            again.apply(serde_json::from_str(&line).unwrap());
        }
        assert_eq!(all(&again), all(&index));
    }

    #[test]
    fn labels_are_plain() {
        for (given, expected) in [
            ("a.exe", "a.exe"),
            ("../../etc/passwd", "passwd"),
            ("C:\\x\\y.dll", "y.dll"),
            ("..", "file"),
            ("", "file"),
            ("a/", "file"),
            ("a\u{202e}exe\n\0", "aexe"),
            ("ä b", "ä b"),
        ] {
            assert_eq!(label(given), expected, "{given:?}");
        }
        assert_eq!(label(&"ä".repeat(300)).len(), LONGEST_LABEL);
    }
}
