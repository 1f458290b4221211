//! A server on a free port with an empty catalogue of samples, and a client
//! that opens one connection per request.

pub(crate) mod raw;
mod server;
mod services;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

pub(crate) use server::{Server, settings};

pub(crate) const LEGACY: &str = "2025-11-25";
pub(crate) const MODERN: &str = "2026-07-28";
/// Much longer than anything here takes; a test that hangs fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The JSON-RPC message that answers, whether it came plain or as an event.
    #[track_caller]
    pub(crate) fn message(&self) -> Value {
        let mut events = self.body.lines().filter_map(|line| {
            let data = line.strip_prefix("data:")?;
            serde_json::from_str(data).ok()
        });
        serde_json::from_str(&self.body)
            .ok()
            .or_else(|| events.rfind(|message: &Value| message.get("id").is_some()))
            .unwrap_or_else(|| panic!("no message in {self:?}"))
    }

    /// The result in it.
    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        let message = self.message();
        assert!(message["error"].is_null(), "{message}");
        message["result"].clone()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A request in the making.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Call {
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            headers: vec![("host".to_owned(), "localhost".to_owned())],
            body: Bytes::new(),
        }
    }

    /// A message to `/mcp`.
    pub(crate) fn post(message: &Value) -> Self {
        let mut call = Self::get("/mcp")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        call.method = Method::POST;
        call.body = message.to_string().into();
        call
    }

    pub(crate) fn delete(session: &str) -> Self {
        Self::delete_at("/mcp").header("mcp-session-id", session)
    }

    pub(crate) fn delete_at(path: &str) -> Self {
        let mut call = Self::get(path);
        call.method = Method::DELETE;
        call
    }

    /// A file, or whatever is to be sent as it is.
    pub(crate) fn put(path: &str, body: Vec<u8>) -> Self {
        let mut call = Self::get(path).body(body);
        call.method = Method::PUT;
        call
    }

    /// With another body.
    pub(crate) fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A message in a session of the older versions.
    pub(crate) fn in_session(message: &Value, session: &str) -> Self {
        Self::post(message)
            .header("mcp-session-id", session)
            .header("mcp-protocol-version", LEGACY)
    }

    /// A request of 2026-07-28, with what that version wants to be repeated in
    /// headers and metadata.
    pub(crate) fn modern(method: &str, params: &Value) -> Self {
        let mut params = params.clone();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let call = Self::post(&request(method, &params))
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", method);
        match params["name"].as_str() {
            Some(name) => call.header("mcp-name", name),
            None => call,
        }
    }

    /// Sends it and reads the whole answer.
    pub(crate) async fn send(self, address: SocketAddr) -> Answer {
        let exchange = async {
            let (response, _connection) = self.begin(address).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Answer {
                status: parts.status,
                headers: parts.headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            }
        };
        tokio::time::timeout(LIMIT, exchange)
            .await
            .expect("the server answers")
    }

    /// Sends it and returns with the head of the answer. Dropping what is
    /// returned closes the connection.
    pub(crate) async fn begin(
        self,
        address: SocketAddr,
    ) -> io::Result<(http::Response<Incoming>, Connection)> {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let runtime = tokio::runtime::Handle::current();
        let driver = AbortOnDropHandle::new(runtime.spawn(async move {
            connection.await.ok();
        }));
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body)).unwrap();
        let response = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        Ok((
            response,
            Connection {
                _sender: sender,
                _driver: driver,
            },
        ))
    }
}

/// Keeps a connection open.
#[derive(Debug)]
pub(crate) struct Connection {
    _sender: SendRequest<Full<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

/// A JSON-RPC request.
pub(crate) fn request(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// The request that opens a session.
pub(crate) fn initialize() -> Value {
    request(
        "initialize",
        &json!({
            "protocolVersion": LEGACY,
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }),
    )
}
