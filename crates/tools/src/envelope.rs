//! The one shape of every result: in MCP's `structuredContent`, in the CLI's
//! `--json` and over HTTP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{ErrorCode, ToolError};
use crate::results::ArtifactRef;
use crate::results::fit::Cut;

/// A result as the caller gets it. `R` is the tool's report.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Envelope<R> {
    /// The tool answered.
    Success {
        /// The report.
        data: R,
        /// About the call.
        metadata: Metadata,
    },
    /// The tool has not answered yet.
    Running {
        /// By which to ask for the answer.
        job_id: String,
        /// When to ask, in milliseconds from now.
        poll_after_ms: u64,
        /// How far it has got.
        metadata: Stage,
    },
    /// The tool did not answer.
    Error {
        /// The stable code.
        error_code: ErrorCode,
        /// What happened, to what.
        message: String,
        /// What to change.
        hint: String,
        /// Whether the same call can succeed later.
        retryable: bool,
        /// When to retry, in milliseconds from now.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// About the call.
        metadata: Metadata,
    },
}

impl<R> Envelope<R> {
    /// The envelope of a failed call.
    pub fn error(error: ToolError, metadata: Metadata) -> Self {
        let ToolError {
            code,
            message,
            hint,
            retry_after_ms,
            log_detail: _,
        } = error;
        Self::Error {
            error_code: code,
            message,
            hint,
            retryable: code.retryable(),
            retry_after_ms,
            metadata,
        }
    }
}

/// How far a call has got.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Stage {
    /// The tool's name.
    pub tool: String,
    /// What it is doing.
    pub stage: String,
    /// From 0 to 1, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
}

/// What every result says about itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Metadata {
    /// The tool's name.
    pub tool: String,
    /// Which engine answered, with its version: `strings 2.40`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// SHA-256 of the file that was analysed, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Time from the start of the work to its end.
    pub elapsed_ms: f64,
    /// Time that the call waited for its turn.
    pub queue_ms: f64,
    /// Whether the answer came from the cache.
    pub cached: bool,
    /// How much of the question the report answers.
    pub coverage: Coverage,
    /// Whether items were left out of the report for its size.
    pub truncated: bool,
    /// How many items there are, those left out included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Pass this as `cursor` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Where the whole of the text is, when it was too large to be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<ArtifactRef>,
    /// Lists and texts of `data` that are not whole for want of room.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<Cut>,
    /// What the caller should know about the answer: what was not examined,
    /// and the call that gets the rest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Metadata {
    /// Something was left out for want of room.
    pub(crate) fn was_cut(&mut self) {
        self.truncated = true;
        if self.coverage == Coverage::Complete {
            self.coverage = Coverage::Truncated;
        }
    }
}

/// How much of the question a report answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// All of it.
    #[default]
    Complete,
    /// All was examined; items were left out of the report for its size.
    Truncated,
    /// A part could not be examined; `warnings` says which.
    Partial,
    /// The time ran out; what was found until then is reported.
    TimedOut,
}
