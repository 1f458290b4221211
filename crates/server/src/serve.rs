//! Chooses the transport, and watches the engine come up beside it.

use std::time::Duration;

use reversecore_exec::StartError;
use rmcp::service::ServerInitializeError;

use crate::config::{Config, Transport};
use crate::handler::Handler;
use crate::http::{Http, HttpError, HttpSettings, Readiness, State};
use crate::shutdown::Shutdown;
use crate::stdio;

/// Why serving ended with a failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The HTTP server failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The client did not speak MCP.
    #[error("the client's first message is no MCP request: {0}")]
    Handshake(Box<ServerInitializeError>),
    /// The sandbox is required, and the machine lacks it.
    #[error(transparent)]
    Engine(StartError),
}

/// Serves until the client is gone or the shutdown is requested. Answers before
/// the engine is up: what it can do is found out beside.
///
/// # Errors
/// When the transport can't be served, or the sandbox is required and lacking.
pub async fn serve(
    handler: Handler,
    config: &Config,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    let grace = Duration::from_secs(config.server.shutdown_grace_seconds.get());
    let readiness = Readiness::default();
    let engine = watch_engine(handler.clone(), readiness.clone());
    tokio::pin!(engine);
    let transport = async {
        match config.server.transport {
            Transport::Stdio => stdio::serve(handler, &shutdown, grace)
                .await
                .map_err(|error| ServeError::Handshake(Box::new(error))),
            Transport::Http => {
                let http = Http::bind(HttpSettings::from(config), handler)?;
                tracing::info!(address = %http.address(), "listening for MCP on /mcp");
                Ok(http.reporting(readiness).serve(shutdown.clone()).await?)
            }
        }
    };
    tokio::pin!(transport);
    tokio::select! {
        served = &mut transport => served,
        error = &mut engine => {
            shutdown.request();
            transport.await?;
            Err(ServeError::Engine(error))
        }
    }
}

/// Notes in `readiness` what becomes of the engine. Returns only when the
/// server must not go on; any other fault shows in the calls' results, and the
/// engine tries again with each.
async fn watch_engine(handler: Handler, readiness: Readiness) -> StartError {
    match handler.catalogue().services().engine.mechanisms().await {
        Ok(mechanisms) => {
            let lacking: Vec<&str> = mechanisms
                .list
                .iter()
                .filter(|mechanism| !mechanism.holds)
                .map(|mechanism| mechanism.name.as_str())
                .collect();
            tracing::info!(containment = %mechanisms.containment, ?lacking, "execution engine ready");
            readiness.set(State::Ready);
        }
        Err(error @ StartError::SandboxUnavailable { .. }) => return error,
        Err(error) => {
            tracing::error!(%error, "the execution engine could not be brought up");
            readiness.set(State::Broken);
        }
    }
    std::future::pending().await
}
