//! How many workers there are, how long they live, and what is left of them.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use reversecore_exec::{Job, PoolError, WorkOutcome};
use reversecore_testkit::processes;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{TestPool, job};

#[tokio::test]
async fn workers_are_replaced_by_count_age_and_memory() {
    let by_count = TestPool::with(|config| config.max_jobs = 3);
    for _ in 0..7 {
        by_count.assert_works("count").await;
    }
    assert!(by_count.pool.stats().started >= 3);

    let by_age = TestPool::with(|config| config.max_age = Duration::from_millis(50));
    by_age.until("replaced", |stats| stats.started >= 3).await;
    by_age.assert_works("age").await;

    let by_memory = TestPool::with(|config| config.keep_memory = 64 << 20);
    by_memory.assert_works("small").await;
    assert_eq!(by_memory.pool.stats().started, 1);
    assert_eq!(by_memory.reply("hold 100000000").await, "100000000");
    by_memory.assert_works("replaced").await;
    assert_eq!(by_memory.pool.stats().started, 2);
    // What it gave back is no reason.
    assert_eq!(by_memory.reply("allocate 100000000").await, "100000000");
    by_memory.assert_works("kept").await;
    assert_eq!(by_memory.pool.stats().started, 2);
}

#[tokio::test]
async fn the_pool_grows_with_its_queue_and_shrinks_when_idle() {
    let pool = TestPool::with(|config| {
        config.max = 3;
        config.idle_after = Duration::from_millis(300);
    });
    pool.until("warm", |stats| stats.idle == 1).await;
    let mut jobs = JoinSet::new();
    for _ in 0..6 {
        let pool = pool.pool.clone();
        jobs.spawn(async move { pool.run(job("sleep 100"), &CancellationToken::new()).await });
    }
    pool.until("grown", |stats| stats.busy == 3).await;
    while let Some(work) = jobs.join_next().await {
        assert!(matches!(
            work.unwrap().unwrap().outcome,
            WorkOutcome::Done(_)
        ));
    }
    assert_eq!(pool.pool.stats().started, 3);
    pool.until("shrunk", |stats| stats.idle == 1 && stats.busy == 0)
        .await;
    assert_eq!(pool.pool.stats().started, 3);
}

#[tokio::test]
async fn a_full_queue_refuses_and_a_waiting_job_can_be_cancelled() {
    let pool = TestPool::with(|config| config.max_queue = 1);
    let never = CancellationToken::new();
    let cancel = CancellationToken::new();
    let first = pool.pool.run(job("sleep 300"), &never);
    let second = async {
        pool.until("busy", |stats| stats.busy == 1).await;
        pool.pool.run(job("echo second"), &cancel).await
    };
    let third = async {
        pool.until("waiting", |stats| stats.busy == 1 && stats.waiting == 1)
            .await;
        let refused = pool.pool.run(job("echo third"), &never).await;
        cancel.cancel();
        refused
    };
    let (first, second, third) = tokio::join!(first, second, third);
    assert!(matches!(first.unwrap().outcome, WorkOutcome::Done(_)));
    assert_eq!(second.unwrap().outcome, WorkOutcome::Cancelled);
    assert_eq!(third.unwrap_err(), PoolError::QueueFull { limit: 1 });
    assert_eq!(pool.pool.stats().started, 1);

    let (_, waited) = tokio::join!(
        pool.work(job("sleep 300")),
        pool.work(Job {
            timeout: Duration::from_millis(50),
            ..job("echo late")
        })
    );
    assert_eq!(waited.outcome, WorkOutcome::TimedOut);
}

#[tokio::test]
async fn a_rule_set_goes_to_the_worker_that_has_it() {
    let pool = TestPool::with(|config| {
        config.min = 2;
        config.max = 2;
    });
    pool.until("both", |stats| stats.idle == 2).await;
    let with = |rules: u8, command: &str| Job {
        affinity: Some([rules; 32]),
        ..job(command)
    };
    let first = pool.work(with(1, "pid")).await.outcome;
    let second = pool.work(with(2, "pid")).await.outcome;
    assert_ne!(first, second);
    for _ in 0..3 {
        assert_eq!(pool.work(with(2, "pid")).await.outcome, second);
        assert_eq!(pool.work(with(1, "pid")).await.outcome, first);
    }
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_an_error_that_says_why() {
    for (arguments, program, words) in [
        (&["fail"][..], None, "exited with code 9"),
        (&[], Some("/no/such/worker"), "/no/such/worker"),
        (&[], Some("/bin/true"), "exited with code 0"),
    ] {
        let pool = TestPool::with(|config| {
            config.args = arguments.iter().map(Into::into).collect();
            if let Some(program) = program {
                config.program = program.into();
            }
        });
        let error = pool
            .pool
            .run(job("echo"), &CancellationToken::new())
            .await
            .unwrap_err();
        assert!(matches!(error, PoolError::Start { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        // Refused at once while the next try is not due.
        let stats = pool.pool.stats();
        assert_eq!((stats.waiting, stats.started), (0, 0));
        assert!(pool.pool.mechanism().await.is_err());
    }
}

#[tokio::test]
async fn a_shut_down_drains_then_kills_and_leaves_no_process() {
    let pool = TestPool::with(|config| config.max = 2);
    let never = CancellationToken::new();
    let short = pool.pool.run(job("sleep 200"), &never);
    let long = pool.pool.run(job("spin"), &never);
    let down = async {
        pool.until("busy", |stats| stats.busy == 2).await;
        pool.pool.shut_down(Duration::from_millis(600)).await;
    };
    let (short, long, ()) = tokio::join!(short, long, down);
    assert!(matches!(short.unwrap().outcome, WorkOutcome::Done(_)));
    let long = long.unwrap().outcome;
    assert!(matches!(long, WorkOutcome::Crashed(_)), "{long:?}");
    assert_eq!(
        processes::gone_within(&pool.processes(), Duration::from_secs(1)),
        Ok(())
    );
    let error = pool.pool.run(job("echo"), &never).await.unwrap_err();
    assert_eq!(error, PoolError::ShutDown);
}

const SERVER_VARIABLE: &str = "REVERSECORE_TEST_POOL_SERVER";

/// Not a test by itself: the server of the test below, in a process of its own.
#[tokio::test]
async fn plays_the_server() {
    if std::env::var_os(SERVER_VARIABLE).is_none() {
        return;
    }
    let pool = TestPool::with(|config| {
        config.min = 2;
        config.max = 2;
    });
    pool.until("both", |stats| stats.idle == 2).await;
    let never = CancellationToken::new();
    let busy = pool.pool.run(job("spin"), &never);
    let ready = async {
        pool.until("busy", |stats| stats.busy == 1).await;
        println!("\nready {}", pool.mark);
        std::future::pending::<()>().await;
    };
    let (_, ()) = tokio::join!(busy, ready);
}

#[tokio::test]
async fn no_worker_survives_the_server() {
    let mut server = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["lifetime::plays_the_server", "--exact", "--nocapture"])
        .env(SERVER_VARIABLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mark = BufReader::new(server.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("ready ")?.to_owned()))
        .unwrap();
    let workers = processes::marked(&mark);
    assert_eq!(workers.len(), 2);
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(
        processes::gone_within(&workers, Duration::from_secs(1)),
        Ok(())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_jobs_leave_no_trace() {
    const JOBS: usize = 10_000;
    let pool = TestPool::with(|config| {
        config.min = 2;
        config.max = 2;
        config.max_jobs = 500;
        config.max_queue = JOBS;
    });
    pool.until("both", |stats| stats.idle == 2).await;
    let this = std::process::id();
    let file = tempfile::tempfile().unwrap();
    file.set_len(5000).unwrap();
    let before = processes::open_descriptors(this);
    let mut jobs = JoinSet::new();
    for number in 0..JOBS {
        let pool = pool.pool.clone();
        let job = if number % 100 == 0 {
            job("abort")
        } else {
            job("sum")
        };
        let files = if jobs.len() < 64 {
            vec![file.try_clone().unwrap().into()]
        } else {
            Vec::new()
        };
        jobs.spawn(async move {
            pool.run(Job { files, ..job }, &CancellationToken::new())
                .await
                .unwrap()
        });
        if jobs.len() > 200 {
            drop(jobs.join_next().await.unwrap().unwrap());
        }
    }
    while let Some(work) = jobs.join_next().await {
        assert!(matches!(
            work.unwrap().outcome,
            WorkOutcome::Done(_) | WorkOutcome::Crashed(_)
        ));
    }
    pool.until("both", |stats| stats.idle == 2 && stats.starting == 0)
        .await;
    assert_eq!(processes::zombies_of(this), [0; 0]);
    assert_eq!(pool.processes().len(), 2);
    assert_eq!(processes::open_descriptors(this), before);
}
