//! How a run ended, and what it used. Every expected ending is a value of
//! [`Outcome`]; errors of this crate mean that the engine failed.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::capture::Captured;

/// A run that has ended. Whatever the ending, the output up to then is here.
#[derive(Debug)]
#[must_use = "the outcome says whether the output is complete"]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// What was kept of the standard output.
    pub stdout: Captured,
    /// What was kept of the standard error.
    pub stderr: Captured,
    /// What the run used.
    pub usage: Usage,
    /// Processes that outlived the program and were killed by the engine.
    pub leftovers: Leftovers,
}

impl Finished {
    /// The program ran to its own end with exit code 0.
    pub fn success(&self) -> bool {
        self.outcome == Outcome::Exited(0)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The program ended by itself with this exit code.
    Exited(i32),
    /// A signal that the engine did not send ended the program.
    Signaled(Signal),
    /// It was still running at [`Limits::timeout`](crate::Limits::timeout).
    TimedOut(Duration),
    /// It wrote nothing for [`Limits::idle`](crate::Limits::idle).
    Idle(Duration),
    /// The caller cancelled it.
    Cancelled,
    /// It reached a limit.
    LimitExceeded(Limit),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Signaled(signal) => write!(f, "ended by {signal}"),
            Self::TimedOut(limit) => write!(f, "still running after {} s", limit.as_secs_f32()),
            Self::Idle(limit) => write!(f, "wrote nothing for {} s", limit.as_secs_f32()),
            Self::Cancelled => write!(f, "cancelled"),
            Self::LimitExceeded(limit) => write!(f, "reached its limit on {limit}"),
        }
    }
}

/// A limit of [`Limits`](crate::Limits) that a run can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// [`Limits::memory`](crate::Limits::memory)
    Memory,
    /// [`Limits::processes`](crate::Limits::processes)
    Processes,
    /// [`Limits::cpu`](crate::Limits::cpu)
    CpuTime,
    /// [`Limits::open_files`](crate::Limits::open_files)
    OpenFiles,
    /// [`Limits::file_size`](crate::Limits::file_size)
    FileSize,
    /// [`Limits::scratch_bytes`](crate::Limits::scratch_bytes) or
    /// [`Limits::scratch_files`](crate::Limits::scratch_files)
    Scratch,
    /// [`Limits::output`](crate::Limits::output)
    Output,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::CpuTime => "CPU time",
            Self::OpenFiles => "open files",
            Self::FileSize => "file size",
            Self::Scratch => "scratch space",
            Self::Output => "output",
        })
    }
}

/// A signal number, shown by name where it has a common one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal(pub i32);

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            libc::SIGHUP => "SIGHUP",
            libc::SIGINT => "SIGINT",
            libc::SIGQUIT => "SIGQUIT",
            libc::SIGILL => "SIGILL",
            libc::SIGTRAP => "SIGTRAP",
            libc::SIGABRT => "SIGABRT",
            libc::SIGBUS => "SIGBUS",
            libc::SIGFPE => "SIGFPE",
            libc::SIGKILL => "SIGKILL",
            libc::SIGSEGV => "SIGSEGV",
            libc::SIGPIPE => "SIGPIPE",
            libc::SIGALRM => "SIGALRM",
            libc::SIGTERM => "SIGTERM",
            libc::SIGXCPU => "SIGXCPU",
            libc::SIGXFSZ => "SIGXFSZ",
            libc::SIGSYS => "SIGSYS",
            number => return write!(f, "signal {number}"),
        };
        f.write_str(name)
    }
}

/// What a run used, all its processes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// From the start of the program to the end of its last process.
    pub wall: Duration,
    /// CPU time in user mode.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// Largest resident set of any one process, in bytes.
    pub peak_rss: u64,
    /// Bytes written to the child's standard input.
    pub bytes_in: u64,
    /// Bytes read from both output streams.
    pub bytes_out: u64,
}

/// Processes that were still alive when the program itself had ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Leftovers {
    /// How many were found; all have been killed.
    pub count: u32,
    /// The command names of the first few, as the processes set them.
    pub names: Vec<String>,
}

impl Leftovers {
    /// Whether the program left processes behind.
    pub fn any(&self) -> bool {
        self.count > 0
    }
}
