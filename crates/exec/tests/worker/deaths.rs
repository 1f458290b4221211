//! Every way in which a job can kill or corrupt its worker costs that job only.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::time::Duration;

use reversecore_exec::{Job, Limits, Outcome, PoolError, Signal, WorkOutcome};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support::{TestPool, job, kill};

fn crash(outcome: &WorkOutcome) -> (Option<Outcome>, &str) {
    let WorkOutcome::Crashed(crash) = outcome else {
        panic!("{outcome:?}");
    };
    (crash.ending, &crash.message)
}

#[tokio::test]
async fn crashes_are_told_with_their_last_words() {
    let pool = TestPool::with(|_| {});
    let abort = Some(Outcome::Signaled(Signal(libc::SIGABRT)));
    for (command, ending, words) in [
        ("panic hello", abort, "a panic that says hello"),
        ("abort", abort, ""),
        ("overflow", abort, "has overflowed its stack"),
        ("exit 0", Some(Outcome::Exited(0)), ""),
        ("exit 3", Some(Outcome::Exited(3)), ""),
    ] {
        let outcome = pool.outcome(command).await;
        let (found, message) = crash(&outcome);
        assert_eq!(found, ending, "{command}: {outcome:?}");
        assert!(message.contains(words), "{command}: {message}");
        pool.assert_works(command).await;
    }
}

#[tokio::test]
async fn memory_has_a_limit_whether_it_is_taken_at_once_or_slowly() {
    let pool = TestPool::with(|_| {});
    for command in ["allocate 100000000000", "grow"] {
        assert_eq!(pool.outcome(command).await, WorkOutcome::MemoryLimit);
        pool.assert_works(command).await;
    }
}

#[tokio::test]
async fn a_loop_ends_at_its_time_or_when_it_is_cancelled_or_dropped() {
    let pool = TestPool::with(|_| {});
    let spin = || Job {
        timeout: Duration::from_millis(200),
        retry: true,
        ..job("spin")
    };
    let work = pool.work(spin()).await;
    assert_eq!((work.outcome, work.retried), (WorkOutcome::TimedOut, false));
    assert!(work.usage.user > Duration::ZERO, "{:?}", work.usage);
    pool.assert_works("after a time-out").await;

    let cancel = CancellationToken::new();
    let running = pool.pool.run(job("spin"), &cancel);
    let cancelling = async {
        pool.until("busy", |stats| stats.busy == 1).await;
        cancel.cancel();
    };
    let (work, ()) = tokio::join!(running, cancelling);
    assert_eq!(work.unwrap().outcome, WorkOutcome::Cancelled);
    pool.assert_works("after a cancel").await;

    let before = pool.processes();
    let never = CancellationToken::new();
    tokio::select! {
        work = pool.pool.run(job("spin"), &never) => panic!("{work:?}"),
        () = pool.until("busy", |stats| stats.busy == 1) => {}
    }
    pool.assert_works("after a drop").await;
    assert!(pool.processes().iter().all(|pid| !before.contains(pid)));
}

#[tokio::test]
async fn a_file_that_becomes_shorter_is_told_apart_from_a_crash() {
    let pool = TestPool::with(|_| {});
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&[7; 100_000]).unwrap();
    let handed: OwnedFd = file.reopen().unwrap().into();
    let (sender, mut progress) = mpsc::channel(4);
    let running = pool.work(Job {
        files: vec![handed],
        progress: Some(sender),
        ..job("map-and-wait")
    });
    let shrinking = async {
        assert_eq!(progress.recv().await.unwrap().message, "mapped");
        file.as_file().set_len(10).unwrap();
    };
    let (work, ()) = tokio::join!(running, shrinking);
    assert_eq!(work.outcome, WorkOutcome::FileChanged);
    pool.assert_works("after a changed file").await;
}

#[tokio::test]
async fn every_broken_frame_costs_its_own_job_only() {
    for what in [
        "garbage",
        "long-garbage",
        "version",
        "kind",
        "not-ours",
        "other-job",
        "huge-claim",
        "huge-packet",
        "surplus",
        "files",
        "flood",
    ] {
        let pool = TestPool::with(|_| {});
        let outcome = pool.outcome(&format!("send {what}")).await;
        assert!(
            matches!(outcome, WorkOutcome::Misbehaved(_)),
            "{what}: {outcome:?}"
        );
        pool.assert_works(what).await;
    }
}

/// The second of two replies is not the next job's.
#[tokio::test]
async fn a_reply_too_many_is_not_the_next_jobs() {
    let pool = TestPool::with(|_| {});
    // Job 1 is answered by the frame that it sends itself, and then by the loop.
    assert_eq!(pool.reply("send second-reply").await, "");
    let outcome = pool.outcome("echo next").await;
    assert!(matches!(outcome, WorkOutcome::Misbehaved(_)), "{outcome:?}");
    pool.assert_works("after that").await;
}

#[tokio::test]
async fn replies_and_payloads_may_be_large_but_not_larger_than_allowed() {
    let pool = TestPool::with(|_| {});
    for size in [0, 1, 65_487, 65_488, 65_489, 131_072, 9_000_000] {
        let WorkOutcome::Done(bytes) = pool.outcome(&format!("fill {size}")).await else {
            panic!("{size}");
        };
        assert_eq!(bytes.len(), size);
        let sent = Job::new(vec![0xff_u8; size]);
        let expected = if size == 0 {
            String::new()
        } else {
            size.to_string()
        };
        let WorkOutcome::Done(bytes) = pool.work(sent).await.outcome else {
            panic!("{size}");
        };
        assert_eq!(bytes, expected.as_bytes());
    }
    let small = Job {
        max_reply: 1000,
        ..job("fill 1001")
    };
    assert_eq!(
        pool.work(small).await.outcome,
        WorkOutcome::ReplyTooLarge(1001)
    );
    // That was no reason to lose the worker.
    assert_eq!(pool.pool.stats().started, 1);
    let error = pool
        .pool
        .run(Job::new(vec![0; 17 << 20]), &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, PoolError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_job_is_tried_again_once_and_only_after_a_crash() {
    let pool = TestPool::with(|_| {});
    let again = |command: &str| Job {
        retry: true,
        ..job(command)
    };
    let work = pool.work(again("abort")).await;
    assert!(work.retried && matches!(work.outcome, WorkOutcome::Crashed(_)));
    assert!(pool.pool.stats().started <= 3, "{:?}", pool.pool.stats());
    let work = pool.work(again("allocate 100000000000")).await;
    assert_eq!(
        (work.outcome, work.retried),
        (WorkOutcome::MemoryLimit, false)
    );
    let work = pool.work(job("abort")).await;
    assert!(!work.retried);
}

#[tokio::test]
async fn a_worker_killed_while_idle_is_missed_by_nobody() {
    let pool = TestPool::with(|_| {});
    for _ in 0..20 {
        pool.assert_works("before").await;
        for pid in pool.processes() {
            kill(pid);
        }
        pool.assert_works("after").await;
    }
    // And it is replaced without a job that needs it.
    for pid in pool.processes() {
        kill(pid);
    }
    let started = pool.pool.stats().started;
    pool.until("replaced", |stats| {
        stats.started > started && stats.idle == 1
    })
    .await;
}

#[tokio::test]
async fn a_worker_killed_while_busy_is_a_crash() {
    let pool = TestPool::with(|_| {});
    pool.assert_works("warm").await;
    let killing = async {
        pool.until("busy", |stats| stats.busy == 1).await;
        // Earlier it would be taken for a worker that was killed while idle.
        tokio::time::sleep(Duration::from_millis(400)).await;
        for pid in pool.processes() {
            kill(pid);
        }
    };
    let (outcome, ()) = tokio::join!(pool.outcome("spin"), killing);
    let (ending, _) = crash(&outcome);
    assert_eq!(ending, Some(Outcome::Signaled(Signal(libc::SIGKILL))));
    pool.assert_works("after").await;
}

#[tokio::test]
async fn files_arrive_as_descriptors_and_progress_is_bounded_and_plain() {
    let pool = TestPool::with(|_| {});
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&[3; 3_000_000]).unwrap();
    let empty = tempfile::NamedTempFile::new().unwrap();
    let open = |path: &std::path::Path| OwnedFd::from(File::open(path).unwrap());
    let work = pool
        .work(Job {
            files: vec![open(file.path()), open(empty.path()), open(file.path())],
            ..job("sum")
        })
        .await;
    assert_eq!(work.outcome, WorkOutcome::Done("18000000".into()));

    let (sender, mut progress) = mpsc::channel(100);
    let work = pool
        .work(Job {
            progress: Some(sender),
            ..job("progress")
        })
        .await;
    assert_eq!(work.outcome, WorkOutcome::Done("done".into()));
    let first = progress.recv().await.unwrap();
    assert_eq!(
        (first.fraction, &*first.message),
        (Some(0.0), "counting[31m")
    );
    let mut more = 0;
    while progress.recv().await.is_some() {
        more += 1;
    }
    assert!(more < 100);
}

/// The engine's own runs neither wait for workers nor take their places.
#[tokio::test]
async fn workers_take_no_place_of_a_run() {
    let pool = TestPool::start(|engine, config| {
        engine.max_in_flight = std::num::NonZeroUsize::MIN;
        config.min = 3;
        config.max = 3;
    });
    pool.until("idle", |stats| stats.idle == 3).await;
    let command = reversecore_exec::Command::new("/bin/true").limits(Limits::default());
    let finished = pool
        .engine
        .run(command, &CancellationToken::new())
        .await
        .unwrap();
    assert!(finished.success(), "{finished:?}");
}
