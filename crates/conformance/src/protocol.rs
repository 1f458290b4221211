//! What judge and driver say to each other: one JSON object a line, the judge's
//! on the driver's standard input, the driver's on its standard output.
//!
//! The end of its standard input tells a driver to end. Runs go on side by side:
//! a reply carries the number of its request, and comes when it comes. A field
//! that is missing is not asked for; a field that a driver does not know is
//! ignored.

use serde::{Deserialize, Serialize};

/// From the judge.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// Who are you? Always the first line.
    Hello,
    /// Run this.
    Run(Box<Run>),
}

/// One run of one program.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// The number of the request.
    pub id: u64,
    /// An absolute path.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Put so many bytes into its standard input; otherwise it gets none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin_bytes: Option<usize>,
    /// Wall time it may take, from its start.
    pub timeout_ms: u64,
    /// Time between the request to end and the kill.
    pub grace_ms: u64,
    /// Longest time without output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
    /// Bytes of each stream to return from its beginning and from its end.
    pub keep: usize,
    /// Return standard output as text, by the engine's own means if it has any.
    pub text: bool,
    /// Write all of standard output to this file too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spill: Option<String>,
    /// Give it a private directory to work in, removed afterwards.
    pub scratch: bool,
    /// What it may use.
    pub limits: Limits,
    /// Cancel it so long after the request has been read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_after_ms: Option<u64>,
    /// Let go of it (drop its future, its handle) so long after the request has
    /// been read, without a word to the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_after_ms: Option<u64>,
}

/// What a run may use; each is asked for only when the driver offers it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes on both output streams together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Resident bytes of all its processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Processes at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Seconds of CPU time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<u64>,
    /// Open descriptors of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u32>,
    /// Bytes of a file that it writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_size: Option<u64>,
    /// Files in its private directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scratch_files: Option<u32>,
}

/// From the driver.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Reply {
    /// Who it is.
    Hello(Hello),
    /// How a run ended.
    Ended(Box<Ended>),
}

/// An engine introduces itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hello {
    /// The engine's name and version.
    pub engine: String,
    /// How it is used here, in a sentence for the report.
    pub configured: String,
    /// What the engine itself offers, on this machine.
    pub offers: Vec<Offer>,
}

/// Something that not every engine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offer {
    /// A request to end before the kill.
    Grace,
    /// [`Run::idle_ms`]
    Idle,
    /// A verdict on processes that outlived the program.
    Leftovers,
    /// Runs wait in the engine when the command line says `--in-flight N` and N
    /// are in progress.
    Queue,
    /// [`Run::scratch`]
    Scratch,
    /// [`Limits::output`]
    Output,
    /// [`Limits::memory`]
    Memory,
    /// [`Limits::processes`]
    Processes,
    /// [`Limits::cpu_seconds`]
    CpuTime,
    /// [`Limits::open_files`]
    OpenFiles,
    /// [`Limits::file_size`]
    FileSize,
    /// [`Limits::scratch_files`]
    ScratchFiles,
}

/// How a run ended, by the engine's account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ended {
    /// The number of the request.
    pub id: u64,
    /// What happened.
    pub ending: Ending,
    /// The exit code, with [`Ending::Exited`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The signal, with [`Ending::Signaled`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Which limit, with [`Ending::Limit`]; the names of [`Limits`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Why it did not start, with [`Ending::NotStarted`], as far as the
    /// engine's own error type tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<StartFailure>,
    /// The engine's own words, causes included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// Processes that outlived the program, where the engine says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leftovers: Option<u32>,
}

/// The ways to end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With an exit code.
    Exited,
    /// Of a signal that the engine did not send.
    Signaled,
    /// At [`Run::timeout_ms`].
    TimedOut,
    /// At [`Run::idle_ms`].
    Idle,
    /// At [`Run::cancel_after_ms`].
    Cancelled,
    /// At [`Run::drop_after_ms`].
    Dropped,
    /// At one of [`Limits`].
    Limit,
    /// The program could not be started.
    NotStarted,
    /// The engine failed.
    #[default]
    Failed,
}

/// Why a program did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartFailure {
    /// There is no such file.
    NotFound,
    /// It may not be executed.
    NotExecutable,
    /// Somebody is writing to it.
    Busy,
    /// What its first line names is missing.
    BadInterpreter,
    /// Something else.
    Other,
}

/// One output stream.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stream {
    /// All bytes that came.
    pub bytes: u64,
    /// Their SHA-256, in hexadecimal.
    pub sha256: String,
    /// The first [`Run::keep`] bytes, in hexadecimal.
    pub head: String,
    /// The last [`Run::keep`] bytes of those that are not in `head`, in
    /// hexadecimal.
    pub tail: String,
    /// As text, when [`Run::text`] asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}
