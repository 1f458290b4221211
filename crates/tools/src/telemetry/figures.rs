//! The figures of one tool: how many calls, how they ended, how long they took.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::ErrorCode;

/// The longest time that is told apart: beyond any timeout and its grace.
const LONGEST_MICROS: u64 = 2 * 3600 * 1_000_000;
/// Two digits: percentiles within 1 %, in about 30 KB a tool.
const DIGITS: u8 = 2;

/// The figures of one tool as they are reported. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ToolMetrics {
    /// The tool's name.
    pub tool: String,
    /// Calls that have ended, errors included.
    pub calls: u64,
    /// How many ended in each error code.
    pub errors: BTreeMap<&'static str, u64>,
    /// All times together.
    pub total_ms: f64,
    /// The shortest time; `null` before the first call, like those below.
    pub min_ms: Option<f64>,
    /// The longest time.
    pub max_ms: Option<f64>,
    /// The mean time.
    pub avg_ms: Option<f64>,
    /// Half of the calls took no longer.
    pub p50_ms: Option<f64>,
    /// 95 % of the calls took no longer.
    pub p95_ms: Option<f64>,
    /// 99 % of the calls took no longer.
    pub p99_ms: Option<f64>,
}

/// The figures of one tool.
#[derive(Debug)]
pub(super) struct Figures {
    calls: u64,
    errors: BTreeMap<&'static str, u64>,
    total: Duration,
    min: Duration,
    max: Duration,
    /// From the first call on: most tools of most servers are never called.
    micros: Option<Histogram<u64>>,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            calls: 0,
            errors: BTreeMap::new(),
            total: Duration::ZERO,
            min: Duration::MAX,
            max: Duration::ZERO,
            micros: None,
        }
    }
}

fn histogram() -> Histogram<u64> {
    let mut micros = Histogram::new_with_bounds(1, LONGEST_MICROS, DIGITS)
        .expect("the bounds and the digits are in hdrhistogram's range");
    micros.auto(false);
    micros
}

impl Figures {
    pub(super) fn count(&mut self, elapsed: Duration, code: Option<ErrorCode>) {
        self.calls += 1;
        if let Some(code) = code {
            *self.errors.entry(code.as_str()).or_default() += 1;
        }
        self.total = self.total.saturating_add(elapsed);
        self.min = self.min.min(elapsed);
        self.max = self.max.max(elapsed);
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let all = self.micros.get_or_insert_with(histogram);
        all.saturating_record(micros);
    }

    pub(super) fn metrics(&self, tool: &str) -> ToolMetrics {
        let called = self.calls > 0;
        let when_called = |value: f64| called.then(|| rounded(value));
        // The histogram's buckets are wider than the exact bounds.
        let percentile = |quantile: f64| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "microseconds of two hours fit a float exactly"
            )]
            let value = self.micros.as_ref()?.value_at_quantile(quantile) as f64 / 1e3;
            when_called(value.clamp(milliseconds(self.min).min(value), milliseconds(self.max)))
        };
        ToolMetrics {
            tool: tool.into(),
            calls: self.calls,
            errors: self.errors.clone(),
            total_ms: rounded(milliseconds(self.total)),
            min_ms: when_called(milliseconds(self.min)),
            max_ms: when_called(milliseconds(self.max)),
            #[expect(
                clippy::cast_precision_loss,
                reason = "a count of calls; a mean needs no more digits"
            )]
            avg_ms: when_called(milliseconds(self.total) / self.calls as f64),
            p50_ms: percentile(0.5),
            p95_ms: percentile(0.95),
            p99_ms: percentile(0.99),
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn rounded(milliseconds: f64) -> f64 {
    (milliseconds * 1e3).round() / 1e3
}
