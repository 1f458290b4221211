//! Accepts connections and speaks HTTP/1.1 on them, within bounds: on their
//! number, and on the time for a request's head. What the requests mean is the
//! router's business.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::shutdown::CANCEL_GRACE;

/// A connection that sends no complete request head for so long is closed; an
/// idle one too.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// After a failed accept (out of descriptors, most likely), so that the loop
/// does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long answers may take to reach their clients once calls are cancelled.
const FLUSH_GRACE: Duration = Duration::from_secs(1);

/// Which connection a request came on; in the extensions of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionNumber(pub(crate) u64);

/// Serves connections until `closing` fires, then until the open ones have
/// ended. These end after the request they are at; once `stop` has fired, they
/// have a bounded time left.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    max: usize,
    closing: CancellationToken,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            () = closing.cancelled() => break,
            Some(_) = connections.join_next() => {}
            (stream, slot) = accept(&listener, &slots) => {
                number += 1;
                let router = router.clone().layer(Extension(ConnectionNumber(number)));
                connections.spawn(connection(stream, router, closing.clone(), slot));
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    let out_of_time = async {
        stop.cancelled().await;
        tokio::time::sleep(CANCEL_GRACE + FLUSH_GRACE).await;
    };
    tokio::select! {
        () = ended => {}
        () = out_of_time => tracing::warn!("connections did not end in time and are cut off"),
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without this, each event of a stream waits for the other
                // side's delayed acknowledgement: 44 ms instead of less than 1.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "failed to set TCP_NODELAY");
                }
                return (stream, slot);
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    closing: CancellationToken,
    slot: OwnedSemaphorePermit,
) {
    let mut served = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    let result = tokio::select! {
        result = served.as_mut() => result,
        () = closing.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended early");
    }
    drop(slot);
}
