//! What can be set of the HTTP edge: who is let in, and how much one client may
//! take. Only `mod.rs` names this.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reversecore_tools::bounded::Bounded;
use serde::Deserialize;

use super::keys::{ApiKey, ClientName, KeyHash};
use super::values;

/// The HTTP edge.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Accepted `Host` headers, besides loopback and the address itself.
    pub allowed_hosts: Vec<String>,
    /// Accepted `Origin` headers, besides loopback and the address itself.
    pub allowed_origins: Vec<String>,
    /// One key for everybody.
    pub api_key: Option<ApiKey>,
    /// Keys of single clients, by name.
    pub keys: BTreeMap<ClientName, KeyHash>,
    /// Tokens of an authorization server.
    pub oauth: Option<OAuthConfig>,
    /// File with the certificate chain, in PEM.
    #[serde(default, deserialize_with = "values::absolute_path")]
    pub tls_cert: Option<PathBuf>,
    /// File with the certificate's private key, in PEM.
    #[serde(default, deserialize_with = "values::absolute_path")]
    pub tls_key: Option<PathBuf>,
    /// Requests a minute of one client; 0 for any number.
    pub rate_limit: Bounded<0, 10_000_000>,
    /// The largest request body, uploads excepted.
    pub max_body_bytes: Bounded<1024, 104_857_600>,
    /// The largest head of a request.
    pub max_header_bytes: Bounded<8192, 1_048_576>,
    /// Connections open at one time.
    pub max_connections: Bounded<1, 65_536>,
    /// Sessions of the older protocol versions.
    pub max_sessions: Bounded<1, 65_536>,
    /// The same, of one client that has a name.
    pub max_sessions_per_client: Bounded<1, 65_536>,
    /// Seconds for the head of a request.
    pub header_seconds: Bounded<1, 3600>,
    /// Seconds for which a request's body may pause.
    pub body_seconds: Bounded<1, 3600>,
    /// Seconds for which a client may not read its answer.
    pub write_seconds: Bounded<1, 3600>,
    /// MiB of one uploaded file; 0 for no uploads.
    pub upload_limit_mib: Bounded<0, 1_048_576>,
    /// MiB of the uploaded files of one client.
    pub upload_quota_mib: Bounded<0, 1_073_741_824>,
    /// MiB of all uploaded files.
    pub upload_total_mib: Bounded<0, 1_073_741_824>,
}

/// Tokens of an authorization server (OAuth 2.1; RFC 9728 says how clients find
/// it).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthConfig {
    /// The server that issues the tokens, as in their `iss`.
    pub issuer: String,
    /// The URL by which clients know this server's `/mcp`, as in the tokens'
    /// `aud`.
    pub resource: String,
    /// File with the issuer's public keys (a JSON Web Key Set).
    #[serde(deserialize_with = "values::required_absolute_path")]
    pub jwks: PathBuf,
    /// Accepted signature algorithms.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<TokenAlgorithm>,
    /// Scopes that every token must have.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// A signature algorithm by which tokens may be signed. Those with shared
/// secrets, and none at all, can't be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TokenAlgorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    RS256,
    /// RSA, PKCS #1 v1.5, SHA-384.
    RS384,
    /// RSA, PKCS #1 v1.5, SHA-512.
    RS512,
    /// RSA, PSS, SHA-256.
    PS256,
    /// ECDSA on P-256.
    ES256,
    /// ECDSA on P-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

fn default_algorithms() -> Vec<TokenAlgorithm> {
    vec![
        TokenAlgorithm::RS256,
        TokenAlgorithm::ES256,
        TokenAlgorithm::EdDSA,
    ]
}
