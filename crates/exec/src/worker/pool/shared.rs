//! What jobs, the keeper and the workers' tasks share, and the moves between them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::state::{Plan, State, Waiter};
use super::{PoolConfig, PoolError, VERY_LONG};
use crate::engine::Engine;
use crate::mechanisms::Mechanism;
use crate::resident::Life;
use crate::worker::life::{Worker, live};

/// Between two tries to start a worker, after the first failure; doubled with
/// each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What jobs, keeper and workers' tasks share.
#[derive(Debug)]
pub(in crate::worker) struct Shared {
    pub(in crate::worker) engine: Engine,
    pub(in crate::worker) config: PoolConfig,
    pub(super) state: Mutex<State>,
    /// Wakes the keeper.
    pub(super) wake: Notify,
    /// What the first worker said, or why there is none.
    pub(super) first: watch::Sender<Option<Result<Mechanism, PoolError>>>,
}

impl Shared {
    /// Workers must not be dropped while this is held: they take it.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle worker, or the next that becomes free.
    pub(super) async fn acquire(&self, affinity: Option<[u8; 32]>) -> Result<Worker, PoolError> {
        let mut waiting = {
            let mut state = self.state();
            if state.closed {
                return Err(PoolError::ShutDown);
            }
            if let Some(worker) = state.take_idle(affinity) {
                return Ok(worker);
            }
            if let Some(error) = state.hopeless(Instant::now()) {
                return Err(error);
            }
            let limit = self.config.max_queue;
            if state.waiters.len() >= limit {
                return Err(PoolError::QueueFull { limit });
            }
            let number = state.next_waiter;
            state.next_waiter += 1;
            let (hand, receiver) = oneshot::channel();
            state.waiters.push_back(Waiter { number, hand });
            Waiting {
                shared: self,
                number,
                receiver,
            }
        };
        self.wake.notify_one();
        (&mut waiting.receiver)
            .await
            .unwrap_or(Err(PoolError::ShutDown))
    }

    /// Takes a worker back after a job of which it says that its memory peaked
    /// there.
    pub(super) fn give_back(&self, worker: Worker, peak: u64) {
        let PoolConfig {
            max_jobs,
            max_age,
            keep_memory,
            ..
        } = self.config;
        let now = Instant::now();
        let swollen = peak > keep_memory
            && worker
                .own_memory()
                .is_none_or(|memory| memory > keep_memory);
        let done = worker.jobs >= max_jobs
            || now.saturating_duration_since(worker.born) >= max_age
            || swollen;
        if done {
            drop(worker);
        } else {
            self.offer(worker, now);
        }
    }

    /// Gives a free worker to the job that waits longest, or keeps it.
    fn offer(&self, mut worker: Worker, now: Instant) {
        worker.idle_since = now;
        loop {
            let waiter = {
                let mut state = self.state();
                if state.closed {
                    break;
                }
                match state.waiters.pop_front() {
                    Some(waiter) => waiter,
                    None => {
                        let surplus = state.alive + state.starting > self.config.min;
                        state.idle.push(worker);
                        drop(state);
                        if surplus {
                            self.wake.notify_one();
                        }
                        return;
                    }
                }
            };
            match waiter.hand.send(Ok(worker)) {
                Ok(()) => return,
                Err(Ok(back)) => worker = back,
                Err(Err(_)) => return,
            }
        }
        drop(worker);
    }

    /// A worker is ready.
    pub(in crate::worker) fn started(&self, worker: Worker) {
        {
            let mut state = self.state();
            state.starting -= 1;
            state.alive += 1;
            state.started += 1;
            state.failures = 0;
            state.not_before = None;
        }
        self.offer(worker, Instant::now());
        self.wake.notify_one();
    }

    /// A worker did not become ready.
    pub(in crate::worker) fn start_failed(&self, reason: &str) {
        tracing::warn!(reason, "a worker could not be started");
        let error = {
            let mut state = self.state();
            let pause = FIRST_PAUSE
                .saturating_mul(1 << state.failures.min(16))
                .min(LONGEST_PAUSE);
            state.starting -= 1;
            state.failures = state.failures.saturating_add(1);
            state.not_before = Some(Instant::now() + pause);
            reason.clone_into(&mut state.reason);
            PoolError::Start {
                reason: reason.to_owned(),
                retry_after: pause,
            }
        };
        self.announce_failure(error);
        self.wake.notify_one();
    }

    /// A handle has been dropped, and its process is being killed.
    pub(in crate::worker) fn worker_gone(&self) {
        self.state().alive -= 1;
        self.wake.notify_one();
    }

    /// A process has ended. Where it was idle, nobody else notices.
    pub(in crate::worker) fn ended(&self, life: &Arc<Life>) {
        let dead: Vec<Worker> = self
            .state()
            .idle
            .extract_if(.., |worker| Arc::ptr_eq(&worker.life, life))
            .collect();
        drop(dead);
        self.wake.notify_one();
    }

    pub(in crate::worker) fn set_mechanism(&self, mechanism: Mechanism) {
        self.first.send_replace(Some(Ok(mechanism)));
    }

    pub(super) fn announce_failure(&self, error: PoolError) {
        self.first.send_if_modified(|known| {
            let news = !matches!(known, Some(Ok(_)));
            if news {
                *known = Some(Err(error));
            }
            news
        });
    }
}

/// A place in the queue, given up when this is dropped.
#[derive(Debug)]
struct Waiting<'a> {
    shared: &'a Shared,
    number: u64,
    receiver: oneshot::Receiver<Result<Worker, PoolError>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.receiver.close();
        // A worker that was handed over in the meantime goes to the next.
        match self.receiver.try_recv() {
            Ok(Ok(worker)) => self.shared.offer(worker, Instant::now()),
            Ok(Err(_)) => {}
            Err(_) => {
                let number = self.number;
                self.shared
                    .state()
                    .waiters
                    .retain(|waiter| waiter.number != number);
            }
        }
    }
}

/// The keeper: starts and retires workers until the pool is closed and the last
/// of them is gone.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut lives = JoinSet::new();
    loop {
        let now = Instant::now();
        let (plan, error) = {
            let mut state = shared.state();
            let plan = state.plan(&shared.config, now);
            (plan, state.hopeless(now))
        };
        let Plan {
            start,
            retire,
            refuse,
            look_again,
            finished,
        } = plan;
        for waiter in refuse {
            waiter.refuse(error.clone().unwrap_or(PoolError::ShutDown));
        }
        if finished {
            // Killed, and not yet gone.
            while lives.join_next().await.is_some() {}
            return;
        }
        for _ in 0..start {
            lives.spawn(live(Arc::clone(&shared)));
        }
        if !retire.is_empty() {
            drop(retire);
            continue;
        }
        let look_again = look_again.unwrap_or(now + VERY_LONG);
        tokio::select! {
            () = shared.wake.notified() => {}
            Some(_) = lives.join_next() => {}
            () = sleep_until(look_again) => {}
        }
    }
}
