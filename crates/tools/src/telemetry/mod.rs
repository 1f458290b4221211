//! Counts and logs every call: one structured line each, figures per tool for
//! `get_tool_metrics`, and families for Prometheus. Used by the catalogue
//! around the tools, which know nothing of it.
//!
//! A call that is dropped before its end is counted as cancelled.

mod figures;
mod jobs;
mod prometheus;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reversecore_exec::SessionPool;
use reversecore_jobs::Scheduler;
use tokio::time::Instant;

pub use figures::ToolMetrics;

use crate::envelope::Coverage;
use crate::error::{ErrorCode, ToolError};
use crate::tool::Record;
use figures::Figures;
use prometheus::{Families, GaugeGuard};

/// The figures of all calls. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    // A std mutex: held for arithmetic only, never across an await.
    tools: Mutex<BTreeMap<&'static str, Figures>>,
    families: Families,
}

impl Telemetry {
    /// The media type of [`Telemetry::encode`].
    pub const CONTENT_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything for Prometheus, in the OpenMetrics text format.
    pub fn encode(&self) -> String {
        self.inner.families.encode()
    }

    /// The figures of one tool, or of all, by name.
    pub fn metrics(&self, tool: Option<&str>) -> Vec<ToolMetrics> {
        self.tools()
            .iter()
            .filter(|(name, _)| tool.is_none_or(|tool| tool == **name))
            .map(|(name, figures)| figures.metrics(name))
            .collect()
    }

    /// Names the tools, so that those never called are reported with zeros.
    pub(crate) fn expect_tools(&self, names: impl Iterator<Item = &'static str>) {
        for name in names {
            self.tools().entry(name).or_default();
            self.inner.families.expect_tool(name);
        }
    }

    /// A call begins.
    pub(crate) fn begin<'a>(&'a self, tool: &'static str, record: &'a Record) -> InFlight<'a> {
        InFlight {
            telemetry: self,
            tool,
            record,
            begun: Instant::now(),
            took: None,
            ended: false,
            _gauge: self.inner.families.in_flight(),
        }
    }

    /// Reports the sessions' counts too.
    pub(crate) fn watch_sessions(&self, sessions: &SessionPool) {
        self.inner.families.watch_sessions(sessions);
    }

    /// Reports the scheduler's counts too.
    pub(crate) fn watch(&self, scheduler: &Scheduler) {
        self.inner.families.watch(scheduler);
    }

    fn tools(&self) -> MutexGuard<'_, BTreeMap<&'static str, Figures>> {
        self.inner
            .tools
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call in progress.
#[derive(Debug)]
pub(crate) struct InFlight<'a> {
    telemetry: &'a Telemetry,
    tool: &'static str,
    record: &'a Record,
    begun: Instant,
    took: Option<(Duration, Duration)>,
    ended: bool,
    _gauge: GaugeGuard,
}

impl InFlight<'_> {
    /// How long the call waited for its turn, and how long it then took.
    pub(crate) fn took(&mut self, queued: Duration, ran: Duration) {
        self.took = Some((queued, ran));
    }

    /// The call was answered by a remembered result.
    pub(crate) fn remembered(&self) {
        self.telemetry.inner.families.remembered(self.tool);
    }

    /// The call has an answer. One that ran out of time with a part of the
    /// answer in hand is logged as such.
    pub(crate) fn succeeded(mut self, coverage: Coverage) {
        let outcome = match coverage {
            Coverage::Complete => "success",
            Coverage::Truncated => "truncated",
            Coverage::Partial => "partial",
            Coverage::TimedOut => "timed_out",
        };
        let timed_out = coverage == Coverage::TimedOut;
        self.end(outcome, timed_out.then_some(ErrorCode::Timeout), None);
    }

    /// The call failed.
    pub(crate) fn failed(mut self, error: &ToolError) {
        let outcome = if error.code == ErrorCode::Cancelled {
            "cancelled"
        } else if error.code == ErrorCode::Timeout {
            "timed_out"
        } else {
            "error"
        };
        self.end(outcome, Some(error.code), Some(error));
    }

    fn end(&mut self, outcome: &'static str, code: Option<ErrorCode>, error: Option<&ToolError>) {
        self.ended = true;
        // One that was dropped may never have had its turn.
        let (queued, elapsed) = self.took.unwrap_or((Duration::ZERO, self.begun.elapsed()));
        self.telemetry
            .tools()
            .entry(self.tool)
            .or_default()
            .count(elapsed, code);
        self.telemetry
            .inner
            .families
            .count(self.tool, elapsed, queued, code);
        let facts = self.record.facts();
        tracing::info!(
            target: "reversecore::tool",
            tool = self.tool,
            file = facts.file.as_deref(),
            sha256 = facts.sha256.as_deref(),
            outcome,
            error_code = code.map(ErrorCode::as_str),
            error = error.map(|error| error.message.as_str()),
            detail = error.and_then(|error| error.log_detail.as_deref()),
            elapsed_ms = elapsed.as_secs_f64() * 1e3,
            queue_ms = queued.as_secs_f64() * 1e3,
            bytes_out = facts.bytes_out,
            peak_rss = facts.peak_rss,
            cpu_ms = facts.cpu.as_secs_f64() * 1e3,
            "tool call ended"
        );
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end("cancelled", Some(ErrorCode::Cancelled), None);
        }
    }
}

#[cfg(test)]
mod tests;
