//! A machine whose batch jobs want more memory than they were thought to: it never
//! runs out, nothing is lost, and the oldest is left alone.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tasks of a test are awaited in it"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use reversecore_jobs::{
    Act, Capacity, Client, Cost, Ending, JobId, JobSpec, Lane, Patience, Pressure, Reading,
    Refused, Relief, Scheduler, SchedulerConfig, Used,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// All memory of the machine.
const MEMORY: u64 = 2000;
/// What each job is thought to use.
const EXPECTED: u64 = 40;
const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
struct Planned {
    /// Seconds that it works.
    length: u64,
    /// What it really uses in the end; it gets there one unit a second.
    peak: u64,
}

/// What jobs hold now.
type Memory = Arc<Mutex<HashMap<JobId, u64>>>;

fn config(slots: usize) -> SchedulerConfig {
    SchedulerConfig {
        capacity: Capacity {
            slots,
            reserved: 0,
            processors: 16,
            memory: MEMORY,
            subprocesses: 16,
        },
        queue: 1000,
        patience: Patience::default(),
        history: 1000,
    }
}

fn spec() -> JobSpec {
    let cost = Cost {
        memory: EXPECTED,
        ..Cost::light()
    };
    let mut spec = JobSpec::new("batch", Client::new("one"), cost);
    spec.lane = Lane::Batch;
    spec
}

/// Runs to its end, again if it is evicted, and no more if it is twice; says how
/// often it was.
async fn work(scheduler: Scheduler, memory: Memory, plan: Planned) -> u32 {
    let mut evictions = 0;
    loop {
        let never = CancellationToken::new();
        let running = scheduler.admit(spec(), &never).await.unwrap();
        let (id, hold) = (running.id(), running.hold().unwrap());
        let progress = async {
            for second in 0..plan.length {
                while *hold.borrow() {
                    sleep(SECOND).await;
                }
                memory.lock().unwrap().insert(id, second.min(plan.peak));
                sleep(SECOND).await;
            }
        };
        let done = tokio::select! {
            () = progress => true,
            () = running.evicted() => false,
        };
        memory.lock().unwrap().remove(&id);
        if done {
            running.end(Ending::Succeeded, Used::default());
            return evictions;
        }
        running.end(Ending::Evicted, Used::default());
        evictions += 1;
        if evictions == 2 {
            return evictions;
        }
    }
}

fn pressure(used: u64) -> Pressure {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let available = MEMORY.saturating_sub(used) as f64 / MEMORY as f64;
    let reading = Reading {
        memory_available: Some(available),
        ..Reading::default()
    };
    reading.pressure()
}

async fn run(slots: usize, jobs: Vec<Planned>) {
    let scheduler = Scheduler::start(config(slots));
    let memory = Memory::default();
    let tasks: Vec<_> = jobs
        .into_iter()
        .map(|plan| tokio::spawn(work(scheduler.clone(), Arc::clone(&memory), plan)))
        .collect();
    let mut relief = Relief::default();
    let mut seconds = 0;
    while tasks.iter().any(|task| !task.is_finished()) {
        sleep(SECOND).await;
        seconds += 1;
        assert!(seconds < 1_000_000, "it never ends");
        let used: u64 = memory.lock().unwrap().values().sum();
        assert!(used <= MEMORY, "out of memory: {used}");
        let batch = scheduler.batch();
        let pressure = pressure(used);
        for act in relief.step(pressure, &batch) {
            let oldest = batch.iter().min().copied();
            if let Act::Hold(id) | Act::Evict(id) = act {
                assert_ne!(Some(id), oldest, "the oldest is left alone");
            }
            scheduler.act(act);
        }
        scheduler.set_room(relief.has_room(pressure));
    }
    let mut evicted = 0;
    for task in tasks {
        evicted += u64::from(task.await.unwrap());
    }
    let stats = scheduler.stats();
    assert_eq!((stats.running, stats.queued), (0, [0; 3]));
    assert_eq!(stats.ended.get("evicted").copied().unwrap_or(0), evicted);
    assert_eq!(stats.evictions, evicted);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn memory_never_runs_out_and_every_job_ends(
        slots in 2_usize..9,
        jobs in proptest::collection::vec((1_u64..800, 0_u64..600), 1..40),
    ) {
        let jobs = jobs.into_iter().map(|(length, peak)| Planned { length, peak }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(slots, jobs));
    }
}

#[tokio::test(start_paused = true)]
async fn without_relief_the_same_jobs_run_out_of_memory() {
    let scheduler = Scheduler::start(config(8));
    let memory = Memory::default();
    let plan = Planned {
        length: 600,
        peak: 400,
    };
    for _ in 0..8 {
        tokio::spawn(work(scheduler.clone(), Arc::clone(&memory), plan));
    }
    sleep(300 * SECOND).await;
    let used: u64 = memory.lock().unwrap().values().sum();
    assert!(used > MEMORY, "{used}");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_waits_for_is_never_asked_to_go() {
    let scheduler = Scheduler::start(config(4));
    let never = CancellationToken::new();
    let mut normal = spec();
    normal.lane = Lane::Normal;
    let running = scheduler.admit(normal, &never).await.unwrap();
    assert!(running.hold().is_none());
    assert!(scheduler.batch().is_empty());
    scheduler.act(Act::Evict(running.id()));
    tokio::select! {
        biased;
        () = running.evicted() => panic!("it was asked to go"),
        () = sleep(SECOND) => {}
    }
    // Without room no further batch job starts beside it; alone one does.
    scheduler.set_room(false);
    let waiting = tokio::spawn({
        let (scheduler, never) = (scheduler.clone(), never.clone());
        async move { scheduler.admit(spec(), &never).await }
    });
    sleep(SECOND).await;
    assert_eq!(scheduler.stats().queued, [0, 0, 1]);
    drop(running);
    let batch = waiting.await.unwrap().unwrap();
    let second = tokio::time::timeout(SECOND, scheduler.admit(spec(), &never)).await;
    assert!(second.is_err(), "there is no room");
    scheduler.set_room(true);
    let third = scheduler.admit(spec(), &never).await;
    assert!(!matches!(third, Err(Refused::QueueFull { .. })));
    drop((batch, third));
}
