//! One worker process from its start to its end: the task that drives its run,
//! the greeting, and the handle by which jobs use it.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::sync::{Arc, Weak};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, sockopt,
};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, timeout};

use super::frame::{self, Header, Kind, PACKET};
use super::lockdown::Found;
use super::pool::{PoolConfig, Shared};
use crate::command::{Command, Keep, Limits};
use crate::connection::{packet_sockets, watch as watch_socket};
use crate::drive::{Stay, drive};
use crate::engine::SandboxMode;
use crate::outcome::Usage;
use crate::pump::Reader;
use crate::resident::{End, Life, Telling, end_of};

/// What is kept of a worker's standard error: the last lines say why it died.
const LAST_WORDS: usize = 4 << 10;
/// Descriptors a worker may have open: a job's files, and a few of its own.
const OPEN_FILES: u32 = 64;

/// A worker that is ready. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) socket: AsyncFd<OwnedFd>,
    /// For incoming packets.
    pub(super) packet: Box<[u8]>,
    pub(super) life: Arc<Life>,
    pub(super) born: Instant,
    pub(super) idle_since: Instant,
    /// Jobs that it has been given.
    pub(super) jobs: u64,
    /// The rule set that it served last.
    pub(super) affinity: Option<[u8; 32]>,
    /// What it has reported of its jobs so far.
    pub(super) reported: Usage,
    /// As this process sees it; the kernel vouches for it.
    pid: u32,
    pool: Weak<Shared>,
}

impl Worker {
    /// Resident memory of its own in bytes: without pages of mapped files.
    /// Asked of the kernel, not of the worker.
    pub(super) fn own_memory(&self) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.pid)).ok()?;
        let mut fields = text.split(' ').skip(1).map(str::parse::<u64>);
        let (resident, shared) = (fields.next()?.ok()?, fields.next()?.ok()?);
        Some(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.life.kill.cancel();
        if let Some(pool) = self.pool.upgrade() {
            pool.worker_gone();
        }
    }
}

/// Starts a worker, makes it known to the pool, and follows it to its end.
pub(super) async fn live(shared: Arc<Shared>) {
    let life = Life::new();
    let telling = Telling(Arc::clone(&life));
    let sockets = packet_sockets().map_err(|error| error.to_string());
    let (ours, theirs) = match sockets {
        Ok(pair) => pair,
        Err(error) => return shared.start_failed(&format!("no socket: {error}")),
    };
    let command = command(&shared.config, theirs).hold(Some(life.hold.subscribe()));
    let mut run = pin!(drive(
        &shared.engine.inner,
        command,
        &life.kill,
        Reader::Nobody,
        Stay::Resident,
    ));
    let greeting = greet(&shared, ours, Arc::clone(&life));
    let greeted = tokio::select! {
        biased;
        finished = &mut run => {
            return shared.start_failed(&explain(end_of(finished)));
        }
        greeted = timeout(shared.config.start_timeout, greeting) => greeted,
    };
    let failed = match greeted {
        Ok(Ok(worker)) => {
            shared.started(worker);
            None
        }
        Ok(Err(reason)) => Some(reason),
        Err(_) => Some("it did not say that it is ready".into()),
    };
    if let Some(reason) = failed {
        // Where it hung up because it ended, its end says more.
        let ended = timeout(shared.config.start_timeout, &mut run).await;
        life.kill.cancel();
        let reason = match ended {
            Ok(finished) => format!("{reason}: {}", explain(end_of(finished))),
            Err(_) => {
                end_of(run.await);
                reason
            }
        };
        return shared.start_failed(&reason);
    }
    life.set_end(end_of(run.await));
    drop(telling);
    shared.ended(&life);
}

fn explain(end: End) -> String {
    let last = end.last_words.lines().last().unwrap_or_default();
    match end.outcome {
        Ok(outcome) if last.is_empty() => outcome.to_string(),
        Ok(outcome) => format!("{outcome}: {last}"),
        Err(lost) => lost.to_string(),
    }
}

fn command(config: &PoolConfig, socket: OwnedFd) -> Command {
    let mut command = Command::new(&config.program)
        .args(config.args.iter().cloned())
        .keep_stdout(Keep::nothing())
        .keep_stderr(Keep {
            head: 0,
            tail: LAST_WORDS,
            spill: None,
        })
        .limits(Limits {
            timeout: std::time::Duration::MAX,
            idle: None,
            grace: std::time::Duration::ZERO,
            cpu: None,
            memory: config.memory,
            processes: 1,
            open_files: OPEN_FILES,
            file_size: 0,
            scratch_bytes: 0,
            scratch_files: 0,
            output: None,
        });
    // Becomes descriptor 3.
    command.hand(File::from(socket));
    command
}

/// Tells the worker what it is, and hears what it made of it.
async fn greet(shared: &Arc<Shared>, socket: OwnedFd, life: Arc<Life>) -> Result<Worker, String> {
    let sandbox = shared.engine.inner.config.sandbox;
    sockopt::set_socket_passcred(&socket, true).map_err(|error| error.to_string())?;
    let setup = Header {
        kind: Kind::Setup,
        length: 0,
        job: 0,
        numbers: [u64::from(sandbox != SandboxMode::Off), 0, 0, 0],
    };
    frame::send(&socket, [&setup.encode(), &[]], &[], SendFlags::DONTWAIT)
        .map_err(|error| error.to_string())?;
    let socket = watch_socket(socket).map_err(|error| error.to_string())?;
    let mut packet: Box<[u8]> = vec![0; PACKET].into();
    let (length, pid) = loop {
        let mut ready = socket.readable().await.map_err(|error| error.to_string())?;
        match receive_hello(socket.get_ref(), &mut packet) {
            Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
            Err(_) => return Err("it hung up".into()),
            Ok(received) => break received,
        }
    };
    sockopt::set_socket_passcred(&socket, false).map_err(|error| error.to_string())?;
    if length == 0 {
        return Err("it hung up".into());
    }
    let greeting = packet.get(..length).unwrap_or_default();
    let found = match Header::decode(greeting)? {
        (header, body) if header.kind == Kind::Hello => postcard::from_bytes::<Found>(body)
            .map_err(|_| "its greeting can't be read".to_owned())?,
        _ => return Err("it said something else than a greeting".into()),
    };
    if sandbox == SandboxMode::Required
        && let Some(missing) = found.missing()
    {
        return Err(format!("the sandbox is required, and it lacks: {missing}"));
    }
    shared.set_mechanism(found.mechanism());
    let now = Instant::now();
    Ok(Worker {
        socket,
        packet,
        life,
        born: now,
        idle_since: now,
        jobs: 0,
        affinity: None,
        reported: Usage::default(),
        pid: pid.ok_or("the kernel did not say who it is")?,
        pool: Arc::downgrade(shared),
    })
}

/// Receives the greeting, and who sent it: the kernel knows.
fn receive_hello(socket: impl AsFd, packet: &mut [u8]) -> rustix::io::Result<(usize, Option<u32>)> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(
        socket,
        &mut [std::io::IoSliceMut::new(packet)],
        &mut control,
        RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC,
    )?;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the enum is rustix's; descriptors from a worker are closed here"
    )]
    let pid = control.drain().find_map(|ancillary| match ancillary {
        RecvAncillaryMessage::ScmCredentials(who) => {
            u32::try_from(who.pid.as_raw_nonzero().get()).ok()
        }
        _ => None,
    });
    Ok((message.bytes, pid))
}
