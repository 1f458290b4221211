//! The counts of the scheduler and of the sessions for Prometheus, read when they
//! are asked for.

use std::fmt;
use std::sync::OnceLock;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use reversecore_exec::{Gone, SessionPool, SessionStats};
use reversecore_jobs::{Histogram, Lane, Pressure, RATIO_BOUNDS, Scheduler, Stats, WAIT_BOUNDS};

/// Reads from the scheduler, once there is one.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub(super) scheduler: OnceLock<Scheduler>,
    pub(super) sessions: OnceLock<SessionPool>,
}

impl Collector for Jobs {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if let Some(sessions) = self.sessions.get() {
            let mut family = Family {
                encoder: &mut encoder,
            };
            sessions_of(&mut family, &sessions.stats())?;
        }
        let Some(scheduler) = self.scheduler.get() else {
            return Ok(());
        };
        let Stats {
            queued,
            running,
            slots,
            admitted,
            refused,
            ended,
            waits,
            wall_ratio,
            cpu_ratio,
            memory_ratio,
            pressure,
            scale_moves,
            holds,
            evictions,
        } = scheduler.stats();
        let mut family = Family {
            encoder: &mut encoder,
        };
        let lanes = || Lane::ALL.iter().map(|lane| lane.name());
        family.gauges(
            "jobs_queued",
            "Jobs that wait",
            "lane",
            lanes().zip(queued.map(whole)),
        )?;
        family.gauge("jobs_running", "Jobs that run", whole(running))?;
        family.gauge("jobs_slots", "Jobs that may run at one time", whole(slots))?;
        family.counters(
            "jobs_admitted",
            "Jobs that were started",
            "lane",
            lanes().zip(admitted),
        )?;
        family.counters(
            "jobs_refused",
            "Jobs that were not started",
            "reason",
            refused,
        )?;
        family.counters("jobs_ended", "Jobs that ended", "ending", ended)?;
        family.counter(
            "jobs_scale_moves",
            "Changes of the number of slots",
            scale_moves,
        )?;
        family.counter(
            "jobs_holds",
            "Batch jobs that were stopped for want of room",
            holds,
        )?;
        family.counter(
            "jobs_evictions",
            "Batch jobs that were ended for want of room, to be run again",
            evictions,
        )?;
        family.gauge(
            "jobs_pressure",
            "Pressure on the machine: 0 calm, 1 fair, 2 high, 3 emergency, -1 not looked at",
            pressure.map_or(-1, level),
        )?;
        family.histograms(
            "jobs_wait_seconds",
            "How long jobs waited",
            ("lane", &WAIT_BOUNDS),
            lanes().zip(&waits),
        )?;
        family.histograms(
            "jobs_prediction_ratio",
            "What jobs used as a multiple of what was expected",
            ("resource", &RATIO_BOUNDS),
            [
                ("wall", &wall_ratio),
                ("cpu", &cpu_ratio),
                ("memory", &memory_ratio),
            ],
        )
    }
}

fn sessions_of(family: &mut Family<'_, '_>, stats: &SessionStats) -> Result<(), fmt::Error> {
    let SessionStats {
        ready,
        opening,
        processes,
        calls,
        resident,
        opened,
        commands,
        gone: _,
    } = *stats;
    family.gauges(
        "sessions",
        "Programs that stay, by what they do",
        "state",
        [("ready", whole(ready)), ("opening", whole(opening))],
    )?;
    family.gauge("sessions_processes", "Their processes", whole(processes))?;
    family.gauge(
        "sessions_calls",
        "Calls that use one, or wait",
        whole(calls),
    )?;
    family.gauge(
        "sessions_resident_bytes",
        "Their resident memory",
        i64::try_from(resident).unwrap_or(i64::MAX),
    )?;
    family.counter("sessions_opened", "Sessions that became ready", opened)?;
    family.counter("sessions_commands", "Commands that were answered", commands)?;
    family.counters(
        "sessions_gone",
        "Sessions that ended",
        "reason",
        Gone::ALL.map(|why| (why.name(), stats.gone(why))),
    )
}

struct Family<'a, 'b> {
    encoder: &'a mut DescriptorEncoder<'b>,
}

impl Family<'_, '_> {
    fn gauge(&mut self, name: &str, help: &str, value: i64) -> Result<(), fmt::Error> {
        let gauge = ConstGauge::new(value);
        let metric = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        gauge.encode(metric)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), fmt::Error> {
        let counter = ConstCounter::new(value);
        let metric = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        counter.encode(metric)
    }

    fn gauges<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'v str, i64)>,
    ) -> Result<(), fmt::Error> {
        let mut metric = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (of, value) in values {
            ConstGauge::new(value).encode(metric.encode_family(&[(label, of)])?)?;
        }
        Ok(())
    }

    fn counters<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'v str, u64)>,
    ) -> Result<(), fmt::Error> {
        let mut metric = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (of, value) in values {
            ConstCounter::new(value).encode(metric.encode_family(&[(label, of)])?)?;
        }
        Ok(())
    }

    fn histograms<'v>(
        &mut self,
        name: &str,
        help: &str,
        (label, bounds): (&str, &[f64]),
        values: impl IntoIterator<Item = (&'v str, &'v Histogram)>,
    ) -> Result<(), fmt::Error> {
        let mut metric = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (of, histogram) in values {
            let bounds = bounds.iter().copied().chain([f64::INFINITY]);
            let none = vec![0; bounds.clone().count()];
            let counts = if histogram.counts.is_empty() {
                &none
            } else {
                &histogram.counts
            };
            let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
            metric
                .encode_family(&[(label, of)])?
                .encode_histogram::<NoLabelSet>(
                    histogram.sum,
                    counts.iter().sum(),
                    &buckets,
                    None,
                )?;
        }
        Ok(())
    }
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn level(pressure: Pressure) -> i64 {
    match pressure {
        Pressure::Calm => 0,
        Pressure::Fair => 1,
        Pressure::High => 2,
        Pressure::Emergency => 3,
    }
}
