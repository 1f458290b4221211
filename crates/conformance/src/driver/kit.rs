//! `processkit`: its own containment, timeouts, grace, watchdog, cancel token and
//! parent-death signal; raw tees to collectors, and `drain`, which is its way to
//! a program that says more than memory holds. Limits of resources through
//! `rlimit` where it has one, and through a group where this machine lets it.

use processkit::{
    Command, Error, ErrorReason, LimitVerdict, Outcome, OutputBufferPolicy, OverflowMode,
    ProcessGroup, ProcessGroupOptions, RlimitResource, RunningProcess, Stdin,
};
use tokio_util::sync::CancellationToken;

use super::collect::{Collector, hex};
use super::{Engine, milliseconds, whole_message};
use crate::protocol::{Ended, Ending, Hello, Offer, Run, StartFailure, Stream};

pub(super) struct Kit;

impl Engine for Kit {
    async fn hello(&self) -> Hello {
        let group = |limit: fn(ProcessGroupOptions) -> ProcessGroupOptions| {
            ProcessGroup::with_options(limit(ProcessGroupOptions::default())).is_ok()
        };
        let mut offers = vec![
            Offer::Grace,
            Offer::Idle,
            Offer::Output,
            Offer::CpuTime,
            Offer::OpenFiles,
            Offer::FileSize,
        ];
        if group(|options| options.max_memory(1 << 30)) {
            offers.push(Offer::Memory);
        }
        if group(|options| options.max_processes(100)) {
            offers.push(Offer::Processes);
        }
        let containment = ProcessGroup::new().map_or_else(
            |error| whole_message(&error),
            |group| format!("{:?}", group.mechanism()),
        );
        Hello {
            engine: "processkit".to_owned(),
            configured: format!(
                "`start` and `drain` with raw tees, or `output_bytes` with a byte ceiling where one is asked for; `timeout`, \
                 `inactivity_timeout`, `cancel_on`, each with its grace; `kill_on_parent_death`; `rlimit`; \
                 its best containment here ({containment})"
            ),
            offers,
        }
    }

    async fn run(&self, run: &Run, cancel: &CancellationToken) -> Ended {
        attempt(run, cancel)
            .await
            .unwrap_or_else(|error| of_error(&error))
    }
}

async fn attempt(run: &Run, cancel: &CancellationToken) -> Result<Ended, Error> {
    let out = Collector::stdout(run).map_err(ErrorReason::Io)?;
    let err = Collector::stderr(run);
    let command = command(run, cancel);
    if run.text {
        let result = command.output_string().await?;
        return Ok(Ended {
            stdout: Stream {
                bytes: result.total_bytes() as u64,
                text: Some(result.stdout().clone()),
                ..Stream::default()
            },
            ..of_outcome(result.outcome())
        });
    }
    if let Some(limit) = run.limits.output {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let ceiling = OutputBufferPolicy::unbounded()
            .with_max_bytes(limit)
            .with_overflow(OverflowMode::Error);
        let result = command.output_buffer(ceiling).output_bytes().await?;
        return Ok(Ended {
            stdout: Stream {
                bytes: result.stdout().len() as u64,
                head: hex(result.stdout()),
                ..Stream::default()
            },
            ..of_outcome(result.outcome())
        });
    }
    let command = command
        .stdout_raw_tee(out.clone())
        .stderr_raw_tee(err.clone());
    let result = match group(run)? {
        Some(group) => {
            let running = group.start(&command).await?;
            let ended = finish(running).await?;
            with_evidence(ended, &group)
        }
        None => finish(command.start().await?).await,
    };
    // What came before a cancel is in the collectors, whatever the error says.
    let ended = result.unwrap_or_else(|error| of_error(&error));
    Ok(Ended {
        stdout: out.stream(false),
        stderr: err.stream(false),
        ..ended
    })
}

async fn finish(running: RunningProcess) -> Result<Ended, Error> {
    running.drain().await.map(of_outcome)
}

fn command(run: &Run, cancel: &CancellationToken) -> Command {
    let grace = milliseconds(run.grace_ms);
    let mut command = Command::new(&run.program)
        .args(&run.args)
        .timeout(milliseconds(run.timeout_ms))
        .timeout_grace(grace)
        .cancel_on(cancel.clone())
        .cancel_grace(grace)
        .kill_on_parent_death();
    if let Some(idle) = run.idle_ms {
        command = command.inactivity_timeout(milliseconds(idle));
    }
    if let Some(bytes) = run.stdin_bytes {
        command = command.stdin(Stdin::from_bytes(vec![b'x'; bytes]));
    }
    // At the hard limit of CPU time the kernel kills without saying why.
    let limits = [
        (RlimitResource::Cpu, run.limits.cpu_seconds, 1),
        (
            RlimitResource::NoFile,
            run.limits.open_files.map(u64::from),
            0,
        ),
        (RlimitResource::FileSize, run.limits.file_size, 0),
    ];
    for (resource, limit, headroom) in limits {
        if let Some(limit) = limit {
            command = command.rlimit(resource, limit, limit + headroom);
        }
    }
    command
}

/// A group of its own, where a limit is asked for that only a group has.
fn group(run: &Run) -> Result<Option<ProcessGroup>, Error> {
    let mut options = ProcessGroupOptions::default();
    if run.limits.memory.is_none() && run.limits.processes.is_none() {
        return Ok(None);
    }
    if let Some(bytes) = run.limits.memory {
        options = options.max_memory(bytes);
    }
    if let Some(number) = run.limits.processes {
        options = options.max_processes(number);
    }
    ProcessGroup::with_options(options).map(Some)
}

fn with_evidence(ended: Ended, group: &ProcessGroup) -> Result<Ended, Error> {
    let evidence = group.limit_evidence();
    let limit = [
        ("memory", evidence.memory()),
        ("processes", evidence.processes()),
    ]
    .into_iter()
    .find(|(_, verdict)| *verdict == LimitVerdict::Tripped);
    Ok(match limit {
        Some((name, _)) => Ended {
            ending: Ending::Limit,
            limit: Some(name.to_owned()),
            ..ended
        },
        None => ended,
    })
}

fn of_outcome(outcome: Outcome) -> Ended {
    Ended {
        ending: match outcome {
            Outcome::Exited(_) => Ending::Exited,
            Outcome::Signalled(_) => Ending::Signaled,
            Outcome::TimedOut => Ending::TimedOut,
            Outcome::InactivityTimedOut => Ending::Idle,
            _ => Ending::Failed,
        },
        code: outcome.code(),
        signal: outcome.signal(),
        ..Ended::default()
    }
}

fn of_error(error: &Error) -> Ended {
    let busy = |source: &std::io::Error| source.kind() == std::io::ErrorKind::ExecutableFileBusy;
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is non-exhaustive")]
    let (ending, kind, limit) = match error.reason() {
        ErrorReason::Cancelled { .. } => (Ending::Cancelled, None, None),
        ErrorReason::OutputTooLarge { .. } => (Ending::Limit, None, Some("output")),
        ErrorReason::NotFound { .. } => (Ending::NotStarted, Some(StartFailure::NotFound), None),
        ErrorReason::Spawn { source, .. } => {
            let kind = if error.is_permission_denied() {
                StartFailure::NotExecutable
            } else if error.is_not_found() {
                StartFailure::NotFound
            } else if busy(source) {
                StartFailure::Busy
            } else {
                StartFailure::Other
            };
            (Ending::NotStarted, Some(kind), None)
        }
        _ => (Ending::Failed, None, None),
    };
    Ended {
        ending,
        kind,
        limit: limit.map(str::to_owned),
        message: Some(whole_message(error)),
        ..Ended::default()
    }
}
