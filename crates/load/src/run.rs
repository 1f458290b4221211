//! Many calls at once, and how long each took.
//!
//! In a *closed* loop each connection sends its next call when it has its
//! answer. In an *open* one calls are due at fixed moments, and a call's time
//! counts from when it was due: a server that stalls is charged for all calls
//! that it made wait, not only for the one that was sent. A call that nobody
//! answers is given up after a time, and counts as failed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::client::{Client, ClientError, Era, RECONNECT_PAUSE, Reply, Target};
use crate::pipes::{Pipes, Shared};
use crate::process::{Use, used};
use crate::template::Template;

/// Between two looks at the server's memory.
const LOOK: Duration = Duration::from_millis(250);
/// Different errors that are told apart.
const MOST_ERRORS: usize = 50;

/// What to ask.
#[derive(Debug, Clone)]
pub struct Load {
    /// Whom.
    pub way: Way,
    /// In which way.
    pub era: Era,
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub template: Template,
    /// Connections, each with one call in flight.
    pub concurrency: usize,
    /// When calls are sent.
    pub pace: Pace,
    /// For how long.
    pub duration: Duration,
    /// At most so many calls.
    pub calls: u64,
    /// How long a call may take before it is given up.
    pub patience: Duration,
    /// The server's process, to be watched.
    pub pid: Option<u32>,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Over HTTP, each caller on a connection of its own.
    Http(Target),
    /// Over its standard streams, which all callers share.
    Pipes(Pipes),
}

/// When calls are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As soon as the last one is answered.
    Closed,
    /// So many a second, whatever comes back.
    Open(f64),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Calls that were answered, failed ones included.
    pub calls: u64,
    /// Failed calls by code.
    pub errors: BTreeMap<String, u64>,
    /// From the first call to the last answer.
    pub seconds: f64,
    /// Answered calls a second.
    pub per_second: f64,
    /// Of calls that did not fail.
    pub latency: Latency,
    /// Of calls that did.
    pub error_latency: Latency,
    /// How many of the calls that did not fail took how long: up to so many
    /// milliseconds, and more than the entry before. Each bound is twice the last.
    pub histogram: Vec<(f64, u64)>,
    /// Bytes of answers.
    pub bytes: u64,
    /// CPU time of the server and its processes for a call, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms_per_call: Option<f64>,
    /// Memory of the server and its processes before, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_before_mib: Option<f64>,
    /// The most during the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_peak_mib: Option<f64>,
}

/// How long calls took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Latency {
    /// Half of them took no longer.
    pub p50: f64,
    /// 95 of 100 took no longer.
    pub p95: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// What one connection has seen.
struct Seen {
    good: Histogram<u64>,
    bad: Histogram<u64>,
    errors: BTreeMap<String, u64>,
    bytes: u64,
}

/// Asks.
///
/// # Errors
/// When the server can't be reached at the start. What breaks later is counted.
pub async fn run(load: Load) -> Result<Report, ClientError> {
    let clients = connect(&load).await?;
    let watcher = load.pid.map(Watcher::start);
    let load = Arc::new(load);
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn(one(client, Arc::clone(&load), Arc::clone(&next), start));
    }
    let mut all = Seen::new();
    while let Some(seen) = tasks.join_next().await {
        if let Ok(seen) = seen {
            all.merge(seen);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let calls = all.good.len() + all.bad.len();
    let watched = watcher.map(Watcher::stop);
    Ok(Report {
        calls,
        seconds,
        per_second: calls as f64 / seconds,
        latency: Latency::of(&all.good),
        error_latency: Latency::of(&all.bad),
        histogram: buckets(&all.good),
        errors: all.errors,
        bytes: all.bytes,
        cpu_ms_per_call: watched.map(|watched| {
            let cpu = watched.after.cpu.saturating_sub(watched.before.cpu);
            cpu.as_secs_f64() * 1e3 / calls.max(1) as f64
        }),
        rss_before_mib: watched.map(|watched| mebibytes(watched.before.resident)),
        rss_peak_mib: watched.map(|watched| mebibytes(watched.peak)),
    })
}

/// What a caller asks over.
enum Caller {
    Http(Box<Client>),
    Pipes(Shared),
}

impl Caller {
    async fn call(&mut self, tool: &str, arguments: &str) -> Result<Reply, ClientError> {
        match self {
            Self::Http(client) => client.call(tool, arguments).await,
            Self::Pipes(shared) => shared.call(tool, arguments).await,
        }
    }
}

async fn connect(load: &Load) -> Result<Vec<Caller>, ClientError> {
    let count = load.concurrency.max(1);
    let mut callers = Vec::new();
    match &load.way {
        Way::Http(target) => {
            for _ in 0..count {
                let client = Client::connect(target, load.era).await?;
                callers.push(Caller::Http(Box::new(client)));
            }
        }
        Way::Pipes(pipes) => {
            let connected = Shared::connect(pipes, load.era);
            let shared = timeout(load.patience, connected)
                .await
                .map_err(|_| ClientError::Late(load.patience))??;
            callers.extend((0..count).map(|_| Caller::Pipes(shared.clone())));
        }
    }
    Ok(callers)
}

/// A connection in place of one that broke; none after the end, nor where there
/// was only one for all.
async fn again(load: &Load, end: Instant) -> Option<Caller> {
    let Way::Http(target) = &load.way else {
        return None;
    };
    loop {
        if Instant::now() >= end {
            return None;
        }
        sleep(RECONNECT_PAUSE).await;
        if let Ok(client) = Client::connect(target, load.era).await {
            return Some(Caller::Http(Box::new(client)));
        }
    }
}

async fn one(mut caller: Caller, load: Arc<Load>, next: Arc<AtomicU64>, start: Instant) -> Seen {
    let mut seen = Seen::new();
    let end = start + load.duration;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= load.calls {
            return seen;
        }
        let due = match load.pace {
            Pace::Closed => Instant::now(),
            Pace::Open(rate) => start + Duration::from_secs_f64(number as f64 / rate.max(1e-6)),
        };
        if due >= end {
            return seen;
        }
        sleep_until(due).await;
        let arguments = load.template.arguments(number);
        let answer = timeout(load.patience, caller.call(&load.tool, &arguments)).await;
        let lost = match answer {
            Ok(Ok(reply)) => {
                seen.bytes += reply.body.len() as u64;
                seen.count(due.elapsed(), reply.error_code());
                continue;
            }
            Ok(Err(error)) => error,
            Err(_) => ClientError::Late(load.patience),
        };
        let late = matches!(lost, ClientError::Late(_));
        seen.count(due.elapsed(), Some(lost.to_string()));
        // Of calls that share a connection, the others may still be answered.
        if late && matches!(load.way, Way::Pipes(_)) {
            continue;
        }
        match again(&load, end).await {
            Some(fresh) => caller = fresh,
            None => return seen,
        }
    }
}

impl Seen {
    fn new() -> Self {
        let histogram = || {
            Histogram::new_with_bounds(1, 3_600_000_000, 3)
                .expect("the bounds are constants that fit")
        };
        Self {
            good: histogram(),
            bad: histogram(),
            errors: BTreeMap::new(),
            bytes: 0,
        }
    }

    fn count(&mut self, took: Duration, error: Option<String>) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match error {
            None => self.good.saturating_record(micros),
            Some(error) => {
                self.bad.saturating_record(micros);
                if self.errors.len() < MOST_ERRORS || self.errors.contains_key(&error) {
                    *self.errors.entry(error).or_default() += 1;
                }
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.good += other.good;
        self.bad += other.bad;
        self.bytes += other.bytes;
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
    }
}

/// Powers of two of a millisecond, from 1/1024.
fn buckets(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    histogram
        .iter_log(1, 2.0)
        .map(|step| {
            let upto = step.value_iterated_to() as f64 / 1e3;
            (upto, step.count_since_last_iteration())
        })
        .skip_while(|(_, count)| *count == 0)
        .collect()
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: histogram.max() as f64 / 1e3,
        }
    }
}

/// Looks at the server now and then.
struct Watcher {
    pid: u32,
    before: Use,
    peak: Arc<AtomicU64>,
    // Ends with this.
    _looking: JoinSet<()>,
}

#[derive(Clone, Copy)]
struct Watched {
    before: Use,
    after: Use,
    peak: u64,
}

impl Watcher {
    fn start(pid: u32) -> Self {
        let before = used(pid);
        let peak = Arc::new(AtomicU64::new(before.resident));
        let highest = Arc::clone(&peak);
        let mut looking = JoinSet::new();
        looking.spawn(async move {
            loop {
                sleep(LOOK).await;
                // Reading takes the kernel milliseconds; the calls go on.
                if let Ok(now) = spawn_blocking(move || used(pid)).await {
                    highest.fetch_max(now.resident, Ordering::Relaxed);
                }
            }
        });
        Self {
            pid,
            before,
            peak,
            _looking: looking,
        }
    }

    fn stop(self) -> Watched {
        let after = used(self.pid);
        Watched {
            before: self.before,
            after,
            peak: self.peak.load(Ordering::Relaxed).max(after.resident),
        }
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_has_every_call_once() {
        let mut seen = Seen::new();
        for millis in [1, 3, 3, 900] {
            seen.count(Duration::from_millis(millis), None);
        }
        seen.count(Duration::from_millis(7), Some("late".to_owned()));
        let found = buckets(&seen.good);
        assert_eq!(found.iter().map(|(_, count)| count).sum::<u64>(), 4);
        let upto = |limit: f64| -> u64 {
            let below = found.iter().filter(|(bound, _)| *bound <= limit);
            below.map(|(_, count)| count).sum()
        };
        assert_eq!((upto(2.1), upto(5.0), upto(2000.0)), (1, 3, 4), "{found:?}");
    }
}
