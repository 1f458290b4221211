//! Our own engine: as the server uses it, with the launcher in the same
//! executable and the sandbox as far as it holds.
//!
//! Arguments after the name: `--in-flight N`, `--rung cgroup|pid-namespace|subreaper`.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;

use reversecore_exec::{
    Captured, Command, Containment, EngineConfig, ExecError, Finished, Input, Keep, Limit, Limits,
    Outcome, Scratch, SpawnError,
};
use tokio_util::sync::CancellationToken;

use super::collect::hex;
use super::{Engine, LAUNCHER_ARGUMENT, milliseconds, whole_message};
use crate::protocol::{Ended, Ending, Hello, Offer, Run, StartFailure, Stream};

/// Enough that no case waits behind another.
const IN_FLIGHT: usize = 100;

pub(super) struct Ours {
    engine: reversecore_exec::Engine,
}

impl Ours {
    pub(super) fn start(arguments: &[String]) -> io::Result<Self> {
        let mut config = EngineConfig::new(std::env::current_exe()?, std::env::temp_dir());
        config.launcher_args = vec![LAUNCHER_ARGUMENT.into()];
        config.max_in_flight = NonZeroUsize::new(IN_FLIGHT).expect("it is not zero");
        for pair in arguments.chunks(2) {
            match pair {
                [name, value] if name == "--in-flight" => {
                    config.max_in_flight = value.parse().map_err(io::Error::other)?;
                }
                [name, value] if name == "--rung" => {
                    config.containment = Some(rung(value)?);
                }
                _ => return Err(io::Error::other(format!("unknown arguments: {pair:?}"))),
            }
        }
        let engine = reversecore_exec::Engine::start(config).map_err(io::Error::other)?;
        Ok(Self { engine })
    }
}

fn rung(name: &str) -> io::Result<Containment> {
    [
        Containment::Cgroup,
        Containment::PidNamespace,
        Containment::Subreaper,
    ]
    .into_iter()
    .find(|rung| rung.to_string() == name)
    .ok_or_else(|| io::Error::other(format!("unknown rung: `{name}`")))
}

impl Engine for Ours {
    async fn hello(&self) -> Hello {
        let rung = match self.engine.mechanisms().await {
            Ok(mechanisms) => mechanisms.containment.to_string(),
            Err(error) => format!("none ({})", whole_message(&error)),
        };
        Hello {
            engine: "reversecore-exec".to_owned(),
            configured: format!(
                "`Engine::run`, `sandbox = \"auto\"`, the best containment that holds ({rung})"
            ),
            offers: vec![
                Offer::Grace,
                Offer::Idle,
                Offer::Leftovers,
                Offer::Queue,
                Offer::Scratch,
                Offer::Output,
                Offer::Memory,
                Offer::Processes,
                Offer::CpuTime,
                Offer::OpenFiles,
                Offer::FileSize,
                Offer::ScratchFiles,
            ],
        }
    }

    async fn run(&self, run: &Run, cancel: &CancellationToken) -> Ended {
        let command = match command(run) {
            Ok(command) => command,
            Err(error) => return super::bare::failed(&error),
        };
        match self.engine.run(command, cancel).await {
            Ok(finished) => of_finished(&finished, run.text),
            Err(error) => of_error(&error),
        }
    }
}

fn command(run: &Run) -> io::Result<Command> {
    let keep = |spill| Keep {
        head: run.keep,
        tail: run.keep,
        spill,
    };
    let spill = run.spill.as_ref().map(File::create).transpose()?;
    let mut command = Command::new(&run.program)
        .args(run.args.iter())
        .limits(limits(run))
        .keep_stdout(keep(spill))
        .keep_stderr(keep(None));
    if let Some(bytes) = run.stdin_bytes {
        command = command.stdin(Input::Bytes(vec![b'x'; bytes].into()));
    }
    if run.scratch {
        command = command.scratch(Scratch::Private);
    }
    Ok(command)
}

fn limits(run: &Run) -> Limits {
    let ours = Limits::default();
    let asked = &run.limits;
    Limits {
        timeout: milliseconds(run.timeout_ms),
        grace: milliseconds(run.grace_ms),
        idle: run.idle_ms.map(milliseconds),
        cpu: asked
            .cpu_seconds
            .map(|seconds| milliseconds(1000 * seconds)),
        memory: asked.memory.unwrap_or(ours.memory),
        processes: asked.processes.unwrap_or(ours.processes),
        open_files: asked.open_files.unwrap_or(ours.open_files),
        file_size: asked.file_size.unwrap_or(ours.file_size),
        scratch_files: asked.scratch_files.unwrap_or(ours.scratch_files),
        output: asked.output,
        ..ours
    }
}

fn of_finished(finished: &Finished, text: bool) -> Ended {
    let (mut code, mut signal, mut limit) = (None, None, None);
    let ending = match finished.outcome {
        Outcome::Exited(number) => {
            code = Some(number);
            Ending::Exited
        }
        Outcome::Signaled(number) => {
            signal = Some(number.0);
            Ending::Signaled
        }
        Outcome::TimedOut(_) => Ending::TimedOut,
        Outcome::Idle(_) => Ending::Idle,
        Outcome::Cancelled => Ending::Cancelled,
        Outcome::LimitExceeded(which) => {
            limit = Some(name(which).to_owned());
            Ending::Limit
        }
    };
    Ended {
        ending,
        code,
        signal,
        limit,
        stdout: stream(&finished.stdout, text),
        stderr: stream(&finished.stderr, false),
        leftovers: Some(finished.leftovers.count),
        ..Ended::default()
    }
}

fn name(limit: Limit) -> &'static str {
    match limit {
        Limit::Memory => "memory",
        Limit::Processes => "processes",
        Limit::CpuTime => "cpu_seconds",
        Limit::OpenFiles => "open_files",
        Limit::FileSize => "file_size",
        Limit::Scratch => "scratch_files",
        Limit::Output => "output",
    }
}

fn stream(captured: &Captured, text: bool) -> Stream {
    Stream {
        bytes: captured.total,
        sha256: hex(&captured.sha256),
        head: hex(&captured.head),
        tail: hex(&captured.tail),
        text: text.then(|| captured.text()),
    }
}

fn of_error(error: &ExecError) -> Ended {
    let kind = if let ExecError::Spawn(error) = error {
        Some(kind_of(error))
    } else {
        None
    };
    Ended {
        ending: if kind.is_some() {
            Ending::NotStarted
        } else {
            Ending::Failed
        },
        kind,
        message: Some(whole_message(error)),
        ..Ended::default()
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is non-exhaustive")]
fn kind_of(error: &SpawnError) -> StartFailure {
    match error {
        SpawnError::NotFound { .. } => StartFailure::NotFound,
        SpawnError::NotExecutable { .. } => StartFailure::NotExecutable,
        SpawnError::Busy { .. } => StartFailure::Busy,
        SpawnError::BadInterpreter { .. } => StartFailure::BadInterpreter,
        _ => StartFailure::Other,
    }
}
