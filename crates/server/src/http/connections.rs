//! Accepts connections and speaks HTTP/1.1 on them, within bounds: on their
//! number, on the size of a request's head and the time for it, and on how long
//! an answer may stay unread. What the requests mean is the router's business.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::places::Places;
use super::refusal::Refusal;
use super::stream::{LINGER, Patient, linger};
use crate::shutdown::CANCEL_GRACE;

/// After a failed accept (out of descriptors, most likely), so that the loop
/// does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long answers may take to reach their clients once calls are cancelled.
const FLUSH_GRACE: Duration = Duration::from_secs(1);
/// Connections that are told at one time that there is no room; further ones are
/// closed without a word.
const TURNED_AWAY_AT_ONCE: usize = 256;
/// When a client that was turned away may come again.
const ROOM_AFTER: Duration = Duration::from_secs(1);
/// The same for a connection that ends with the server.
const LAST_LINGER: Duration = Duration::from_millis(100);
/// Headers of one request.
const MOST_HEADERS: usize = 100;

/// Which connection a request came on; in the extensions of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionNumber(pub(crate) u64);

/// From where it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerAddress(pub(super) IpAddr);

/// What one connection may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at one time.
    pub(super) connections: usize,
    /// Bytes of a request's head.
    pub(super) header_bytes: usize,
    /// For a request's head.
    pub(super) header_time: Duration,
    /// For which an answer may stay unread.
    pub(super) write_time: Duration,
}

/// What all connections share.
#[derive(Clone)]
struct Shared {
    router: Router,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    closing: CancellationToken,
}

/// Serves connections until `closing` fires, then until the open ones have
/// ended. These end after the request they are at; once `stop` has fired, they
/// have a bounded time left.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    closing: CancellationToken,
    stop: CancellationToken,
) {
    let places = Places::new(limits.connections);
    let shared = Shared {
        router,
        tls,
        limits,
        closing: closing.clone(),
    };
    let mut connections = JoinSet::new();
    let mut turned_away = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            () = closing.cancelled() => break,
            Some(_) = connections.join_next() => {}
            Some(_) = turned_away.join_next() => {}
            (stream, address) = accept(&listener) => {
                number += 1;
                match places.take(address) {
                    Some(place) => {
                        let of = (ConnectionNumber(number), PeerAddress(address));
                        let shared = shared.clone();
                        connections.spawn(async move {
                            connection(stream, of, shared).await;
                            drop(place);
                        });
                    }
                    None if turned_away.len() < TURNED_AWAY_AT_ONCE => {
                        let encrypted = shared.tls.is_some();
                        turned_away.spawn(turn_away(stream, encrypted));
                    }
                    None => drop(stream),
                }
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

async fn accept(listener: &TcpListener) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Without this, each event of a stream waits for the other
                // side's delayed acknowledgement: 44 ms instead of less than 1.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "failed to set TCP_NODELAY");
                }
                return (stream, address.ip());
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Tells a client that there is no room. What it sends is not looked at.
async fn turn_away(stream: TcpStream, encrypted: bool) {
    if !encrypted {
        // A new socket has room for this; if not, there is nobody to tell.
        stream.try_write(no_room().as_bytes()).ok();
    }
    linger(&stream, LINGER).await;
}

fn no_room() -> String {
    let refusal = Refusal::new(
        http::StatusCode::SERVICE_UNAVAILABLE,
        "TOO_MANY_CONNECTIONS",
        "too many connections are open",
        "use one connection for many requests, and try again later (`http.max_connections` is the limit)",
    )
    .retry_after(ROOM_AFTER);
    let body = refusal.json().to_string();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nretry-after: {}\r\nconnection: close\r\n\r\n{body}",
        body.len(),
        refusal.retry_seconds().unwrap_or_default(),
    )
}

async fn connection(stream: TcpStream, of: (ConnectionNumber, PeerAddress), shared: Shared) {
    let (limits, closing) = (shared.limits, shared.closing.clone());
    let socket = Arc::new(stream);
    let patient = Patient::new(Arc::clone(&socket), limits.write_time);
    let Some(acceptor) = shared.tls.clone() else {
        requests(patient, of, shared).await;
        return linger(&socket, left(&closing)).await;
    };
    match tokio::time::timeout(limits.header_time, acceptor.accept(patient)).await {
        Ok(Ok(encrypted)) => {
            requests(encrypted, of, shared).await;
            linger(&socket, left(&closing)).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "no TLS connection came about"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// How long a connection that has ended is waited for.
fn left(closing: &CancellationToken) -> Duration {
    if closing.is_cancelled() {
        LAST_LINGER
    } else {
        LINGER
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    (number, address): (ConnectionNumber, PeerAddress),
    shared: Shared,
) {
    let Shared {
        router,
        tls: _,
        limits,
        closing,
    } = shared;
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(number);
        request.extensions_mut().insert(address);
        router.call(request)
    });
    let mut served = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_time)
            .max_headers(MOST_HEADERS)
            .max_buf_size(limits.header_bytes)
            .serve_connection(TokioIo::new(stream), service)
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
}
