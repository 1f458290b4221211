//! Embedded engines in pooled, confined processes.
//!
//! A *worker* is a long-lived run of the engine: the same executable, started
//! once more with a hidden argument, contained, limited and watched by the
//! launcher like any other program, and locked down by itself before it takes
//! work. It takes one job at a time, so that killing it kills exactly one job.
//!
//! ```text
//! WorkerPool::run ── lease a worker ──> exchange ──job + files──> serve(handler)
//!        ^                                  │  <─progress, reply──      │
//!        └── hand on, keep or replace ──────┘                     Mapping, Context
//! keeper: starts, retires, replaces;   life: one worker's run, from start to end
//! ```
//!
//! | file | knows |
//! |---|---|
//! | `pool` | who gets which worker, how many there are, and for how long |
//! | `life` | one worker process: start, greeting, end |
//! | `exchange` | one job with one worker; distrusts every byte |
//! | `frame` | what travels between the two |
//! | `serve`, `mapping` | the worker's side: the loop, and files as slices |
//! | `lockdown` | what a worker can't do |
//!
//! Who owns what: the pool owns the *keeper* task, which owns one task a worker;
//! that task drives the worker's run. A [`Job`]'s future owns its worker
//! meanwhile. Whoever lets go of a worker other than by handing it back has it
//! killed, so a dropped future, a time-out and a cancelled call are one case.
//!
//! # What a hostile file can gain
//!
//! A worker that has parsed a hostile file may be the file's. It can open
//! nothing, start nothing and reach nobody. It can send the pool any bytes, and
//! those are checked; it can lie in its replies, to later jobs too. Where that
//! matters more than speed, [`PoolConfig::max_jobs`] of 1 gives every job a
//! process of its own.

mod exchange;
mod frame;
mod life;
mod lockdown;
mod mapping;
mod pool;
mod serve;

pub use exchange::{Crash, Job, Work, WorkOutcome};
pub use mapping::Mapping;
pub use pool::{PoolConfig, PoolError, PoolStats, WorkerPool};
pub use serve::{Context, serve};

use serde::{Deserialize, Serialize};

/// The descriptor under which a worker finds the socket to its pool.
const SOCKET: i32 = 3;

/// How far a job has got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// From 0 to 1, where it is known.
    pub fraction: Option<f64>,
    /// What is being done, in a few words. It comes from a process that may be
    /// hostile: to be shown, not to be believed. Without control characters.
    pub message: String,
}
