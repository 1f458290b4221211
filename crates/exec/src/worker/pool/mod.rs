//! The pool: who gets which worker, how many there are, and for how long.
//!
//! All that is shared is one small `State` behind a mutex, held for a few
//! moves and never across an await. The *keeper* is the one task that starts
//! and retires workers; it looks at the state whenever it is woken and does
//! what `State::plan` says. A job that finds a worker idle takes it without
//! the keeper.
//!
//! | file | knows |
//! |---|---|
//! | `config` | what a pool is told, and why it refuses |
//! | `state` | who is idle, who waits, what is to be done |
//! | `shared` | handing workers over; the keeper |

mod config;
mod shared;
mod state;

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

pub use config::{PoolConfig, PoolError, PoolStats};
pub(super) use shared::Shared;

use super::exchange::{Job, Tried, Work, WorkOutcome, exchange};
use super::frame::{MAX_BODY, MAX_FILES};
use crate::engine::Engine;
use crate::mechanisms::Mechanism;
use crate::outcome::Usage;
use shared::keep;

/// Workers that were dead already when a job came to them, in a row, before
/// the job is given up.
const MOST_DEAD: u32 = 5;
/// A time-out beyond this is none.
const VERY_LONG: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

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
