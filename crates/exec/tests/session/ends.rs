//! However a session ends, it ends alone, and the next call gets a fresh one.

use std::sync::atomic::Ordering;
use std::time::Duration;

use reversecore_exec::{Command, Gone, Outcome, SessionError, SessionOutcome, Signal};
use reversecore_testkit::processes;
use rustix::process::{Pid, kill_process};
use tokio_util::sync::CancellationToken;

use crate::support::{TestSessions, question};

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_command_that_hangs_ends_its_session_only() {
    let sessions = TestSessions::new();
    assert_eq!(sessions.answer("other", "count").await, "1\n");
    for command in ["hang", "shrug-off-term"] {
        assert_eq!(sessions.answer("a", "count").await, "1\n", "{command}");
        if command != "hang" {
            assert_eq!(sessions.answer("a", command).await, "");
        }
        let outcome = sessions.outcome_within("a", "hang", SHORT).await;
        assert_eq!(outcome, SessionOutcome::TimedOut, "{command}");
        assert_eq!(sessions.processes().len(), 1, "{command}");
    }
    assert_eq!(sessions.answer("other", "count").await, "2\n");
    assert_eq!(sessions.pool.stats().gone(Gone::TimedOut), 2);
}

#[tokio::test]
async fn an_end_in_the_middle_of_an_answer_is_told() {
    let sessions = TestSessions::new();
    let reply = sessions.reply("a", "crash").await;
    assert_eq!(
        reply.outcome,
        SessionOutcome::Ended(Outcome::Signaled(Signal(libc::SIGSEGV)))
    );
    assert_eq!(reply.stdout.text(), "half an ans");
    let reply = sessions.reply("a", "leave").await;
    assert_eq!(reply.outcome, SessionOutcome::Ended(Outcome::Exited(3)));
    assert_eq!(sessions.answer("a", "count").await, "1\n");
    assert_eq!(sessions.pool.stats().gone(Gone::Dead), 2);
}

#[tokio::test]
async fn an_end_during_the_preparation_is_told_to_all() {
    let sessions = TestSessions::new().prepared(&["complain too bad", "leave"]);
    let cancel = CancellationToken::new();
    let calls = [(); 3].map(|()| sessions.spawn("a", "count", &cancel));
    for call in calls {
        let reply = call.await.unwrap().unwrap();
        assert_eq!(reply.outcome, SessionOutcome::Ended(Outcome::Exited(3)));
        assert_eq!(&reply.opening[..], b"hostile: too bad\n");
    }
    assert_eq!(sessions.pool.stats().ready, 0);
}

#[tokio::test]
async fn its_own_end_is_told_however_long_it_has_hung_up() {
    let sessions = TestSessions::new().prepared(&["leave-slowly"]);
    let reply = sessions.reply("a", "count").await;
    assert_eq!(reply.outcome, SessionOutcome::Ended(Outcome::Exited(3)));
    assert_eq!(sessions.opened.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error() {
    let sessions = TestSessions::new();
    let mut open = || {
        let mut opening = sessions.opening();
        opening.command = Command::new("/nonexistent/program");
        Some(opening)
    };
    let key = reversecore_exec::SessionKey::new("a");
    let never = CancellationToken::new();
    let asked = sessions.pool.run(&key, &mut open, question("say"), &never);
    let error = asked.await.unwrap_err();
    assert!(matches!(error, SessionError::Exec(_)), "{error}");
    let mut none = || None;
    let asked = sessions.pool.run(&key, &mut none, question("say"), &never);
    assert!(matches!(asked.await, Err(SessionError::NotDescribed)));
    assert_eq!(sessions.answer("a", "say x").await, "x\n");
}

#[tokio::test]
async fn one_that_died_or_hangs_while_idle_is_replaced_unnoticed() {
    let sessions = TestSessions::start(|config| {
        config.probe_after = Duration::ZERO;
        config.probe_timeout = SHORT;
    });
    assert_eq!(sessions.answer("a", "count").await, "1\n");
    for signal in [rustix::process::Signal::KILL, rustix::process::Signal::STOP] {
        for pid in sessions.processes() {
            let pid = Pid::from_raw(pid.cast_signed()).unwrap();
            kill_process(pid, signal).unwrap();
        }
        assert_eq!(sessions.answer("a", "count").await, "1\n", "{signal:?}");
    }
    assert_eq!(sessions.pool.stats().gone(Gone::Dead), 2);
    assert_eq!(sessions.processes().len(), 1);
}

#[tokio::test]
async fn children_go_with_their_session() {
    let mut sessions = TestSessions::new();
    sessions.processes = 8;
    for _ in 0..3 {
        sessions.answer("a", "fork").await;
    }
    let family = sessions.processes();
    assert_eq!(family.len(), 4);
    let outcome = sessions.outcome_within("a", "hang", SHORT).await;
    assert_eq!(outcome, SessionOutcome::TimedOut);
    processes::gone_within(&family, Duration::from_secs(2)).unwrap();
}

#[tokio::test]
async fn what_is_out_of_date_is_replaced() {
    let sessions = TestSessions::new();
    assert_eq!(sessions.answer("a", "count").await, "1\n");
    assert_eq!(sessions.answer("a", "count").await, "2\n");
    sessions.valid.store(false, Ordering::Relaxed);
    // The next is out of date at once, and so would be all after it.
    let cancel = CancellationToken::new();
    let refused = sessions.ask("a", question("count"), &cancel).await;
    assert!(
        matches!(refused, Err(SessionError::OutOfDate)),
        "{refused:?}"
    );
    assert_eq!(sessions.opened.load(Ordering::Relaxed), 2);
    assert_eq!(sessions.pool.stats().gone(Gone::Stale), 2);
    sessions.valid.store(true, Ordering::Relaxed);
    assert_eq!(sessions.answer("a", "count").await, "1\n");
}

#[tokio::test]
async fn the_last_question_ends_its_session() {
    let sessions = TestSessions::new();
    let mut last = question("count");
    last.last = true;
    let reply = sessions.ask("a", last, &CancellationToken::new()).await;
    assert_eq!(reply.unwrap().stdout.text(), "1\n");
    sessions
        .until("it goes", |stats| stats.processes == 0)
        .await;
    assert_eq!(sessions.pool.stats().gone(Gone::Spent), 1);
}

#[tokio::test]
async fn a_shut_down_ends_all() {
    let sessions = TestSessions::new();
    for key in ["a", "b", "c"] {
        sessions.answer(key, "count").await;
    }
    let running = sessions.spawn("a", "hang", &CancellationToken::new());
    sessions
        .until("it is asked", |stats| stats.calls == 1)
        .await;
    let family = sessions.processes();
    assert_eq!(family.len(), 3);
    sessions.pool.shut_down().await;
    assert_eq!(sessions.processes(), [0; 0]);
    assert!(!matches!(
        running.await.unwrap(),
        Ok(reply) if reply.outcome == SessionOutcome::Answered
    ));
    let late = sessions
        .ask("a", question("count"), &CancellationToken::new())
        .await;
    assert!(matches!(late, Err(SessionError::ShutDown)), "{late:?}");
}

#[tokio::test]
async fn sessions_go_with_the_last_clone_of_their_pool() {
    let sessions = TestSessions::new();
    sessions.answer("a", "count").await;
    let family = sessions.processes();
    assert_eq!(family.len(), 1);
    drop(sessions);
    // The launcher hears of it when the runtime gets to it.
    for _ in 0..1000 {
        if !family.iter().any(|pid| processes::alive(*pid)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("still alive: {family:?}");
}
