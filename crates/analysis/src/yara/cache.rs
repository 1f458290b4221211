//! Compiled sets that a worker keeps, since compiling a thousand rules costs
//! more than scanning most files. Bounded; the least recently used set goes
//! first.

use std::sync::Arc;

use super::compile::Compiled;
use super::id::RuleSetId;

/// Compiled sets by their identity.
#[derive(Debug)]
pub struct Cache {
    max_sets: usize,
    max_source_bytes: u64,
    /// The most recently used set is last.
    sets: Vec<Arc<Compiled>>,
}

impl Cache {
    /// An empty cache that keeps at most `max_sets` sets of `max_source_bytes`
    /// bytes of rule text together.
    pub fn new(max_sets: usize, max_source_bytes: u64) -> Self {
        Self {
            max_sets,
            max_source_bytes,
            sets: Vec::new(),
        }
    }

    /// The set with this identity, which becomes the most recently used.
    pub fn get(&mut self, id: &RuleSetId) -> Option<Arc<Compiled>> {
        let index = self.sets.iter().position(|set| set.id() == id)?;
        let set = self.sets.remove(index);
        self.sets.push(Arc::clone(&set));
        Some(set)
    }

    /// Keeps a set, in place of one with the same identity. A set that is too
    /// large by itself is not kept; the caller holds it for its own scan.
    pub fn insert(&mut self, set: Arc<Compiled>) {
        self.sets.retain(|kept| kept.id() != set.id());
        if self.max_sets == 0 || set.source_bytes() > self.max_source_bytes {
            return;
        }
        let room = self.max_source_bytes.saturating_sub(set.source_bytes());
        while self.sets.len() >= self.max_sets || self.source_bytes() > room {
            self.sets.remove(0);
        }
        self.sets.push(set);
    }

    /// The number of sets.
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Bytes of rule text of all sets.
    pub fn source_bytes(&self) -> u64 {
        self.sets.iter().map(|set| set.source_bytes()).sum()
    }
}
