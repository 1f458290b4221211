//! Whether the server lives, whether it can be given work, and its metrics.
//! These run on the web thread and wait for nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use reversecore_tools::{Catalogue, Telemetry};
use serde_json::json;
use tokio::sync::watch;

/// Whether the server can be given work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    /// The execution engine has not answered yet.
    #[default]
    Starting,
    /// Yes.
    Ready,
    /// The execution engine could not be brought up.
    Broken,
    /// The shutdown has begun.
    Stopping,
}

/// The state, shared. Once stopping, it stays so.
#[derive(Debug, Clone)]
pub(crate) struct Readiness(Arc<watch::Sender<State>>);

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }
}

impl Readiness {
    pub(crate) fn set(&self, state: State) {
        self.0.send_modify(|current| {
            if *current != State::Stopping {
                *current = state;
            }
        });
    }

    fn get(&self) -> State {
        *self.0.borrow()
    }
}

/// `GET /health/live`: the process answers.
pub(super) async fn live() -> impl IntoResponse {
    Json(json!({ "status": "live" }))
}

/// `GET /health/ready`: 200 when work is accepted, else 503 and why.
pub(super) async fn ready(Extract(readiness): Extract<Readiness>) -> Response {
    let (code, status) = match readiness.get() {
        State::Ready => (StatusCode::OK, "ready"),
        State::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        State::Broken => (StatusCode::SERVICE_UNAVAILABLE, "broken"),
        State::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    };
    (code, Json(json!({ "status": status }))).into_response()
}

/// `GET /metrics`: for Prometheus.
pub(super) async fn metrics(Extract(catalogue): Extract<Arc<Catalogue>>) -> Response {
    (
        [(header::CONTENT_TYPE, Telemetry::CONTENT_TYPE)],
        catalogue.services().telemetry.encode(),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stopping_is_final() {
        let readiness = Readiness::default();
        assert_eq!(readiness.get(), State::Starting);
        readiness.set(State::Ready);
        assert_eq!(readiness.get(), State::Ready);
        readiness.set(State::Stopping);
        readiness.set(State::Ready);
        assert_eq!(readiness.get(), State::Stopping);
    }
}
