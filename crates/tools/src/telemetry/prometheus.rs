//! The families that Prometheus reads. Label values come from closed sets: the
//! names of the tools and the error codes.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use reversecore_exec::SessionPool;
use reversecore_jobs::Scheduler;

use super::jobs::Jobs;
use crate::error::ErrorCode;

/// Seconds: from an answer out of memory to the longest timeout.
const BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTool {
    tool: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfError {
    tool: &'static str,
    code: &'static str,
}

/// All families and the registry that encodes them.
#[derive(Debug)]
pub(super) struct Families {
    registry: Registry,
    calls: Family<OfTool, Counter<u64, AtomicU64>>,
    errors: Family<OfError, Counter<u64, AtomicU64>>,
    remembered: Family<OfTool, Counter<u64, AtomicU64>>,
    duration: Family<OfTool, Histogram, fn() -> Histogram>,
    queued: Family<OfTool, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    jobs: Arc<Jobs>,
}

/// One more in a gauge, for as long as it is held.
#[derive(Debug)]
pub(crate) struct GaugeGuard(Gauge);

impl Default for Families {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let families = Self {
            registry: Registry::with_prefix("reversecore"),
            calls: Family::default(),
            errors: Family::default(),
            remembered: Family::default(),
            duration: Family::new_with_constructor(histogram),
            queued: Family::new_with_constructor(histogram),
            in_flight: Gauge::default(),
            jobs: Arc::default(),
        };
        families.registered()
    }
}

impl Families {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        // The encoder appends `_total` to the names of counters.
        registry.register(
            "tool_calls",
            "Tool calls that have ended",
            self.calls.clone(),
        );
        registry.register(
            "tool_errors",
            "Tool calls that ended in an error, by code",
            self.errors.clone(),
        );
        registry.register(
            "tool_cached",
            "Tool calls that were answered by a remembered result",
            self.remembered.clone(),
        );
        registry.register(
            "tool_duration_seconds",
            "Time from a call's turn to its end",
            self.duration.clone(),
        );
        registry.register(
            "tool_queue_seconds",
            "Time that a call waited for its turn",
            self.queued.clone(),
        );
        registry.register(
            "tool_calls_in_flight",
            "Tool calls that have not ended",
            self.in_flight.clone(),
        );
        registry.register_collector(Box::new(Arc::clone(&self.jobs)));
        self
    }

    pub(super) fn encode(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            // Writing to a String can't fail; an encoder's own error is a fault.
            tracing::error!(%error, "the metrics could not be encoded");
        }
        text
    }

    pub(super) fn expect_tool(&self, tool: &'static str) {
        drop(self.calls.get_or_create(&OfTool { tool }));
    }

    pub(super) fn count(
        &self,
        tool: &'static str,
        elapsed: Duration,
        queued: Duration,
        code: Option<ErrorCode>,
    ) {
        let labels = OfTool { tool };
        self.calls.get_or_create(&labels).inc();
        self.duration
            .get_or_create(&labels)
            .observe(elapsed.as_secs_f64());
        self.queued
            .get_or_create(&labels)
            .observe(queued.as_secs_f64());
        if let Some(code) = code {
            let labels = OfError {
                tool,
                code: code.as_str(),
            };
            self.errors.get_or_create(&labels).inc();
        }
    }

    pub(super) fn remembered(&self, tool: &'static str) {
        self.remembered.get_or_create(&OfTool { tool }).inc();
    }

    pub(super) fn in_flight(&self) -> GaugeGuard {
        GaugeGuard::new(&self.in_flight)
    }

    pub(super) fn watch_sessions(&self, sessions: &SessionPool) {
        self.jobs.sessions.set(sessions.clone()).ok();
    }

    pub(super) fn watch(&self, scheduler: &Scheduler) {
        // The first one stays; a server has no second.
        self.jobs.scheduler.set(scheduler.clone()).ok();
    }
}

impl GaugeGuard {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
