//! The streaming form of a run.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::error::ExecError;
use crate::outcome::Finished;

/// What happens during a run, in order.
#[derive(Debug)]
pub enum Event {
    /// The program, or its supervisor, has been forked.
    Started {
        /// The process id as the launcher sees it, which may be in a PID
        /// namespace of its own.
        pid: u32,
    },
    /// Bytes from the standard output, as they arrived.
    Stdout(Bytes),
    /// Bytes from the standard error, as they arrived.
    Stderr(Bytes),
    /// The run has ended; no event follows.
    Exit(Box<Finished>),
}

/// A run in progress. Dropping it kills the run's processes (as soon as the
/// runtime gets to it, which needs a thread that does not block).
#[derive(Debug)]
#[must_use = "dropping it kills the run"]
pub struct Running {
    pub(crate) events: mpsc::Receiver<Result<Event, ExecError>>,
    /// Aborts the task that drives the run when this is dropped.
    pub(crate) _task: JoinSet<()>,
}

impl Running {
    /// The next event; `None` after [`Event::Exit`] or an error.
    ///
    /// A slow consumer slows the program down: nothing is buffered without
    /// bound, and the limits on time go on counting.
    pub async fn next(&mut self) -> Option<Result<Event, ExecError>> {
        self.events.recv().await
    }
}
