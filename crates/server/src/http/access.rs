//! What is known of each request, whatever becomes of it: an id that client and
//! log share, the trace that it belongs to (W3C Trace Context), and one line in
//! the log when it is answered. No header, no query and no body is logged.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::auth::Client;

const ID_HEADER: &str = "x-request-id";
const TRACE_HEADER: &str = "traceparent";
/// Longest id of a client's making that is taken over.
const LONGEST_ID: usize = 64;
/// How much of a path is logged.
const PATH_LOGGED: usize = 128;

/// A request's id; in its extensions.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(Arc<str>);

/// The trace that a request belongs to; in its extensions when there is one.
#[derive(Debug, Clone)]
pub(crate) struct TraceId(Arc<str>);

/// The middleware around all others.
pub(super) async fn note(mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let id = request_id(request.headers());
    let trace = trace_id(request.headers());
    let method = request.method().clone();
    let path: String = request.uri().path().chars().take(PATH_LOGGED).collect();
    let extensions = request.extensions_mut();
    extensions.insert(id.clone());
    if let Some(trace) = &trace {
        extensions.insert(trace.clone());
    }
    let span = span(&id, trace.as_ref());
    let mut response = next.run(request).instrument(span.clone()).await;
    let client = response.extensions().get::<Client>().map(Client::name);
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    let status = response.status().as_u16();
    span.in_scope(|| {
        let client = client.unwrap_or("-");
        // What asks every few seconds whether all is well would fill the log.
        if path.starts_with("/health/") || path == "/metrics" {
            tracing::debug!(%method, path, status, ms, client, "request");
        } else {
            tracing::info!(%method, path, status, ms, client, "request");
        }
    });
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(ID_HEADER, value);
    }
    response
}

/// What the lines of a request have in common.
pub(crate) fn span(id: &RequestId, trace: Option<&TraceId>) -> Span {
    let span = tracing::info_span!("http", id = &*id.0, trace = tracing::field::Empty);
    if let Some(trace) = trace {
        span.record("trace", &*trace.0);
    }
    span
}

/// The client's id where it is one, or a new one.
fn request_id(headers: &HeaderMap) -> RequestId {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let given = headers
        .get(ID_HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(plain));
    RequestId(given.map_or_else(new_id, Arc::from))
}

/// Not to be guessed, and the next one is another: the number is hashed with a
/// random key of this process.
fn new_id() -> Arc<str> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}", KEY.hash_one(number)).into()
}

/// The second field of `version-trace-parent-flags`, where all are as the W3C's
/// recommendation says.
fn trace_id(headers: &HeaderMap) -> Option<TraceId> {
    let mut values = headers.get_all(TRACE_HEADER).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let mut fields = value.to_str().ok()?.split('-');
    let mut field = |length: usize| {
        fields.next().filter(|field| {
            field.len() == length
                && field
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    let set = |digits: &&str| digits.bytes().any(|digit| digit != b'0');
    let version = field(2).filter(|version| *version != "ff")?;
    let trace = field(32).filter(set)?;
    field(16).filter(set)?;
    field(2)?;
    // Later versions may have more fields.
    (version != "00" || fields.next().is_none()).then(|| TraceId(trace.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn sane_ids_are_taken_over_and_others_replaced() {
        let long = "x".repeat(LONGEST_ID);
        for id in ["a", "6b1f-3.2_A", &long] {
            assert_eq!(&*request_id(&headers(ID_HEADER, id)).0, id);
        }
        let longer = "x".repeat(LONGEST_ID + 1);
        for id in ["", "a b", "a\"b", "id=1", &longer] {
            let made = request_id(&headers(ID_HEADER, id)).0;
            assert_eq!(made.len(), 16, "{id}: {made}");
        }
        assert_ne!(new_id(), new_id());
    }

    #[test]
    fn only_a_trace_as_the_recommendation_has_it_is_taken_over() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        let zeros = "0".repeat(32);
        for (given, taken) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("01-{TRACE}-00f067aa0ba902b7-01-more"), true),
            (format!("00-{TRACE}-00f067aa0ba902b7-01-more"), false),
            (format!("ff-{TRACE}-00f067aa0ba902b7-01"), false),
            (format!("00-{zeros}-00f067aa0ba902b7-01"), false),
            (format!("00-{TRACE}-0000000000000000-01"), false),
            (
                format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
                false,
            ),
            (format!("00-{TRACE}"), false),
            (String::new(), false),
        ] {
            let found = trace_id(&headers(TRACE_HEADER, &given));
            assert_eq!(
                found.map(|id| id.0.to_string()),
                taken.then(|| TRACE.to_owned()),
                "{given}"
            );
        }
    }
}
