//! E6, E11, E12: how a run ends, at every stage and however stubborn the program
//! is; exactly one outcome, nothing left.

use reversecore_exec::{Event, Input, Limits, Outcome, Signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::{
    TestEngine, again_as_ordinary_user, assert_gone, every_rung, hostile, in_flight, mark,
    milliseconds, times,
};

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    for (rung, engine) in every_rung(|_| {}).await {
        let outcome = async |arguments: &[&str]| engine.run(hostile(arguments)).await.outcome;
        assert_eq!(outcome(&["exit", "0"]).await, Outcome::Exited(0), "{rung}");
        assert_eq!(
            outcome(&["exit", "255"]).await,
            Outcome::Exited(255),
            "{rung}"
        );
        assert_eq!(
            outcome(&["raise", "15"]).await,
            Outcome::Signaled(Signal(15)),
            "{rung}"
        );
        assert_eq!(
            outcome(&["raise", "9"]).await,
            Outcome::Signaled(Signal(9)),
            "{rung}"
        );
        assert_eq!(
            outcome(&["abort"]).await,
            Outcome::Signaled(Signal(6)),
            "{rung}"
        );
        assert_eq!(
            outcome(&["segv"]).await,
            Outcome::Signaled(Signal(11)),
            "{rung}"
        );
    }
    again_as_ordinary_user("ends::exit_codes_and_signals_are_told_apart");
}

#[tokio::test]
async fn e6_stubborn_programs_end_at_the_deadline_and_the_grace() {
    let (timeout, grace) = (milliseconds(300), milliseconds(200));
    for (rung, engine) in every_rung(|_| {}).await {
        let timed_out = Outcome::TimedOut(timeout);
        let run = async |arguments: &[&str], input: Input| {
            let mark = mark();
            let command = hostile(arguments)
                .arg(&mark)
                .stdin(input)
                .limits(times(timeout, grace));
            let finished = engine.run(command).await;
            assert_gone(&mark, arguments[0]);
            assert_eq!(finished.outcome, timed_out, "{rung} {arguments:?}");
            assert!(finished.usage.wall >= timeout, "{rung} {arguments:?}");
            assert!(
                !finished.leftovers.any(),
                "{rung} {arguments:?} {finished:?}"
            );
            finished
        };
        let ignoring = run(&["ignore-term"], Input::Null).await;
        assert!(ignoring.usage.wall >= timeout + grace, "{rung}");
        let stopped = run(&["stop-self"], Input::Null).await;
        assert_eq!(stopped.stdout.total, 0);
        // More than a pipe holds, so that a write waits for a reader.
        let input = Input::Bytes(vec![b'x'; 10 << 20].into());
        let unread = run(&["never-reads"], input).await;
        assert!(unread.usage.bytes_in < 10 << 20, "{rung}");
        let spinning = run(&["spin-threads", "4"], Input::Null).await;
        assert_eq!(spinning.stdout.total, 0);
    }
    again_as_ordinary_user("ends::e6_stubborn_programs_end_at_the_deadline_and_the_grace");
}

#[tokio::test]
async fn a_program_that_minds_the_request_has_its_last_word() {
    let grace = milliseconds(60_000);
    for (rung, engine) in every_rung(|_| {}).await {
        let mut running = engine.engine.stream(
            hostile(&["on-term", "7"]).limits(times(milliseconds(60_000), grace)),
            CancellationToken::new(),
        );
        drop(running.next().await);
        drop(running);
        let limits = times(milliseconds(500), grace);
        let finished = engine.run(hostile(&["on-term", "7"]).limits(limits)).await;
        // Its own end came after the request, and is not what the run ended of.
        assert_eq!(
            finished.outcome,
            Outcome::TimedOut(milliseconds(500)),
            "{rung}"
        );
        assert!(finished.usage.wall < grace, "{rung}");
    }
}

#[tokio::test]
async fn e11_cancel_while_queued_has_no_process() {
    let engine = TestEngine::start(|config| config.max_in_flight = in_flight(1));
    let (first, second) = (CancellationToken::new(), CancellationToken::new());
    let limits = times(milliseconds(60_000), milliseconds(100));
    let mut running = engine
        .engine
        .stream(hostile(&["hang"]).limits(limits), first.clone());
    assert!(matches!(
        running.next().await,
        Some(Ok(Event::Started { .. }))
    ));
    // The only place is taken; this one waits until it is cancelled.
    second.cancel();
    let waiting = engine
        .engine
        .run(hostile(&["hang"]), &second)
        .await
        .unwrap();
    assert_eq!(waiting.outcome, Outcome::Cancelled);
    assert_eq!(waiting.usage.wall, milliseconds(0));
    first.cancel();
    let Some(Ok(Event::Exit(finished))) = running.next().await else {
        panic!("one outcome follows");
    };
    assert_eq!(finished.outcome, Outcome::Cancelled);
    assert!(running.next().await.is_none());
}

/// Cancels at moments from the first microsecond on, so that every stage of a
/// spawn is hit, and the result is one of the two that are right.
#[tokio::test]
async fn e11_cancel_at_any_moment_has_one_outcome() {
    for (rung, engine) in every_rung(|_| {}).await {
        let mark = mark();
        for round in 0..150_u64 {
            let cancel = CancellationToken::new();
            let limits = times(milliseconds(60_000), milliseconds(5));
            let run = engine.engine.run(
                hostile(&["flood", "stdout", "100000000000", &mark]).limits(limits),
                &cancel,
            );
            let stop = async {
                tokio::time::sleep(std::time::Duration::from_micros(round * 40)).await;
                cancel.cancel();
            };
            let (finished, ()) = tokio::join!(run, stop);
            assert_eq!(
                finished.unwrap().outcome,
                Outcome::Cancelled,
                "{rung} {round}"
            );
        }
        assert_gone(&mark, "cancelled");
        assert_eq!(std::fs::read_dir(engine.scratch.path()).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn e11_cancel_while_draining_does_not_wait_for_the_consumer() {
    let engine = TestEngine::new();
    let cancel = CancellationToken::new();
    let mark = mark();
    let limits = times(milliseconds(60_000), milliseconds(5));
    // Far more than the channel holds, and nobody takes it.
    let mut running = engine.engine.stream(
        hostile(&["flood", "stdout", "100000000000", &mark]).limits(limits),
        cancel.clone(),
    );
    assert!(matches!(
        running.next().await,
        Some(Ok(Event::Started { .. }))
    ));
    assert!(matches!(running.next().await, Some(Ok(Event::Stdout(_)))));
    cancel.cancel();
    let last = loop {
        match running.next().await.unwrap().unwrap() {
            Event::Exit(finished) => break finished,
            Event::Stdout(_) | Event::Stderr(_) | Event::Started { .. } => {}
        }
    };
    assert_eq!(last.outcome, Outcome::Cancelled);
    assert_gone(&mark, "draining");
}

#[tokio::test]
async fn the_deadline_counts_while_a_consumer_does_not_take_output() {
    let engine = TestEngine::new();
    let mark = mark();
    let limits = times(milliseconds(200), milliseconds(5));
    let mut running = engine.engine.stream(
        hostile(&["flood", "stdout", "100000000000", &mark]).limits(limits),
        CancellationToken::new(),
    );
    assert!(matches!(
        running.next().await,
        Some(Ok(Event::Started { .. }))
    ));
    // Nothing is taken until the process is gone by itself.
    let deadline = Instant::now() + milliseconds(10_000);
    while !reversecore_testkit::processes::marked(&mark).is_empty() {
        assert!(Instant::now() < deadline, "still running");
        tokio::time::sleep(milliseconds(10)).await;
    }
}

#[tokio::test]
async fn e12_silence_has_its_own_verdict() {
    // Long enough that a busy machine is not taken for a silent program.
    let idle = milliseconds(1000);
    let limits = Limits {
        idle: Some(idle),
        grace: milliseconds(10),
        ..Limits::default()
    };
    for (rung, engine) in every_rung(|_| {}).await {
        let finished = engine
            .run(hostile(&["silent-after", "5000"]).limits(limits.clone()))
            .await;
        assert_eq!(finished.outcome, Outcome::Idle(idle), "{rung}");
        assert_eq!(finished.stdout.total, 5000, "{rung}");
        // Slow is not silent: 60 bytes, one every 25 ms, longer than the idle limit.
        let finished = engine
            .run(hostile(&["drip", "60", "25"]).limits(limits.clone()))
            .await;
        assert_eq!(finished.outcome, Outcome::Exited(0), "{rung}");
        assert!(finished.usage.wall > idle, "{rung}");
    }
}
