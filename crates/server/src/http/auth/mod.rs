//! Who asks: the owner of a key, or of a token. A client that is known so keeps
//! its name for turns, rate, quota and log, whatever connection it comes on.
//!
//! Where neither keys nor tokens are configured, nobody has a name, and the
//! server can be reached from this machine only.

mod ring;
mod tokens;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use super::refusal::Refusal;
use super::settings::HttpSettings;
pub use tokens::TokenSetupError;
pub(super) use tokens::{METADATA_PATH, metadata};
use tokens::{TokenError, Tokens};

const KEY_HEADER: &str = "x-api-key";
/// What the owners of `http.api_key` are called, all together.
const SHARED_KEY_NAME: &str = "api-key";

/// A client that has shown who it is; in the extensions of its requests, and of
/// their answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client(Arc<str>);

impl Client {
    /// What it is called; never a key or a token.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Whether it has the key of all, which is the operator's.
    pub(super) fn is_operator(&self) -> bool {
        &*self.0 == SHARED_KEY_NAME
    }

    /// The same, shared.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

/// What requests are checked against.
#[derive(Debug, Clone)]
pub(super) struct Auth(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keys: Vec<(Client, [u8; 32])>,
    tokens: Option<Tokens>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denied {
    /// It carries nothing that says who asks, or more than one such thing.
    Nothing,
    /// No key, and no token, is like that.
    Wrong,
    /// A token is out of time, for somebody else, or forged.
    Token(TokenError),
}

impl Auth {
    pub(super) fn new(settings: &HttpSettings) -> Result<Self, TokenSetupError> {
        let client = |name: &str| Client(name.into());
        let shared = settings.api_key.as_ref().map(|key| {
            let hash = key.hash();
            (client(SHARED_KEY_NAME), *hash.bytes())
        });
        let named = settings
            .keys
            .iter()
            .map(|(name, hash)| (client(name.as_str()), *hash.bytes()));
        Ok(Self(Arc::new(Inner {
            keys: named.chain(shared).collect(),
            tokens: settings.oauth.as_ref().map(Tokens::new).transpose()?,
        })))
    }

    pub(super) fn tokens(&self) -> Option<&Tokens> {
        self.0.tokens.as_ref()
    }

    /// Who asks; `None` where nobody has a name.
    fn judge(&self, headers: &HeaderMap) -> Result<Option<Client>, Denied> {
        let Inner { keys, tokens } = &*self.0;
        if keys.is_empty() && tokens.is_none() {
            return Ok(None);
        }
        let given = credential(headers)?;
        if let Some(client) = key_owner(keys, given) {
            return Ok(Some(client));
        }
        // A token has three parts; what has not was meant to be a key.
        match tokens {
            Some(tokens) if given.iter().filter(|byte| **byte == b'.').count() == 2 => tokens
                .subject(given)
                .map(|subject| Some(Client(subject.into())))
                .map_err(Denied::Token),
            Some(_) | None => Err(Denied::Wrong),
        }
    }
}

/// The middleware.
pub(super) async fn check(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    match auth.judge(request.headers()) {
        Ok(None) => next.run(request).await,
        Ok(Some(client)) => {
            request.extensions_mut().insert(client.clone());
            let mut response = next.run(request).await;
            response.extensions_mut().insert(client);
            response
        }
        Err(denied) => {
            tracing::warn!(?denied, path = request.uri().path(), "request refused");
            refuse(denied, auth.tokens())
        }
    }
}

/// The key or token of a request: exactly one, in one of two headers.
fn credential(headers: &HeaderMap) -> Result<&[u8], Denied> {
    const SCHEME: &[u8] = b"Bearer ";
    let bearer = headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .map(|value| value.as_bytes())
        .filter_map(|value| {
            let (scheme, token) = value.split_at_checked(SCHEME.len())?;
            scheme.eq_ignore_ascii_case(SCHEME).then_some(token)
        });
    let keys = headers
        .get_all(KEY_HEADER)
        .iter()
        .map(|value| value.as_bytes());
    let mut all = bearer.chain(keys);
    match (all.next(), all.next()) {
        (Some(given), None) => Ok(given),
        (Some(_), Some(_)) | (None, _) => Err(Denied::Nothing),
    }
}

/// Compared as hashes, all of them each time, so that the time it takes shows
/// neither a key's content nor its length nor its place in the list.
fn key_owner(keys: &[(Client, [u8; 32])], given: &[u8]) -> Option<Client> {
    let given = Sha256::digest(given);
    let mut found = u32::MAX;
    for (index, (_, hash)) in keys.iter().enumerate() {
        let same: Choice = given.as_slice().ct_eq(hash);
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        found.conditional_assign(&index, same);
    }
    let (client, _) = keys.get(usize::try_from(found).ok()?)?;
    Some(client.clone())
}

fn refuse(denied: Denied, tokens: Option<&Tokens>) -> Response {
    const SEND: &str = "send the key as `Authorization: Bearer …` or `X-API-Key: …`, once";
    let unauthorized =
        |message, hint| Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message, hint);
    let refusal = match denied {
        Denied::Nothing => unauthorized("no API key", SEND),
        Denied::Wrong => unauthorized("a wrong API key", SEND),
        Denied::Token(TokenError::Scope) => Refusal::new(
            StatusCode::FORBIDDEN,
            "FORBIDDEN",
            "the token lacks a scope that this server wants",
            "ask for a token with the scopes that WWW-Authenticate names",
        ),
        Denied::Token(error) => unauthorized(
            error.message(),
            "ask the authorization server for a new token; WWW-Authenticate says where to find it",
        ),
    };
    let challenge = tokens.map_or(HeaderValue::from_static("Bearer"), |tokens| {
        tokens.challenge(match denied {
            Denied::Nothing => None,
            Denied::Wrong => Some(TokenError::Malformed),
            Denied::Token(error) => Some(error),
        })
    });
    let mut response = refusal.into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, challenge);
    response
}

#[cfg(test)]
mod tests;
