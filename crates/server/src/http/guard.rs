//! From where may be called: the names by which the server is addressed (against
//! DNS rebinding), and the web page that asks (against cross-site requests). It
//! stands before everything but `/health/live`. Who asks is not looked at here.
//!
//! rmcp checks host and origin again for `/mcp`, from the same lists; it does
//! not see the other paths.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri, header};

use super::refusal::Refusal as Answer;
use super::settings::HttpSettings;

const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// What requests are checked against.
#[derive(Debug, Clone)]
pub(super) struct Guard(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Host,
    Origin,
}

impl Guard {
    pub(super) fn new(settings: &HttpSettings, address: SocketAddr) -> Self {
        Self(Arc::new(Rules {
            hosts: allowed_hosts(settings, address),
            origins: allowed_origins(settings, address),
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
        Ok(())
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
    let scheme = if settings.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let own = (!address.ip().is_unspecified()).then(|| format!("{scheme}://{address}"));
    LOOPBACK_NAMES
        .into_iter()
        .map(|name| format!("{scheme}://{name}:*"))
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

impl Refusal {
    fn into_response(self) -> Response {
        let (message, hint) = match self {
            Self::Host => (
                "the Host header is not allowed",
                "add the name to `http.allowed_hosts`",
            ),
            Self::Origin => (
                "the Origin header is not allowed",
                "add the origin to `http.allowed_origins`",
            ),
        };
        Answer::new(StatusCode::FORBIDDEN, "FORBIDDEN", message, hint).into_response()
    }
}

#[cfg(test)]
mod tests;
