//! What a tool is: one type that carries its name, its description, its
//! parameter and report types, and the work itself. MCP schemas, CLI flags and
//! documentation are derived from it; see [`crate::catalogue`].

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reversecore_jobs::Running;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::envelope::{Coverage, Metadata};
use crate::error::ToolError;
use crate::results::cache::Reuse;
use crate::schedule::{Caller, Workload, estimates};
use crate::schema;
use crate::services::Services;
use crate::workspace::Target;

pub(crate) use record::{Facts, Record};

mod record;

/// What answers without a file takes no longer.
pub(crate) const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// One tool of the catalogue.
pub trait Tool: Copy + Send + Sync + 'static {
    /// The arguments. Derive with `#[serde(deny_unknown_fields)]`, give
    /// defaults with `#[serde(default = …)]`, and bounds with
    /// [`crate::bounded::Bounded`].
    type Params: DeserializeOwned + JsonSchema + Send + Sync + 'static;
    /// The answer.
    type Report: Report;

    /// The name that clients call.
    const NAME: &'static str;
    /// Other names under which it can be called; clients are not told.
    const ALIASES: &'static [&'static str] = &[];
    /// A short name for people.
    const TITLE: &'static str;
    /// What it does and when to choose it, written for a language model.
    const DESCRIPTION: &'static str;
    /// Whether calls are jobs that wait for their turn. Tools that answer from
    /// memory are none.
    const QUEUED: bool = true;
    /// Whether results may be remembered; which, a call's workload says.
    const REMEMBERED: bool = true;
    /// Whether calls change nothing but the server's own state, if that.
    const READ_ONLY: bool = true;
    /// Whether equal calls give equal answers while the file stays the same.
    const IDEMPOTENT: bool = true;

    /// What a call works with, for the scheduler.
    fn workload(_params: &Self::Params) -> Workload<'_> {
        Workload {
            kind: estimates::memory(Self::NAME),
            file: None,
            timeout: LONGEST_ANSWER,
            reuse: Reuse::Never,
        }
    }

    /// The same once more when the file is open: what the server has of it
    /// already may save something. `content` is its SHA-256, where that is known.
    fn workload_when_open<'p>(
        _services: &Services,
        params: &'p Self::Params,
        _content: Option<&str>,
        _size: u64,
    ) -> Workload<'p> {
        Self::workload(params)
    }

    /// The schema of the report, made of its type by `schema::report`.
    /// Whoever adds a tool gives it one: a test with every tool's answers wants it.
    fn report_schema() -> Value {
        schema::report::<schema::Object>()
    }

    /// Does the work.
    ///
    /// # Errors
    /// With the code, message and hint that the caller is to see.
    fn run(
        &self,
        call: &Call<'_>,
        params: Self::Params,
    ) -> impl Future<Output = Result<Answer<Self::Report>, ToolError>> + Send;
}

impl Call<'_> {
    /// Says how far the call has got.
    pub(crate) fn progress(&self, stage: &str, fraction: Option<f64>) {
        if let Some(job) = self.job {
            job.progress(stage, fraction);
        }
    }
}

/// The typed answer of a tool.
pub trait Report: Serialize + Send {
    /// Appends the answer as JSON. A report of thousands of items may know a
    /// faster way than its serializer; both must write the same.
    ///
    /// # Errors
    /// When the serializer fails.
    fn write_json(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        serde_json::to_writer(out, self)
    }

    /// The answer as compact text for a reader: the same facts, no JSON.
    fn text(&self) -> String;
}

/// One call in progress.
#[derive(Debug)]
pub struct Call<'a> {
    /// What tools work with.
    pub services: &'a Services,
    /// Fires when the caller no longer wants the answer.
    pub cancel: &'a CancellationToken,
    /// Who calls.
    pub caller: &'a Caller,
    /// What is found out about the call on the way, for its log line and the
    /// metadata of its result, whichever way it ends.
    pub(crate) record: &'a Record,
    /// The job that the call is; `None` for a tool whose calls are none.
    pub(crate) job: Option<&'a Running>,
    /// The file that the call is about, opened before it became a job.
    pub(crate) opened: Mutex<Option<(String, Target)>>,
}

impl Call<'_> {
    /// What stands for the content of the file that the call is about, as long as
    /// it does not change.
    pub(crate) async fn identity_key(&self, file_path: &str) -> Result<[u8; 32], ToolError> {
        let target = self.target(file_path).await?;
        let key = target.key();
        // Whoever works on it takes it from here.
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((file_path.to_owned(), target));
        Ok(key)
    }

    /// Opens one more file that the caller named.
    pub(crate) async fn other_target(
        &self,
        parameter: &'static str,
        path: &str,
    ) -> Result<Target, ToolError> {
        let workspace = &self.services.workspace;
        workspace.target(parameter, path, self.cancel).await
    }

    /// Opens the file that the caller named, and notes it for the log.
    pub(crate) async fn target(&self, file_path: &str) -> Result<Target, ToolError> {
        let shown = crate::text::quoted(file_path);
        let opened = self
            .opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take_if(|(path, _)| path == file_path);
        if let Some((_, target)) = opened {
            self.record.note(|facts| facts.file = Some(shown));
            return Ok(target);
        }
        self.record.note(|facts| facts.file = Some(shown));
        let workspace = &self.services.workspace;
        let mut target = workspace
            .target("file_path", file_path, self.cancel)
            .await?;
        target.start_hashing(workspace);
        Ok(target)
    }
}

/// A report and what the tool knows about it. What is the same for all tools
/// (name, times, hash) is filled in around the tool.
#[derive(Debug)]
pub struct Answer<R> {
    /// The report.
    pub report: R,
    /// Which engine answered, with its version.
    pub engine: Option<String>,
    /// How much of the question it answers.
    pub coverage: Coverage,
    /// How many items there are, those left out included.
    pub total: Option<u64>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
    /// What the caller should know about the answer.
    pub warnings: Vec<String>,
    /// Whether items were left out, whatever else is missing.
    pub truncated: bool,
}

impl<R> Answer<R> {
    /// A complete answer.
    pub fn complete(report: R) -> Self {
        Self {
            report,
            engine: None,
            coverage: Coverage::Complete,
            total: None,
            next_cursor: None,
            warnings: Vec::new(),
            truncated: false,
        }
    }

    /// Items were left out for want of room. What could not be examined is worse,
    /// and stays.
    pub(crate) fn truncate(&mut self) {
        self.truncated = true;
        if self.coverage == Coverage::Complete {
            self.coverage = Coverage::Truncated;
        }
    }

    /// Passes on what an engine could not read. The answer is partial then.
    pub(crate) fn add_warnings(&mut self, warnings: reversecore_analysis::Warnings) {
        if !warnings.is_empty() && self.coverage == Coverage::Complete {
            self.coverage = Coverage::Partial;
        }
        let messages = warnings.into_messages().into_iter();
        self.warnings
            .extend(messages.map(|message| crate::text::escaped(&message).into_owned()));
    }

    /// Splits into the report and its metadata.
    pub(crate) fn into_parts(self) -> (R, Metadata) {
        let Self {
            report,
            engine,
            coverage,
            total,
            next_cursor,
            warnings,
            truncated,
        } = self;
        let truncated = truncated || coverage == Coverage::Truncated || next_cursor.is_some();
        (
            report,
            Metadata {
                engine,
                coverage,
                truncated,
                total,
                next_cursor,
                warnings,
                ..Metadata::default()
            },
        )
    }
}
