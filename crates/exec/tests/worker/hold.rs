//! A worker can be made to stand still in the middle of a job; the next job finds
//! it going.

use std::time::Duration;

use reversecore_exec::{Job, WorkOutcome};
use reversecore_testkit::processes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{TestPool, job};

const LOOK: Duration = Duration::from_millis(30);
const STILL: usize = 10;
const LOOKS: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_stands_still_and_the_next_one_does_not() {
    let pool = TestPool::with(|_| {});
    pool.assert_works("warm").await;
    let hold = watch::Sender::new(false);
    let cancel = CancellationToken::new();
    let held = Job {
        hold: Some(hold.subscribe()),
        ..job("spin")
    };
    let working = tokio::spawn({
        let (pool, cancel) = (pool.pool.clone(), cancel.clone());
        async move { pool.run(held, &cancel).await.unwrap().outcome }
    });
    let ticks = || {
        let all = processes::marked(&pool.mark);
        all.into_iter()
            .filter_map(processes::cpu_ticks)
            .sum::<u64>()
    };
    let first = ticks();
    for look in 0.. {
        assert!(look < LOOKS, "it does not work");
        tokio::time::sleep(LOOK).await;
        if ticks() > first + 2 {
            break;
        }
    }
    hold.send_replace(true);
    let (mut last, mut same) = (ticks(), 0);
    for look in 0.. {
        assert!(look < LOOKS, "it goes on");
        tokio::time::sleep(LOOK).await;
        let now = ticks();
        same = if now == last { same + 1 } else { 0 };
        last = now;
        if same == STILL {
            break;
        }
    }
    cancel.cancel();
    assert_eq!(working.await.unwrap(), WorkOutcome::Cancelled);
    pool.assert_works("after").await;
    // One that is held when it ends leaves a worker behind that goes.
    let brief = Job {
        hold: Some(hold.subscribe()),
        ..job("echo held")
    };
    let working = tokio::spawn({
        let pool = pool.pool.clone();
        async move {
            pool.run(brief, &CancellationToken::new())
                .await
                .unwrap()
                .outcome
        }
    });
    hold.send_replace(false);
    assert_eq!(working.await.unwrap(), WorkOutcome::Done("held".into()));
    pool.assert_works("at last").await;
}
