//! `/mcp`: hands a request over to rmcp on the work runtime.
//!
//! Sessions for the protocol versions that have them; a request of 2026-07-28
//! is on its own, and answered with plain JSON unless something is to be said
//! before the answer. When the client goes away, such a request is cancelled
//! (rmcp does that when the future here, or the answer's body, is dropped); a
//! call in a session goes on.
//!
//! The body is read here, before the work runtime or rmcp see anything of it: what
//! is too large, too slow or no JSON goes no further.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode, header};
use http_body_util::BodyExt as _;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::auth::Client;
use super::sessions::{Sessions, asked_by, gone};
use super::{HttpSettings, body, guard};
use crate::calls::Calls;
use crate::handler::{SESSION_HEADER, Served};
use crate::verbatim;

/// JSON-RPC's own codes.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;

/// What serves `/mcp`.
pub(super) struct Mcp<H> {
    service: StreamableHttpService<H, Sessions>,
    sessions: Arc<Sessions>,
    calls: Calls,
    work: Handle,
    stop: CancellationToken,
    max_body_bytes: usize,
    body_time: Duration,
}

impl<H: Served> Mcp<H> {
    pub(super) fn new(
        mut handler: H,
        settings: &HttpSettings,
        address: SocketAddr,
        work: Handle,
        stop: CancellationToken,
    ) -> Self {
        let core = handler.core();
        let calls = core.calls().clone();
        *core = core.verbatim();
        let sessions = Sessions::new(
            calls.clone(),
            settings.max_sessions,
            settings.max_sessions_per_client,
        );
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(true)
            .with_json_response(true)
            // It would open streams of all versions in a way that older clients can't
            // read; sessions do that themselves.
            .with_sse_retry(None)
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
            max_body_bytes: settings.max_body_bytes,
            body_time: settings.body_time,
        }
    }

    pub(super) fn sessions(&self) -> Arc<Sessions> {
        Arc::clone(&self.sessions)
    }
}

/// The route.
pub(super) async fn serve<H: Served>(
    // Shared: rmcp's settings have lists of names, which are not worth a copy a request.
    State(mcp): State<Arc<Mcp<H>>>,
    request: Request,
) -> Response {
    let client = request.extensions().get::<Client>().map(Client::shared);
    let session = request.headers().get(SESSION_HEADER);
    let session = session.and_then(|id| id.to_str().ok());
    if session.is_some_and(|id| mcp.calls.is_anothers(id, client.as_deref())) {
        return gone().into_response();
    }
    let is_json = is_json(&request);
    let (parts, unread) = request.into_parts();
    let mut read = Body::empty();
    if parts.method == Method::POST {
        match body::whole(&parts.headers, unread, mcp.max_body_bytes, mcp.body_time).await {
            Err(refusal) => return refusal.into_response(),
            Ok(body) if is_json && serde_json::from_slice::<IgnoredAny>(&body).is_err() => {
                return bad_message(PARSE_ERROR, "the message is not valid JSON");
            }
            Ok(body) => read = Body::from(body),
        }
    }
    // A stream that the client listens on is no answer: it never ends by itself.
    let delivery = (parts.method != Method::GET).then(|| mcp.calls.delivery());
    let request = Request::from_parts(parts, read);
    let shared = Arc::clone(&mcp);
    // What rmcp does with it is on the heap: the task around it is moved a few times.
    let served = async move { asked_by(client, Box::pin(shared.service.handle(request))).await };
    let served = AbortOnDropHandle::new(mcp.work.spawn(served.in_current_span()));
    let (response, refusal) = match served.await {
        Ok(served) => served,
        Err(error) => {
            tracing::error!(%error, "a request ended by a fault");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let status = response.status();
    if status.is_server_error() && mcp.stop.is_cancelled() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if status.is_server_error()
        && let Some(refusal) = refusal
    {
        return refusal.into_response();
    }
    if status == StatusCode::UNSUPPORTED_MEDIA_TYPE && is_json {
        return bad_message(INVALID_REQUEST, "the message is not valid JSON-RPC 2.0");
    }
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held_until_the_body_ends = &delivery;
            frame.map_data(verbatim::unwrap)
        }))
    })
}

fn is_json(request: &Request) -> bool {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"))
}

/// A message that can't be read, nor answered by its id.
fn bad_message(code: i32, message: &str) -> Response {
    let error = json!({"code": code, "message": message});
    let body = json!({"jsonrpc": "2.0", "id": null, "error": error});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
