//! Errors as a caller sees them: a stable code, what happened to what, what to
//! change, and whether the same call can succeed later.
//!
//! A message never holds a path of the host beyond what the caller gave;
//! details for the operator go to the log.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

/// The codes a caller can rely on. New ones may be added; none changes meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// An argument is missing, unknown, of the wrong type or out of bounds.
    ValidationError,
    /// The file does not exist, or is no regular file.
    FileNotFound,
    /// The path leads outside the workspace and the read-only roots.
    PathNotAllowed,
    /// The external program that the tool needs is not installed.
    ToolNotFound,
    /// The time given was not enough.
    Timeout,
    /// The caller cancelled the call.
    Cancelled,
    /// The program wrote more than it may.
    OutputLimit,
    /// The file changed during the analysis.
    FileChanged,
    /// The analysis reached its limit on memory, CPU, processes or disk.
    ResourceLimit,
    /// The file or the rules can't be understood.
    ParseError,
    /// The external program failed.
    ToolFailed,
    /// Too many calls are waiting.
    QueueFull,
    /// The deadline can't be met.
    DeadlineExceeded,
    /// This client calls too often.
    RateLimited,
    /// No or wrong credentials.
    Unauthorized,
    /// A fault of the server.
    Internal,
}

impl ErrorCode {
    /// The code as it stands in the envelope and as a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ValidationError => "VALIDATION_ERROR",
            Self::FileNotFound => "FILE_NOT_FOUND",
            Self::PathNotAllowed => "PATH_NOT_ALLOWED",
            Self::ToolNotFound => "TOOL_NOT_FOUND",
            Self::Timeout => "TIMEOUT",
            Self::Cancelled => "CANCELLED",
            Self::OutputLimit => "OUTPUT_LIMIT",
            Self::FileChanged => "FILE_CHANGED",
            Self::ResourceLimit => "RESOURCE_LIMIT",
            Self::ParseError => "PARSE_ERROR",
            Self::ToolFailed => "TOOL_FAILED",
            Self::QueueFull => "QUEUE_FULL",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::RateLimited => "RATE_LIMITED",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Internal => "INTERNAL",
        }
    }

    /// Whether the same call can succeed later without a change by the caller.
    pub fn retryable(self) -> bool {
        match self {
            Self::Timeout
            | Self::FileChanged
            | Self::QueueFull
            | Self::DeadlineExceeded
            | Self::RateLimited
            | Self::Internal => true,
            Self::ValidationError
            | Self::FileNotFound
            | Self::PathNotAllowed
            | Self::ToolNotFound
            | Self::Cancelled
            | Self::OutputLimit
            | Self::ResourceLimit
            | Self::ParseError
            | Self::ToolFailed
            | Self::Unauthorized => false,
        }
    }
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ToolError {
    /// The stable code.
    pub code: ErrorCode,
    /// What happened, to what.
    pub message: String,
    /// What to change.
    pub hint: String,
    /// When a retry makes sense, in milliseconds from now.
    pub retry_after_ms: Option<u64>,
    /// More for the operator's log; never sent to the caller.
    pub log_detail: Option<String>,
}

impl ToolError {
    /// An error with its message and hint.
    pub fn new(code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            retry_after_ms: None,
            log_detail: None,
        }
    }

    /// Adds what only the operator may read.
    #[must_use]
    pub fn log_detail(mut self, detail: impl std::fmt::Display) -> Self {
        self.log_detail = Some(detail.to_string());
        self
    }

    /// Adds when to retry.
    #[must_use]
    pub fn retry_after_ms(mut self, milliseconds: u64) -> Self {
        self.retry_after_ms = Some(milliseconds);
        self
    }

    /// The same, from the time until then.
    #[must_use]
    pub fn retry_after(self, time: Duration) -> Self {
        self.retry_after_ms(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// The caller no longer wants the answer.
    pub fn cancelled() -> Self {
        Self::new(
            ErrorCode::Cancelled,
            "the call was cancelled",
            "Call again if the answer is still wanted.",
        )
    }
}
