//! Where the bytes go with an engine that leaves that to its user: the ends of
//! the stream are kept, the whole is counted, hashed and, when asked for,
//! written to a file. Memory does not depend on the size of the stream.

use std::fs::File;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::protocol::{Run, Stream};

const CHUNK: usize = 64 << 10;

/// One stream of a run. Clones share it: an engine may want to own one.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    keep: usize,
    head: Vec<u8>,
    /// Up to twice `keep` bytes, so that old ones are dropped seldom.
    tail: Vec<u8>,
    total: u64,
    hash: Sha256,
    spill: Option<File>,
}

impl Collector {
    /// For standard output, which is the one that is spilled.
    pub(super) fn stdout(run: &Run) -> io::Result<Self> {
        let spill = run.spill.as_ref().map(File::create).transpose()?;
        Ok(Self::new(run.keep, spill))
    }

    pub(super) fn stderr(run: &Run) -> Self {
        Self::new(run.keep, None)
    }

    fn new(keep: usize, spill: Option<File>) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                keep,
                head: Vec::new(),
                tail: Vec::new(),
                total: 0,
                hash: Sha256::new(),
                spill,
            })),
        }
    }

    fn take(&self, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.total += bytes.len() as u64;
        inner.hash.update(bytes);
        if let Some(spill) = &mut inner.spill {
            spill.write_all(bytes)?;
        }
        let room = inner.keep - inner.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        inner.head.extend_from_slice(head);
        inner.tail.extend_from_slice(rest);
        if inner.tail.len() > 2 * inner.keep {
            let old = inner.tail.len() - inner.keep;
            inner.tail.drain(..old);
        }
        Ok(())
    }

    /// Takes a pipe in to its end.
    pub(super) async fn drain(&self, pipe: Option<impl AsyncRead + Unpin>) -> io::Result<()> {
        let Some(mut pipe) = pipe else { return Ok(()) };
        let mut buffer = vec![0; CHUNK];
        loop {
            match pipe.read(&mut buffer).await? {
                0 => return Ok(()),
                length => self.take(buffer.get(..length).unwrap_or_default())?,
            }
        }
    }

    /// What has come so far. With `text` as whoever has bytes makes text of them.
    pub(super) fn stream(&self, text: bool) -> Stream {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = inner.tail.len().min(inner.keep);
        let tail = inner
            .tail
            .get(inner.tail.len() - kept..)
            .unwrap_or_default();
        let all = [&inner.head, tail].concat();
        Stream {
            bytes: inner.total,
            sha256: hex(&inner.hash.clone().finalize()),
            head: hex(&inner.head),
            tail: hex(tail),
            text: text.then(|| String::from_utf8_lossy(&all).into_owned()),
        }
    }
}

/// For engines that want somewhere to write to.
impl AsyncWrite for Collector {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.take(bytes).map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Feeds a program that may not want it.
pub(super) async fn feed(pipe: Option<impl AsyncWrite + Unpin>, bytes: Option<usize>) {
    if let (Some(mut pipe), Some(bytes)) = (pipe, bytes) {
        // A program may end without having read all, which is no failure.
        pipe.write_all(&vec![b'x'; bytes]).await.ok();
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
