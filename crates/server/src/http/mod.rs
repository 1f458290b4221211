//! MCP over Streamable HTTP, with health, metrics, jobs and uploads beside it.
//!
//! ```text
//! connections ─> access ─┬─ /health/live
//!  (TLS, limits)  (id,   └─ guard ─┬─ /health/ready, /.well-known/…            (web thread)
//!                  log)     (host, └─ auth ─> rate ─┬─ /metrics, /jobs         (web thread)
//!                          origin)    (who)         ├─ /upload, /files, /artifacts (blocking threads)
//!                                                   └─ /mcp ─> mcp (rmcp)      (work runtime)
//! ```
//!
//! Each gate is a module that knows of no other one; [`Refusal`](refusal::Refusal)
//! is what all of them answer with.
//!
//! The shutdown: stop accepting; wait for the calls in progress, within the
//! grace; cancel what is left, which also ends the streams that clients keep
//! open; wait for the connections.

mod access;
mod artifacts;
mod auth;
mod body;
mod connections;
mod guard;
mod health;
mod jobs;
mod mcp;
mod places;
mod range;
mod rate;
mod refusal;
mod said;
mod session;
mod sessions;
mod settings;
mod stream;
mod tls;
mod uploads;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State as Extract};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, delete, get, post};
use http::{StatusCode, Uri};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::handler::{Handler, Served};
use crate::shutdown::{CANCEL_GRACE, Shutdown};
use auth::Auth;
use connections::PeerAddress;
use rate::Rates;
use refusal::Refusal;
use uploads::{Store, Uploads};

pub(crate) use access::{RequestId, TraceId, span as request_span};
pub(crate) use auth::Client;
pub use auth::TokenSetupError;
pub(crate) use connections::ConnectionNumber;
pub(crate) use health::{Readiness, State};
pub use settings::{HttpSettings, TlsFiles, UploadLimits};
pub use tls::TlsError;

/// Connections that the kernel keeps until they are accepted; it has a limit of
/// its own (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// Why there is no HTTP server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Anybody on the network could use it.
    #[error(
        "refusing to listen on `{address}` without an API key: it can be reached from other machines (set MCP_API_KEY, `http.keys` or `http.oauth`, or listen on 127.0.0.1)"
    )]
    KeyRequired {
        /// The address.
        address: SocketAddr,
    },
    /// The address can't be listened on.
    #[error(
        "failed to listen on `{address}` (is another server running there? `--http 127.0.0.1:0` takes a free port)"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Tokens can't be checked.
    #[error(transparent)]
    Tokens(#[from] TokenSetupError),
    /// The thread that speaks HTTP could not be started.
    #[error("failed to start the web thread")]
    WebThread(#[source] io::Error),
    /// The thread that speaks HTTP ended by a fault.
    #[error("the web thread ended unexpectedly (see the log)")]
    WebThreadDied,
}

/// An HTTP server that listens and does not answer yet.
#[derive(Debug)]
pub struct Http<H = Handler> {
    listener: TcpListener,
    address: SocketAddr,
    settings: HttpSettings,
    auth: Auth,
    tls: Option<Arc<rustls::ServerConfig>>,
    handler: H,
    readiness: Readiness,
}

impl<H: Served> Http<H> {
    /// Listens.
    ///
    /// # Errors
    /// When the address is not a loopback one and neither keys nor tokens are
    /// set, when a file of the settings can't be used, or when the address can't
    /// be listened on.
    pub fn bind(settings: HttpSettings, handler: H) -> Result<Self, HttpError> {
        let address = settings.address;
        if !address.ip().is_loopback() && !settings.identifies() {
            return Err(HttpError::KeyRequired { address });
        }
        let auth = Auth::new(&settings)?;
        let tls = settings.tls.as_ref().map(tls::config).transpose()?;
        let listen = || {
            let listener = TcpListener::bind(address)?;
            // Again, with more room: of many clients that come at once, those that
            // find none would try again after a second.
            rustix::net::listen(&listener, BACKLOG)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) =
            listen().map_err(|source| HttpError::Listen { address, source })?;
        Ok(Self {
            listener,
            address,
            settings,
            auth,
            tls,
            handler,
            readiness: Readiness::default(),
        })
    }

    /// The address that it listens on, with the port that the system chose when
    /// 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets `/health/ready` answer from this.
    #[must_use]
    pub(crate) fn reporting(mut self, readiness: Readiness) -> Self {
        self.readiness = readiness;
        self
    }

    /// Serves until the shutdown is requested. Tool calls run on the runtime
    /// that this is awaited on; HTTP itself on a thread of its own.
    ///
    /// # Errors
    /// When the web thread can't be started, or dies.
    pub async fn serve(self, shutdown: Shutdown) -> Result<(), HttpError> {
        let (ended, wait) = oneshot::channel();
        let work = Handle::current();
        std::thread::Builder::new()
            .name("web".to_owned())
            .spawn(move || {
                let served = tokio::runtime::Builder::new_current_thread()
                    .on_thread_park(reversecore_exec::memory::before_sleep)
                    .enable_all()
                    .build()
                    .and_then(|runtime| runtime.block_on(self.web(work, shutdown)));
                // Nobody to tell means that the server was dropped.
                ended.send(served).ok();
            })
            .map_err(HttpError::WebThread)?;
        wait.await
            .map_err(|_| HttpError::WebThreadDied)?
            .map_err(HttpError::WebThread)
    }

    /// All that happens on the web thread.
    async fn web(self, work: Handle, shutdown: Shutdown) -> io::Result<()> {
        let Self {
            listener,
            address,
            settings,
            auth,
            tls,
            mut handler,
            readiness,
        } = self;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let stop = CancellationToken::new();
        let calls = handler.core().calls().clone();
        let catalogue = handler.core().catalogue().clone();
        let store = Store::open(catalogue.services().workspace.root(), settings.uploads);
        let artifacts = artifacts::Artifacts::new(Arc::clone(&catalogue), work.clone());
        let uploads = Uploads::new(store, work.clone(), settings.body_time);
        let mcp = mcp::Mcp::new(handler, &settings, address, work, stop.clone());
        let sessions = mcp.sessions();
        // What needs a key where there are keys.
        let for_clients = Router::new()
            .route("/mcp", any(mcp::serve::<H>).with_state(Arc::new(mcp)))
            .route("/jobs", get(jobs::list).with_state(Arc::clone(&catalogue)))
            .route(
                "/jobs/{id}",
                delete(jobs::cancel).with_state(Arc::clone(&catalogue)),
            )
            .route("/metrics", get(health::metrics).with_state(catalogue))
            .route(
                "/artifacts/{id}",
                get(artifacts::content).with_state(artifacts),
            )
            .merge(upload_routes(uploads))
            .fallback(nothing_here)
            .layer(from_fn_with_state(
                settings.rate_limit.map(Rates::new),
                count,
            ))
            .layer(from_fn_with_state(auth.clone(), auth::check));
        let metadata = get(auth::metadata).with_state(auth);
        let router = for_clients
            .route(
                "/health/ready",
                get(health::ready).with_state(readiness.clone()),
            )
            .route(auth::METADATA_PATH, metadata.clone())
            .route(&format!("{}/{{*resource}}", auth::METADATA_PATH), metadata)
            .layer(from_fn_with_state(
                guard::Guard::new(&settings, address),
                guard::check,
            ))
            .route("/health/live", get(health::live))
            .layer(from_fn(access::note));

        let closing = CancellationToken::new();
        let connections = connections::serve(
            listener,
            router,
            tls.map(TlsAcceptor::from),
            connections::Limits {
                connections: settings.max_connections,
                header_bytes: settings.max_header_bytes,
                header_time: settings.header_time,
                write_time: settings.write_time,
            },
            closing.clone(),
            stop.clone(),
        );
        let end = async {
            tokio::select! {
                () = shutdown.begun() => {}
                () = sessions.close_idle_ones() => {}
            }
            readiness.set(State::Stopping);
            closing.cancel();
            tokio::select! {
                () = calls.finished() => {}
                () = shutdown.grace_over(settings.grace) => {}
            }
            stop.cancel();
            // Cancelled calls still answer, and their processes are gone then.
            tokio::time::timeout(CANCEL_GRACE, calls.finished()).await
        };
        let (end, ()) = tokio::join!(end, connections);
        if end.is_err() {
            tracing::warn!("calls did not end in time after they were cancelled");
        }
        Ok(())
    }
}

/// The routes for files that clients send.
fn upload_routes(uploads: Uploads) -> Router {
    Router::new()
        .route(
            "/upload",
            post(uploads::receive)
                .put(uploads::receive)
                // The store has a limit of its own.
                .layer(DefaultBodyLimit::disable()),
        )
        .route("/files", get(uploads::list))
        .route(
            "/files/{sha256}",
            get(uploads::entry).delete(uploads::delete),
        )
        .route("/files/{sha256}/content", get(uploads::content))
        .with_state(uploads)
}

/// The middleware that counts a client's requests: by its name, or where nobody
/// has one, by the address that it comes from.
async fn count(Extract(rates): Extract<Option<Rates>>, request: Request, next: Next) -> Response {
    let Some(rates) = rates else {
        return next.run(request).await;
    };
    let extensions = request.extensions();
    let client = match (extensions.get::<Client>(), extensions.get::<PeerAddress>()) {
        (Some(client), _) => client.shared(),
        (None, Some(PeerAddress(address))) => address.to_string().into(),
        (None, None) => "".into(),
    };
    match rates.count(&client) {
        Ok(()) => next.run(request).await,
        Err(wait) => Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "RATE_LIMITED",
            "too many requests of this client",
            "wait as long as `retry_after_ms` says (`http.rate_limit` is the limit)",
        )
        .retry_after(wait)
        .into_response(),
    }
}

/// Where no route leads.
async fn nothing_here(_: Uri) -> Response {
    Refusal::not_found(
        "nothing is served at this path",
        "MCP is at /mcp; beside it are /upload, /files, /artifacts, /jobs, /metrics and /health",
    )
    .into_response()
}
