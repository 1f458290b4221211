//! Results in memory: bounded by their bytes, gone some time after their last
//! use. What is dropped is freed at once: caches that put that off until their
//! next use would keep the memory of a server at rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tokio::time::Instant;

use super::cache::Question;
use crate::catalogue::Success;

/// What an entry costs besides its text.
const OVERHEAD: u64 = 512;
/// Room for so many entries is made at once.
const EXPECTED: usize = 64;

/// The results.
#[derive(Debug)]
pub(super) struct InMemory {
    entries: Cache<Question, Arc<Entry>, Weight>,
    idle: Duration,
    /// Times of use are milliseconds since then.
    since: Instant,
}

#[derive(Debug)]
struct Entry {
    success: Arc<Success>,
    weight: u64,
    used: AtomicU64,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Question, Arc<Entry>> for Weight {
    fn weight(&self, _: &Question, entry: &Arc<Entry>) -> u64 {
        entry.weight
    }
}

impl InMemory {
    /// Of at most so many bytes; each is remembered so long after its last use.
    pub(super) fn new(bytes: u64, idle: Duration) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(EXPECTED)
            .weight_capacity(bytes)
            // A result may have all the room there is.
            .shards(1)
            .build()
            .expect("both capacities are given");
        Self {
            entries: Cache::with_options(
                options,
                Weight,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            idle,
            since: Instant::now(),
        }
    }

    pub(super) fn get(&self, question: &Question) -> Option<Arc<Success>> {
        let entry = self.entries.get(question)?;
        let now = self.now();
        if self.is_idle(&entry, now) {
            self.entries.remove(question);
            return None;
        }
        entry.used.store(now, Ordering::Relaxed);
        Some(Arc::clone(&entry.success))
    }

    pub(super) fn insert(&self, question: Question, success: &Arc<Success>) {
        let entry = Entry {
            weight: (success.size() as u64).saturating_add(OVERHEAD),
            success: Arc::clone(success),
            used: AtomicU64::new(self.now()),
        };
        self.entries.insert(question, Arc::new(entry));
    }

    /// Drops what was not used lately.
    pub(super) fn tidy(&self) {
        let now = self.now();
        self.entries.retain(|_, entry| !self.is_idle(entry, now));
    }

    fn is_idle(&self, entry: &Entry, now: u64) -> bool {
        let idle = now.saturating_sub(entry.used.load(Ordering::Relaxed));
        u128::from(idle) > self.idle.as_millis()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
