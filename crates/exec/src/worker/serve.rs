//! The worker's side: the loop that a worker process runs, one job after the
//! other, and what a job's handler can ask of it.
//!
//! Nothing here tries to survive a mistake. A panic, a stack overflow, a failed
//! allocation or a signal ends the process, with its message on the standard
//! error, and the pool starts another one: after a panic nobody knows what the
//! state is worth, and the next job is somebody else's.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::frame::{self, HEADER, Header, Kind, MAX_BODY, MAX_PROGRESS, PACKET};
use super::lockdown::{Found, lock_down};
use super::{Progress, SOCKET};

/// The shortest time between two progress messages of a job.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// After a reply of more bytes, free memory is given back.
const WORTH_TRIMMING: usize = 4 << 20;

/// The stack of the thread that runs handlers.
const STACK: usize = 16 << 20;

/// What a handler knows of its job, besides payload and files.
#[derive(Debug)]
pub struct Context<'a> {
    socket: BorrowedFd<'a>,
    job: u64,
    max_reply: usize,
    started: Duration,
    time: Duration,
    last_progress: Option<Duration>,
}

impl Context<'_> {
    /// Tells how far the job has got: `fraction` from 0 to 1 where it is
    /// known. At most ten a second are sent; calls in between cost a look at
    /// the clock.
    pub fn progress(&mut self, fraction: Option<f64>, message: &str) {
        let now = monotonic();
        if self
            .last_progress
            .is_some_and(|last| now.saturating_sub(last) < PROGRESS_EVERY)
        {
            return;
        }
        self.last_progress = Some(now);
        let progress = Progress {
            fraction: fraction.filter(|fraction| fraction.is_finite()),
            message: message.chars().take(MAX_PROGRESS / 8).collect(),
        };
        let Ok(body) = postcard::to_allocvec(&progress) else {
            return;
        };
        self.send(Kind::Progress, [0; 4], &body);
    }

    /// What is left until the pool gives the job up and kills this process.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.time
            .saturating_sub(monotonic().saturating_sub(self.started))
    }

    /// The largest reply that is wanted, in bytes. A larger one is not sent.
    #[must_use]
    pub fn max_reply(&self) -> usize {
        self.max_reply
    }

    fn send(&self, kind: Kind, numbers: [u64; 4], body: &[u8]) {
        let header = Header {
            kind,
            length: u32::try_from(body.len()).unwrap_or(u32::MAX),
            job: self.job,
            numbers,
        };
        if frame::send_waiting(self.socket, &header, body).is_err() {
            // The pool is gone, and so is everybody who could want the reply.
            end();
        }
    }
}

/// The worker's main function: the executable calls this, and nothing else,
/// when it was started with [`PoolConfig::args`](super::PoolConfig::args).
///
/// It must be called before any thread is started, and returns when the pool
/// has hung up. `handler` turns the payload of a job and its files into the
/// payload of the reply; its own errors belong into that reply. It may keep
/// what it likes from job to job (compiled rules, say), as long as no job can
/// see what another was about.
pub fn serve(
    mut handler: impl FnMut(&mut Context<'_>, &[u8], Vec<OwnedFd>) -> Vec<u8> + Send,
) -> ExitCode {
    crate::turns::be_prompt();
    // SAFETY: whoever starts a worker hands it this descriptor; should it not
    // be open after all, the first call says so, and nothing else has been
    // opened that could have its number.
    let socket = unsafe { BorrowedFd::borrow_raw(SOCKET) };
    let Some(mut incoming) = Incoming::start(socket) else {
        note("a worker is started by the server, not by hand");
        return ExitCode::from(2);
    };
    // A thread, because only there the standard library can tell a stack
    // overflow (for the first one it would have to read `/proc`), and because
    // its stack has the same size everywhere. It inherits the confinement.
    let served = std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("worker".into())
            .stack_size(STACK)
            .spawn_scoped(scope, || work(&mut incoming, &mut handler))
            .map(std::thread::ScopedJoinHandle::join)
    });
    match served {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(_)) => ExitCode::FAILURE,
        Err(_) => {
            note("a worker has no memory for its stack");
            ExitCode::FAILURE
        }
    }
}

/// Does one job after the other until the pool hangs up.
fn work(
    incoming: &mut Incoming<'_>,
    handler: &mut impl FnMut(&mut Context<'_>, &[u8], Vec<OwnedFd>) -> Vec<u8>,
) {
    let socket = incoming.socket;
    let mut before = usage();
    while let Some(Taken {
        header,
        payload,
        files,
    }) = incoming.next()
    {
        let mut context = Context {
            socket,
            job: header.job,
            max_reply: usize::try_from(header.numbers[0]).unwrap_or(usize::MAX),
            started: monotonic(),
            time: Duration::from_micros(header.numbers[1]),
            last_progress: None,
        };
        let handled = catch_unwind(AssertUnwindSafe(|| handler(&mut context, payload, files)));
        // The hook has written the message already.
        let reply = handled.unwrap_or_else(|_| std::process::abort());
        let now = usage();
        let (user, system) = (now.0 - before.0.min(now.0), now.1 - before.1.min(now.1));
        before = now;
        let (kind, body): (Kind, &[u8]) = if reply.len() > context.max_reply.min(MAX_BODY) {
            (Kind::TooLarge, &[])
        } else {
            (Kind::Done, &reply)
        };
        context.send(kind, [user, system, now.2, reply.len() as u64], body);
        let large = reply.len() > WORTH_TRIMMING;
        drop(reply);
        if large {
            crate::memory::trim();
        }
    }
}

/// The frames from the pool.
struct Incoming<'a> {
    socket: BorrowedFd<'a>,
    packet: Box<[u8]>,
    /// Bodies of more than one packet.
    body: Vec<u8>,
}

/// A job as it was received.
struct Taken<'a> {
    header: Header,
    payload: &'a [u8],
    files: Vec<OwnedFd>,
}

impl<'a> Incoming<'a> {
    /// Takes the setup, locks down as it says, and greets.
    fn start(socket: BorrowedFd<'a>) -> Option<Self> {
        let mut incoming = Self {
            socket,
            packet: vec![0; PACKET].into(),
            body: Vec::new(),
        };
        let setup = incoming.receive(Kind::Setup)?.header;
        let found = if setup.numbers[0] == 0 {
            Found::switched_off()
        } else {
            // Both are read from the system once and remembered, which has to
            // be before there is no system to be read.
            let _page = rustix::param::page_size();
            let _now = monotonic();
            lock_down()
        };
        let body = postcard::to_allocvec(&found).ok()?;
        let header = Header {
            kind: Kind::Hello,
            length: u32::try_from(body.len()).ok()?,
            job: 0,
            numbers: [0; 4],
        };
        frame::send_waiting(socket, &header, &body).ok()?;
        Some(incoming)
    }

    /// The next job; `None` when the pool has hung up.
    fn next(&mut self) -> Option<Taken<'_>> {
        self.receive(Kind::Job)
    }

    /// The pool is trusted, so what it should not have sent is a mistake of
    /// ours, and the end.
    fn receive(&mut self, expected: Kind) -> Option<Taken<'_>> {
        let mut files = Vec::new();
        let length = frame::receive_with_files(self.socket, &mut self.packet, &mut files).ok()?;
        let (header, first) = Header::decode(self.packet.get(..length)?).ok()?;
        let whole = header.length as usize;
        if header.kind != expected || whole > MAX_BODY {
            return None;
        }
        if first.len() == whole {
            let payload = self.packet.get(HEADER..length)?;
            return Some(Taken {
                header,
                payload,
                files,
            });
        }
        self.body.clear();
        self.body.shrink_to(PACKET);
        self.body.extend_from_slice(first);
        while self.body.len() < whole {
            let length =
                frame::receive_with_files(self.socket, &mut self.packet, &mut files).ok()?;
            if length == 0 {
                return None;
            }
            self.body.extend_from_slice(self.packet.get(..length)?);
        }
        (self.body.len() == whole).then_some(Taken {
            header,
            payload: &self.body,
            files,
        })
    }
}

/// User and system time in microseconds, and the peak of the resident set in
/// bytes, of this process since its start.
fn usage() -> (u64, u64, u64) {
    // SAFETY: all-zero is a valid `rusage`, and the pointer is to a live local.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let micros = |time: libc::timeval| {
        u64::try_from(time.tv_sec * 1_000_000 + time.tv_usec).unwrap_or_default()
    };
    (
        micros(usage.ru_utime),
        micros(usage.ru_stime),
        u64::try_from(usage.ru_maxrss).unwrap_or_default() * 1024,
    )
}

/// Time since some fixed moment: a worker has no runtime, hence no runtime's clock.
fn monotonic() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// A worker without a pool has nothing left to do.
fn end() -> ! {
    crate::launcher::exit_now(0)
}

#[expect(clippy::print_stderr, reason = "the pool, or whoever tried, reads it")]
fn note(message: &str) {
    eprintln!("{message}");
}
