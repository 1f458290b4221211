//! What a caller gives a pool of sessions, and what it gets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::capture::Captured;
use crate::command::{Command, Hold};
use crate::error::ExecError;
use crate::outcome::{Outcome, Usage};

/// How a pool keeps its sessions.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Sessions at most, those that are being opened included.
    pub max_sessions: usize,
    /// Resident memory of all of them together, in bytes. A session is opened
    /// only when it is expected to fit, after idle ones have gone; one alone
    /// may always be.
    pub max_memory: u64,
    /// A session that was idle for so long is ended.
    pub idle_after: Duration,
    /// Calls in progress or waiting at one time; a further one is refused.
    pub max_calls: usize,
    /// A session that was idle for so long is asked whether it is well before
    /// it is given a command.
    pub probe_after: Duration,
    /// One that has not answered that by then is replaced.
    pub probe_timeout: Duration,
}

impl Default for SessionConfig {
    /// Eight sessions with 2 GiB together, ended after five idle minutes.
    fn default() -> Self {
        Self {
            max_sessions: 8,
            max_memory: 2 << 30,
            idle_after: Duration::from_secs(300),
            max_calls: 1024,
            probe_after: Duration::from_secs(10),
            probe_timeout: Duration::from_secs(2),
        }
    }
}

/// Which session: calls with equal keys share one. What is in it is the
/// caller's affair; all that the answers depend on should be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionKey(Arc<str>);

impl SessionKey {
    /// The key of this text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }
}

/// How a program is spoken to.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The line of input, without its newline, that has the program print the
    /// two words as one, with a newline after it. The two must not be side by
    /// side in it.
    pub print_joined: fn(&str, &str) -> String,
}

impl Dialect {
    pub(super) fn print(self, word: &str) -> String {
        let (first, second) = word.split_at_checked(word.len() / 2).unwrap_or((word, ""));
        (self.print_joined)(first, second)
    }
}

/// How a session is opened. Its run is ended by the pool: of the limits of the
/// command those on time, idleness and output don't count.
pub struct Opening {
    /// The program; it must read commands from its standard input, and print
    /// neither prompt nor echo.
    pub command: Command,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// Lines that it is given first. All that need the session wait for them.
    pub prepare: Vec<String>,
    /// The preparation is given up after this, whoever waits for it.
    pub timeout: Duration,
    /// Resident memory that it is taken to need while it is prepared, in bytes.
    pub expected_memory: u64,
    /// Whether what it was opened on is still what it was. Asked before and
    /// after each command, so it must be quick. A session that is out of date
    /// is replaced, and its answer not given; the call that had it opened is
    /// told.
    pub still_valid: Box<dyn Fn() -> bool + Send + Sync>,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening")
            .field("command", &self.command)
            .field("prepare", &self.prepare)
            .finish_non_exhaustive()
    }
}

/// One line of commands for a session.
#[derive(Debug)]
pub struct Question {
    /// Without line breaks.
    pub text: String,
    /// Lines that are done after it, before any other question; what they print
    /// is nobody's. They undo what the text has changed.
    pub after: Vec<String>,
    /// Bytes of its standard output that are kept.
    pub keep_stdout: usize,
    /// Bytes of its standard error that are kept.
    pub keep_stderr: usize,
    /// From the call to its answer, with all waiting.
    pub timeout: Duration,
    /// Whether the session is to stand still; while others wait for its
    /// preparation it does so only when they all say so.
    pub hold: Option<Hold>,
    /// The session is not used again.
    pub last: bool,
}

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionOutcome {
    /// It was answered.
    Answered,
    /// There was no answer in time. If it had its turn, its session is gone.
    TimedOut,
    /// The caller cancelled it. If it had its turn, its session is gone.
    Cancelled,
    /// The program ended, like this, while it was being prepared or asked.
    Ended(Outcome),
}

/// The answer to a question.
#[derive(Debug)]
#[must_use = "the outcome says whether it is an answer"]
pub struct Reply {
    /// Whether it is one.
    pub outcome: SessionOutcome,
    /// What was kept of the standard output; more was written than that if it
    /// is [truncated](Captured::truncated).
    pub stdout: Captured,
    /// What was kept of the standard error.
    pub stderr: Captured,
    /// What the session wrote to its standard error while it was prepared, as
    /// far as it was kept.
    pub opening: Bytes,
    /// Whether this call had the session opened.
    pub opened: bool,
    /// Time for which the session worked for this call, its preparation
    /// included if the call waited for that.
    pub worked: Duration,
    /// Resident memory of the session, in bytes.
    pub resident: u64,
    /// What the whole session used, if it has ended with this call.
    pub usage: Option<Usage>,
}

/// Why there is no reply.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The program could not be started, or the engine failed.
    #[error(transparent)]
    Exec(Arc<ExecError>),
    /// The caller's own function did not say how to open the session.
    #[error("the session could not be described")]
    NotDescribed,
    /// Too many calls are in progress already.
    #[error("{limit} calls are waiting for sessions already (try again later)")]
    QueueFull {
        /// The limit.
        limit: usize,
    },
    /// The text would be more than one line.
    #[error("a command must be one line, without line breaks and NUL characters")]
    NotOneLine,
    /// What the session was opened on changed while it was prepared or asked.
    #[error("what the session was opened on has changed meanwhile")]
    OutOfDate,
    /// One session after the other was gone before it could be asked.
    #[error("the sessions end faster than they can be asked")]
    NoneLives,
    /// The pool has been shut down.
    #[error("the sessions have been shut down")]
    ShutDown,
}
