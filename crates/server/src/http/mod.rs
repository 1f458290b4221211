//! MCP over Streamable HTTP, with health and metrics beside it.
//!
//! ```text
//! accept ─> guard (host, origin, key) ─┬─ /health/live, /health/ready, /metrics   (web thread)
//!                                      └─ /mcp ─> mcp (rmcp)                      (work runtime)
//! ```
//!
//! The shutdown: stop accepting; wait for the calls in progress, within the
//! grace; cancel what is left, which also ends the streams that clients keep
//! open; wait for the connections. Encryption is not offered: beyond the
//! machine, put a proxy that speaks TLS in front.

mod connections;
pub(crate) use connections::ConnectionNumber;
mod guard;
mod health;
mod jobs;
mod mcp;
mod sessions;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{any, delete, get};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::config::{ApiKey, ServerConfig};
use crate::handler::Handler;
use crate::shutdown::{CANCEL_GRACE, Shutdown};

pub(crate) use health::{Readiness, State};

/// What the HTTP server is to be like.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Where to listen.
    pub address: SocketAddr,
    /// Accepted `Host` headers, besides loopback and the address itself.
    pub allowed_hosts: Vec<String>,
    /// Accepted `Origin` headers, besides loopback and the address itself.
    pub allowed_origins: Vec<String>,
    /// The key that requests must carry.
    pub api_key: Option<ApiKey>,
    /// How long calls may go on after the request to stop.
    pub grace: Duration,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// Connections open at one time.
    pub max_connections: usize,
    /// Sessions open at one time.
    pub max_sessions: usize,
}

impl From<&ServerConfig> for HttpSettings {
    fn from(config: &ServerConfig) -> Self {
        let ServerConfig {
            transport: _,
            http,
            allowed_hosts,
            allowed_origins,
            api_key,
            shutdown_grace_seconds,
            max_body_bytes,
            max_connections,
            max_sessions,
        } = config;
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        Self {
            address: http.0,
            allowed_hosts: allowed_hosts.clone(),
            allowed_origins: allowed_origins.clone(),
            api_key: api_key.clone(),
            grace: Duration::from_secs(shutdown_grace_seconds.get()),
            max_body_bytes: size(max_body_bytes.get()),
            max_connections: size(max_connections.get()),
            max_sessions: size(max_sessions.get()),
        }
    }
}

/// Why there is no HTTP server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Anybody on the network could use it.
    #[error(
        "refusing to listen on `{address}` without an API key: it can be reached from other machines (set MCP_API_KEY or `server.api_key`, or listen on 127.0.0.1)"
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
    /// The thread that speaks HTTP could not be started.
    #[error("failed to start the web thread")]
    WebThread(#[source] io::Error),
    /// The thread that speaks HTTP ended by a fault.
    #[error("the web thread ended unexpectedly (see the log)")]
    WebThreadDied,
}

/// An HTTP server that listens and does not answer yet.
#[derive(Debug)]
pub struct Http {
    listener: TcpListener,
    address: SocketAddr,
    settings: HttpSettings,
    handler: Handler,
    readiness: Readiness,
}

impl Http {
    /// Listens.
    ///
    /// # Errors
    /// When the address is not a loopback one and no key is set, or it can't be
    /// listened on.
    pub fn bind(settings: HttpSettings, handler: Handler) -> Result<Self, HttpError> {
        let address = settings.address;
        if !address.ip().is_loopback() && settings.api_key.is_none() {
            return Err(HttpError::KeyRequired { address });
        }
        let listen = || {
            let listener = TcpListener::bind(address)?;
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
            handler,
            readiness,
        } = self;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let stop = CancellationToken::new();
        let calls = handler.calls().clone();
        let catalogue = handler.catalogue().clone();
        let mcp = mcp::Mcp::new(handler, &settings, address, work, stop.clone());
        let sessions = mcp.sessions();
        let router = Router::new()
            .route("/mcp", any(mcp::serve).with_state(mcp))
            .route(
                "/health/ready",
                get(health::ready).with_state(readiness.clone()),
            )
            .route("/jobs", get(jobs::list).with_state(Arc::clone(&catalogue)))
            .route(
                "/jobs/{id}",
                delete(jobs::cancel).with_state(Arc::clone(&catalogue)),
            )
            .route("/metrics", get(health::metrics).with_state(catalogue))
            .layer(axum::middleware::from_fn_with_state(
                guard::Guard::new(&settings, address),
                guard::check,
            ))
            .route("/health/live", get(health::live));

        let closing = CancellationToken::new();
        let connections = connections::serve(
            listener,
            router,
            settings.max_connections,
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
