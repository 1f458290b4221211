//! Tokens of an authorization server: this server is a protected resource of
//! OAuth 2.1 and checks what others issue (RFC 9068's claims, RFC 8725's
//! advice). It fetches nothing: the issuer's keys are in a file, which is read
//! again when it has changed, so that a machine which holds hostile files needs
//! no way out to the network.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::uri::Uri;
use http::{HeaderValue, header};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::refusal::Refusal;
use super::{Auth, ring};
use crate::config::{OAuthConfig, TokenAlgorithm};

/// Where RFC 9728 puts the metadata; the resource's path follows.
pub(in crate::http) const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";
/// The largest set of keys that is read; real ones have a few KiB.
const LARGEST_SET: u64 = 1 << 20;
/// Keys of a set that are looked at.
const MOST_KEYS: usize = 64;
/// Between two looks whether the file has changed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// By how much clocks may differ.
const LEEWAY_SECONDS: u64 = 30;
/// Longest subject that can be a client's name.
const LONGEST_SUBJECT: usize = 128;
/// What a client is called that has shown a token; no key's name has a colon.
const SUBJECT_PREFIX: &str = "sub:";

/// What tokens are checked against.
#[derive(Debug)]
pub(in crate::http) struct Tokens {
    issuer: String,
    resource: String,
    scopes: Vec<String>,
    algorithms: Vec<Algorithm>,
    metadata_url: String,
    file: PathBuf,
    // A std mutex: held while a small file is read at most, never across an await.
    keys: Mutex<Keys>,
}

/// The issuer's keys, as they were in the file.
#[derive(Debug)]
struct Keys {
    keys: Vec<Jwk>,
    stamp: Option<Stamp>,
    looked: Instant,
}

/// By what a changed file is told from the one that was read.
type Stamp = (u64, Option<SystemTime>);

/// Why tokens can't be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenSetupError {
    /// The keys can't be read.
    #[error("failed to read the issuer's keys from `{}` (`http.oauth.jwks` names a JSON Web Key Set; the issuer's metadata says where it publishes it)", .path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The server's own name is not usable.
    #[error(
        "bad setting `http.oauth.resource`: `{resource}` (expected the URL by which clients reach this server, such as `https://tools.example.org/mcp`)"
    )]
    Resource {
        /// The setting.
        resource: String,
    },
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenError {
    /// It is no token, or its claims are not those of one.
    Malformed,
    /// It is signed in a way that is not accepted.
    Algorithm,
    /// None of the issuer's keys has signed it.
    Signature,
    /// Its time is over, or has not come.
    Time,
    /// It is meant for another server.
    Audience,
    /// Somebody else has issued it.
    Issuer,
    /// It does not allow what is asked.
    Scope,
}

impl TokenError {
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Malformed => "the token can't be read",
            Self::Algorithm => "the token is signed with an algorithm that is not accepted",
            Self::Signature => "the token is not signed by the authorization server",
            Self::Time => "the token has expired, or is not valid yet",
            Self::Audience => "the token is meant for another server",
            Self::Issuer => "the token is from another issuer",
            Self::Scope => "the token lacks a scope",
        }
    }
}

#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    scope: String,
}

impl Tokens {
    pub(super) fn new(config: &OAuthConfig) -> Result<Self, TokenSetupError> {
        let OAuthConfig {
            issuer,
            resource,
            jwks,
            algorithms,
            scopes,
        } = config;
        let metadata_url = metadata_url(resource).ok_or_else(|| TokenSetupError::Resource {
            resource: resource.clone(),
        })?;
        ring::install();
        let keys = Keys::read(jwks).map_err(|source| TokenSetupError::Keys {
            path: jwks.clone(),
            source,
        })?;
        Ok(Self {
            issuer: issuer.clone(),
            resource: resource.clone(),
            scopes: scopes.clone(),
            algorithms: algorithms.iter().copied().map(algorithm).collect(),
            metadata_url,
            file: jwks.clone(),
            keys: Mutex::new(keys),
        })
    }

    /// Whom a token stands for, as a client's name.
    pub(super) fn subject(&self, token: &[u8]) -> Result<String, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|error| reason(&error))?;
        if !self.algorithms.contains(&header.alg) {
            return Err(TokenError::Algorithm);
        }
        let mut validation = Validation::new(header.alg);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.resource]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_SECONDS;
        let key = self
            .key(header.kid.as_deref(), header.alg)
            .ok_or(TokenError::Signature)?;
        let Claims { sub, scope } = jsonwebtoken::decode(token, &key, &validation)
            .map_err(|error| reason(&error))?
            .claims;
        if sub.is_empty() || sub.len() > LONGEST_SUBJECT {
            return Err(TokenError::Malformed);
        }
        let has = |wanted: &String| scope.split(' ').any(|scope| scope == wanted);
        if !self.scopes.iter().all(has) {
            return Err(TokenError::Scope);
        }
        Ok(format!("{SUBJECT_PREFIX}{}", sub.escape_debug()))
    }

    /// The issuer's key that a token says it is signed with. One that names
    /// none can only be meant for the only one of its kind.
    fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.renew(&self.file);
        let mut fitting = keys
            .keys
            .iter()
            .filter(|key| id.is_none() || key.common.key_id.as_deref() == id)
            .filter(|key| fits(key, algorithm))
            .filter_map(|key| DecodingKey::from_jwk(key).ok())
            .filter(|key| key.family() == algorithm.family());
        let key = fitting.next()?;
        fitting.next().is_none().then_some(key)
    }

    /// What `WWW-Authenticate` says (RFC 6750, RFC 9728).
    pub(super) fn challenge(&self, error: Option<TokenError>) -> HeaderValue {
        let error = match error {
            None => String::new(),
            Some(TokenError::Scope) => format!(
                ", error=\"insufficient_scope\", scope=\"{}\"",
                self.scopes.join(" ")
            ),
            Some(error) => format!(
                ", error=\"invalid_token\", error_description=\"{}\"",
                error.message().replace('\'', "")
            ),
        };
        let challenge = format!("Bearer resource_metadata=\"{}\"{error}", self.metadata_url);
        HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Bearer"))
    }

    fn metadata(&self) -> Value {
        json!({
            "resource": self.resource,
            "authorization_servers": [self.issuer],
            "scopes_supported": self.scopes,
            "bearer_methods_supported": ["header"],
            "resource_name": "Reversecore",
        })
    }
}

impl Keys {
    fn read(file: &Path) -> io::Result<Self> {
        let stamp = stamp(file);
        let size = fs::metadata(file)?.len();
        if size > LARGEST_SET {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "a set of keys has at most 1 MiB",
            ));
        }
        let JwkSet { mut keys } = serde_json::from_slice(&fs::read(file)?)?;
        keys.truncate(MOST_KEYS);
        Ok(Self {
            keys,
            stamp,
            looked: Instant::now(),
        })
    }

    /// Reads the file again when it has changed; keeps what there is when that
    /// fails, for it may be half written.
    fn renew(&mut self, file: &Path) {
        if self.looked.elapsed() < LOOK_AGAIN {
            return;
        }
        self.looked = Instant::now();
        if stamp(file) == self.stamp {
            return;
        }
        match Self::read(file) {
            Ok(keys) => {
                tracing::info!(keys = keys.keys.len(), "the issuer's keys were read again");
                *self = keys;
            }
            Err(error) => tracing::warn!(%error, "failed to read the issuer's keys again"),
        }
    }
}

/// The route: what clients need to know to get a token. `/mcp` may follow, as
/// the path of the resource does in its URL.
pub(in crate::http) async fn metadata(State(auth): State<Auth>, uri: Uri) -> Response {
    let Some(tokens) = auth.tokens() else {
        return Refusal::not_found(
            "this server takes no tokens",
            "send the key as `Authorization: Bearer …`",
        )
        .into_response();
    };
    let expected = uri.path() == METADATA_PATH || tokens.metadata_url.ends_with(uri.path());
    if !expected {
        return Refusal::not_found(
            "no such resource",
            "WWW-Authenticate of a refused request says where the metadata is",
        )
        .into_response();
    }
    let cache = (header::CACHE_CONTROL, "max-age=300");
    ([cache], Json(tokens.metadata())).into_response()
}

/// The well-known path goes between the resource's host and its path.
fn metadata_url(resource: &str) -> Option<String> {
    let uri: Uri = resource.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let path = uri.path().trim_end_matches('/');
    let plain = resource.bytes().all(|byte| byte != b'"' && byte != b'\\');
    (matches!(scheme, "https" | "http") && plain && uri.query().is_none())
        .then(|| format!("{scheme}://{authority}{METADATA_PATH}{path}"))
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

/// Whether a key may be used to check such a signature.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let for_signatures = matches!(
        key.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    );
    let same = |named| Algorithm::try_from(named).is_ok_and(|named: Algorithm| named == algorithm);
    for_signatures && key.common.key_algorithm.is_none_or(same)
}

fn algorithm(configured: TokenAlgorithm) -> Algorithm {
    match configured {
        TokenAlgorithm::RS256 => Algorithm::RS256,
        TokenAlgorithm::RS384 => Algorithm::RS384,
        TokenAlgorithm::RS512 => Algorithm::RS512,
        TokenAlgorithm::PS256 => Algorithm::PS256,
        TokenAlgorithm::ES256 => Algorithm::ES256,
        TokenAlgorithm::ES384 => Algorithm::ES384,
        TokenAlgorithm::EdDSA => Algorithm::EdDSA,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's reasons are more than clients are told apart"
)]
fn reason(error: &jsonwebtoken::errors::Error) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm
        | ErrorKind::InvalidAlgorithmName
        | ErrorKind::UnsupportedAlgorithm => TokenError::Algorithm,
        ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => TokenError::Time,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        _ => TokenError::Malformed,
    }
}
