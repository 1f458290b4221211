//! Failures of the engine itself. A program that fails is an
//! [`Outcome`](crate::Outcome), not an error; a program that can't be started
//! is a [`SpawnError`], because there is nothing to report about a run.

use std::io;
use std::path::PathBuf;

/// Why a run has no outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// The program could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The launcher process ended while the run was in its hands. Its
    /// processes are gone; the next run starts a new launcher.
    #[error("the launcher process ended during the run (try again)")]
    LauncherDied,
    /// The engine could not be brought up (again).
    #[error(transparent)]
    Start(#[from] StartError),
    /// Program, arguments, environment and paths together exceed what one
    /// request may hold.
    #[error("the command line has {size} bytes, the limit is {limit} (pass data in a file)")]
    RequestTooLarge {
        /// Encoded size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// More files were handed to the program than one request may carry.
    #[error("{count} files are handed to the program, the limit is {limit}")]
    TooManyFiles {
        /// Files handed.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A system call of the engine failed.
    #[error("failed to {action}")]
    System {
        /// What was being done, as a phrase that fits "failed to …".
        action: &'static str,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

impl ExecError {
    pub(crate) fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}

/// Why a program could not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no such file.
    #[error("program `{}` does not exist (install it, or set its path in the configuration)", .program.display())]
    NotFound {
        /// The program as given.
        program: PathBuf,
    },
    /// The file is there, but may not be executed.
    #[error("program `{}` may not be executed (it needs execute permission, and with the sandbox on its directory must be among the readable ones)", .program.display())]
    NotExecutable {
        /// The program as given.
        program: PathBuf,
    },
    /// Somebody has the file open for writing.
    #[error("program `{}` is being written to by another process (wait until the installation has finished)", .program.display())]
    Busy {
        /// The program as given.
        program: PathBuf,
    },
    /// The script's or ELF file's interpreter is missing.
    #[error("the interpreter that program `{}` names does not exist (reinstall the program)", .program.display())]
    BadInterpreter {
        /// The program as given.
        program: PathBuf,
    },
    /// The kernel does not know the format.
    #[error("program `{}` has no format that this system can execute (is it built for another architecture?)", .program.display())]
    BadFormat {
        /// The program as given.
        program: PathBuf,
    },
    /// A promised protection could not be put in place, so nothing was run.
    #[error("the sandbox could not be set up for `{}`: {step} failed with error {errno} (see `reversecore doctor`)", .program.display())]
    Confinement {
        /// The program as given.
        program: PathBuf,
        /// The step that failed.
        step: String,
        /// The error number.
        errno: i32,
    },
    /// Anything else, by the failing step and the system's error number.
    #[error("program `{}` could not be started: {step}: {}", .program.display(), io::Error::from_raw_os_error(*errno))]
    Other {
        /// The program as given.
        program: PathBuf,
        /// The step that failed.
        step: String,
        /// The error number.
        errno: i32,
    },
}

/// Why the engine could not be brought up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The launcher could not be started.
    #[error("failed to start the launcher `{}`", .program.display())]
    Launch {
        /// The launcher's executable.
        program: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The launcher ended before it said what it can do.
    #[error("the launcher ended before it was ready")]
    NoGreeting,
    /// `sandbox = "required"` and something that it promises does not hold.
    #[error(
        "the sandbox is required, and this machine lacks: {missing} (see `reversecore doctor`, or set `sandbox = \"auto\"`)"
    )]
    SandboxUnavailable {
        /// The missing mechanisms with their reasons.
        missing: String,
    },
}
