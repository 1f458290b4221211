//! A machine on a paused clock: jobs arrive as planned, run as long as planned,
//! and what becomes of each is written down.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reversecore_jobs::{
    Capacity, Client, Cost, Ending, JobSpec, Lane, Scheduler, SchedulerConfig, Used,
};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// A job that will arrive.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) at: Duration,
    pub(crate) lane: Lane,
    pub(crate) client: Client,
    pub(crate) length: Duration,
    pub(crate) cost: Cost,
    /// The caller stops waiting for a start after this.
    pub(crate) gives_up: Option<Duration>,
}

/// What became of a job.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fate {
    pub(crate) ends: u32,
    pub(crate) waited: Option<Duration>,
    pub(crate) started: Option<Duration>,
    /// Jobs that ran when it was started.
    pub(crate) beside: Option<usize>,
}

#[derive(Debug, Default)]
struct Log {
    now: Vec<Cost>,
    lanes: Vec<Lane>,
    most: Vec<(usize, usize, u64, u32)>,
    idle_moments: Vec<(Duration, usize)>,
}

/// What happened.
#[derive(Debug)]
pub(crate) struct Machine {
    fates: Vec<Fate>,
    log: Log,
}

impl Machine {
    /// Runs all jobs to their ends.
    pub(crate) async fn run(config: SchedulerConfig, jobs: Vec<Planned>) -> Self {
        let scheduler = Scheduler::start(config);
        let start = Instant::now();
        let log = Arc::new(Mutex::new(Log::default()));
        let mut tasks = Vec::new();
        let mut order: Vec<usize> = (0..jobs.len()).collect();
        order.sort_by_key(|number| jobs[*number].at);
        for number in order {
            let job = jobs[number].clone();
            sleep_until(start + job.at).await;
            let (scheduler, log) = (scheduler.clone(), Arc::clone(&log));
            tasks.push((number, tokio::spawn(one(scheduler, log, job, start))));
            tokio::task::yield_now().await;
        }
        let mut fates = vec![Fate::default(); jobs.len()];
        for (number, task) in tasks {
            fates[number] = task.await.unwrap();
        }
        let stats = scheduler.stats();
        assert_eq!((stats.running, stats.queued), (0, [0; 3]));
        drop(scheduler);
        let log = std::mem::take(&mut *log.lock().unwrap());
        Self { fates, log }
    }

    pub(crate) fn fates(&self) -> &[Fate] {
        &self.fates
    }

    /// More than one job never used more than there is.
    pub(crate) fn never_exceeded(&self, capacity: &Capacity) {
        for (jobs, unreserved, memory, subprocesses) in &self.log.most {
            if *jobs > 1 {
                assert!(*jobs <= capacity.slots);
                assert!(*unreserved <= capacity.slots - capacity.reserved);
                assert!(*memory <= capacity.memory, "{memory}");
                assert!(*subprocesses <= capacity.subprocesses);
            }
        }
    }

    /// There was never nothing running while something waited.
    pub(crate) fn never_idled(&self) {
        for (moment, waiting) in &self.log.idle_moments {
            assert_eq!(*waiting, 0, "idle at {moment:?}");
        }
    }
}

async fn one(scheduler: Scheduler, log: Arc<Mutex<Log>>, job: Planned, start: Instant) -> Fate {
    let mut fate = Fate::default();
    let mut spec = JobSpec::new("test", job.client, job.cost);
    spec.lane = job.lane;
    let never = CancellationToken::new();
    let admitted = match job.gives_up {
        Some(patience) => timeout(patience, scheduler.admit(spec, &never)).await.ok(),
        None => Some(scheduler.admit(spec, &never).await),
    };
    fate.ends += 1;
    let Some(running) = admitted else {
        return fate;
    };
    let running = running.unwrap();
    fate.waited = Some(running.waited());
    fate.started = Some(start.elapsed());
    {
        let mut log = log.lock().unwrap();
        fate.beside = Some(log.now.len());
        log.now.push(job.cost);
        log.lanes.push(job.lane);
        let unreserved = log
            .lanes
            .iter()
            .filter(|lane| **lane != Lane::Interactive)
            .count();
        let most = (
            log.now.len(),
            unreserved,
            log.now.iter().map(|cost| cost.memory).sum(),
            log.now.iter().map(|cost| cost.subprocesses).sum(),
        );
        log.most.push(most);
    }
    sleep(job.length).await;
    {
        let mut log = log.lock().unwrap();
        let place = log.now.iter().position(|cost| *cost == job.cost).unwrap();
        log.now.remove(place);
        let place = log.lanes.iter().position(|lane| *lane == job.lane).unwrap();
        log.lanes.remove(place);
    }
    running.end(Ending::Succeeded, Used::default());
    let stats = scheduler.stats();
    if stats.running == 0 {
        let waiting = stats.queued.iter().sum();
        log.lock()
            .unwrap()
            .idle_moments
            .push((start.elapsed(), waiting));
    }
    fate
}
