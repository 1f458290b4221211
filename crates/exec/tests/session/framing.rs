//! Answers are what the program printed, whatever that is.

use reversecore_exec::SessionOutcome;

use crate::support::{TestSessions, question};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn answers_are_whole_and_apart() {
    let sessions = TestSessions::new();
    assert_eq!(sessions.answer("a", "say one").await, "one\n");
    assert_eq!(
        sessions.answer("a", "mutter no newline").await,
        "no newline"
    );
    assert_eq!(sessions.answer("a", "unknown").await, "");
    assert_eq!(sessions.answer("a", "").await, "");
    assert_eq!(sessions.answer("a", "say two").await, "two\n");
    assert_eq!(sessions.pool.stats().opened, 1);
    assert_eq!(sessions.pool.stats().commands, 5);
}

#[tokio::test]
async fn nuls_and_prompts_are_data() {
    let sessions = TestSessions::new();
    let reply = sessions.reply("a", "nuls 70000").await;
    assert_eq!(reply.stdout.bytes(), vec![0; 70_000]);
    for prompt in ["[0x00000000]> ", "\u{1b}[2J$ ", "join a b"] {
        let answer = sessions.answer("a", &format!("mutter {prompt}")).await;
        assert_eq!(answer, prompt);
    }
}

/// The program prints all that it ever read, the terminators of earlier
/// commands and the beginning of this one among it, and the terminator that it
/// is to obey next.
#[tokio::test]
async fn a_terminator_can_not_be_imitated() {
    let sessions = TestSessions::new();
    assert_eq!(sessions.answer("a", "say first").await, "first\n");
    let history = sessions.answer("a", "history").await;
    let terminators: Vec<&str> = history
        .lines()
        .filter_map(|line| line.strip_prefix("join "))
        .collect();
    // Twice before and after the first answer, of the preparation too, and
    // once before this.
    assert_eq!(terminators.len(), 5, "{history}");
    for old in terminators {
        let old = old.replace(' ', "");
        let answer = sessions.answer("a", &format!("say {old}")).await;
        assert_eq!(answer, format!("{old}\n"));
    }
    // The line that was swallowed never prints the terminator.
    let outcome = sessions
        .outcome_within("a", "swallow", std::time::Duration::from_millis(300))
        .await;
    assert_eq!(outcome, SessionOutcome::TimedOut);
    assert_eq!(sessions.answer("a", "say again").await, "again\n");
}

#[tokio::test]
async fn much_output_is_counted_and_its_head_is_kept() {
    let sessions = TestSessions::new();
    let mut small = question("flood 100000000");
    small.keep_stdout = 1000;
    let reply = sessions.ask("a", small, &CancellationToken::new()).await;
    let reply = reply.unwrap();
    assert_eq!(reply.outcome, SessionOutcome::Answered);
    assert_eq!(reply.stdout.total, 100_000_000);
    assert!(reply.stdout.truncated());
    assert_eq!(reply.stdout.bytes().len(), 1000);
    assert_eq!(sessions.answer("a", "say next").await, "next\n");
    assert_eq!(sessions.pool.stats().opened, 1);
}

#[tokio::test]
async fn what_a_command_complains_of_is_its_own() {
    let sessions = TestSessions::new().prepared(&["complain at first", "say nothing"]);
    for number in 0..50 {
        let said = format!("complain {number}");
        let reply = sessions.reply("a", &said).await;
        assert_eq!(reply.stderr.text(), format!("hostile: {number}\n"));
        assert_eq!(reply.stdout.text(), "");
        assert_eq!(&reply.opening[..], b"hostile: at first\n");
    }
    let reply = sessions.reply("a", "flood-errors 10000000").await;
    assert_eq!(reply.outcome, SessionOutcome::Answered);
    assert_eq!(reply.stderr.total, 10_000_000);
    assert_eq!(reply.stderr.bytes().len(), 16 << 10);
    assert_eq!(sessions.reply("a", "say next").await.stderr.total, 0);
}

#[tokio::test]
async fn a_question_is_one_line() {
    let sessions = TestSessions::new();
    for text in ["say a\nsay b", "say\r", "say \0"] {
        let refused = sessions
            .ask("a", question(text), &CancellationToken::new())
            .await;
        assert!(refused.is_err(), "{text:?}");
    }
    assert_eq!(sessions.pool.stats().opened, 0);
}
