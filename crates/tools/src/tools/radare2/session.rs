//! radare2 as a session: how it is started, what makes two calls share one, and
//! what its endings mean for a call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reversecore_exec::{
    Dialect, Leftovers, Limits, Opening, Outcome, Question, Reply, Scratch, SessionError,
    SessionKey, SessionOutcome, Usage,
};

use super::plan::Plan;
use super::policy::effects::Depth;
use crate::arguments::invalid;
use crate::error::{ErrorCode, ToolError};
use crate::external::Analysis;
use crate::schedule::estimates;
use crate::tool::Call;

/// The longest that a call may wait for it.
const LONGEST_PREPARATION: Duration = Duration::from_secs(3600);
/// What is kept of the standard error of one call.
const KEPT_ERRORS: usize = 16 << 10;

/// Calls with equal keys share a session.
pub(super) fn key(content: &str, depth: Depth) -> SessionKey {
    SessionKey::new(format!("radare2 {depth:?} {content}"))
}

/// A session that nobody else has.
fn own_key() -> SessionKey {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    SessionKey::new(format!("radare2 alone {number}"))
}

/// Has the commands answered, within what is left of the call's time.
pub(super) async fn ask(
    call: &Call<'_>,
    analysis: &Analysis<'_>,
    content: &str,
    plan: &Plan,
    budget: usize,
) -> Result<Reply, ToolError> {
    let key = if plan.own {
        own_key()
    } else {
        key(content, plan.depth)
    };
    let question = Question {
        text: plan.text.clone(),
        after: plan.undo.clone(),
        keep_stdout: budget,
        keep_stderr: KEPT_ERRORS,
        timeout: analysis.left(),
        hold: call.hold(),
        last: plan.own,
    };
    let mut failed = None;
    let mut open = || match opening(analysis, plan.depth) {
        Ok(opening) => Some(opening),
        Err(error) => {
            failed = Some(error);
            None
        }
    };
    let sessions = &call.services.sessions;
    let asking = Box::pin(sessions.run(&key, &mut open, question, call.cancel));
    let reply = match asking.await {
        Ok(reply) => reply,
        Err(SessionError::NotDescribed) => {
            return Err(failed.unwrap_or_else(ToolError::cancelled));
        }
        Err(error) => return Err(session_error(analysis, &error)),
    };
    // radare2 works on one thread and waits for nothing while it answers, so its
    // time is its processor time, or a little more.
    let usage = Usage {
        wall: reply.worked,
        user: reply.worked,
        peak_rss: reply
            .usage
            .map_or(0, |usage| usage.peak_rss)
            .max(reply.resident),
        bytes_out: reply.stdout.total,
        ..Usage::default()
    };
    call.note_run(&usage, &Leftovers::default());
    let outcome = match reply.outcome {
        // One that leaves when it is told to has answered, too.
        SessionOutcome::Answered | SessionOutcome::Ended(Outcome::Exited(0)) => return Ok(reply),
        SessionOutcome::TimedOut => Outcome::TimedOut(reply.worked),
        SessionOutcome::Cancelled => Outcome::Cancelled,
        SessionOutcome::Ended(outcome) => outcome,
    };
    let opening = String::from_utf8_lossy(&reply.opening);
    let said = format!("{opening}{}", reply.stderr.text());
    Err(analysis.error(outcome, &said))
}

/// How radare2 is started on the file of this call.
fn opening(analysis: &Analysis<'_>, depth: Depth) -> Result<Opening, ToolError> {
    let (command, path) = analysis.command()?;
    let command = command
        .args(["-N", "-q"])
        .args(["-e", "scr.color=0"])
        .args(["-e", "scr.interactive=false"])
        .args(["-e", "scr.prompt=false"])
        .args(["-e", "scr.utf8=false"])
        .args(["-e", "cfg.fortunes=false"])
        .arg(path)
        .scratch(Scratch::Private)
        .limits(Limits {
            // It needs none but itself, so whatever a command slips through
            // can't start another program.
            processes: 1,
            // That of many calls: each has its own time.
            cpu: None,
            ..analysis.limits()
        });
    let prepare = match depth {
        Depth::None => Vec::new(),
        Depth::Basic => vec!["aa".to_owned()],
        Depth::Full => vec!["aaa".to_owned()],
    };
    let size = analysis.target.size();
    Ok(Opening {
        command,
        dialect: Dialect {
            print_joined: |first, second| format!("?en {first};?e {second}"),
        },
        prepare,
        timeout: LONGEST_PREPARATION,
        expected_memory: estimates::RADARE2_PROGRAM.estimate.of(size).memory,
        still_valid: Box::new(analysis.target.still_the_same()?),
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an enum that may grow; whatever is not the caller's affair is ours"
)]
fn session_error(analysis: &Analysis<'_>, error: &SessionError) -> ToolError {
    match error {
        SessionError::Exec(error) => analysis.engine_error(error),
        SessionError::OutOfDate => analysis.target.changed(),
        SessionError::NotOneLine => invalid(
            "r2_command",
            "is more than one line",
            "Separate commands with `;`.",
        ),
        SessionError::QueueFull { .. } => ToolError::new(
            ErrorCode::QueueFull,
            "too many calls wait for radare2",
            "Retry with fewer calls at one time.",
        ),
        SessionError::ShutDown => ToolError::new(
            ErrorCode::Cancelled,
            "the server is shutting down",
            "Call again when the server is back.",
        ),
        _ => ToolError::new(
            ErrorCode::Internal,
            "`radare2` could not be asked",
            "Call again; if it persists, the server's log has the reason.",
        )
        .log_detail(error),
    }
}
