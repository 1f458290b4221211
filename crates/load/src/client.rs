//! One connection to a server.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// An answer larger than this is an error.
pub(crate) const LARGEST: usize = 256 << 20;
const SESSION: &str = "mcp-session-id";

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host and port: `127.0.0.1:8700`.
    pub authority: String,
    /// The path of its MCP endpoint: `/mcp`.
    pub path: String,
    /// The key that requests carry.
    pub key: Option<String>,
}

/// Which of the protocol's two ways is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Era {
    /// 2026-07-28: each request is on its own.
    #[default]
    Stateless,
    /// 2025-11-25: a session is opened first.
    Session,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is none.
    #[error("`{0}` is no address of a server (expected http://HOST:PORT/PATH)")]
    Address(String),
    /// The server can't be reached.
    #[error("failed to connect to {authority}: {source}")]
    Connect {
        /// Where.
        authority: String,
        /// Why.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    /// The answer could not be read.
    #[error("the answer could not be read: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// The request can't be written.
    #[error("the request can't be written: {0}")]
    Request(#[from] hyper::http::Error),
    /// The server's end of the pipes is closed.
    #[error("the server has closed its end")]
    Closed,
    /// The server does not open a session.
    #[error("the server opens no session: {0}")]
    Refused(String),
    /// Nothing came for too long.
    #[error("no answer in {0:?}")]
    Late(Duration),
    /// The server refuses.
    #[error("the server answers with {status}: {body}")]
    Status {
        /// Its status.
        status: u16,
        /// The beginning of what it says.
        body: String,
    },
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP's status.
    pub status: u16,
    /// The body: JSON, or one event of a stream.
    pub body: Bytes,
}

/// A connection that stays open.
#[derive(Debug)]
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    target: Target,
    era: Era,
    session: Option<HeaderValue>,
    // Ends the connection with the client.
    _driver: JoinSet<()>,
}

impl Target {
    /// Of `http://127.0.0.1:8700/mcp`, or a part of that: scheme and path may be
    /// left out.
    ///
    /// # Errors
    /// When there is no host and port in it, or it asks for TLS.
    pub fn parse(url: &str, key: Option<String>) -> Result<Self, ClientError> {
        let bad = || ClientError::Address(url.to_owned());
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some(_) => return Err(bad()),
            None => url,
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, "mcp"));
        let (_, port) = authority.rsplit_once(':').ok_or_else(bad)?;
        port.parse::<u16>().map_err(|_| bad())?;
        let path = if path.is_empty() { "mcp" } else { path };
        Ok(Self {
            authority: authority.to_owned(),
            path: format!("/{path}"),
            key,
        })
    }
}

impl Client {
    /// Connects, and opens a session where the era has them.
    ///
    /// # Errors
    /// When the server can't be reached or does not answer.
    pub async fn connect(target: &Target, era: Era) -> Result<Self, ClientError> {
        let refused = |source| ClientError::Connect {
            authority: target.authority.clone(),
            source,
        };
        let stream = TcpStream::connect(&target.authority)
            .await
            .map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Whoever sends on it learns of the end.
            connection.await.ok();
        });
        let mut client = Self {
            sender,
            target: target.clone(),
            era,
            session: None,
            _driver: driver,
        };
        if era == Era::Session {
            client.initialize().await?;
        }
        Ok(client)
    }

    async fn initialize(&mut self) -> Result<(), ClientError> {
        let path = self.target.path.clone();
        let request = self.request(Method::POST, &path, &[], hello(0).to_string().into())?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        self.session = response.headers().get(SESSION).cloned();
        let reply = read(response).await?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        self.post(ready().to_string().into(), &[]).await.map(drop)
    }

    /// Calls a tool with these arguments, as JSON text.
    ///
    /// # Errors
    /// When the connection breaks. What the server answers is not judged.
    pub async fn call(&mut self, tool: &str, arguments: &str) -> Result<Reply, ClientError> {
        let body = call_body(self.era, 1, tool, arguments);
        self.post(
            body.into(),
            &[("mcp-method", "tools/call"), ("mcp-name", tool)],
        )
        .await
    }

    async fn post(&mut self, body: Bytes, headers: &[(&str, &str)]) -> Result<Reply, ClientError> {
        let path = self.target.path.clone();
        let request = self.request(Method::POST, &path, headers, body)?;
        self.send(request).await
    }

    /// Asks for a page beside the MCP endpoint.
    ///
    /// # Errors
    /// When the connection breaks, or the server does not answer with 200.
    pub async fn fetch(&mut self, method: Method, path: &str) -> Result<Bytes, ClientError> {
        let request = self.request(method, path, &[], Bytes::new())?;
        let reply = self.send(request).await?;
        if reply.status == StatusCode::OK.as_u16() {
            Ok(reply.body)
        } else {
            Err(refusal(&reply))
        }
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, ClientError> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        read(response).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let version = match self.era {
            Era::Stateless => "2026-07-28",
            Era::Session => "2025-11-25",
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.target.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header("mcp-protocol-version", version);
        if self.era == Era::Stateless {
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
        }
        if let Some(key) = &self.target.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        if let Some(session) = &self.session {
            request = request.header(SESSION, session);
        }
        Ok(request.body(Full::new(body))?)
    }
}

impl Reply {
    /// The code of the error that it reports; `None` for a success. A call's
    /// result stands at the end of its message, so only that is looked at.
    #[must_use]
    pub fn error_code(&self) -> Option<String> {
        if !(200..300).contains(&self.status) {
            return Some(format!("HTTP {}", self.status));
        }
        let find = |what: &str| memchr::memmem::find(&self.body, what.as_bytes());
        if let Some(at) = find("\"error_code\":\"") {
            let rest = self.body.get(at + 14..).unwrap_or_default();
            let end = memchr::memchr(b'"', rest).unwrap_or(0);
            return Some(String::from_utf8_lossy(rest.get(..end)?).into_owned());
        }
        let start = self
            .body
            .get(..self.body.len().min(200))
            .unwrap_or_default();
        if memchr::memmem::find(start, b"\"error\":{").is_some() {
            return Some("protocol error".to_owned());
        }
        find("\"isError\":true").map(|_| "isError".to_owned())
    }
}

/// What opens a session.
pub(crate) fn hello(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "reversecore-load", "version": env!("CARGO_PKG_VERSION")},
    }})
}

/// What follows the answer to it.
pub(crate) fn ready() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

/// A call as its era writes it. The arguments are text that is JSON already.
pub(crate) fn call_body(era: Era, id: u64, tool: &str, arguments: &str) -> String {
    let name = Value::from(tool);
    match era {
        Era::Stateless => format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":{name},"arguments":{arguments},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"reversecore-load","version":"1"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
        ),
        Era::Session => format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":{name},"arguments":{arguments}}}}}"#
        ),
    }
}

async fn read(response: hyper::Response<hyper::body::Incoming>) -> Result<Reply, ClientError> {
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), LARGEST)
        .collect()
        .await
        .map_err(ClientError::Body)?
        .to_bytes();
    Ok(Reply { status, body })
}

fn refusal(reply: &Reply) -> ClientError {
    let body = reply
        .body
        .get(..reply.body.len().min(300))
        .unwrap_or_default();
    ClientError::Status {
        status: reply.status,
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

/// After a broken connection, before the next is tried.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_their_parts() {
        for url in [
            "http://127.0.0.1:8700/mcp",
            "127.0.0.1:8700",
            "http://127.0.0.1:8700/",
        ] {
            let target = Target::parse(url, None).unwrap();
            assert_eq!(
                (target.authority.as_str(), target.path.as_str()),
                ("127.0.0.1:8700", "/mcp")
            );
        }
        for bad in ["", "localhost", "https://a:1/mcp", "a:b"] {
            assert!(Target::parse(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn failures_are_known_by_their_code() {
        let code = |status, body: &'static str| {
            let body = Bytes::from_static(body.as_bytes());
            Reply { status, body }.error_code()
        };
        assert_eq!(code(200, r#"{"result":{"isError":false}}"#), None);
        assert_eq!(
            code(200, r#"{"result":{"structuredContent":{"status":"error","error_code":"QUEUE_FULL"},"isError":true}}"#).as_deref(),
            Some("QUEUE_FULL")
        );
        assert_eq!(code(503, "").as_deref(), Some("HTTP 503"));
        assert_eq!(
            code(200, r#"{"id":1,"error":{"code":1}}"#).as_deref(),
            Some("protocol error")
        );
    }
}
