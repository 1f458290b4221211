//! How many sessions there are, and which go first.

use std::time::Duration;

use reversecore_exec::{Gone, SessionError};
use reversecore_testkit::processes;
use tokio_util::sync::CancellationToken;

use crate::support::{TestSessions, question};

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn the_one_used_least_recently_goes_first() {
    let sessions = TestSessions::start(|config| config.max_sessions = 3);
    for key in ["a", "b", "c"] {
        assert_eq!(sessions.answer(key, "count").await, "1\n");
    }
    assert_eq!(sessions.answer("a", "count").await, "2\n");
    assert_eq!(sessions.answer("d", "count").await, "1\n");
    assert_eq!(sessions.pool.stats().gone(Gone::Count), 1);
    for (key, count) in [("a", "3\n"), ("c", "2\n"), ("d", "2\n"), ("b", "1\n")] {
        assert_eq!(sessions.answer(key, "count").await, count, "{key}");
    }
    assert_eq!(sessions.processes().len(), 3);
}

#[tokio::test]
async fn many_keys_at_one_time_take_turns() {
    let sessions = TestSessions::start(|config| config.max_sessions = 2);
    let never = CancellationToken::new();
    let calls: Vec<_> = (0..20)
        .map(|key| sessions.spawn(&key.to_string(), "count", &never))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().stdout.text(), "1\n");
        assert!(sessions.processes().len() <= 2);
    }
    assert_eq!(sessions.pool.stats().opened, 20);
}

#[tokio::test]
async fn memory_is_bounded_for_all_together() {
    let mut sessions = TestSessions::start(|config| config.max_memory = 100 * MIB);
    sessions.expected_memory = 30 * MIB;
    for key in ["a", "b"] {
        sessions.answer(key, &format!("grow {}", 40 * MIB)).await;
    }
    // The kernel may have taken back pages of the program itself meanwhile.
    sessions
        .until("the launcher tells", |stats| stats.resident > 75 * MIB)
        .await;
    // There is no room for what this is expected to need.
    assert_eq!(sessions.answer("c", "count").await, "1\n");
    assert_eq!(sessions.pool.stats().gone(Gone::Memory), 1);
    assert_eq!(sessions.answer("b", "count").await, "1\n");
    assert_eq!(sessions.pool.stats().opened, 3);
    // What grows while it is idle makes others go, the oldest first.
    sessions.answer("c", &format!("grow {}", 70 * MIB)).await;
    sessions
        .until("there is too much", |stats| stats.gone(Gone::Memory) == 2)
        .await;
    assert_eq!(sessions.answer("c", "count").await, "2\n");
    let resident: u64 = sessions
        .processes()
        .into_iter()
        .filter_map(processes::resident_bytes)
        .sum();
    assert!(resident <= 100 * MIB, "{resident}");
}

#[tokio::test]
async fn one_session_may_not_have_more_than_all() {
    let sessions = TestSessions::start(|config| config.max_memory = 50 * MIB);
    let reply = sessions.reply("a", &format!("grow {}", 200 * MIB)).await;
    let text = format!("{:?}", reply.outcome);
    assert_ne!(text, "Answered");
    assert_eq!(sessions.answer("a", "count").await, "1\n");
}

#[tokio::test]
async fn idle_ones_go_after_a_while() {
    let sessions = TestSessions::start(|config| config.idle_after = Duration::from_millis(50));
    assert_eq!(sessions.answer("a", "count").await, "1\n");
    sessions
        .until("it goes", |stats| {
            stats.processes == 0 && stats.gone(Gone::Idle) == 1
        })
        .await;
    assert_eq!(sessions.processes(), [0; 0]);
    assert_eq!(sessions.answer("a", "count").await, "1\n");
}

#[tokio::test]
async fn calls_are_bounded() {
    let sessions = TestSessions::start(|config| config.max_calls = 2);
    let stop = CancellationToken::new();
    let calls = [(); 2].map(|()| sessions.spawn("a", "hang", &stop));
    sessions
        .until("both are there", |stats| stats.calls == 2)
        .await;
    let refused = sessions
        .ask("b", question("say x"), &CancellationToken::new())
        .await;
    assert!(
        matches!(refused, Err(SessionError::QueueFull { limit: 2 })),
        "{refused:?}"
    );
    stop.cancel();
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert_eq!(sessions.answer("b", "say x").await, "x\n");
}
