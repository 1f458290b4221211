//! A worker can be made to stand still in the middle of a job; the next job finds
//! it going.

use reversecore_exec::{Job, WorkOutcome};
use reversecore_testkit::processes;
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use crate::support::{TestPool, job};

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
    let went = block_in_place(|| processes::go_on(&pool.mark));
    assert!(went, "it does not work");
    hold.send_replace(true);
    let stands = block_in_place(|| processes::stand_still(&pool.mark));
    assert!(stands, "it goes on");
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
