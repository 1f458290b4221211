//! What a pool is told, what it says, and why it refuses.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How to bring a pool up, and how it keeps its workers.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// An executable that calls [`serve`](crate::worker::serve) when started with
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
/// [`WorkOutcome`](crate::WorkOutcome).
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
