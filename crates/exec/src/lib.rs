//! Runs one child process well: bounded, confined, cancellable, and gone
//! afterwards with everything that it started.
//!
//! # Theory of operation
//!
//! An [`Engine`] starts one *launcher* process, which forks every program. The
//! engine keeps time, reads output and decides when a run is over; the launcher
//! contains, confines, watches resources and kills. Between them there is one
//! socket a run: whoever lets go of it, and for whatever reason, ends the run.
//! So a dropped future, a cancelled call and a server killed with `SIGKILL` are
//! the same case, and none leaves a process behind.
//!
//! ```text
//! Engine::run / run_blocking / stream         launcher (own process)
//!   drive: deadline, idle, cancel, limits ──job socket──> fork, confine, exec
//!   pump:  stdout, stderr ──> Captured    <──── pipes ───  program
//!                                         <──job socket──  Ended { exit, usage, leftovers }
//! ```
//!
//! | file | knows |
//! |---|---|
//! | `command` | what to run, and its limits |
//! | `drive` | one run from submission to [`Outcome`] |
//! | `pump`, `capture` | what becomes of its bytes |
//! | `connection`, `wire` | how engine and launcher talk |
//! | `launcher` | the other process: containment, confinement, limits, ends |
//! | `worker` | embedded engines in pooled processes |
//! | `session` | programs that stay and are spoken to over pipes |
//! | `resident` | what the two have in common |
//! | `turns` | how soon a thread gets a processor |
//! | `mechanisms` | which protections hold on this machine |
//!
//! How a program ended is a value ([`Outcome`]); an error means that there was
//! no run, or that the engine itself failed.
//!
//! This crate knows nothing of tools, MCP or scheduling. It bounds how many
//! runs are in flight and serves them in the order of their arrival; anything
//! cleverer belongs to its callers.
//!
//! # Example
//!
//! ```no_run
//! use reversecore_exec::{Command, Engine, EngineConfig, Outcome};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // The executable calls `launcher::main` when started with this argument.
//! let mut config = EngineConfig::new(std::env::current_exe()?, "/tmp/scratch");
//! config.launcher_args = vec!["__launcher".into()];
//! let engine = Engine::start(config)?;
//!
//! let mut command = Command::new("/usr/bin/strings").args(["-n", "8"]);
//! let path = command.hand(std::fs::File::open("sample.bin")?);
//! let finished = engine.run(command.arg(path), &CancellationToken::new()).await?;
//! assert_eq!(finished.outcome, Outcome::Exited(0));
//! # Ok(())
//! # }
//! ```

pub mod launcher;
pub mod memory;
pub mod session;
pub mod turns;
pub mod worker;

mod capture;
mod command;
mod connection;
mod drive;
mod engine;
mod error;
mod mechanisms;
mod outcome;
mod pump;
mod resident;
mod stream;
mod wire;

pub use capture::Captured;
pub use command::{Command, Hold, Input, Keep, Limits, Scratch};
pub use engine::{Engine, EngineConfig, SandboxMode};
pub use error::{ExecError, SpawnError, StartError};
pub use mechanisms::{Containment, Mechanism, Mechanisms};
pub use outcome::{Finished, Leftovers, Limit, Outcome, Signal, Usage};
pub use session::{
    Dialect, Gone, Opening, Question, Reply, SessionConfig, SessionError, SessionKey,
    SessionOutcome, SessionPool, SessionStats,
};
pub use stream::{Event, Running};
pub use worker::{Job, PoolConfig, PoolError, PoolStats, Work, WorkOutcome, WorkerPool};
