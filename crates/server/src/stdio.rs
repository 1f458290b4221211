//! MCP over the standard streams, for a client that starts the server itself.
//!
//! The end comes in one of three ways: the client closes stdin (calls may
//! finish as long as somebody reads their answers), the client is gone
//! altogether (calls are cancelled at once), or a signal (grace, then cancel).
//! Each is bounded in time.

use std::io;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use rmcp::service::{RunningService, ServerInitializeError};
use rmcp::transport::stdio_pipes;
use rmcp::{RoleServer, ServiceExt as _};
use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use crate::handler::Handler;
use crate::shutdown::{CANCEL_GRACE, Shutdown};
use crate::verbatim;

/// How often to look whether the reader of stdout is still there, once stdin
/// has been closed.
const READER_CHECK: Duration = Duration::from_millis(100);

/// Serves until the client closes stdin or the shutdown is requested.
///
/// # Errors
/// When the client's first message is no valid beginning of MCP.
pub(crate) async fn serve(
    handler: Handler,
    shutdown: &Shutdown,
    grace: Duration,
) -> Result<(), ServerInitializeError> {
    let calls = handler.calls().clone();
    let (reader, writer) = stdio_pipes();
    let end_of_input = CancellationToken::new();
    let reader = NoteEnd {
        inner: reader,
        end: end_of_input.clone(),
    };
    let writer = Unwrapped {
        inner: writer,
        pending: Bytes::new(),
    };
    let service = tokio::select! {
        started = handler.verbatim().serve((reader, writer)) => match started {
            Ok(service) => service,
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(error),
        },
        () = shutdown.begun() => return Ok(()),
    };
    run(service, shutdown, grace, &end_of_input, calls.finished()).await;
    if tokio::time::timeout(CANCEL_GRACE, calls.finished())
        .await
        .is_err()
    {
        tracing::warn!("calls did not end in time after they were cancelled");
    }
    Ok(())
}

async fn run(
    service: RunningService<RoleServer, Handler>,
    shutdown: &Shutdown,
    grace: Duration,
    end_of_input: &CancellationToken,
    calls_finished: impl Future<Output = ()>,
) {
    let stop = service.cancellation_token();
    let ended = service.waiting();
    tokio::pin!(ended, calls_finished);
    tokio::select! {
        _ = &mut ended => return,
        () = shutdown.begun() => {
            tokio::select! {
                () = calls_finished => {}
                () = shutdown.grace_over(grace) => {}
            }
        }
        () = reader_gone(end_of_input) => {}
    }
    stop.cancel();
    if tokio::time::timeout(CANCEL_GRACE, ended).await.is_err() {
        tracing::warn!("the connection did not close in time");
    }
}

/// Waits until stdin has been closed and nobody reads stdout any more.
async fn reader_gone(end_of_input: &CancellationToken) {
    end_of_input.cancelled().await;
    let mut checks = tokio::time::interval(READER_CHECK);
    loop {
        checks.tick().await;
        if stdout_broken() {
            return;
        }
    }
}

fn stdout_broken() -> bool {
    let stdout = io::stdout();
    let stdout = stdout.as_fd();
    // No event is asked for: errors and hang-ups are reported all the same.
    let mut polled = [PollFd::from_borrowed_fd(stdout, PollFlags::empty())];
    let now = Timespec::default();
    rustix::event::poll(&mut polled, Some(&now)).is_ok()
        && polled
            .iter()
            .any(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP))
}

/// Passes reads on, and fires a token at the end of the stream: rmcp notices
/// the end too, but then waits for the calls in progress.
#[derive(Debug)]
struct NoteEnd<R> {
    inner: R,
    end: CancellationToken,
}

impl<R: AsyncRead + Unpin> AsyncRead for NoteEnd<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if let Poll::Ready(result) = &polled
            && (result.is_err() || (buffer.filled().len() == before && buffer.remaining() > 0))
        {
            self.end.cancel();
        }
        polled
    }
}

/// Takes the wrappers off what rmcp writes; see [`verbatim`].
///
/// rmcp hands over whole messages, and all that is handed over is taken at
/// once, so a wrapper is never seen cut in two. At most one hand-over is held.
#[derive(Debug)]
struct Unwrapped<W> {
    inner: W,
    pending: Bytes,
}

impl<W: AsyncWrite + Unpin> Unwrapped<W> {
    /// Writes what is pending; ready when nothing is left of it.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.pending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Unwrapped<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        messages: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_drain(context))?;
        self.pending = verbatim::unwrap(Bytes::copy_from_slice(messages));
        // What does not go out now goes out before the next, or at the flush.
        match self.poll_drain(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(messages.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn the_end_of_the_input_is_noted_and_nothing_before_it() {
        let end = CancellationToken::new();
        let mut reader = NoteEnd {
            inner: &b"two\nlines\n"[..],
            end: end.clone(),
        };
        let mut four = [0; 4];
        reader.read_exact(&mut four).await.unwrap();
        assert!(!end.is_cancelled());
        reader.read_to_end(&mut Vec::new()).await.unwrap();
        assert!(end.is_cancelled());
    }

    #[tokio::test]
    async fn messages_leave_unwrapped_however_slowly_they_are_read() {
        let report = format!("{{\"text\":\"{}\"}}", "a \\\"b\\\" ~ ".repeat(1000));
        let message = format!("{{\"result\":{}}}\n", verbatim::wrap(report.clone()));
        let (inner, mut reader) = tokio::io::duplex(7);
        let mut writer = Unwrapped {
            inner,
            pending: Bytes::new(),
        };
        let write = async {
            for _ in 0..3 {
                assert_eq!(
                    writer.write(message.as_bytes()).await.unwrap(),
                    message.len()
                );
            }
            writer.shutdown().await.unwrap();
            drop(writer);
        };
        let mut seen = String::new();
        let (read, ()) = tokio::join!(reader.read_to_string(&mut seen), write);
        read.unwrap();
        assert_eq!(seen, format!("{{\"result\":{report}}}\n").repeat(3));
    }
}
