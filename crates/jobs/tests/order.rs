//! What the scheduler promises, on a paused clock: every job ends exactly once,
//! nobody waits longer than the bound, clients have equal shares, nothing idles
//! while something could run.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tasks of a test are awaited in it"
)]

mod machine;

use std::time::Duration;

use machine::{Machine, Planned};
use proptest::prelude::*;
use reversecore_jobs::{Capacity, Client, Cost, Lane, Patience, Scheduler, SchedulerConfig};

const CAPACITY: Capacity = Capacity {
    slots: 4,
    reserved: 1,
    processors: 2,
    memory: 1000,
    subprocesses: 3,
};

fn config(capacity: Capacity) -> SchedulerConfig {
    SchedulerConfig {
        capacity,
        queue: 100_000,
        patience: Patience::default(),
        history: 10,
    }
}

fn lane() -> impl Strategy<Value = Lane> {
    prop_oneof![
        Just(Lane::Interactive),
        Just(Lane::Normal),
        Just(Lane::Batch)
    ]
}

fn planned() -> impl Strategy<Value = Planned> {
    (
        lane(),
        0_u8..4,
        0_u64..3_000,
        1_u64..2_000,
        0_u64..1_500,
        0_u32..4,
        prop::option::weighted(0.2, 0_u64..4_000),
    )
        .prop_map(
            |(lane, client, at, length, memory, subprocesses, gives_up)| Planned {
                at: Duration::from_millis(at),
                lane,
                client: Client::new(format!("client {client}")),
                length: Duration::from_millis(length),
                cost: Cost {
                    cpu: Duration::from_millis(length / 2),
                    wall: Duration::from_millis(length),
                    memory,
                    subprocesses,
                },
                gives_up: gives_up.map(Duration::from_millis),
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_job_ends_once_within_the_bound_and_nothing_idles(
        jobs in prop::collection::vec(planned(), 1..60),
    ) {
        let runtime = paused();
        runtime.block_on(async {
            let longest = jobs.iter().map(|job| job.length).max().unwrap();
            let patience = Patience::default();
            let machine = Machine::run(config(CAPACITY), jobs.clone()).await;
            for (job, fate) in jobs.iter().zip(machine.fates()) {
                // Exactly one end each, or the wait was given up by the caller.
                assert_eq!(fate.ends, 1, "{job:?}");
                if let Some(waited) = fate.waited {
                    // The formula of `docs/scheduling.md`, at worst one at a time.
                    let older = jobs.iter().filter(|other| other.lane == job.lane && other.at <= job.at);
                    let before = u32::try_from(older.count()).unwrap();
                    let patience = match job.lane {
                        Lane::Interactive => patience.interactive,
                        Lane::Normal => patience.normal,
                        Lane::Batch => patience.batch,
                    };
                    let bound = patience + longest * 12 * (before + 1);
                    assert!(waited <= bound, "{job:?} waited {waited:?}");
                }
            }
            machine.never_exceeded(&CAPACITY);
            machine.never_idled();
        });
    }
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

fn job(client: &str, lane: Lane, at: u64, length: u64) -> Planned {
    Planned {
        at: Duration::from_millis(at),
        lane,
        client: Client::new(client),
        length: Duration::from_millis(length),
        cost: Cost {
            cpu: Duration::from_millis(length),
            wall: Duration::from_millis(length),
            memory: 1,
            subprocesses: 0,
        },
        gives_up: None,
    }
}

const ONE_SLOT: Capacity = Capacity {
    slots: 1,
    reserved: 0,
    processors: 1,
    memory: 1000,
    subprocesses: 10,
};

#[tokio::test(start_paused = true)]
async fn a_thousand_jobs_of_one_client_delay_another_by_one_running_job() {
    let mut jobs: Vec<_> = (0..1000)
        .map(|_| job("greedy", Lane::Normal, 0, 100))
        .collect();
    jobs.push(job("other", Lane::Normal, 50, 100));
    let machine = Machine::run(config(ONE_SLOT), jobs).await;
    let waited = machine.fates().last().unwrap().waited.unwrap();
    assert!(waited <= Duration::from_millis(50), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn clients_have_equal_shares_of_time_and_not_of_jobs() {
    // One has ten times shorter jobs, so it gets ten times as many.
    let mut jobs: Vec<_> = (0..2000)
        .map(|_| job("short", Lane::Normal, 0, 100))
        .collect();
    jobs.extend((0..200).map(|_| job("long", Lane::Normal, 0, 1000)));
    let machine = Machine::run(config(ONE_SLOT), jobs.clone()).await;
    let half = Duration::from_secs(200);
    let of = |name: &str| -> Duration {
        let done = jobs.iter().zip(machine.fates()).filter(|(job, fate)| {
            job.client.name() == name && fate.waited.unwrap() + job.length <= half
        });
        done.map(|(job, _)| job.length).sum()
    };
    let (short, long) = (of("short").as_secs_f64(), of("long").as_secs_f64());
    assert!((short / long - 1.0).abs() < 0.1, "{short} s and {long} s");
}

#[tokio::test(start_paused = true)]
async fn clients_that_come_back_at_once_wait_for_the_others() {
    // A hundred clients that each send the next job when the last is done: each
    // waits for one round, none for the luck of the others.
    let scheduler = Scheduler::start(config(ONE_SLOT));
    let length = Duration::from_millis(10);
    let clients: Vec<_> = (0..100)
        .map(|number| {
            let scheduler = scheduler.clone();
            tokio::spawn(async move {
                let never = tokio_util::sync::CancellationToken::new();
                let mut longest = Duration::ZERO;
                for _ in 0..20 {
                    let mut spec = reversecore_jobs::JobSpec::new(
                        "x",
                        Client::new(format!("client {number}")),
                        Cost::light(),
                    );
                    spec.lane = Lane::Interactive;
                    let running = scheduler.admit(spec, &never).await.unwrap();
                    longest = longest.max(running.waited());
                    tokio::time::sleep(length).await;
                }
                longest
            })
        })
        .collect();
    for client in clients {
        let longest = client.await.unwrap();
        assert!(longest <= length * 110, "{longest:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_lane_starves_under_a_flood_of_a_better_one() {
    let mut jobs: Vec<_> = (0..3000)
        .map(|number| job("web", Lane::Interactive, number * 50, 100))
        .collect();
    jobs.push(job("disk", Lane::Batch, 0, 100));
    jobs.push(job("agent", Lane::Normal, 0, 100));
    let machine = Machine::run(config(ONE_SLOT), jobs).await;
    let waits: Vec<_> = machine
        .fates()
        .iter()
        .rev()
        .take(2)
        .map(|fate| fate.waited.unwrap())
        .collect();
    // Its patience, and a few jobs: the interactive ones age as well.
    assert!(waits[0] <= Duration::from_secs(11), "normal: {waits:?}");
    assert!(waits[1] <= Duration::from_secs(61), "batch: {waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_kept_for_interactive_jobs() {
    let mut jobs: Vec<_> = (0..50)
        .map(|_| job("disk", Lane::Batch, 0, 10_000))
        .collect();
    for each in &mut jobs {
        each.cost.cpu = Duration::ZERO;
    }
    jobs.push(job("person", Lane::Interactive, 500, 10));
    let machine = Machine::run(config(CAPACITY), jobs).await;
    assert_eq!(machine.fates().last().unwrap().waited, Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn small_jobs_go_past_a_blocked_big_one_and_do_not_delay_it() {
    let large = |at, length, memory| {
        let mut planned = job("a", Lane::Normal, at, length);
        planned.cost.memory = memory;
        planned.cost.cpu = Duration::ZERO;
        planned
    };
    let jobs = vec![
        large(0, 1000, 600),
        // Fits when the first is over, at 1000.
        large(10, 1000, 700),
        // Short enough, too long, and long but thin.
        large(20, 900, 300),
        large(30, 5000, 350),
        large(40, 5000, 100),
    ];
    let machine = Machine::run(config(CAPACITY), jobs).await;
    let starts: Vec<_> = machine
        .fates()
        .iter()
        .map(|fate| fate.started.unwrap().as_millis())
        .collect();
    assert_eq!(&starts[..3], [0, 1000, 20], "{starts:?}");
    assert!(starts[3] >= 1000, "{starts:?}");
    assert_eq!(starts[4], 40, "{starts:?}");
}

#[tokio::test(start_paused = true)]
async fn an_oversized_job_runs_alone_and_does_run() {
    let mut jobs: Vec<_> = (0..100)
        .map(|number| job("a", Lane::Normal, number * 10, 100))
        .collect();
    jobs.push(job("b", Lane::Normal, 200, 100));
    jobs.last_mut().unwrap().cost.memory = 1_000_000;
    let machine = Machine::run(config(CAPACITY), jobs).await;
    let big = machine.fates().last().unwrap();
    assert_eq!(big.beside, Some(0), "{big:?}");
    assert!(big.waited.unwrap() < Duration::from_secs(1), "{big:?}");
}

#[tokio::test(start_paused = true)]
async fn the_queue_moves_while_a_scheduler_is_closed_and_drained() {
    use reversecore_jobs::{JobSpec, Refused};
    use tokio_util::sync::CancellationToken;
    let scheduler = Scheduler::start(config(ONE_SLOT));
    let never = CancellationToken::new();
    let spec = || JobSpec::new("x", Client::new("a"), Cost::light());
    let running = scheduler.admit(spec(), &never).await.unwrap();
    let waiting = tokio::spawn({
        let (scheduler, never) = (scheduler.clone(), never.clone());
        let spec = spec();
        async move { scheduler.admit(spec, &never).await.map(drop) }
    });
    tokio::task::yield_now().await;
    scheduler.close();
    assert_eq!(waiting.await.unwrap(), Err(Refused::ShutDown));
    assert_eq!(
        scheduler.admit(spec(), &never).await.map(drop),
        Err(Refused::ShutDown)
    );
    let idle = tokio::spawn({
        let scheduler = scheduler.clone();
        async move { scheduler.idle().await }
    });
    tokio::task::yield_now().await;
    assert!(!idle.is_finished());
    drop(running);
    idle.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn those_behind_a_job_that_has_waited_too_long_go_on() {
    use reversecore_jobs::{JobSpec, Refused};
    use tokio_util::sync::CancellationToken;
    let scheduler = Scheduler::start(config(CAPACITY));
    let never = CancellationToken::new();
    let spec = |memory, wall| {
        let cost = Cost {
            memory,
            wall: Duration::from_millis(wall),
            ..Cost::default()
        };
        JobSpec::new("x", Client::new("a"), cost)
    };
    // It is expected to be over soon, and is not.
    let _running = scheduler.admit(spec(600, 100), &never).await.unwrap();
    let start = tokio::time::Instant::now();
    let mut blocked = spec(700, 100);
    blocked.start_by = Some(start + Duration::from_secs(1));
    let waiting = |spec| {
        let (scheduler, never) = (scheduler.clone(), never.clone());
        tokio::spawn(async move { scheduler.admit(spec, &never).await })
    };
    let blocked = waiting(blocked);
    tokio::time::sleep(Duration::from_millis(500)).await;
    // It would fit; but the one before it is late already, and not to be delayed.
    let behind = waiting(spec(300, 100));
    let refused = blocked.await.unwrap();
    assert!(
        matches!(refused, Err(Refused::Expired { .. })),
        "{refused:?}"
    );
    let behind = behind.await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), 1);
    assert_eq!(behind.waited(), Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn the_predicted_start_knows_the_scarce_resource() {
    use reversecore_jobs::{JobSpec, StateView};
    let scheduler = Scheduler::start(config(CAPACITY));
    let never = tokio_util::sync::CancellationToken::new();
    let spec = || {
        let second = Duration::from_secs(1);
        let cost = Cost {
            cpu: second,
            wall: second,
            ..Cost::default()
        };
        JobSpec::new("x", Client::new("a"), cost)
    };
    let _two = [
        scheduler.admit(spec(), &never).await.unwrap(),
        scheduler.admit(spec(), &never).await.unwrap(),
    ];
    // Slots are free; processors are not.
    for _ in 0..4 {
        let (scheduler, never) = (scheduler.clone(), never.clone());
        tokio::spawn(async move { scheduler.admit(spec(), &never).await.map(drop) });
    }
    tokio::task::yield_now().await;
    let starts: Vec<f64> = scheduler
        .jobs(10)
        .into_iter()
        .filter_map(|job| match job.state {
            StateView::Queued {
                predicted_start, ..
            } => Some(predicted_start.as_secs_f64()),
            StateView::Running { .. } | StateView::Ended { .. } => None,
        })
        .collect();
    assert_eq!(starts.len(), 4);
    assert!(starts[0] >= 0.5 && starts[3] <= 4.0, "{starts:?}");
    assert!(
        starts.windows(2).all(|pair| pair[0] < pair[1]),
        "{starts:?}"
    );
}
