//! What to run: a program with its arguments, the files handed to it, its
//! limits, and what to keep of its output.
//!
//! Nothing here runs anything; [`crate::Engine`] does.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

/// The first descriptor number that a handed file gets in the child; 0, 1 and
/// 2 are the standard streams.
const FIRST_HANDED_DESCRIPTOR: usize = 3;

/// One program run.
///
/// The environment of the child is exactly [`Command::env`]: nothing is
/// inherited. Its working directory is the scratch directory when one was
/// asked for and `/` otherwise.
#[derive(Debug)]
pub struct Command {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) stdin: Input,
    pub(crate) handed: Vec<OwnedFd>,
    pub(crate) readable: Vec<PathBuf>,
    pub(crate) scratch: Scratch,
    pub(crate) limits: Limits,
    pub(crate) stdout: Keep,
    pub(crate) stderr: Keep,
    pub(crate) hold: Option<Hold>,
    pub(crate) console: Option<Console>,
    pub(crate) memory: Option<watch::Sender<u64>>,
}

/// The program's ends of three pipes whose other ends somebody has already: the
/// run neither feeds nor empties them, and its limits on output don't count.
#[derive(Debug)]
pub(crate) struct Console {
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

/// Whether a run is to stand still: while it is `true`, its processes are
/// stopped where they are. They keep their memory, and their time goes on.
pub type Hold = watch::Receiver<bool>;

impl Command {
    /// A run of `program`, which must be an absolute path: looking a name up
    /// in `PATH` is the caller's business, once, not once a run.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: vec![
                ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
                ("LC_ALL".into(), "C.UTF-8".into()),
            ],
            stdin: Input::Null,
            handed: Vec::new(),
            readable: Vec::new(),
            scratch: Scratch::None,
            limits: Limits::default(),
            stdout: Keep::default(),
            stderr: Keep::default(),
            hold: None,
            console: None,
            memory: None,
        }
    }

    /// Has the run stand still while `hold` says so.
    #[must_use]
    pub fn hold(mut self, hold: Option<Hold>) -> Self {
        self.hold = hold;
        self
    }

    /// Appends one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Appends arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets one variable of the child's environment.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let key = key.into();
        self.env.retain(|(known, _)| *known != key);
        self.env.push((key, value.into()));
        self
    }

    /// What the child reads from its standard input.
    #[must_use]
    pub fn stdin(mut self, input: Input) -> Self {
        self.stdin = input;
        self
    }

    /// Hands an open file to the child and returns the path under which the
    /// child finds it (`/proc/self/fd/N`). The child may read this file even
    /// when it is confined, and no path of the host is disclosed to it.
    pub fn hand(&mut self, file: File) -> PathBuf {
        let number = FIRST_HANDED_DESCRIPTOR + self.handed.len();
        self.handed.push(file.into());
        PathBuf::from(format!("/proc/self/fd/{number}"))
    }

    /// Lets a confined child read this file, or everything beneath this
    /// directory, besides what the engine's configuration lets every child read.
    #[must_use]
    pub fn readable(mut self, path: impl Into<PathBuf>) -> Self {
        self.readable.push(path.into());
        self
    }

    /// Whether the child gets a private directory that it may write to.
    #[must_use]
    pub fn scratch(mut self, scratch: Scratch) -> Self {
        self.scratch = scratch;
        self
    }

    /// Replaces the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What to keep of the standard output.
    #[must_use]
    pub fn keep_stdout(mut self, keep: Keep) -> Self {
        self.stdout = keep;
        self
    }

    /// What to keep of the standard error.
    #[must_use]
    pub fn keep_stderr(mut self, keep: Keep) -> Self {
        self.stderr = keep;
        self
    }

    /// The program, for messages.
    pub fn program(&self) -> &Path {
        &self.program
    }
}

/// What a child reads from its standard input.
#[derive(Debug, Clone, Default)]
pub enum Input {
    /// `/dev/null`.
    #[default]
    Null,
    /// These bytes through a pipe, which is closed after the last one. A child
    /// that never reads them is not waited for.
    Bytes(Bytes),
}

/// Whether a child gets a directory to write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scratch {
    /// No: a confined child can write nowhere.
    #[default]
    None,
    /// A new empty directory, its working directory, `HOME` and `TMPDIR`;
    /// removed with everything in it when the run has ended.
    Private,
}

/// What a run may use. A limit that is reached ends the run, and the
/// [`Outcome`](crate::Outcome) names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Wall time from the start of the program.
    pub timeout: Duration,
    /// Longest time without a byte on either output stream.
    pub idle: Option<Duration>,
    /// Time between the request to end (`SIGTERM`) and the kill.
    pub grace: Duration,
    /// CPU time of any one process, in whole seconds (rounded up).
    pub cpu: Option<Duration>,
    /// Resident memory of all processes of the run together, in bytes.
    pub memory: u64,
    /// Processes alive at one time. At 1 the program can't start another, but
    /// can have threads.
    pub processes: u32,
    /// Open descriptors of any one process.
    pub open_files: u32,
    /// Bytes in any one file that the run writes.
    pub file_size: u64,
    /// Bytes and number of files in the scratch directory.
    pub scratch_bytes: u64,
    /// Number of files and directories in the scratch directory.
    pub scratch_files: u32,
    /// Bytes on the two output streams together. `None`: any amount is read
    /// and counted, and what exceeds [`Keep`] is dropped.
    pub output: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(300),
            idle: None,
            grace: Duration::from_secs(2),
            cpu: None,
            memory: 2 << 30,
            processes: 64,
            open_files: 256,
            file_size: 1 << 30,
            scratch_bytes: 2 << 30,
            scratch_files: 10_000,
            output: None,
        }
    }
}

/// How much of one output stream to keep. What lies between head and tail is
/// counted and hashed, and written to `spill` when there is one.
#[derive(Debug)]
pub struct Keep {
    /// Bytes kept from the beginning.
    pub head: usize,
    /// Bytes kept from the end.
    pub tail: usize,
    /// Receives every byte of the stream.
    pub spill: Option<File>,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            head: 1 << 20,
            tail: 64 << 10,
            spill: None,
        }
    }
}

impl Keep {
    /// Keep nothing; count and hash only.
    pub fn nothing() -> Self {
        Self {
            head: 0,
            tail: 0,
            spill: None,
        }
    }

    /// Keep this many bytes from the beginning and none from the end.
    pub fn head(bytes: usize) -> Self {
        Self {
            head: bytes,
            tail: 0,
            spill: None,
        }
    }
}
