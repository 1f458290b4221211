//! `tokio::process` alone: `kill_on_drop`, both streams read beside the wait (as
//! its documentation tells against deadlock), `tokio::time::timeout` around it,
//! `Child::kill` when that strikes.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use tokio_util::sync::CancellationToken;

use super::collect::{Collector, feed};
use super::{Engine, milliseconds};
use crate::protocol::{Ended, Ending, Hello, Run, StartFailure};

pub(super) struct Bare;

impl Engine for Bare {
    async fn hello(&self) -> Hello {
        Hello {
            engine: "tokio::process".to_owned(),
            configured:
                "`kill_on_drop(true)`; both streams read beside `wait`; `tokio::time::timeout` \
                         around it; `Child::kill` at the timeout and at a cancel"
                    .to_owned(),
            offers: Vec::new(),
        }
    }

    async fn run(&self, run: &Run, cancel: &CancellationToken) -> Ended {
        attempt(run, cancel)
            .await
            .unwrap_or_else(|error| failed(&error))
    }
}

async fn attempt(run: &Run, cancel: &CancellationToken) -> io::Result<Ended> {
    let (out, err) = (Collector::stdout(run)?, Collector::stderr(run));
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the engine under examination"
    )]
    let spawned = tokio::process::Command::new(&run.program)
        .args(&run.args)
        .stdin(stdin(run))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Ok(not_started(&error)),
    };
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let whole = async {
        let (status, _, _, ()) = tokio::join!(
            child.wait(),
            out.drain(pipes.1),
            err.drain(pipes.2),
            feed(pipes.0, run.stdin_bytes)
        );
        status
    };
    let ending = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Ending::Cancelled),
        status = tokio::time::timeout(milliseconds(run.timeout_ms), whole) => {
            status.map_err(|_| Ending::TimedOut)
        }
    };
    let ended = match ending {
        Ok(status) => of_status(status?),
        Err(ending) => {
            child.kill().await?;
            Ended {
                ending,
                ..Ended::default()
            }
        }
    };
    Ok(Ended {
        stdout: out.stream(run.text),
        stderr: err.stream(false),
        ..ended
    })
}

pub(super) fn stdin(run: &Run) -> Stdio {
    if run.stdin_bytes.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    }
}

pub(super) fn of_status(status: ExitStatus) -> Ended {
    Ended {
        ending: if status.code().is_some() {
            Ending::Exited
        } else {
            Ending::Signaled
        },
        code: status.code(),
        signal: status.signal(),
        ..Ended::default()
    }
}

/// By the kind of the error, which is the type that a user can match on.
pub(super) fn not_started(error: &io::Error) -> Ended {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum without end")]
    let kind = match error.kind() {
        io::ErrorKind::NotFound => StartFailure::NotFound,
        io::ErrorKind::PermissionDenied => StartFailure::NotExecutable,
        io::ErrorKind::ExecutableFileBusy => StartFailure::Busy,
        _ => StartFailure::Other,
    };
    Ended {
        ending: Ending::NotStarted,
        kind: Some(kind),
        message: Some(error.to_string()),
        ..Ended::default()
    }
}

pub(super) fn failed(error: &io::Error) -> Ended {
    Ended {
        ending: Ending::Failed,
        message: Some(error.to_string()),
        ..Ended::default()
    }
}
