//! What the machine has for jobs, and what of it is taken. Pure: it counts, and
//! answers whether a job fits and when one will.
//!
//! A job is admitted when there is a slot, a processor, a child process and
//! memory for it, as far as it is expected to use them. Three rules bend that:
//!
//! - One job may always run, whatever it is expected to use.
//! - A job that is expected to use more than there is runs alone.
//! - Some slots are for interactive jobs only.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::spec::{Cost, Lane};

/// A job that is expected to use less CPU time takes no processor of its own:
/// it is over before it could be in anybody's way.
const LIGHT: Duration = Duration::from_millis(50);

/// Whether a job keeps a processor busy.
pub(crate) fn is_heavy(cost: &Cost) -> bool {
    cost.cpu >= LIGHT
}

/// What there is for jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Jobs at one time.
    pub slots: usize,
    /// Of these, slots for interactive jobs only.
    pub reserved: usize,
    /// Jobs at one time that keep a processor busy.
    pub processors: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// Child processes at one time.
    pub subprocesses: u32,
}

impl Capacity {
    /// Slots that jobs of a lane may take.
    pub(crate) fn slots_of(&self, lane: Lane) -> usize {
        match lane {
            Lane::Interactive => self.slots.max(1),
            Lane::Normal | Lane::Batch => self.slots.saturating_sub(self.reserved).max(1),
        }
    }
}

/// What a job can't have yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// A slot.
    Slot,
    /// A slot that is not reserved for interactive jobs.
    UnreservedSlot,
    /// A processor.
    Processor,
    /// Memory.
    Memory,
    /// A child process.
    Subprocess,
    /// The end of a job that runs alone.
    Exclusive,
    /// What a larger job before it is waiting for.
    Reservation,
}

/// A running job's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) lane: Lane,
    pub(crate) processors: usize,
    pub(crate) memory: u64,
    pub(crate) subprocesses: u32,
    /// Nothing else may start meanwhile.
    pub(crate) alone: bool,
    /// When it is expected to give its share back.
    pub(crate) until: Instant,
}

/// What is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Taken {
    jobs: usize,
    unreserved: usize,
    processors: usize,
    memory: u64,
    subprocesses: u32,
    alone: usize,
}

impl Taken {
    fn add(&mut self, share: &Share) {
        self.jobs += 1;
        self.unreserved += usize::from(share.lane != Lane::Interactive);
        self.processors += share.processors;
        self.memory = self.memory.saturating_add(share.memory);
        self.subprocesses = self.subprocesses.saturating_add(share.subprocesses);
        self.alone += usize::from(share.alone);
    }

    fn remove(&mut self, share: &Share) {
        self.jobs -= 1;
        self.unreserved -= usize::from(share.lane != Lane::Interactive);
        self.processors -= share.processors;
        self.memory = self.memory.saturating_sub(share.memory);
        self.subprocesses = self.subprocesses.saturating_sub(share.subprocesses);
        self.alone -= usize::from(share.alone);
    }
}

/// Capacity and what is taken of it.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) capacity: Capacity,
    taken: Taken,
}

impl Budget {
    pub(crate) fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            taken: Taken::default(),
        }
    }

    /// Jobs that run.
    pub(crate) fn running(&self) -> usize {
        self.taken.jobs
    }

    /// The share that a job would have.
    pub(crate) fn share(&self, lane: Lane, cost: &Cost, now: Instant) -> Share {
        let processors = usize::from(is_heavy(cost));
        let capacity = &self.capacity;
        Share {
            lane,
            processors,
            memory: cost.memory,
            subprocesses: cost.subprocesses,
            alone: cost.memory > capacity.memory
                || cost.subprocesses > capacity.subprocesses
                || processors > capacity.processors,
            until: now + cost.wall,
        }
    }

    /// What the job lacks; `None` when it fits.
    pub(crate) fn lacks(&self, share: &Share) -> Option<Resource> {
        self.lacks_beside(share, &self.taken)
    }

    fn lacks_beside(&self, share: &Share, taken: &Taken) -> Option<Resource> {
        if taken.jobs == 0 {
            return None;
        }
        let capacity = &self.capacity;
        if taken.alone > 0 || share.alone {
            return Some(Resource::Exclusive);
        }
        if taken.jobs >= capacity.slots.max(1) {
            return Some(Resource::Slot);
        }
        if share.lane != Lane::Interactive && taken.unreserved >= capacity.slots_of(share.lane) {
            return Some(Resource::UnreservedSlot);
        }
        if share.processors > 0 && taken.processors + share.processors > capacity.processors {
            return Some(Resource::Processor);
        }
        if taken.subprocesses.saturating_add(share.subprocesses) > capacity.subprocesses {
            return Some(Resource::Subprocess);
        }
        if taken.memory.saturating_add(share.memory) > capacity.memory {
            return Some(Resource::Memory);
        }
        None
    }

    pub(crate) fn take(&mut self, share: &Share) {
        self.taken.add(share);
    }

    pub(crate) fn give_back(&mut self, share: &Share) {
        self.taken.remove(share);
    }

    /// When a job that does not fit now will, if the running ones end when they
    /// are expected to; one that is overdue is expected any moment.
    pub(crate) fn fits_at<'a>(
        &self,
        share: &Share,
        running: impl Iterator<Item = &'a Share>,
        now: Instant,
    ) -> Instant {
        let mut running: Vec<&Share> = running.collect();
        running.sort_by_key(|other| other.until);
        let mut taken = self.taken;
        let mut at = now;
        for other in running {
            if self.lacks_beside(share, &taken).is_none() {
                break;
            }
            taken.remove(other);
            at = at.max(other.until);
        }
        at
    }

    /// Whether a job may go before one that waits until `reserved` for its
    /// turn: it is over by then, or leaves enough for the other.
    pub(crate) fn may_overtake<'a>(
        &self,
        share: &Share,
        waiting: &Share,
        reserved: Instant,
        running: impl Iterator<Item = &'a Share>,
        now: Instant,
    ) -> bool {
        // What was expected to be over and is not makes the reservation late;
        // nothing more is let past it then.
        if reserved <= now {
            return false;
        }
        if share.until <= reserved {
            return true;
        }
        let mut taken = Taken::default();
        taken.add(share);
        for other in running.filter(|other| other.until > reserved) {
            taken.add(other);
        }
        self.lacks_beside(waiting, &taken).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: Capacity = Capacity {
        slots: 4,
        reserved: 1,
        processors: 2,
        memory: 100,
        subprocesses: 3,
    };

    fn cost(cpu_ms: u64, wall_ms: u64, memory: u64, subprocesses: u32) -> Cost {
        Cost {
            cpu: Duration::from_millis(cpu_ms),
            wall: Duration::from_millis(wall_ms),
            memory,
            subprocesses,
        }
    }

    #[test]
    fn each_resource_is_named_when_it_is_short() {
        let now = Instant::now();
        let mut budget = Budget::new(CAPACITY);
        let heavy = budget.share(Lane::Normal, &cost(1000, 1000, 40, 1), now);
        assert_eq!(budget.lacks(&heavy), None);
        budget.take(&heavy);
        budget.take(&heavy);
        assert_eq!(budget.lacks(&heavy), Some(Resource::Processor));
        let large = budget.share(Lane::Normal, &cost(1, 1, 30, 0), now);
        assert_eq!(budget.lacks(&large), Some(Resource::Memory));
        let many = budget.share(Lane::Normal, &cost(1, 1, 1, 2), now);
        assert_eq!(budget.lacks(&many), Some(Resource::Subprocess));
        let light = budget.share(Lane::Normal, &cost(1, 1, 1, 0), now);
        budget.take(&light);
        assert_eq!(budget.lacks(&light), Some(Resource::UnreservedSlot));
        let quick = budget.share(Lane::Interactive, &cost(1, 1, 1, 0), now);
        assert_eq!(budget.lacks(&quick), None);
        budget.take(&quick);
        assert_eq!(budget.lacks(&quick), Some(Resource::Slot));
        for share in [&heavy, &heavy, &light, &quick] {
            budget.give_back(share);
        }
        assert_eq!(budget.taken, Taken::default());
    }

    #[test]
    fn what_is_too_large_runs_alone() {
        let now = Instant::now();
        let mut budget = Budget::new(CAPACITY);
        let huge = budget.share(Lane::Batch, &cost(1, 1, 1000, 0), now);
        let light = budget.share(Lane::Interactive, &cost(1, 1, 1, 0), now);
        budget.take(&light);
        assert_eq!(budget.lacks(&huge), Some(Resource::Exclusive));
        budget.give_back(&light);
        assert_eq!(budget.lacks(&huge), None);
        budget.take(&huge);
        assert_eq!(budget.lacks(&light), Some(Resource::Exclusive));
    }

    #[test]
    fn a_short_job_overtakes_and_a_long_one_only_where_it_does_not_matter() {
        let now = Instant::now();
        let mut budget = Budget::new(CAPACITY);
        let running = budget.share(Lane::Normal, &cost(1, 1000, 60, 0), now);
        budget.take(&running);
        let waiting = budget.share(Lane::Normal, &cost(1, 1000, 70, 0), now);
        assert_eq!(budget.lacks(&waiting), Some(Resource::Memory));
        let reserved = budget.fits_at(&waiting, [&running].into_iter(), now);
        assert_eq!(reserved, now + Duration::from_secs(1));
        let may = |share: &Share, at| {
            budget.may_overtake(share, &waiting, reserved, [&running].into_iter(), at)
        };
        let short = budget.share(Lane::Normal, &cost(1, 900, 40, 0), now);
        let long = budget.share(Lane::Normal, &cost(1, 5000, 40, 0), now);
        let thin = budget.share(Lane::Normal, &cost(1, 5000, 20, 0), now);
        assert!(may(&short, now) && !may(&long, now) && may(&thin, now));
        assert!(!may(&short, reserved), "the reservation is late");
    }
}
