//! What the HTTP server is to be like, in the units that it works with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{ApiKey, ClientName, Config, HttpConfig, KeyHash, OAuthConfig, ServerConfig};

/// What the HTTP server is to be like.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Where to listen.
    pub address: SocketAddr,
    /// Accepted `Host` headers, besides loopback and the address itself.
    pub allowed_hosts: Vec<String>,
    /// Accepted `Origin` headers, besides loopback and the address itself.
    pub allowed_origins: Vec<String>,
    /// The key that opens to everybody.
    pub api_key: Option<ApiKey>,
    /// Keys of single clients.
    pub keys: Vec<(ClientName, KeyHash)>,
    /// Tokens of an authorization server.
    pub oauth: Option<OAuthConfig>,
    /// Certificate chain and private key.
    pub tls: Option<TlsFiles>,
    /// Requests a minute of one client; `None` for any number.
    pub rate_limit: Option<u32>,
    /// How long calls may go on after the request to stop.
    pub grace: Duration,
    /// The largest request body, uploads excepted, in bytes.
    pub max_body_bytes: usize,
    /// The largest head of a request, in bytes.
    pub max_header_bytes: usize,
    /// Connections open at one time.
    pub max_connections: usize,
    /// Sessions open at one time.
    pub max_sessions: usize,
    /// The same, of one client that has a name.
    pub max_sessions_per_client: usize,
    /// For the head of a request, and for an idle connection.
    pub header_time: Duration,
    /// For which a request's body may pause.
    pub body_time: Duration,
    /// For which a client may leave its answer unread.
    pub write_time: Duration,
    /// What may be uploaded.
    pub uploads: UploadLimits,
}

/// Files of the server's certificate, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those that vouch for it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What may be uploaded, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadLimits {
    /// One file; 0 for none at all.
    pub file: u64,
    /// The files of one client.
    pub client: u64,
    /// All files.
    pub total: u64,
}

impl From<&Config> for HttpSettings {
    fn from(config: &Config) -> Self {
        let ServerConfig {
            transport: _,
            http: address,
            shutdown_grace_seconds,
        } = &config.server;
        let HttpConfig {
            allowed_hosts,
            allowed_origins,
            api_key,
            keys,
            oauth,
            tls_cert,
            tls_key,
            rate_limit,
            max_body_bytes,
            max_header_bytes,
            max_connections,
            max_sessions,
            max_sessions_per_client,
            header_seconds,
            body_seconds,
            write_seconds,
            upload_limit_mib,
            upload_quota_mib,
            upload_total_mib,
        } = &config.http;
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let tls = match (tls_cert, tls_key) {
            (None, None) => None,
            // One without the other fails when it is read, with its name.
            (cert, key) => Some(TlsFiles {
                cert: cert.clone().unwrap_or_default(),
                key: key.clone().unwrap_or_default(),
            }),
        };
        Self {
            address: address.0,
            allowed_hosts: allowed_hosts.clone(),
            allowed_origins: allowed_origins.clone(),
            api_key: api_key.clone(),
            keys: keys
                .iter()
                .map(|(name, hash)| (name.clone(), *hash))
                .collect(),
            oauth: oauth.clone(),
            tls,
            rate_limit: u32::try_from(rate_limit.get())
                .ok()
                .filter(|limit| *limit > 0),
            grace: Duration::from_secs(shutdown_grace_seconds.get()),
            max_body_bytes: size(max_body_bytes.get()),
            max_header_bytes: size(max_header_bytes.get()),
            max_connections: size(max_connections.get()),
            max_sessions: size(max_sessions.get()),
            max_sessions_per_client: size(max_sessions_per_client.get()),
            header_time: Duration::from_secs(header_seconds.get()),
            body_time: Duration::from_secs(body_seconds.get()),
            write_time: Duration::from_secs(write_seconds.get()),
            uploads: UploadLimits {
                file: upload_limit_mib.get() << 20,
                client: upload_quota_mib.get() << 20,
                total: upload_total_mib.get() << 20,
            },
        }
    }
}

impl HttpSettings {
    /// Whether anybody is told from anybody else: by a key or a token.
    pub(super) fn identifies(&self) -> bool {
        self.api_key.is_some() || !self.keys.is_empty() || self.oauth.is_some()
    }
}
