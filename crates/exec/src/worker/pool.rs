//! The pool: who gets which worker, how many there are, and for how long.
//!
//! All that is shared is one small [`State`] behind a mutex, held for a few
//! moves and never across an await. The *keeper* is the one task that starts
//! and retires workers; it looks at the state whenever it is woken and does
//! what [`State::plan`] says. A job that finds a worker idle takes it without
//! the keeper.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::exchange::{Job, Tried, Work, WorkOutcome, exchange};
use super::frame::{MAX_BODY, MAX_FILES};
use super::life::{Worker, live};
use crate::engine::Engine;
use crate::mechanisms::Mechanism;
use crate::outcome::Usage;
use crate::resident::Life;

/// Workers that were dead already when a job came to them, in a row, before
/// the job is given up.
const MOST_DEAD: u32 = 5;
/// Between two tries to start a worker, after the first failure; doubled with
/// each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A time-out beyond this is none.
const VERY_LONG: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// How to bring a pool up, and how it keeps its workers.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// An executable that calls [`serve`](super::serve) when started with
    /// `args`; normally the server's own. An absolute path.
    pub program: PathBuf,
    /// The arguments that make it a worker.
    pub args: Vec<OsString>,
    /// Workers that are there even when there is nothing to do.
    pub min: usize,
    /// Workers at most.
    pub max: usize,
    /// Memory of its own that a worker may have, in bytes; one that has more
    /// is killed.
    pub memory: u64,
    /// Jobs that may wait for a worker; a further one is refused.
    pub max_queue: usize,
    /// A worker beyond `min` that was idle for so long is ended.
    pub idle_after: Duration,
    /// A worker is replaced after so many jobs.
    pub max_jobs: u64,
    /// A worker is replaced when it is so old and idle.
    pub max_age: Duration,
    /// A worker that has more memory of its own than this after a job is
    /// replaced.
    pub keep_memory: u64,
    /// A worker that is not ready by then is none.
    pub start_timeout: Duration,
    /// The largest payload of a job in bytes.
    pub max_payload: usize,
}

impl PoolConfig {
    /// The defaults: one worker to two more than there are processors (so that
    /// short work need not wait for long work), 2 GiB each, replaced after 10,000 jobs, an hour, or with 512 MiB.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            program: program.into(),
            args: Vec::new(),
            min: 1,
            // The engine has so many places by default.
            max: (processors + 2).min(64),
            memory: 2 << 30,
            max_queue: 1024,
            idle_after: Duration::from_secs(20),
            max_jobs: 10_000,
            max_age: Duration::from_secs(3600),
            keep_memory: 512 << 20,
            start_timeout: Duration::from_secs(10),
            max_payload: 16 << 20,
        }
    }
}

/// Why a job was not done. What became of a job that was started is a
/// [`WorkOutcome`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// No worker could be started, and none is there.
    #[error("no worker could be started: {reason} (next try in {} ms)", .retry_after.as_millis())]
    Start {
        /// What went wrong the last time.
        reason: String,
        /// From now to the next try.
        retry_after: Duration,
    },
    /// Too many jobs wait already.
    #[error("{limit} jobs are waiting for a worker already (try again later)")]
    QueueFull {
        /// The limit.
        limit: usize,
    },
    /// The payload exceeds what the pool takes.
    #[error("the job's payload has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// More files than a job may bring.
    #[error("the job brings {count} files, the limit is {limit}")]
    TooManyFiles {
        /// Files brought.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// The configuration contradicts itself or the engine's.
    #[error("no pool of {min} to {max} workers can be made (the engine has places for {places})")]
    Config {
        /// Least workers wanted.
        min: usize,
        /// Most workers wanted.
        max: usize,
        /// What the engine has places for.
        places: usize,
    },
    /// One worker after the other was dead when the job came to it.
    #[error("the workers die faster than they can be given a job")]
    NoneLives,
    /// The pool has been shut down.
    #[error("the workers have been shut down")]
    ShutDown,
}

/// What a pool is doing, for status pages and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolStats {
    /// Workers that are waiting for a job.
    pub idle: usize,
    /// Workers that have a job.
    pub busy: usize,
    /// Workers that are not ready yet.
    pub starting: usize,
    /// Jobs that wait for a worker.
    pub waiting: usize,
    /// Workers that became ready since the pool was started.
    pub started: u64,
}

/// Workers and the way to them. Cheap to clone; the workers end when the last
/// clone is dropped.
#[derive(Debug, Clone)]
pub struct WorkerPool {
    shared: Arc<Shared>,
    keeper: Arc<Mutex<JoinSet<()>>>,
}

impl WorkerPool {
    /// Starts the pool; does not wait until a worker is ready. Must be called
    /// within a tokio runtime, which must live as long as the pool.
    ///
    /// # Errors
    /// When `config` asks for no worker, or for more than the engine has places
    /// for. Pools of one engine share these places.
    pub fn start(engine: &Engine, config: PoolConfig) -> Result<Self, PoolError> {
        let places = engine.inner.config.max_workers;
        if config.max == 0 || config.min > config.max || config.max > places {
            return Err(PoolError::Config {
                min: config.min,
                max: config.max,
                places,
            });
        }
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            config,
            state: Mutex::default(),
            wake: Notify::new(),
            first: watch::Sender::new(None),
        });
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(Arc::clone(&shared)));
        Ok(Self {
            shared,
            keeper: Arc::new(Mutex::new(keeper)),
        })
    }

    /// Has a worker do the job.
    ///
    /// Cancelling, the time-out and dropping the future kill the worker; the
    /// first two return when it is dead. Jobs that find no worker idle wait in
    /// the order of their arrival.
    ///
    /// # Errors
    /// When the job was refused, or could not be given to any worker.
    pub async fn run(&self, job: Job, cancel: &CancellationToken) -> Result<Work, PoolError> {
        self.check(&job)?;
        let started = Instant::now();
        let mut deadline = pin!(sleep_until(started + job.timeout.min(VERY_LONG)));
        let mut usage = Usage {
            bytes_in: job.payload.len() as u64,
            ..Usage::default()
        };
        let mut retried = false;
        let mut dead = 0;
        loop {
            let acquired = tokio::select! {
                biased;
                () = cancel.cancelled() => Err(WorkOutcome::Cancelled),
                worker = self.shared.acquire(job.affinity) => Ok(worker?),
                () = &mut deadline => Err(WorkOutcome::TimedOut),
            };
            let worker = match acquired {
                Ok(worker) => worker,
                Err(outcome) => return Ok(work(outcome, usage, started, retried)),
            };
            match exchange(worker, &job, cancel, deadline.as_mut(), dead == 0).await {
                None => {
                    dead += 1;
                    if dead > MOST_DEAD {
                        return Err(PoolError::NoneLives);
                    }
                }
                Some(Tried {
                    outcome,
                    usage: more,
                    worker,
                }) => {
                    usage.user += more.user;
                    usage.system += more.system;
                    usage.peak_rss = usage.peak_rss.max(more.peak_rss);
                    if let Some(worker) = worker {
                        self.shared.give_back(worker, more.peak_rss);
                    }
                    let crashed = matches!(outcome, WorkOutcome::Crashed(_));
                    if crashed && job.retry && !retried {
                        retried = true;
                        continue;
                    }
                    return Ok(work(outcome, usage, started, retried));
                }
            }
        }
    }

    fn check(&self, job: &Job) -> Result<(), PoolError> {
        let limit = self.shared.config.max_payload.min(MAX_BODY);
        if job.payload.len() > limit {
            return Err(PoolError::TooLarge {
                size: job.payload.len(),
                limit,
            });
        }
        if job.files.len() > MAX_FILES {
            return Err(PoolError::TooManyFiles {
                count: job.files.len(),
                limit: MAX_FILES,
            });
        }
        Ok(())
    }

    /// How well the workers are locked down; waits until one is ready.
    ///
    /// # Errors
    /// When none can be started.
    pub async fn mechanism(&self) -> Result<Mechanism, PoolError> {
        let mut first = self.shared.first.subscribe();
        let known = first
            .wait_for(Option::is_some)
            .await
            .map_err(|_| PoolError::ShutDown)?;
        known.clone().unwrap_or(Err(PoolError::ShutDown))
    }

    /// What the pool is doing.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let state = self.shared.state();
        PoolStats {
            idle: state.idle.len(),
            busy: state.alive.saturating_sub(state.idle.len()),
            starting: state.starting,
            waiting: state.waiters.len(),
            started: state.started,
        }
    }

    /// Takes no more jobs, and lets those in progress go on for `grace`. When
    /// they are done by then, no worker is alive on return; otherwise the
    /// launcher has been told to kill the rest, whose jobs end as
    /// [`WorkOutcome::Crashed`]. Jobs that still wait get [`PoolError::ShutDown`].
    pub async fn shut_down(&self, grace: Duration) {
        let (idle, waiters) = {
            let mut state = self.shared.state();
            state.closed = true;
            (
                std::mem::take(&mut state.idle),
                std::mem::take(&mut state.waiters),
            )
        };
        drop(idle);
        for waiter in waiters {
            waiter.refuse(PoolError::ShutDown);
        }
        self.shared.wake.notify_one();
        let mut keeper =
            std::mem::take(&mut *self.keeper.lock().unwrap_or_else(PoisonError::into_inner));
        // The keeper ends with its last worker. What is then still there dies
        // with the sockets of its runs.
        timeout(grace, keeper.join_next()).await.ok();
        keeper.shutdown().await;
        self.shared.announce_failure(PoolError::ShutDown);
    }
}

fn work(outcome: WorkOutcome, usage: Usage, started: Instant, retried: bool) -> Work {
    let bytes_out = match &outcome {
        WorkOutcome::Done(bytes) => bytes.len() as u64,
        WorkOutcome::TimedOut
        | WorkOutcome::Cancelled
        | WorkOutcome::Crashed(_)
        | WorkOutcome::MemoryLimit
        | WorkOutcome::FileChanged
        | WorkOutcome::ReplyTooLarge(_)
        | WorkOutcome::Misbehaved(_) => 0,
    };
    Work {
        outcome,
        usage: Usage {
            wall: started.elapsed(),
            bytes_out,
            ..usage
        },
        retried,
    }
}

/// What jobs, keeper and workers' tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) config: PoolConfig,
    state: Mutex<State>,
    /// Wakes the keeper.
    wake: Notify,
    /// What the first worker said, or why there is none.
    first: watch::Sender<Option<Result<Mechanism, PoolError>>>,
}

/// A job that waits for a worker.
#[derive(Debug)]
struct Waiter {
    number: u64,
    hand: oneshot::Sender<Result<Worker, PoolError>>,
}

impl Waiter {
    fn refuse(self, error: PoolError) {
        // Nobody there any more needs no refusal.
        self.hand.send(Err(error)).ok();
    }
}

#[derive(Debug, Default)]
struct State {
    /// The one that became idle last is the last.
    idle: Vec<Worker>,
    /// In the order of their arrival.
    waiters: VecDeque<Waiter>,
    /// Workers whose task has begun and that are not ready.
    starting: usize,
    /// Workers that are ready: idle ones and those that have a job.
    alive: usize,
    started: u64,
    next_waiter: u64,
    /// Failures to start since the last success.
    failures: u32,
    reason: String,
    not_before: Option<Instant>,
    closed: bool,
}

/// What the keeper is to do.
#[derive(Debug)]
struct Plan {
    start: usize,
    retire: Vec<Worker>,
    refuse: Vec<Waiter>,
    look_again: Option<Instant>,
    finished: bool,
}

impl State {
    /// The best idle worker for a job: one that has its rule set; else one that
    /// has none; else the one that was idle longest, whose rule set is missed
    /// least.
    fn take_idle(&mut self, affinity: Option<[u8; 32]>) -> Option<Worker> {
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

    /// The error for jobs while no worker is there and none is being started.
    fn hopeless(&self, now: Instant) -> Option<PoolError> {
        if self.closed {
            return Some(PoolError::ShutDown);
        }
        let not_before = self.not_before.filter(|moment| *moment > now)?;
        (self.alive == 0 && self.starting == 0).then(|| PoolError::Start {
            reason: self.reason.clone(),
            retry_after: not_before.saturating_duration_since(now),
        })
    }

    fn plan(&mut self, config: &PoolConfig, now: Instant) -> Plan {
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

impl Shared {
    /// Workers must not be dropped while this is held: they take it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle worker, or the next that becomes free.
    async fn acquire(&self, affinity: Option<[u8; 32]>) -> Result<Worker, PoolError> {
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
    fn give_back(&self, worker: Worker, peak: u64) {
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
    pub(super) fn started(&self, worker: Worker) {
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
    pub(super) fn start_failed(&self, reason: &str) {
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
    pub(super) fn worker_gone(&self) {
        self.state().alive -= 1;
        self.wake.notify_one();
    }

    /// A process has ended. Where it was idle, nobody else notices.
    pub(super) fn ended(&self, life: &Arc<Life>) {
        let dead: Vec<Worker> = self
            .state()
            .idle
            .extract_if(.., |worker| Arc::ptr_eq(&worker.life, life))
            .collect();
        drop(dead);
        self.wake.notify_one();
    }

    pub(super) fn set_mechanism(&self, mechanism: Mechanism) {
        self.first.send_replace(Some(Ok(mechanism)));
    }

    fn announce_failure(&self, error: PoolError) {
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
async fn keep(shared: Arc<Shared>) {
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
