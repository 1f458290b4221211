//! Several calls and one session: one preparation, one command at a time, in
//! the order of their arrival.

use std::sync::atomic::Ordering;
use std::time::Duration;

use reversecore_exec::{Gone, Question, SessionOutcome};
use reversecore_testkit::processes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{TestSessions, question};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_of_a_fresh_key_start_one_process() {
    let sessions = TestSessions::new().prepared(&["count"]);
    let never = CancellationToken::new();
    let calls: Vec<_> = (0..50)
        .map(|_| sessions.spawn("a", "count", &never))
        .collect();
    let mut answers = Vec::new();
    let mut opened = 0;
    for call in calls {
        let reply = call.await.unwrap().unwrap();
        opened += usize::from(reply.opened);
        answers.push(reply.stdout.text().trim().parse::<u32>().unwrap());
    }
    answers.sort_unstable();
    assert_eq!(answers, (2..=51).collect::<Vec<_>>());
    assert_eq!(opened, 1);
    assert_eq!(sessions.pool.stats().opened, 1);
}

#[tokio::test]
async fn turns_are_in_the_order_of_arrival() {
    let sessions = TestSessions::new();
    sessions.answer("a", "say ready").await;
    let never = CancellationToken::new();
    // On one thread, tasks begin in the order in which they were spawned.
    let calls: Vec<_> = (0..20)
        .map(|_| sessions.spawn("a", "count", &never))
        .collect();
    for (number, call) in (1..).zip(calls) {
        let text = call.await.unwrap().unwrap().stdout.text();
        assert_eq!(text, format!("{number}\n"));
    }
}

#[tokio::test]
async fn a_preparation_survives_one_waiter_and_ends_with_the_last() {
    let sessions = TestSessions::new().prepared(&["hang"]);
    let (one, other) = (CancellationToken::new(), CancellationToken::new());
    let first = sessions.spawn("a", "count", &one);
    let second = sessions.spawn("a", "count", &other);
    sessions.until("both wait", |stats| stats.calls == 2).await;
    sessions
        .until("it has a process", |stats| stats.processes == 1)
        .await;
    one.cancel();
    let reply = first.await.unwrap().unwrap();
    assert_eq!(reply.outcome, SessionOutcome::Cancelled);
    let stats = sessions.pool.stats();
    assert_eq!((stats.opening, stats.processes), (1, 1));
    // Whoever comes now joins it.
    let third = sessions.spawn("a", "count", &other);
    sessions
        .until("it has joined", |stats| stats.calls == 2)
        .await;
    assert_eq!(sessions.opened.load(Ordering::Relaxed), 1);
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    assert_eq!(sessions.pool.stats().opening, 1);
    other.cancel();
    let reply = third.await.unwrap().unwrap();
    assert_eq!(reply.outcome, SessionOutcome::Cancelled);
    sessions
        .until("it goes", |stats| stats.processes == 0)
        .await;
    assert_eq!(sessions.pool.stats().opening, 0);
    assert_eq!(sessions.processes(), [0; 0]);
}

/// Its time is its own, and passes while others are prepared or asked.
#[tokio::test]
async fn a_call_in_the_queue_gives_up_alone() {
    let sessions = TestSessions::new();
    let stop = CancellationToken::new();
    let running = sessions.spawn("a", "hang", &stop);
    sessions
        .until("it is asked", |stats| stats.ready == 1)
        .await;
    let outcome = sessions
        .outcome_within("a", "count", Duration::from_millis(50))
        .await;
    assert_eq!(outcome, SessionOutcome::TimedOut);
    let queued = CancellationToken::new();
    let waiting = sessions.spawn("a", "count", &queued);
    sessions.until("it waits", |stats| stats.calls == 2).await;
    queued.cancel();
    assert_eq!(
        waiting.await.unwrap().unwrap().outcome,
        SessionOutcome::Cancelled
    );
    assert_eq!(sessions.pool.stats().ready, 1, "the session is not harmed");
    let last = sessions.spawn("a", "count", &CancellationToken::new());
    sessions.until("it waits", |stats| stats.calls == 2).await;
    stop.cancel();
    assert_eq!(
        running.await.unwrap().unwrap().outcome,
        SessionOutcome::Cancelled
    );
    // Behind one that took its session along, the next gets a fresh one.
    assert_eq!(last.await.unwrap().unwrap().stdout.text(), "1\n");
    assert_eq!(sessions.pool.stats().gone(Gone::Cancelled), 1);
}

#[tokio::test]
async fn a_dropped_call_ends_its_session() {
    let sessions = TestSessions::new();
    sessions.answer("a", "count").await;
    let family = sessions.processes();
    let running = sessions.spawn("a", "hang", &CancellationToken::new());
    sessions
        // It may be quicker than the order to stand still.
        .until("it is asked", |stats| {
            stats.calls == 1 || stats.commands == 2
        })
        .await;
    let next = sessions.spawn("a", "count", &CancellationToken::new());
    sessions.until("one waits", |stats| stats.calls == 2).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert_eq!(next.await.unwrap().unwrap().stdout.text(), "1\n");
    processes::gone_within(&family, Duration::from_secs(2)).unwrap();
}

#[tokio::test]
async fn one_that_hangs_keeps_no_other_waiting() {
    let sessions = TestSessions::new();
    let stop = CancellationToken::new();
    let hanging =
        [("a", "hang"), ("b", "hang")].map(|(key, text)| sessions.spawn(key, text, &stop));
    sessions
        .until("they are asked", |stats| stats.ready == 2)
        .await;
    for number in 1..=100 {
        assert_eq!(sessions.answer("c", "count").await, format!("{number}\n"));
    }
    assert!(hanging.iter().all(|call| !call.is_finished()));
    stop.cancel();
    for call in hanging {
        assert!(call.await.unwrap().is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_stands_still_while_it_is_told_to() {
    let sessions = TestSessions::new();
    sessions.answer("a", "count").await;
    let (hold, cancel) = (watch::Sender::new(false), CancellationToken::new());
    let held = |text| Question {
        hold: Some(hold.subscribe()),
        ..question(text)
    };
    let spinning = tokio::spawn({
        let (sessions, spin, cancel) = (sessions.clone(), held("spin"), cancel.clone());
        async move { sessions.ask("a", spin, &cancel).await }
    });
    let still = |seen: fn(&str) -> bool| {
        assert!(tokio::task::block_in_place(|| seen(&sessions.mark)));
    };
    still(processes::go_on);
    hold.send_replace(true);
    still(processes::stand_still);
    hold.send_replace(false);
    still(processes::go_on);
    cancel.cancel();
    assert_eq!(
        spinning.await.unwrap().unwrap().outcome,
        SessionOutcome::Cancelled
    );
    // One that is quicker than the order to stand still leaves a session that
    // goes on.
    hold.send_replace(true);
    let brief = tokio::spawn({
        let (sessions, count) = (sessions.clone(), held("count"));
        async move { sessions.ask("a", count, &CancellationToken::new()).await }
    });
    sessions
        .until("it is asked", |stats| {
            stats.calls == 1 || brief.is_finished()
        })
        .await;
    hold.send_replace(false);
    assert_eq!(brief.await.unwrap().unwrap().stdout.text(), "1\n");
    assert_eq!(sessions.answer("a", "count").await, "2\n");
}
