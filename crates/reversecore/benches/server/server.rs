//! Starts the server under measurement, over stdio or HTTP.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

const START_LIMIT: Duration = Duration::from_secs(20);

/// The protocol version that is negotiated.
pub(crate) const VERSION: &str = "2025-11-25";

#[expect(
    clippy::disallowed_methods,
    reason = "the server under measurement is a process of its own"
)]
fn command(workspace: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reversecore"));
    command
        .arg("serve")
        .arg("--workspace")
        .arg(workspace)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LOG_LEVEL", "error")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A server that speaks over its standard streams.
#[derive(Debug)]
pub(crate) struct StdioServer {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl StdioServer {
    /// Starts it and waits for the answer to `initialize`. The time is from
    /// before the start to the complete answer.
    pub(crate) async fn start(workspace: &Path) -> (Self, Duration) {
        let started = Instant::now();
        let mut process = command(workspace)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let mut server = Self {
            process,
            stdin,
            stdout,
        };
        let answer = server.request(&initialize()).await;
        let time = started.elapsed();
        assert!(answer.contains("serverInfo"), "{answer}");
        server
            .send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
        (server, time)
    }

    /// Sends a request and returns the line that answers it.
    pub(crate) async fn request(&mut self, message: &Value) -> String {
        self.send(message).await;
        let mut line = String::new();
        timeout(START_LIMIT, self.stdout.read_line(&mut line))
            .await
            .expect("the server answers in time")
            .unwrap();
        line
    }

    async fn send(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.stdin.write_all(line.as_bytes()).await.unwrap();
        self.stdin.flush().await.unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().expect("it is still running")
    }

    /// Closes its input and waits for its end.
    pub(crate) async fn stop(mut self) {
        drop(self.stdin);
        timeout(START_LIMIT, self.process.wait())
            .await
            .expect("the server ends with its input")
            .unwrap();
    }
}

/// A server that listens on a port of the loopback interface.
#[derive(Debug)]
pub(crate) struct HttpServer {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl HttpServer {
    /// Starts it and waits until it accepts connections.
    pub(crate) async fn start(workspace: &Path) -> Self {
        // Free a moment ago; should somebody else take it, the start fails.
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let process = command(workspace)
            .arg("--http")
            .arg(address.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, address };
        let ready = async {
            while TcpStream::connect(server.address).await.is_err() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(START_LIMIT, ready)
            .await
            .expect("the server listens in time");
        server
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().expect("it is still running")
    }
}

/// The request that opens a session.
pub(crate) fn initialize() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": VERSION,
            "capabilities": {},
            "clientInfo": {"name": "benchmark", "version": "1"},
        },
    })
}

/// The request that calls a tool.
pub(crate) fn call(tool: &str, arguments: &Value) -> Value {
    json!({
        "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    })
}
