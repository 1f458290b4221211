//! Embedded engines: a tool describes a piece of [`Work`], a confined worker
//! does it on the open file, and the typed reply comes back.
//!
//! ```text
//! tool: Work ──postcard──> pool ──socket──> worker: perform(&[u8]) ─> analysis::*
//!   reply <──checked, typed── pool <──────────────── Result<Reply, Trouble>
//! ```
//!
//! The worker has parsed a hostile file, so what it says is data: it is decoded
//! into the reply's type, and its text is escaped where a report is written
//! ([`present`]). What a worker does is in [`worker`]; how it is kept, confined
//! and replaced is the business of `exec`.

pub(crate) mod engine;
pub(crate) mod present;
pub(crate) mod worker;

use std::time::Duration;

use regex::Regex;
use reversecore_exec::worker::{Crash, Job, PoolError, Work as Done, WorkOutcome};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::envelope::Coverage;
use crate::error::{ErrorCode, ToolError};
use crate::text::{diagnostics, escaped, quoted};
use crate::tool::{Answer, Call};
use crate::tools::strings::compiled;
use crate::workspace::Target;
use worker::{File, Request, Resident, Stop};

/// Who answered, for the metadata.
pub(crate) const ENGINE: &str = concat!("embedded ", env!("CARGO_PKG_VERSION"));

/// More than the largest report.
const LARGEST_REPLY: usize = 120 << 20;
/// A hostile worker's word for how many stages there were is not taken.
const MOST_STOPS: usize = 8;
/// A file of fewer bytes is not watched.
const WORTH_WATCHING: u64 = 8 << 20;
/// What is left for the server of the time of a call.
const SHORTEST: Duration = Duration::from_millis(1);

/// A piece of work for a worker: what to find out about a file.
pub(crate) trait Work: Serialize + DeserializeOwned {
    /// What is found out.
    type Reply: Serialize + DeserializeOwned + Send;

    /// Wraps it for the way.
    fn request(self) -> Request;

    /// The largest reply that it can have, in bytes.
    const LARGEST: usize = LARGEST_REPLY;

    /// Prefers a worker that did work of this name last.
    fn affinity(&self) -> Option<[u8; 32]> {
        None
    }

    /// Does it; in the worker.
    fn perform(
        self,
        file: &mut File<'_, '_>,
        resident: &mut Resident,
    ) -> Result<Self::Reply, Trouble>;
}

/// Why a worker has no answer: something about the question, not the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Trouble {
    /// A parameter can't be met by this file.
    Parameter { name: String, reason: String },
    /// The rules can't be understood.
    Rules { message: String },
    /// The file could not be mapped.
    Unreadable { message: String },
    /// The time ran out before there was anything to say.
    OutOfTime { hint: String },
    /// The engine has no answer for this file.
    Engine { message: String, hint: String },
}

/// An answer of a worker, and the file it is about.
#[derive(Debug)]
pub(crate) struct Worked<R> {
    pub(crate) reply: R,
    pub(crate) size: u64,
    /// What was ended for want of time.
    pub(crate) stops: Vec<Stop>,
}

impl Call<'_> {
    /// Opens the file and has a worker examine it.
    pub(crate) async fn examine<W: Work>(
        &self,
        file_path: &str,
        timeout: Duration,
        work: W,
    ) -> Result<Worked<W::Reply>, ToolError> {
        self.examine_with(file_path, timeout, work, Vec::new())
            .await
    }

    /// The same with further files.
    pub(crate) async fn examine_with<W: Work>(
        &self,
        file_path: &str,
        timeout: Duration,
        work: W,
        others: Vec<Target>,
    ) -> Result<Worked<W::Reply>, ToolError> {
        let deadline = Instant::now() + timeout;
        let mut target = self.target(file_path).await?;
        self.record
            .note(|facts| facts.engine = Some(ENGINE.to_owned()));
        let (reply, stops) = self.work(&target, &others, deadline, timeout, work).await?;
        for mut other in others {
            other.settle(deadline, self.cancel).await?;
        }
        self.settle_target(&mut target, deadline).await?;
        Ok(Worked {
            reply,
            size: target.size(),
            stops,
        })
    }

    async fn work<W: Work>(
        &self,
        target: &Target,
        others: &[Target],
        deadline: Instant,
        timeout: Duration,
        work: W,
    ) -> Result<(W::Reply, Vec<Stop>), ToolError> {
        let affinity = work.affinity();
        let payload = postcard::to_allocvec(&work.request()).map_err(internal)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let job = Job {
            files: [target]
                .into_iter()
                .chain(others)
                .map(|target| target.mapped().map(Into::into))
                .collect::<Result<_, _>>()?,
            timeout: left.max(SHORTEST),
            affinity,
            retry: true,
            max_reply: W::LARGEST,
            ..Job::new(payload)
        };
        // On the heap: futures that are handed on until they run are moved each time.
        let done = Box::pin(self.run_watched(job, target.size())).await?;
        self.record.note(|facts| {
            facts.bytes_out = facts.bytes_out.saturating_add(done.usage.bytes_out);
            facts.peak_rss = facts.peak_rss.max(done.usage.peak_rss);
            facts.cpu += done.usage.user + done.usage.system;
        });
        match done.outcome {
            WorkOutcome::Done(bytes) => {
                let reply: Result<(W::Reply, Vec<Stop>), Trouble> =
                    postcard::from_bytes(&bytes).map_err(|error| misbehaved(&error.to_string()))?;
                reply.map_err(Trouble::into_error)
            }
            WorkOutcome::TimedOut => Err(ToolError::new(
                ErrorCode::Timeout,
                format!("the analysis was not done after {} s", timeout.as_secs()),
                "Raise `timeout` (up to 3600 s), or ask for less.",
            )),
            WorkOutcome::Cancelled => Err(ToolError::cancelled()),
            WorkOutcome::Crashed(crash) => Err(crashed(&crash)),
            WorkOutcome::MemoryLimit => Err(ToolError::new(
                ErrorCode::ResourceLimit,
                "the analysis reached its limit on memory",
                "The file needs more than the server grants one analysis; ask for less, or use `engine`=external where the tool has it.",
            )),
            WorkOutcome::FileChanged => Err(ToolError::new(
                ErrorCode::FileChanged,
                "the file changed during the analysis",
                "Call again when the file is complete.",
            )),
            WorkOutcome::ReplyTooLarge(size) => Err(ToolError::new(
                ErrorCode::OutputLimit,
                format!("the report has {size} bytes, more than a result may have"),
                "Ask for less: a smaller `limit`, or a narrower `pattern`.",
            )),
            WorkOutcome::Misbehaved(what) => Err(misbehaved(what)),
        }
    }
}

impl Call<'_> {
    /// Has a worker do the job, and passes on how far it gets.
    async fn run_watched(&self, mut job: Job, size: u64) -> Result<Done, ToolError> {
        let workers = &self.services.workers;
        job.hold = self.hold();
        // A small file is done before anything could be said of it.
        if size < WORTH_WATCHING || self.job.is_none() {
            return workers.run(job, self.cancel).await.map_err(pool_error);
        }
        let (said, mut progress) = mpsc::channel(16);
        job.progress = Some(said);
        let running = workers.run(job, self.cancel);
        tokio::pin!(running);
        loop {
            tokio::select! {
                biased;
                done = &mut running => return done.map_err(pool_error),
                Some(said) = progress.recv() => {
                    self.progress(&escaped(&said.message), said.fraction);
                }
            }
        }
    }
}

impl<R> Worked<R> {
    /// Makes an answer of the reply, which says what is missing from it.
    pub(crate) fn answer<T>(self, report: impl FnOnce(R) -> Answer<T>) -> Answer<T> {
        let mut answer = report(self.reply);
        for Stop { stage, offset } in self.stops.iter().take(MOST_STOPS) {
            answer.coverage = Coverage::TimedOut;
            answer.warnings.push(format!(
                "{}: the time ran out at offset {offset:#x} of {:#x}; what lies behind was not examined, and counts are of what lies before (raise `timeout`)",
                escaped(stage),
                self.size
            ));
        }
        answer
    }
}

impl Trouble {
    /// Compiles a caller's pattern. The server has tried it before, so this
    /// fails only where the two disagree.
    pub(crate) fn pattern(pattern: Option<&str>) -> Result<Option<Regex>, Self> {
        pattern
            .map(compiled)
            .transpose()
            .map_err(|error| Self::Parameter {
                name: "pattern".to_owned(),
                reason: error.message,
            })
    }

    fn into_error(self) -> ToolError {
        match self {
            Self::Parameter { name, reason } => ToolError::new(
                ErrorCode::ValidationError,
                format!("parameter `{}`: {}", quoted(&name), quoted(&reason)),
                "Correct the argument; `parse_binary` shows the file's sections and symbols.",
            ),
            Self::Rules { message } => ToolError::new(
                ErrorCode::ParseError,
                format!("the rules can't be compiled: {}", diagnostics(&message)),
                "Correct the rule at the line that is named.",
            ),
            Self::Unreadable { message } => ToolError::new(
                ErrorCode::FileChanged,
                "the file could not be read",
                "Call again; if it persists, the file system has a fault.",
            )
            .log_detail(message),
            Self::OutOfTime { hint } => ToolError::new(
                ErrorCode::Timeout,
                "the time ran out before the answer was complete",
                quoted(&hint),
            ),
            Self::Engine { message, hint } => {
                ToolError::new(ErrorCode::ToolFailed, diagnostics(&message), quoted(&hint))
            }
        }
    }
}

fn crashed(crash: &Crash) -> ToolError {
    let how = crash.ending.map_or_else(
        || "ended unexpectedly".to_owned(),
        |ending| ending.to_string(),
    );
    ToolError::new(
        ErrorCode::ToolFailed,
        format!("the engine failed on this file (its process {how})"),
        "The file breaks this engine; use `engine`=external where the tool has it, or another tool. Please report it.",
    )
    .log_detail(&crash.message)
}

pub(crate) fn misbehaved(what: &str) -> ToolError {
    ToolError::new(
        ErrorCode::ToolFailed,
        "the engine's answer was not understood and is dropped",
        "The file may have taken the engine over; treat it as hostile. `engine`=external may do.",
    )
    .log_detail(what)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an enum that may grow; whatever is not the caller's affair is ours"
)]
fn pool_error(error: PoolError) -> ToolError {
    match &error {
        PoolError::QueueFull { .. } => ToolError::new(
            ErrorCode::QueueFull,
            "too many analyses are waiting",
            "Retry after `retry_after_ms`, with fewer calls at one time.",
        )
        .retry_after_ms(1000),
        PoolError::TooLarge { size, limit } => ToolError::new(
            ErrorCode::ResourceLimit,
            format!("the question has {size} bytes, the limit is {limit}"),
            "Use fewer rules in one call.",
        ),
        PoolError::Start { retry_after, .. } => {
            let after = *retry_after;
            internal(error).retry_after(after)
        }
        _ => internal(error),
    }
}

fn internal(error: impl std::fmt::Display) -> ToolError {
    ToolError::new(
        ErrorCode::Internal,
        "the embedded engine could not be used",
        "Call again; if it persists, the server's log has the reason.",
    )
    .log_detail(error)
}
