//! One job with one worker: sends it, follows it, and says how it ended. Every
//! byte from a worker is checked against what may come at that moment.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Progress;
use super::frame::{self, Header, Kind, MAX_BODY, MAX_PROGRESS, PACKET};
use super::life::Worker;
use crate::command::Hold;
use crate::outcome::{Limit, Outcome, Signal, Usage};
use crate::resident::End;

/// A worker that has hung up is dead or about to be; its end is near.
const END_IS_NEAR: Duration = Duration::from_secs(1);
/// See [`exchange`].
const A_MOMENT: Duration = Duration::from_millis(250);
/// Progress frames that a worker may send at once and then for every second;
/// ours sends ten a second.
const PROGRESS_BURST: u64 = 100;
const PROGRESS_A_SECOND: u64 = 20;
/// Of what a worker said last, so much is reported.
const MESSAGE_BYTES: usize = 2 << 10;

/// One piece of work for a worker.
#[derive(Debug)]
pub struct Job {
    /// What the handler gets; its meaning is the handler's business.
    pub payload: Bytes,
    /// Files that the handler gets as open descriptors, at most 16. They should
    /// be open for reading only.
    pub files: Vec<OwnedFd>,
    /// From the call to the reply, waiting for a worker included; then the
    /// worker is killed.
    pub timeout: Duration,
    /// Prefer a worker that served the same rule set last and has it loaded.
    pub affinity: Option<[u8; 32]>,
    /// When its worker crashes, try once more with another one.
    pub retry: bool,
    /// The largest reply in bytes.
    pub max_reply: usize,
    /// Receives what the handler says on the way. What does not fit into the
    /// channel is dropped: nobody waits for a slow listener.
    pub progress: Option<mpsc::Sender<Progress>>,
    /// Has the worker stand still while it says so.
    pub hold: Option<Hold>,
}

impl Job {
    /// A job of this payload: no files, 60 s, a reply of at most 16 MiB, not
    /// tried again.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self {
            payload: payload.into(),
            files: Vec::new(),
            timeout: Duration::from_secs(60),
            affinity: None,
            retry: false,
            max_reply: 16 << 20,
            progress: None,
            hold: None,
        }
    }
}

/// A job that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the outcome says whether there is a reply"]
pub struct Work {
    /// How it ended.
    pub outcome: WorkOutcome,
    /// What it used, both tries together when there were two.
    ///
    /// `wall` is measured here, from the call. User and system time of a job
    /// whose worker lives on are what the worker says (a hostile one can lie);
    /// of a worker that died they are the kernel's, less what the worker had
    /// said before. `peak_rss` is the largest resident set that the worker ever
    /// had, earlier jobs included: an upper bound, again as the worker says
    /// while it lives. Bytes in and out are those of payload and reply.
    pub usage: Usage,
    /// Whether it was given to a second worker because the first crashed.
    pub retried: bool,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkOutcome {
    /// The handler's reply.
    Done(Bytes),
    /// Not done in time; the worker, if there was one, has been killed.
    TimedOut,
    /// Cancelled by the caller; the worker, if there was one, has been killed.
    Cancelled,
    /// The worker died of it.
    Crashed(Crash),
    /// The worker needed more memory than it may have.
    MemoryLimit,
    /// A file became shorter while the worker read it.
    FileChanged,
    /// The reply has this many bytes, more than [`Job::max_reply`].
    ReplyTooLarge(u64),
    /// The worker broke the protocol, as one does that a file has taken over,
    /// and has been killed.
    Misbehaved(&'static str),
}

/// How a worker died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// How its process ended; `None` when that is not known.
    pub ending: Option<Outcome>,
    /// The last lines of what it wrote to its standard error: the message of a
    /// panic, for example. From a process that may be hostile, and perhaps of
    /// an earlier job of the same worker. Without control characters but
    /// newlines.
    pub message: String,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ending {
            Some(ending) => write!(f, "the worker {ending}")?,
            None => write!(f, "the worker is gone")?,
        }
        match self.message.lines().last() {
            Some(line) => write!(f, " ({line})"),
            None => Ok(()),
        }
    }
}

/// How one try ended.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) outcome: WorkOutcome,
    pub(super) usage: Usage,
    /// The worker, where it may take another job.
    pub(super) worker: Option<Worker>,
}

/// Why there is no reply.
#[derive(Debug)]
enum Fault {
    HungUp,
    /// It hung up without having read the job.
    NotTaken,
    Misbehaved(&'static str),
}

/// What a worker said in the end.
#[derive(Debug)]
enum Reply {
    Done(Bytes),
    TooLarge(u64),
}

/// What ended the wait.
enum Happening {
    Said(Result<(Reply, Usage), Fault>),
    Cancelled,
    Deadline,
}

/// Gives the worker the job and waits for its end, at most until `deadline`.
///
/// A worker that was killed from outside while it was idle may die with the job
/// already taken off its socket by the kernel. A kill within a moment of the
/// handing over is taken for that, if `forgiving`. `None`: the worker was dead
/// already, and the job has not been touched.
pub(super) async fn exchange(
    mut worker: Worker,
    job: &Job,
    cancel: &CancellationToken,
    mut deadline: Pin<&mut Sleep>,
    forgiving: bool,
) -> Option<Tried> {
    let given = Instant::now();
    worker.jobs += 1;
    worker.affinity = job.affinity.or(worker.affinity);
    let left = deadline.deadline().saturating_duration_since(given);
    let life = Arc::clone(&worker.life);
    let may_be_held = job.hold.is_some();
    let following = life.follow(job.hold.clone());
    let happening = tokio::select! {
        biased;
        said = talk(&mut worker, job, left) => Happening::Said(said),
        () = cancel.cancelled() => Happening::Cancelled,
        () = deadline.as_mut() => Happening::Deadline,
        never = following => match never {},
    };
    if may_be_held {
        // The next job is not the one that was to stand still.
        life.hold.send_replace(false);
    }
    let outcome = match happening {
        Happening::Said(Ok((reply, usage))) => {
            worker.reported.user += usage.user;
            worker.reported.system += usage.system;
            let outcome = match reply {
                Reply::Done(bytes) => WorkOutcome::Done(bytes),
                Reply::TooLarge(size) => WorkOutcome::ReplyTooLarge(size),
            };
            return Some(Tried {
                outcome,
                usage,
                worker: Some(worker),
            });
        }
        Happening::Said(Err(Fault::NotTaken)) => return None,
        Happening::Said(Err(Fault::HungUp)) => None,
        Happening::Said(Err(Fault::Misbehaved(how))) => Some(WorkOutcome::Misbehaved(how)),
        Happening::Cancelled => Some(WorkOutcome::Cancelled),
        Happening::Deadline => Some(WorkOutcome::TimedOut),
    };
    let hung_up_after = given.elapsed();
    let life = Arc::clone(&worker.life);
    let before = worker.reported;
    if outcome.is_none() {
        // How it ended by itself says more than that it was killed.
        timeout(END_IS_NEAR, life.ended()).await.ok();
    }
    drop(worker);
    let end = life.ended().await;
    let killed = Outcome::Signaled(Signal(libc::SIGKILL));
    let was_killed = matches!(end.outcome, Ok(outcome) if outcome == killed);
    if outcome.is_none() && forgiving && was_killed && hung_up_after < A_MOMENT {
        return None;
    }
    Some(Tried {
        outcome: outcome.unwrap_or_else(|| outcome_of(&end, !job.files.is_empty())),
        usage: Usage {
            user: end.usage.user.saturating_sub(before.user),
            system: end.usage.system.saturating_sub(before.system),
            peak_rss: end.usage.peak_rss,
            ..Usage::default()
        },
        worker: None,
    })
}

/// What the death of a worker means for its job.
fn outcome_of(end: &End, has_files: bool) -> WorkOutcome {
    let message = last_words(&end.last_words);
    let ending = end.outcome.as_ref().ok().copied();
    match ending {
        Some(Outcome::LimitExceeded(Limit::Memory)) => WorkOutcome::MemoryLimit,
        // A single allocation beyond the ceiling fails before any watcher can
        // see it, and the allocator's last words say so (a hint on backtraces
        // may follow them).
        Some(Outcome::Signaled(Signal(libc::SIGABRT)))
            if message
                .lines()
                .rev()
                .take(2)
                .any(|line| line.starts_with("memory allocation of ")) =>
        {
            WorkOutcome::MemoryLimit
        }
        Some(Outcome::Signaled(Signal(libc::SIGBUS))) if has_files => WorkOutcome::FileChanged,
        Some(
            Outcome::Exited(_)
            | Outcome::Signaled(_)
            | Outcome::TimedOut(_)
            | Outcome::Idle(_)
            | Outcome::Cancelled
            | Outcome::LimitExceeded(_),
        )
        | None => WorkOutcome::Crashed(Crash {
            ending,
            message: match &end.outcome {
                Err(lost) => lost.to_string(),
                Ok(_) => message,
            },
        }),
    }
}

fn last_words(text: &str) -> String {
    let start = text.len().saturating_sub(MESSAGE_BYTES);
    let start = (start..=text.len())
        .find(|place| text.is_char_boundary(*place))
        .unwrap_or(text.len());
    let tail = text.get(start..).unwrap_or_default().trim();
    plain(tail, true)
}

/// Without control characters, which a terminal would obey.
fn plain(text: &str, lines: bool) -> String {
    text.chars()
        .filter(|letter| !letter.is_control() || (lines && *letter == '\n'))
        .collect()
}

/// Sends the job and takes frames until the last one.
async fn talk(worker: &mut Worker, job: &Job, left: Duration) -> Result<(Reply, Usage), Fault> {
    let Worker {
        socket,
        packet,
        jobs: number,
        ..
    } = worker;
    send(socket, *number, job, left).await?;
    let started = Instant::now();
    let mut progress = 0;
    loop {
        let length = receive(socket, packet).await?;
        let bytes = packet.get(..length).unwrap_or_default();
        let (header, first) = Header::decode(bytes).map_err(Fault::Misbehaved)?;
        if header.job != *number {
            return Err(Fault::Misbehaved("a frame is about another job"));
        }
        let length = header.length as usize;
        match header.kind {
            Kind::Progress => {
                progress += 1;
                let most = PROGRESS_BURST + started.elapsed().as_secs() * PROGRESS_A_SECOND;
                if length > MAX_PROGRESS || first.len() != length || progress > most {
                    return Err(Fault::Misbehaved("too much progress"));
                }
                report(job, first)?;
            }
            Kind::Done => {
                if length > job.max_reply {
                    return Err(Fault::Misbehaved("a reply is larger than it may be"));
                }
                let mut body = Vec::with_capacity(length.min(PACKET));
                body.extend_from_slice(first);
                while body.len() < length {
                    let more = receive(socket, packet).await?;
                    let part = packet.get(..more).unwrap_or_default();
                    if body.len() + part.len() > length {
                        return Err(Fault::Misbehaved("a reply has more than it said"));
                    }
                    body.extend_from_slice(part);
                }
                return Ok((Reply::Done(body.into()), said_usage(&header)));
            }
            Kind::TooLarge => {
                let size = header.numbers[3];
                if length != 0 || size <= job.max_reply.min(MAX_BODY) as u64 {
                    return Err(Fault::Misbehaved("a reply is not too large"));
                }
                return Ok((Reply::TooLarge(size), said_usage(&header)));
            }
            Kind::Setup | Kind::Hello | Kind::Job => {
                return Err(Fault::Misbehaved("a frame is none of a worker's"));
            }
        }
    }
}

fn said_usage(header: &Header) -> Usage {
    let [user, system, peak_rss, _] = header.numbers;
    Usage {
        user: Duration::from_micros(user),
        system: Duration::from_micros(system),
        peak_rss,
        ..Usage::default()
    }
}

fn report(job: &Job, body: &[u8]) -> Result<(), Fault> {
    let mut progress: Progress = postcard::from_bytes(body)
        .map_err(|_| Fault::Misbehaved("a progress frame can't be read"))?;
    progress.fraction = progress
        .fraction
        .filter(|fraction| fraction.is_finite())
        .map(|fraction| fraction.clamp(0.0, 1.0));
    progress.message = plain(&progress.message, false);
    if let Some(listener) = &job.progress {
        // A full channel loses this one; a closed one has nobody to tell.
        listener.try_send(progress).ok();
    }
    Ok(())
}

async fn send(
    socket: &AsyncFd<OwnedFd>,
    number: u64,
    job: &Job,
    left: Duration,
) -> Result<(), Fault> {
    let header = Header {
        kind: Kind::Job,
        length: u32::try_from(job.payload.len()).unwrap_or(u32::MAX),
        job: number,
        numbers: [
            job.max_reply as u64,
            u64::try_from(left.as_micros()).unwrap_or(u64::MAX),
            0,
            0,
        ],
    }
    .encode();
    let (first, rest) = frame::split(&job.payload);
    let mut files = [socket.as_fd(); frame::MAX_FILES];
    for (place, file) in files.iter_mut().zip(&job.files) {
        *place = file.as_fd();
    }
    let files = files.get(..job.files.len()).unwrap_or_default();
    send_packet(socket, [&header, first], files).await?;
    for part in rest {
        send_packet(socket, [part, &[]], &[]).await?;
    }
    Ok(())
}

async fn send_packet(
    socket: &AsyncFd<OwnedFd>,
    parts: [&[u8]; 2],
    files: &[BorrowedFd<'_>],
) -> Result<(), Fault> {
    loop {
        match frame::send(socket.get_ref(), parts, files, SendFlags::DONTWAIT) {
            Ok(()) => return Ok(()),
            Err(Errno::AGAIN) => writable(socket).await?,
            Err(Errno::TOOMANYREFS | Errno::NOBUFS) => {
                // Too many descriptors are on their way; some will arrive.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // It died while it was idle, or while the job was on its way to it.
            Err(_) => return Err(Fault::NotTaken),
        }
    }
}

/// Waits until there is room for a packet. Not the registration that reads: it
/// would be woken by every message that the worker takes.
async fn writable(socket: &AsyncFd<OwnedFd>) -> Result<(), Fault> {
    let again = socket.get_ref().try_clone().map_err(|_| Fault::HungUp)?;
    // SAFETY: an `OwnedFd` keeps its descriptor open, and the same, as long as
    // it lives, and the `AsyncFd` owns it.
    let again = unsafe { AsyncFd::register_with_interest(again, Interest::WRITABLE) }
        .map_err(|_| Fault::HungUp)?;
    again.writable().await.map(drop).map_err(|_| Fault::HungUp)
}

/// Receives one packet; its length is never zero.
async fn receive(socket: &AsyncFd<OwnedFd>, packet: &mut [u8]) -> Result<usize, Fault> {
    loop {
        let mut ready = socket.readable().await.map_err(|_| Fault::HungUp)?;
        match frame::receive(socket.get_ref(), packet, RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN) => ready.clear_ready(),
            Err(Errno::CONNRESET) => return Err(Fault::NotTaken),
            Err(_) => return Err(Fault::HungUp),
            Ok(received) if received.mangled => {
                return Err(Fault::Misbehaved("a packet is too large, or brought files"));
            }
            Ok(received) if received.length == 0 => return Err(Fault::HungUp),
            Ok(received) => return Ok(received.length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn died(outcome: Outcome, words: &str) -> WorkOutcome {
        let end = End {
            outcome: Ok(outcome),
            last_words: words.into(),
            usage: Usage::default(),
        };
        outcome_of(&end, true)
    }

    #[test]
    fn a_death_is_named_by_its_cause() {
        let abort = Outcome::Signaled(Signal(libc::SIGABRT));
        assert_eq!(
            died(
                abort,
                "memory allocation of 100 bytes failed\nnote: a hint\n"
            ),
            WorkOutcome::MemoryLimit
        );
        assert_eq!(
            died(Outcome::Signaled(Signal(libc::SIGBUS)), ""),
            WorkOutcome::FileChanged
        );
        let WorkOutcome::Crashed(crash) = died(abort, "first\n\u{1b}[31mlast\n") else {
            panic!("an abort is a crash");
        };
        assert_eq!(crash.to_string(), "the worker ended by SIGABRT ([31mlast)");
    }

    #[test]
    fn last_words_are_bounded_and_whole() {
        let words = last_words(&"é".repeat(MESSAGE_BYTES));
        assert_eq!(words.len(), MESSAGE_BYTES);
    }
}
