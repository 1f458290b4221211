//! Moves bytes between the engine and one run's standard streams. Each stream
//! has a pump of its own, so that none waits for another: not for a consumer,
//! not for a disk, not for a program that does not read.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::capture::Recorder;
use crate::error::ExecError;
use crate::stream::Event;

/// Most programs of this field write less than this at a time.
const SMALL: usize = 8 << 10;
/// For the few that write much: fewer system calls and fewer switches.
const LARGE: usize = 256 << 10;
/// The pipe of such a program, in bytes; the system may allow less.
const LARGE_PIPE: usize = 1 << 20;

/// What both pumps of a run count together.
#[derive(Debug)]
pub(crate) struct Traffic {
    started: Instant,
    bytes: AtomicU64,
    /// Microseconds from `started` to the last byte.
    last: AtomicU64,
    limit: u64,
    /// Notified once more bytes than `limit` have come.
    pub(crate) overflow: Notify,
}

impl Traffic {
    pub(crate) fn new(started: Instant, limit: Option<u64>) -> Self {
        Self {
            started,
            bytes: AtomicU64::new(0),
            last: AtomicU64::new(0),
            limit: limit.unwrap_or(u64::MAX),
            overflow: Notify::new(),
        }
    }

    fn count(&self, length: usize) {
        let micros = self.started.elapsed().as_micros();
        self.last
            .store(u64::try_from(micros).unwrap_or(u64::MAX), Relaxed);
        let before = self.bytes.fetch_add(length as u64, Relaxed);
        let after = before + length as u64;
        if before <= self.limit && after > self.limit {
            self.overflow.notify_one();
        }
    }

    /// All bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// When the last byte came, or when the run started.
    pub(crate) fn last(&self) -> Instant {
        self.started + std::time::Duration::from_micros(self.last.load(Relaxed))
    }
}

/// Which stream a pump empties.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    Stdout,
    Stderr,
}

/// Carries the events of the streaming form.
pub(crate) type Sink = mpsc::Sender<Result<Event, ExecError>>;

/// Who sees the bytes of a stream as they arrive.
pub(crate) enum Reader<'a> {
    Nobody,
    /// The consumer of the streaming form.
    Events(&'a Sink),
    /// A function that is called in place: no task, no channel, no copy.
    Function(&'a mut (dyn FnMut(&[u8]) + Send)),
}

impl Reader<'_> {
    async fn take(&mut self, which: Which, bytes: &[u8]) {
        match self {
            Self::Nobody => {}
            Self::Events(sink) => {
                let bytes = Bytes::copy_from_slice(bytes);
                let event = match which {
                    Which::Stdout => Event::Stdout(bytes),
                    Which::Stderr => Event::Stderr(bytes),
                };
                // A consumer that is gone has dropped the run as well.
                sink.send(Ok(event)).await.ok();
            }
            Self::Function(function) => function(bytes),
        }
    }
}

/// One output stream of a run.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) which: Which,
    pub(crate) pipe: pipe::Receiver,
    pub(crate) recorder: Recorder,
    pub(crate) spill: Option<Arc<File>>,
}

impl Output {
    /// Makes a pipe; returns our end as part of the value, and the child's.
    pub(crate) fn open(
        which: Which,
        keep: crate::command::Keep,
    ) -> Result<(Self, OwnedFd), ExecError> {
        let recorder = Recorder::new(&keep);
        let opened = pipe_with(PipeFlags::CLOEXEC)
            .map_err(io::Error::from)
            .and_then(|(ours, theirs)| Ok((pipe::Receiver::from_owned_fd(ours)?, theirs)));
        let (pipe, theirs) = opened.map_err(ExecError::system("make a pipe"))?;
        let output = Self {
            which,
            pipe,
            recorder,
            spill: keep.spill.map(Arc::new),
        };
        Ok((output, theirs))
    }

    /// Empties the pipe until all its writers are gone.
    pub(crate) async fn pump(&mut self, traffic: &Traffic, mut reader: Reader<'_>) {
        let mut buffer = Vec::with_capacity(SMALL);
        loop {
            buffer.clear();
            match self.pipe.read_buf(&mut buffer).await {
                Ok(0) => return,
                Ok(length) => traffic.count(length),
                Err(error) => {
                    tracing::warn!(%error, stream = ?self.which, "reading a program's output failed");
                    return;
                }
            }
            self.recorder.record(&buffer);
            reader.take(self.which, &buffer).await;
            let full = buffer.len() == buffer.capacity();
            if let Some(spill) = self.spill.clone() {
                buffer = self.write_spill(spill, buffer).await;
            }
            if full && buffer.capacity() < LARGE {
                rustix::pipe::fcntl_setpipe_size(self.pipe.as_fd(), LARGE_PIPE).ok();
                buffer = Vec::with_capacity(LARGE);
            }
        }
    }

    /// Writes on a thread that may block. A full disk does not end the run: it
    /// ends the copy, with a note.
    async fn write_spill(&mut self, spill: Arc<File>, buffer: Vec<u8>) -> Vec<u8> {
        let written = tokio::task::spawn_blocking(move || {
            let result = (&*spill).write_all(&buffer);
            (result, buffer)
        })
        .await;
        let (result, buffer) = match written {
            Ok(written) => written,
            Err(error) => (Err(io::Error::other(error)), Vec::with_capacity(SMALL)),
        };
        if let Err(error) = result {
            self.recorder.spill_error = Some(error.to_string());
            self.spill = None;
        }
        buffer
    }
}

/// Feeds a program's standard input; returns the bytes that went in. A program
/// that ends without reading is no error.
pub(crate) async fn feed(pipe: Option<pipe::Sender>, input: Bytes) -> u64 {
    let Some(mut pipe) = pipe else {
        return 0;
    };
    let mut rest = input.clone();
    while !rest.is_empty() {
        if !matches!(pipe.write_buf(&mut rest).await, Ok(length) if length > 0) {
            break;
        }
    }
    (input.len() - rest.len()) as u64
}

/// Makes the pipe for a standard input; returns our end and the child's.
pub(crate) fn input_pipe() -> Result<(pipe::Sender, OwnedFd), ExecError> {
    pipe_with(PipeFlags::CLOEXEC)
        .map_err(io::Error::from)
        .and_then(|(theirs, ours)| Ok((pipe::Sender::from_owned_fd(ours)?, theirs)))
        .map_err(ExecError::system("make a pipe"))
}
