//! `process-wrap`: a process group and `KillOnDrop`, as its documentation
//! combines them; the group is asked to end with `signal`, then killed.

use std::io;
use std::process::Stdio;

use process_wrap::tokio::{CommandWrap, KillOnDrop, ProcessGroup};
use tokio_util::sync::CancellationToken;

use super::bare::{failed, not_started, of_status, stdin};
use super::collect::{Collector, feed};
use super::{Engine, milliseconds};
use crate::protocol::{Ended, Ending, Hello, Offer, Run};

const SIGTERM: i32 = rustix::process::Signal::TERM.as_raw();

pub(super) struct Wrap;

impl Engine for Wrap {
    async fn hello(&self) -> Hello {
        Hello {
            engine: "process-wrap".to_owned(),
            configured:
                "`ProcessGroup::leader()` and `KillOnDrop`; both streams read beside `wait`; \
                         `tokio::time::timeout` around it; `signal(SIGTERM)`, the grace, `kill`"
                    .to_owned(),
            offers: vec![Offer::Grace],
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
    let spawned = CommandWrap::with_new(&run.program, |command| {
        command
            .args(&run.args)
            .stdin(stdin(run))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    })
    .wrap(ProcessGroup::leader())
    .wrap(KillOnDrop)
    .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Ok(not_started(&error)),
    };
    let pipes = (
        child.stdin().take(),
        child.stdout().take(),
        child.stderr().take(),
    );
    let streams = async {
        tokio::join!(
            out.drain(pipes.1),
            err.drain(pipes.2),
            feed(pipes.0, run.stdin_bytes)
        )
    };
    tokio::pin!(streams);
    let ending = {
        let whole = async {
            let (status, _) = tokio::join!(child.wait(), &mut streams);
            status
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Ending::Cancelled),
            status = tokio::time::timeout(milliseconds(run.timeout_ms), whole) => {
                status.map_err(|_| Ending::TimedOut)
            }
        }
    };
    let ended = match ending {
        Ok(status) => of_status(status?),
        Err(ending) => {
            child.signal(SIGTERM)?;
            // The last words are read while it is waited for.
            let last = async { tokio::join!(child.wait(), &mut streams) };
            if tokio::time::timeout(milliseconds(run.grace_ms), last)
                .await
                .is_err()
            {
                Box::into_pin(child.kill()).await?;
            }
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
