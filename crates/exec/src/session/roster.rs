//! Which sessions there are, who may be opened next, and who has to go for it.
//! Only bookkeeping: nothing here waits, reads a clock or touches a process.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::live::Slot;
use super::question::{SessionConfig, SessionKey};

/// Why a session is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Another needed its place.
    Count,
    /// Another needed its memory, or all together had too much.
    Memory,
    /// Nobody asked it for long.
    Idle,
    /// It ended by itself, or did not answer when asked whether it is well.
    Dead,
    /// A command, or the preparation, took too long.
    TimedOut,
    /// A command, or the preparation, was cancelled or dropped.
    Cancelled,
    /// What it was opened on has changed.
    Stale,
    /// Its caller wanted it for one command only.
    Spent,
}

impl Gone {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::Count,
        Self::Memory,
        Self::Idle,
        Self::Dead,
        Self::TimedOut,
        Self::Cancelled,
        Self::Stale,
        Self::Spent,
    ];

    /// A stable name, for metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Memory => "memory",
            Self::Idle => "idle",
            Self::Dead => "dead",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Stale => "stale",
            Self::Spent => "spent",
        }
    }
}

/// What a pool is doing, and has done since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionStats {
    /// Sessions that are ready.
    pub ready: usize,
    /// Sessions that are being prepared, or wait for room.
    pub opening: usize,
    /// Processes that are there, dying ones included.
    pub processes: usize,
    /// Calls that use a session or wait for one.
    pub calls: usize,
    /// Resident memory of all processes, in bytes.
    pub resident: u64,
    /// Sessions that became ready.
    pub opened: u64,
    /// Commands that were answered.
    pub commands: u64,
    /// Sessions that are gone, in the order of [`Gone::ALL`].
    pub gone: [u64; Gone::ALL.len()],
}

impl SessionStats {
    /// Sessions that are gone for this reason.
    #[must_use]
    pub fn gone(&self, why: Gone) -> u64 {
        let place = Gone::ALL.iter().position(|reason| *reason == why);
        place
            .and_then(|place| self.gone.get(place))
            .copied()
            .unwrap_or_default()
    }
}

/// A session that can be joined.
#[derive(Debug)]
struct Entry {
    slot: Arc<Slot>,
    users: usize,
    /// Users that want it to stand still while it is prepared.
    standing: usize,
    ready: bool,
    last_used: Instant,
}

/// A session that has a process, or may start one.
#[derive(Debug)]
struct Process {
    slot: Arc<Slot>,
    leaving: bool,
}

impl Process {
    fn memory(&self) -> u64 {
        self.slot.memory.load(Ordering::Relaxed)
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Roster {
    entries: HashMap<SessionKey, Entry>,
    /// Those that wait for room, in the order of their arrival.
    queue: VecDeque<Arc<Slot>>,
    processes: Vec<Process>,
    calls: usize,
    opened: u64,
    pub(super) commands: u64,
    gone: [u64; Gone::ALL.len()],
    pub(super) closed: bool,
}

/// What is to be done after a look at the roster.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// They have room now.
    pub(super) admit: Vec<Arc<Slot>>,
    /// They are to be killed.
    pub(super) end: Vec<Arc<Slot>>,
}

impl Roster {
    pub(super) fn calls(&self) -> usize {
        self.calls
    }

    /// One more user of the session of this key, if there is one.
    pub(super) fn join(&mut self, key: &SessionKey) -> Option<Arc<Slot>> {
        let entry = self.entries.get_mut(key)?;
        entry.users += 1;
        self.calls += 1;
        entry.settle_hold();
        Some(Arc::clone(&entry.slot))
    }

    /// A new session with one user; it waits for room.
    pub(super) fn add(&mut self, slot: Arc<Slot>, now: Instant) {
        self.calls += 1;
        self.queue.push_back(Arc::clone(&slot));
        let entry = Entry {
            users: 1,
            standing: 0,
            ready: false,
            last_used: now,
            slot,
        };
        self.entries.insert(entry.slot.key.clone(), entry);
    }

    /// A user less. `Some`: the session was being prepared, and nobody waits
    /// for it any more.
    pub(super) fn leave(&mut self, slot: &Arc<Slot>, now: Instant) -> Option<Arc<Slot>> {
        self.calls = self.calls.saturating_sub(1);
        let entry = self.entry(slot)?;
        entry.users = entry.users.saturating_sub(1);
        entry.last_used = now;
        entry.settle_hold();
        (entry.users == 0 && !entry.ready).then(|| Arc::clone(&entry.slot))
    }

    /// A user of a session that is being prepared wants it to stand still, or
    /// no longer.
    pub(super) fn stand(&mut self, slot: &Arc<Slot>, still: bool) {
        if let Some(entry) = self.entry(slot) {
            entry.standing = if still {
                entry.standing.saturating_add(1)
            } else {
                entry.standing.saturating_sub(1)
            };
            entry.settle_hold();
        }
    }

    fn entry(&mut self, slot: &Arc<Slot>) -> Option<&mut Entry> {
        self.entries
            .get_mut(&slot.key)
            .filter(|entry| Arc::ptr_eq(&entry.slot, slot))
    }

    /// It is prepared. `false`: nobody wants it any more.
    pub(super) fn ready(&mut self, slot: &Arc<Slot>) -> bool {
        let Some(entry) = self.entry(slot) else {
            return false;
        };
        entry.ready = true;
        self.opened += 1;
        true
    }

    /// It can no longer be joined. Counts only once.
    pub(super) fn retire(&mut self, slot: &Arc<Slot>, why: Gone) {
        self.queue.retain(|waiting| !Arc::ptr_eq(waiting, slot));
        if self.entry(slot).is_none() {
            return;
        }
        self.entries.remove(&slot.key);
        let place = Gone::ALL.iter().position(|reason| *reason == why);
        if let Some(count) = place.and_then(|place| self.gone.get_mut(place)) {
            *count += 1;
        }
        for process in &mut self.processes {
            process.leaving |= Arc::ptr_eq(&process.slot, slot);
        }
    }

    /// Its process is gone, or was never there.
    pub(super) fn process_gone(&mut self, slot: &Arc<Slot>) {
        self.processes
            .retain(|process| !Arc::ptr_eq(&process.slot, slot));
    }

    /// Whether the keeper has something to do but ending idle sessions.
    pub(super) fn pressed(&self, config: &SessionConfig) -> bool {
        !self.queue.is_empty() || self.staying_memory() > config.max_memory
    }

    fn staying_memory(&self) -> u64 {
        let staying = self.processes.iter().filter(|process| !process.leaving);
        staying.map(Process::memory).sum()
    }

    /// Takes everybody out: the pool is shut down.
    pub(super) fn close(&mut self) -> Vec<Arc<Slot>> {
        self.closed = true;
        self.queue.clear();
        self.entries.drain().map(|(_, entry)| entry.slot).collect()
    }

    /// Decides who goes and who may come.
    pub(super) fn plan(&mut self, config: &SessionConfig, now: Instant) -> Plan {
        let mut plan = Plan::default();
        let idle: Vec<_> = self
            .entries
            .values()
            .filter(|entry| entry.idle() && entry.last_used + config.idle_after <= now)
            .map(|entry| Arc::clone(&entry.slot))
            .collect();
        for slot in idle {
            self.retire(&slot, Gone::Idle);
            plan.end.push(slot);
        }
        while self.staying_memory() > config.max_memory && self.evict(Gone::Memory, &mut plan) {}
        while let Some(next) = self.queue.front() {
            let expected = next.memory.load(Ordering::Relaxed);
            let fits = |count: usize, memory: u64| {
                let enough = count == 0 || memory.saturating_add(expected) <= config.max_memory;
                (count < config.max_sessions, enough)
            };
            let all = self.processes.iter().map(Process::memory).sum();
            if fits(self.processes.len(), all) == (true, true) {
                if let Some(slot) = self.queue.pop_front() {
                    self.processes.push(Process {
                        slot: Arc::clone(&slot),
                        leaving: false,
                    });
                    plan.admit.push(slot);
                }
                continue;
            }
            let staying = self.processes.iter().filter(|process| !process.leaving);
            let evicted = match fits(staying.count(), self.staying_memory()) {
                // When those that leave are gone.
                (true, true) => false,
                (false, _) => self.evict(Gone::Count, &mut plan),
                (true, false) => self.evict(Gone::Memory, &mut plan),
            };
            if !evicted {
                break;
            }
        }
        plan
    }

    /// Has the idle session go that was used least recently.
    fn evict(&mut self, why: Gone, plan: &mut Plan) -> bool {
        let victim = self
            .entries
            .values()
            .filter(|entry| entry.idle())
            .min_by_key(|entry| entry.last_used)
            .map(|entry| Arc::clone(&entry.slot));
        let Some(slot) = victim else {
            return false;
        };
        self.retire(&slot, why);
        plan.end.push(slot);
        true
    }

    pub(super) fn stats(&self) -> SessionStats {
        let ready = self.entries.values().filter(|entry| entry.ready).count();
        SessionStats {
            ready,
            opening: self.entries.len() - ready,
            processes: self.processes.len(),
            calls: self.calls,
            resident: self.processes.iter().map(Process::memory).sum(),
            opened: self.opened,
            commands: self.commands,
            gone: self.gone,
        }
    }

    pub(super) fn is_ready(&self, key: &SessionKey) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.ready)
    }
}

impl Entry {
    fn idle(&self) -> bool {
        self.ready && self.users == 0
    }

    /// A preparation stands still when all that wait for it say so.
    fn settle_hold(&self) {
        if !self.ready {
            let still = self.standing > 0 && self.standing >= self.users;
            self.slot.life.set_hold(still);
        }
    }
}
