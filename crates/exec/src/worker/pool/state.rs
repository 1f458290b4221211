//! Who is idle, who waits, and what is to be done about it: decisions without a
//! task, a clock or a process of their own.

use std::collections::VecDeque;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{PoolConfig, PoolError};
use crate::worker::life::Worker;

/// Failures to start in a row after which jobs are told, instead of waiting for the next
/// try: one alone happens when somebody kills workers.
const HOPELESS_AFTER: u32 = 3;

/// A job that waits for a worker.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) number: u64,
    pub(super) hand: oneshot::Sender<Result<Worker, PoolError>>,
}

impl Waiter {
    pub(super) fn refuse(self, error: PoolError) {
        // Nobody there any more needs no refusal.
        self.hand.send(Err(error)).ok();
    }
}

/// Held for a few moves and never across an await.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The one that became idle last is the last.
    pub(super) idle: Vec<Worker>,
    /// In the order of their arrival.
    pub(super) waiters: VecDeque<Waiter>,
    /// Workers whose task has begun and that are not ready.
    pub(super) starting: usize,
    /// Workers that are ready: idle ones and those that have a job.
    pub(super) alive: usize,
    pub(super) started: u64,
    pub(super) next_waiter: u64,
    /// Failures to start since the last success.
    pub(super) failures: u32,
    pub(super) reason: String,
    pub(super) not_before: Option<Instant>,
    pub(super) closed: bool,
}

/// What the keeper is to do.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) start: usize,
    pub(super) retire: Vec<Worker>,
    pub(super) refuse: Vec<Waiter>,
    pub(super) look_again: Option<Instant>,
    pub(super) finished: bool,
}

impl State {
    /// The best idle worker for a job: one that has its rule set; else one that
    /// has none; else the one that was idle longest, whose rule set is missed
    /// least.
    pub(super) fn take_idle(&mut self, affinity: Option<[u8; 32]>) -> Option<Worker> {
        let having = |wanted: Option<[u8; 32]>| {
            self.idle
                .iter()
                .rposition(|worker| worker.affinity == wanted)
        };
        let place = having(affinity)
            .or_else(|| having(None))
            .or_else(|| (!self.idle.is_empty()).then_some(0))?;
        Some(self.idle.remove(place))
    }

    /// The error for jobs while no worker is there, none is being started, and none
    /// could be, several times.
    pub(super) fn hopeless(&self, now: Instant) -> Option<PoolError> {
        if self.closed {
            return Some(PoolError::ShutDown);
        }
        let not_before = self.not_before.filter(|moment| *moment > now)?;
        let hopeless = self.alive == 0 && self.starting == 0 && self.failures >= HOPELESS_AFTER;
        hopeless.then(|| PoolError::Start {
            reason: self.reason.clone(),
            retry_after: not_before.saturating_duration_since(now),
        })
    }

    pub(super) fn plan(&mut self, config: &PoolConfig, now: Instant) -> Plan {
        let retire = self.retire(config, now);
        let hopeless = self.hopeless(now).is_some();
        let refuse = if hopeless {
            self.waiters.drain(..).collect()
        } else {
            Vec::new()
        };
        let paused = self.not_before.filter(|moment| *moment > now);
        let there = self.alive - retire.len() + self.starting;
        let start = if self.closed || paused.is_some() {
            0
        } else {
            let wanted = config
                .min
                .saturating_sub(there)
                .max(self.waiters.len().saturating_sub(self.starting))
                .min(config.max.saturating_sub(there));
            // After a failure one is enough to find out.
            if self.failures > 0 {
                wanted.min(1_usize.saturating_sub(self.starting))
            } else {
                wanted
            }
        };
        self.starting += start;
        let too_old = self.idle.iter().map(|worker| worker.born + config.max_age);
        let too_idle = self
            .idle
            .iter()
            .map(|worker| worker.idle_since + config.idle_after)
            .filter(|_| there > config.min);
        Plan {
            start,
            look_again: too_old.chain(too_idle).chain(paused).min(),
            finished: self.closed && self.alive == 0 && self.starting == 0,
            retire,
            refuse,
        }
    }

    /// Takes out the idle workers that have had their time.
    fn retire(&mut self, config: &PoolConfig, now: Instant) -> Vec<Worker> {
        let mut spare = (self.alive + self.starting).saturating_sub(config.min);
        let closed = self.closed;
        self.idle
            .extract_if(.., |worker| {
                let idle = now.saturating_duration_since(worker.idle_since);
                let old = now.saturating_duration_since(worker.born) >= config.max_age;
                let over = spare > 0 && idle >= config.idle_after;
                let retired = closed || old || over;
                if retired {
                    spare = spare.saturating_sub(1);
                }
                retired
            })
            .collect()
    }
}
