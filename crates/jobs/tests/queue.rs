//! Who finds a place in a queue that somebody else has filled.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tasks of a test are ended by its end"
)]

use std::time::Duration;

use reversecore_jobs::{
    Capacity, Client, Cost, JobSpec, Lane, Patience, Refused, Running, Scheduler, SchedulerConfig,
};
use tokio_util::sync::CancellationToken;

const QUEUE: usize = 8;

fn scheduler() -> Scheduler {
    Scheduler::start(SchedulerConfig {
        capacity: Capacity {
            slots: 2,
            reserved: 1,
            processors: 2,
            memory: 1000,
            subprocesses: 2,
        },
        queue: QUEUE,
        patience: Patience::default(),
        history: 10,
    })
}

fn spec(client: &str, lane: Lane) -> JobSpec {
    let cost = Cost {
        cpu: Duration::from_millis(1),
        wall: Duration::from_millis(1),
        memory: 1,
        subprocesses: 0,
    };
    JobSpec {
        lane,
        ..JobSpec::new("test", Client::new(client), cost)
    }
}

/// Submits a job: what is refused is refused at once, what waits goes on waiting.
async fn submit(
    scheduler: &Scheduler,
    client: &str,
    lane: Lane,
) -> Option<Result<Running, Refused>> {
    let (scheduler, spec) = (scheduler.clone(), spec(client, lane));
    let task = tokio::spawn(async move { scheduler.admit(spec, &CancellationToken::new()).await });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    if task.is_finished() {
        Some(task.await.unwrap())
    } else {
        None
    }
}

fn is_full(answer: Option<Result<Running, Refused>>) -> bool {
    matches!(answer, Some(Err(Refused::QueueFull { .. })))
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_has_places_for_who_has_nothing_waiting_and_for_short_jobs() {
    let scheduler = scheduler();
    let long = submit(&scheduler, "crowd", Lane::Normal).await.unwrap();
    let short = submit(&scheduler, "crowd", Lane::Interactive)
        .await
        .unwrap();
    for _ in 0..QUEUE {
        assert!(submit(&scheduler, "crowd", Lane::Normal).await.is_none());
    }
    assert!(is_full(submit(&scheduler, "crowd", Lane::Normal).await));
    // Its short jobs have one place in eight more.
    assert!(
        submit(&scheduler, "crowd", Lane::Interactive)
            .await
            .is_none()
    );
    assert!(is_full(
        submit(&scheduler, "crowd", Lane::Interactive).await
    ));
    // Others have two, and their short jobs three.
    assert!(submit(&scheduler, "first", Lane::Normal).await.is_none());
    assert!(is_full(submit(&scheduler, "second", Lane::Normal).await));
    assert!(
        submit(&scheduler, "second", Lane::Interactive)
            .await
            .is_none()
    );
    assert!(is_full(
        submit(&scheduler, "third", Lane::Interactive).await
    ));
    assert_eq!(scheduler.stats().queued, [2, QUEUE + 1, 0]);
    drop((long, short));
}
