//! One keep-alive HTTP/1.1 connection with an MCP session of its own.
//!
//! As little client as possible, so that the server is what is measured: it
//! reads whole replies and looks for the verdict in them, and parses no JSON.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::server::{VERSION, initialize};

/// A connection that has been through `initialize`.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
    session: Option<String>,
}

/// A reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    status: u16,
    session: Option<String>,
    /// Whether it came as a stream of events.
    pub(crate) events: bool,
    /// The body, without the framing of HTTP.
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Whether it is the result of a tool that did its work.
    pub(crate) fn success(&self) -> bool {
        self.status == 200 && self.holds("\"result\"") && !self.holds("\"isError\":true")
    }

    fn holds(&self, text: &str) -> bool {
        self.body
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    }
}

impl Client {
    /// Connects and opens a session.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self {
            stream: BufReader::with_capacity(256 << 10, stream),
            address,
            session: None,
        };
        let reply = client.post(&initialize().to_string()).await;
        assert!(reply.success(), "{}", String::from_utf8_lossy(&reply.body));
        client.session = reply.session;
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        client.post(&initialized.to_string()).await;
        client
    }

    /// Sends a request and reads the whole reply.
    pub(crate) async fn request(&mut self, message: &Value) -> Reply {
        self.post(&message.to_string()).await
    }

    async fn post(&mut self, body: &str) -> Reply {
        let session = match &self.session {
            Some(id) => format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: {VERSION}\r\n"),
            None => String::new(),
        };
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n{session}Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream
            .get_mut()
            .write_all(request.as_bytes())
            .await
            .unwrap();
        self.read_reply().await
    }

    async fn read_reply(&mut self) -> Reply {
        let mut reply = Reply::default();
        let status = self.line().await;
        reply.status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut length = 0;
        let mut chunked = false;
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "transfer-encoding" => chunked = value == "chunked",
                "content-type" => reply.events = value.starts_with("text/event-stream"),
                "mcp-session-id" => reply.session = Some(value.to_owned()),
                _ => {}
            }
        }
        if !chunked {
            self.take(length, &mut reply.body).await;
            return reply;
        }
        loop {
            let length = usize::from_str_radix(&self.line().await, 16).unwrap();
            self.take(length, &mut reply.body).await;
            self.line().await;
            if length == 0 {
                return reply;
            }
        }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let length = self.stream.read_line(&mut line).await.unwrap();
        assert!(length > 0, "the server closed the connection");
        line.trim_end().to_owned()
    }

    async fn take(&mut self, length: usize, into: &mut Vec<u8>) {
        let start = into.len();
        into.resize(start + length, 0);
        self.stream.read_exact(&mut into[start..]).await.unwrap();
    }
}
