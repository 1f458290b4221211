//! Drives one run from submission to outcome: the single implementation behind
//! the async call, its blocking twin and the streaming form.
//!
//! ```text
//! queued ──> submitted ──> running ──(deadline, idle, cancel, output limit)──> ending ──> draining ──> Finished
//! ```
//!
//! Time is kept here; processes are ended by the launcher. Whenever this future
//! is dropped its job socket closes, and the launcher kills the run.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::capture::Recorder;
use crate::command::{Command, Hold, Input, Keep, Limits, Scratch};
use crate::connection::{Connection, packet_sockets, variable, watch};
use crate::engine::Inner;
use crate::error::{ExecError, SpawnError};
use crate::outcome::{Finished, Leftovers, Limit, Outcome, Usage};
use crate::pump::{Output, Reader, Sink, Traffic, Which, feed, input_pipe};
use crate::stream::Event;
use crate::wire::{
    self, Bounds, Ended, Exit, MAX_DESCRIPTORS, Order, Raw, Report, Request, SpawnFailure, Step,
};

/// All processes of an ended run are dead, so its pipes end at once, unless one
/// was passed to a process outside, which only an unconfined run can do.
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// A launcher that has not killed a run by so long after the grace never will.
const KILL_TIME: Duration = Duration::from_secs(10);

/// Which places a run takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    /// Those of the runs in flight.
    Transient,
    /// Those of workers, which stay.
    Resident,
}

/// Runs `command`; `reader` sees what happens on the way: both streams when it
/// takes events, the standard output when it is a function.
pub(crate) async fn drive(
    engine: &Inner,
    command: Command,
    cancel: &CancellationToken,
    reader: Reader<'_>,
    stay: Stay,
) -> Result<Finished, ExecError> {
    let Command {
        program,
        args,
        env,
        stdin,
        handed,
        readable,
        scratch,
        limits,
        stdout,
        stderr,
        mut hold,
        console,
        memory,
    } = command;
    let sink = match &reader {
        Reader::Events(sink) => Some(*sink),
        Reader::Nobody | Reader::Function(_) => None,
    };
    if handed.len() + 4 > MAX_DESCRIPTORS {
        return Err(ExecError::TooManyFiles {
            count: handed.len(),
            limit: MAX_DESCRIPTORS - 4,
        });
    }
    let slots = match stay {
        Stay::Transient => &engine.slots,
        Stay::Resident => &engine.residents,
    };
    let _slot = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(never_ran()),
        slot = slots.acquire() => slot.expect("the semaphore is never closed"),
    };
    // Not earlier: waiting runs must not hold descriptors.
    let (mut out, mut out_theirs) = Output::open(Which::Stdout, stdout)?;
    let (mut err, mut err_theirs) = Output::open(Which::Stderr, stderr)?;
    let (input, bytes) = match stdin {
        Input::Null => (None, Bytes::new()),
        Input::Bytes(bytes) => (Some(input_pipe()?), bytes),
    };
    let (input, mut input_theirs) = input.unzip();
    if let Some(console) = console {
        // The pipes that were made here have no writers then, and end at once.
        out_theirs = console.stdout;
        err_theirs = console.stderr;
        input_theirs = Some(console.stdin);
    }
    let request = Request {
        program: Raw::path(&program),
        args: args.iter().map(Raw::os).collect(),
        env: env.iter().map(variable).collect(),
        stdin: input_theirs.is_some(),
        readable: readable.iter().map(|path| Raw::path(path)).collect(),
        scratch: match scratch {
            Scratch::None => None,
            Scratch::Private => Some(engine.next_name()),
        },
        bounds: Bounds::from(&limits),
        announce: sink.is_some(),
        tell_memory: memory.is_some(),
    };
    let (socket, connection) = {
        let theirs: Vec<OwnedFd> = [out_theirs, err_theirs]
            .into_iter()
            .chain(input_theirs)
            .chain(handed)
            .collect();
        let descriptors: Vec<BorrowedFd<'_>> = theirs.iter().map(AsFd::as_fd).collect();
        submit(engine, &request, &descriptors).await?
    };

    let started = Instant::now();
    let traffic = Traffic::new(started, limits.output);
    let mut run = Run {
        engine,
        connection,
        socket: watch(socket).map_err(ExecError::system("watch a run"))?,
        program,
        limits,
        started,
        memory,
        ending: None,
    };
    let (ended, bytes_in) = {
        let errors = sink.map_or(Reader::Nobody, Reader::Events);
        let pumps = async {
            tokio::join!(out.pump(&traffic, reader), err.pump(&traffic, errors));
        };
        // One that is held before it starts is held from the start.
        if let Some(hold) = &mut hold
            && *hold.borrow()
        {
            hold.mark_changed();
        }
        run.wait_for_end(pumps, feed(input, bytes), &traffic, cancel, sink, hold)
            .await?
    };
    Ok(Finished {
        outcome: run.outcome(&ended),
        usage: Usage {
            wall: started.elapsed(),
            user: ended.user,
            system: ended.system,
            peak_rss: ended.peak_rss,
            bytes_in,
            bytes_out: traffic.bytes(),
        },
        stdout: out.recorder.finish(),
        stderr: err.recorder.finish(),
        leftovers: ended.leftovers,
    })
}

/// The result of a run that was cancelled before it had a process.
fn never_ran() -> Finished {
    let nothing = || Recorder::new(&Keep::nothing()).finish();
    Finished {
        outcome: Outcome::Cancelled,
        stdout: nothing(),
        stderr: nothing(),
        usage: Usage::default(),
        leftovers: Leftovers::default(),
    }
}

/// Hands the run to the launcher, a new one if need be; returns our end of its
/// job socket.
async fn submit(
    engine: &Inner,
    request: &Request,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(OwnedFd, Arc<Connection>), ExecError> {
    for _ in 0..2 {
        let (ours, theirs) =
            packet_sockets().map_err(|error| ExecError::system("make a socket")(error.into()))?;
        let mut all = Vec::with_capacity(1 + descriptors.len());
        all.push(theirs.as_fd());
        all.extend_from_slice(descriptors);
        let connection = engine.connection();
        if connection.submit(request, &all).await? {
            return Ok((ours, connection));
        }
        engine.reconnect(&connection).await?;
    }
    Err(ExecError::LauncherDied)
}

/// What the loop below waits for.
enum Happening {
    Report(Option<Report>),
    Drained,
    Fed(u64),
    Deadline,
    Idle,
    Overflow,
    Cancelled,
    Hold(Option<bool>),
}

/// A run in the launcher's hands.
struct Run<'a> {
    engine: &'a Inner,
    connection: Arc<Connection>,
    socket: AsyncFd<OwnedFd>,
    program: PathBuf,
    limits: Limits,
    started: Instant,
    /// Who wants to know what memory it has.
    memory: Option<tokio::sync::watch::Sender<u64>>,
    /// Why the engine ended it, and when the launcher is overdue.
    ending: Option<(Outcome, Instant)>,
}

impl Run<'_> {
    /// Waits for the end of the run and of its output.
    async fn wait_for_end(
        &mut self,
        pumps: impl Future<Output = ()>,
        feed: impl Future<Output = u64>,
        traffic: &Traffic,
        cancel: &CancellationToken,
        sink: Option<&Sink>,
        mut hold: Option<Hold>,
    ) -> Result<(Ended, u64), ExecError> {
        let mut pumps = pin!(pumps);
        let mut feed = pin!(feed);
        let mut deadline = pin!(tokio::time::sleep_until(self.deadline()));
        let mut idle = pin!(tokio::time::sleep_until(self.idle_at(traffic)));
        let (mut ended, mut drained, mut fed) = (None, false, None);
        loop {
            let happening = {
                let running = self.ending.is_none() && ended.is_none();
                tokio::select! {
                    biased;
                    report = receive(&self.socket), if ended.is_none() => Happening::Report(report),
                    () = &mut pumps, if !drained => Happening::Drained,
                    bytes = &mut feed, if fed.is_none() => Happening::Fed(bytes),
                    () = cancel.cancelled(), if running => Happening::Cancelled,
                    () = traffic.overflow.notified(), if running => Happening::Overflow,
                    () = &mut idle, if running && self.limits.idle.is_some() => Happening::Idle,
                    held = changed(&mut hold), if running => Happening::Hold(held),
                    () = &mut deadline => Happening::Deadline,
                }
            };
            match happening {
                Happening::Report(Some(Report::Ended(end))) => {
                    ended = Some(end);
                    deadline.as_mut().reset(Instant::now() + DRAIN_TIME);
                }
                Happening::Report(Some(Report::Started { pid })) => {
                    if let Some(sink) = sink {
                        sink.send(Ok(Event::Started { pid })).await.ok();
                    }
                }
                Happening::Report(Some(Report::Resident { bytes })) => {
                    if let Some(memory) = &self.memory {
                        memory.send_replace(bytes);
                    }
                }
                Happening::Report(Some(Report::SpawnFailed(failure))) => {
                    return Err(spawn_error(&self.program, failure).into());
                }
                Happening::Report(None) => {
                    return Err(self.engine.launcher_lost(&self.connection).await);
                }
                Happening::Drained => drained = true,
                Happening::Fed(bytes) => fed = Some(bytes),
                Happening::Cancelled => self.end(Outcome::Cancelled),
                Happening::Hold(None) => hold = None,
                Happening::Hold(Some(held)) => self.order(Order::Hold(held)),
                Happening::Overflow => self.end(Outcome::LimitExceeded(Limit::Output)),
                Happening::Idle => {
                    let at = self.idle_at(traffic);
                    idle.as_mut().reset(at);
                    if let Some(limit) = self.limits.idle.filter(|_| at <= Instant::now()) {
                        self.end(Outcome::Idle(limit));
                    }
                }
                Happening::Deadline if ended.is_some() => {
                    tracing::warn!(program = %self.program.display(), "output pipes stay open after the end of the run");
                    drained = true;
                }
                Happening::Deadline => match self.ending {
                    None => self.end(Outcome::TimedOut(self.limits.timeout)),
                    Some(_) => return Err(self.engine.launcher_stuck(&self.connection)),
                },
            }
            if let Some((_, overdue)) = self.ending.filter(|_| ended.is_none())
                && deadline.deadline() != overdue
            {
                deadline.as_mut().reset(overdue);
            }
            if drained && let Some(ended) = ended {
                return Ok((ended, fed.unwrap_or(0)));
            }
        }
    }

    fn deadline(&self) -> Instant {
        far(self.started, self.limits.timeout)
    }

    fn idle_at(&self, traffic: &Traffic) -> Instant {
        far(traffic.last(), self.limits.idle.unwrap_or(Duration::MAX))
    }

    /// Has the run ended; the launcher reports when it has.
    fn end(&mut self, why: Outcome) {
        let grace = self.limits.grace;
        self.ending = Some((why, far(Instant::now(), grace.saturating_add(KILL_TIME))));
        self.order(Order::End { grace });
    }

    fn order(&self, order: Order) {
        let packet = wire::encode(&order).expect("an order is small");
        // When the launcher is gone, its end of the socket says so.
        wire::send(self.socket.get_ref(), &packet, &[]).ok();
    }

    fn outcome(&self, ended: &Ended) -> Outcome {
        match (self.ending, ended.limit, ended.exit) {
            (Some((why, _)), _, _) => why,
            (None, Some(limit), _) => Outcome::LimitExceeded(limit),
            (None, None, Exit::Code(code)) => Outcome::Exited(code),
            (None, None, Exit::Signal(signal)) => Outcome::Signaled(signal),
        }
    }
}

/// A moment so much later, or a very late one.
fn far(from: Instant, after: Duration) -> Instant {
    const VERY_LATE: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    from + after.min(VERY_LATE)
}

/// What a hold says when it says something else; `None` when it never will.
async fn changed(hold: &mut Option<Hold>) -> Option<bool> {
    match hold {
        Some(hold) => match hold.changed().await {
            Ok(()) => Some(*hold.borrow_and_update()),
            Err(_) => None,
        },
        None => std::future::pending().await,
    }
}

/// The next report; `None` when the launcher is gone.
async fn receive(socket: &AsyncFd<OwnedFd>) -> Option<Report> {
    loop {
        let mut ready = socket.readable().await.ok()?;
        let mut buffer = [0; 4096];
        match wire::receive(socket.get_ref(), RecvFlags::DONTWAIT, &mut buffer) {
            Err(Errno::AGAIN) => ready.clear_ready(),
            Ok(received) => return received.map(|(report, _)| report),
            Err(_) => return None,
        }
    }
}

/// Turns a failed step and its error number into what a user can act on.
fn spawn_error(program: &std::path::Path, failure: SpawnFailure) -> SpawnError {
    let SpawnFailure { step, errno } = failure;
    let program = program.to_owned();
    match (step, errno) {
        (Step::Exec, libc::ENOENT) if program.exists() => SpawnError::BadInterpreter { program },
        (Step::Exec, libc::ENOENT | libc::ENOTDIR) => SpawnError::NotFound { program },
        (Step::Exec, libc::EACCES | libc::EPERM | libc::EISDIR) => {
            SpawnError::NotExecutable { program }
        }
        (Step::Exec, libc::ETXTBSY) => SpawnError::Busy { program },
        (Step::Exec, libc::ENOEXEC) => SpawnError::BadFormat { program },
        (Step::Exec, libc::ELIBBAD | libc::ELOOP) => SpawnError::BadInterpreter { program },
        (Step::Landlock | Step::Seccomp | Step::Capabilities, _) => SpawnError::Confinement {
            program,
            step: step.name().to_owned(),
            errno,
        },
        (
            Step::Fork
            | Step::ProcessGroup
            | Step::Descriptors
            | Step::WorkingDirectory
            | Step::ResourceLimits
            | Step::Exec
            | Step::Supervisor,
            _,
        ) => SpawnError::Other {
            program,
            step: step.name().to_owned(),
            errno,
        },
    }
}
