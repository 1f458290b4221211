//! Who may call: the names by which the server is addressed (against DNS
//! rebinding), the web page that asks (against cross-site requests), and the
//! key. It stands before everything but `/health/live`.
//!
//! rmcp checks host and origin again for `/mcp`, from the same lists; it does
//! not see the other paths.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri, header};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::HttpSettings;

const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
const KEY_HEADER: &str = "x-api-key";

/// What requests are checked against.
#[derive(Debug, Clone)]
pub(super) struct Guard(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    hosts: Vec<String>,
    origins: Vec<String>,
    /// Compared as hashes, so that neither content nor length shows in the time.
    key: Option<[u8; 32]>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Host,
    Origin,
    Key,
}

impl Guard {
    pub(super) fn new(settings: &HttpSettings, address: SocketAddr) -> Self {
        let key = settings.api_key.as_ref();
        Self(Arc::new(Rules {
            hosts: allowed_hosts(settings, address),
            origins: allowed_origins(settings, address),
            key: key.map(|key| Sha256::digest(key.expose()).into()),
        }))
    }

    fn judge(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let rules = &self.0;
        if !host_allowed(&rules.hosts, uri, headers) {
            return Err(Refusal::Host);
        }
        if !origin_allowed(&rules.origins, headers) {
            return Err(Refusal::Origin);
        }
        match rules.key {
            Some(key) if !key_matches(&key, headers) => Err(Refusal::Key),
            Some(_) | None => Ok(()),
        }
    }
}

/// The middleware.
pub(super) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.judge(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            tracing::warn!(?refusal, path = request.uri().path(), "request refused");
            refusal.into_response()
        }
    }
}

/// The host names by which the server may be addressed; without a port, any.
pub(super) fn allowed_hosts(settings: &HttpSettings, address: SocketAddr) -> Vec<String> {
    let own = (!address.ip().is_unspecified()).then(|| host_of(address));
    LOOPBACK_NAMES
        .into_iter()
        .map(str::to_owned)
        .chain(own)
        .chain(settings.allowed_hosts.iter().cloned())
        .collect()
}

/// The origins of web pages that may call.
pub(super) fn allowed_origins(settings: &HttpSettings, address: SocketAddr) -> Vec<String> {
    let own = (!address.ip().is_unspecified()).then(|| format!("http://{address}"));
    LOOPBACK_NAMES
        .into_iter()
        .map(|name| format!("http://{name}:*"))
        .chain(own)
        .chain(settings.allowed_origins.iter().cloned())
        .collect()
}

fn host_of(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

/// Exactly one host, and a known one. A request that names none can't come from
/// a browser, but nothing that speaks HTTP/1.1 leaves it out either.
fn host_allowed(allowed: &[String], uri: &Uri, headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::HOST).iter();
    let authority = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(|host| host.parse().ok()),
        (None, _) => uri.authority().cloned(),
        (Some(_), Some(_)) => None,
    };
    authority.is_some_and(|authority: Authority| {
        !authority.as_str().contains('@')
            && allowed.iter().any(|allowed| same_host(allowed, &authority))
    })
}

fn same_host(allowed: &str, authority: &Authority) -> bool {
    allowed.parse::<Authority>().is_ok_and(|allowed| {
        allowed.host().eq_ignore_ascii_case(authority.host())
            && (allowed.port().is_none() || allowed.port_u16() == authority.port_u16())
    })
}

/// No origin at all (no browser), or known ones only.
fn origin_allowed(allowed: &[String], headers: &HeaderMap) -> bool {
    headers.get_all(header::ORIGIN).iter().all(|origin| {
        origin
            .to_str()
            .is_ok_and(|origin| allowed.iter().any(|allowed| same_origin(allowed, origin)))
    })
}

/// An allowed origin ends in `:*` (any port) or must be the same in full.
fn same_origin(allowed: &str, origin: &str) -> bool {
    let Some(any_port) = allowed.strip_suffix(":*") else {
        return allowed.eq_ignore_ascii_case(origin);
    };
    let Some((head, port)) = origin.split_at_checked(any_port.len()) else {
        return false;
    };
    head.eq_ignore_ascii_case(any_port)
        && (port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok()))
}

fn key_matches(key: &[u8; 32], headers: &HeaderMap) -> bool {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .map(|value| value.as_bytes())
        .and_then(|value| value.split_at_checked("Bearer ".len()))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "))
        .map(|(_, token)| token);
    let given = bearer.or_else(|| headers.get(KEY_HEADER).map(|value| value.as_bytes()));
    given.is_some_and(|given| bool::from(Sha256::digest(given).as_slice().ct_eq(key)))
}

impl Refusal {
    fn into_response(self) -> Response {
        let (status, code, message, hint) = match self {
            Self::Host => (
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                "the Host header is not allowed",
                "add the name to `server.allowed_hosts`",
            ),
            Self::Origin => (
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                "the Origin header is not allowed",
                "add the origin to `server.allowed_origins`",
            ),
            Self::Key => (
                StatusCode::UNAUTHORIZED,
                "UNAUTHORIZED",
                "no API key, or a wrong one",
                "send the key as `Authorization: Bearer …` or `X-API-Key: …`",
            ),
        };
        let body = Json(json!({
            "status": "error", "error_code": code, "message": message, "hint": hint,
            "retryable": false,
        }));
        let mut response = (status, body).into_response();
        if self == Self::Key {
            let challenge = http::HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

#[cfg(test)]
mod tests;
