//! `/mcp`: hands a request over to rmcp on the work runtime.
//!
//! Sessions for the protocol versions that have them; a request of 2026-07-28
//! is on its own, and answered with plain JSON unless something is to be said
//! before the answer. When the client goes away, such a request is cancelled
//! (rmcp does that when the future here, or the answer's body, is dropped); a
//! call in a session goes on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower_http::timeout::TimeoutBody;

use super::sessions::Sessions;
use super::{HttpSettings, guard};
use crate::calls::Calls;
use crate::handler::Handler;
use crate::verbatim;

/// How long a request's body may pause.
const BODY_PAUSE: Duration = Duration::from_secs(30);

/// What serves `/mcp`.
#[derive(Clone)]
pub(super) struct Mcp {
    service: StreamableHttpService<Handler, Sessions>,
    sessions: Arc<Sessions>,
    calls: Calls,
    work: Handle,
    stop: CancellationToken,
}

impl Mcp {
    pub(super) fn new(
        handler: Handler,
        settings: &HttpSettings,
        address: SocketAddr,
        work: Handle,
        stop: CancellationToken,
    ) -> Self {
        let calls = handler.calls().clone();
        let handler = handler.verbatim();
        let sessions = Sessions::new(calls.clone(), settings.max_sessions);
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(true)
            .with_json_response(true)
            .with_cancellation_token(stop.clone())
            .with_allowed_hosts(guard::allowed_hosts(settings, address))
            .with_allowed_origins(guard::allowed_origins(settings, address))
            .enforce_origin_validation()
            .with_max_request_body_bytes(settings.max_body_bytes);
        Self {
            service: StreamableHttpService::new(
                move || Ok(handler.clone()),
                Arc::clone(&sessions),
                config,
            ),
            sessions,
            calls,
            work,
            stop,
        }
    }

    pub(super) fn sessions(&self) -> Arc<Sessions> {
        Arc::clone(&self.sessions)
    }
}

/// The route.
pub(super) async fn serve(State(mcp): State<Mcp>, request: Request) -> Response {
    let Mcp {
        service,
        sessions: _,
        calls,
        work,
        stop,
    } = mcp;
    // A stream that the client listens on is no answer: it never ends by itself.
    let delivery = (request.method() != Method::GET).then(|| calls.delivery());
    let request = request.map(|body| Box::pin(TimeoutBody::new(BODY_PAUSE, body)));
    let served = AbortOnDropHandle::new(work.spawn(async move { service.handle(request).await }));
    match served.await {
        Ok(response) if response.status().is_server_error() && stop.is_cancelled() => {
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Ok(response) => response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _held_until_the_body_ends = &delivery;
                frame.map_data(verbatim::unwrap)
            }))
        }),
        Err(error) => {
            tracing::error!(%error, "a request ended by a fault");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
