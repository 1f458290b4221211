//! What a request is answered that is not served: a status, and a body in the
//! shape of a tool's error, so that a client reads both the same way.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// Stable, for programs.
    pub(super) code: &'static str,
    /// What happened.
    pub(super) message: Cow<'static, str>,
    /// What to change.
    pub(super) hint: &'static str,
    /// After what time the same request may be served.
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) const fn new(
        status: StatusCode,
        code: &'static str,
        message: &'static str,
        hint: &'static str,
    ) -> Self {
        Self {
            status,
            code,
            message: Cow::Borrowed(message),
            hint,
            retry_after: None,
        }
    }

    /// With words of its own. They must hold nothing of the request.
    pub(super) fn saying(mut self, message: String) -> Self {
        self.message = Cow::Owned(message);
        self
    }

    pub(super) fn retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    pub(super) fn body_too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BODY_TOO_LARGE",
            "",
            "send less; files are sent to /upload (`http.max_body_bytes` is the limit)",
        )
        .saying(format!("the request's body has more than {limit} bytes"))
    }

    pub(super) fn not_found(message: &'static str, hint: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message, hint)
    }

    /// The body, as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        let mut body = json!({
            "status": "error",
            "error_code": self.code,
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retry_after.is_some(),
        });
        if let (Some(after), Some(body)) = (self.retry_after, body.as_object_mut()) {
            let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            body.insert("retry_after_ms".to_owned(), millis.into());
        }
        body
    }

    /// Whole seconds for `Retry-After`, never less than the time itself.
    pub(super) fn retry_seconds(&self) -> Option<u64> {
        self.retry_after
            .map(|after| after.as_millis().div_ceil(1000).max(1))
            .map(|seconds| u64::try_from(seconds).unwrap_or(u64::MAX))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.json())).into_response();
        if let Some(seconds) = self.retry_seconds() {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
