//! Some thousand requests that nobody would write: methods, paths, headers and
//! bodies put together at random, from a seed, so that a failure comes again.
//! Each must be answered, and by no 5xx: the fault is never the server's.

use std::time::Duration;

use reversecore_testkit::Random;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::eras::open_session;
use crate::support::raw::status;
use crate::support::{Call, LIMIT, Server, request};

const REQUESTS: usize = 3000;
const SEED: u64 = 0x5eed_07e5;

/// A message to `/mcp` as it should be, so far.
const HEAD_FOR_MCP: &str = "POST /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
    accept: application/json, text/event-stream\r\ncontent-type: application/json\r\n";

/// Makes requests of pieces, damaged ones too.
struct Requests(Random);

impl Requests {
    fn below(&mut self, limit: usize) -> usize {
        self.0.below(limit)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most + 1);
        (0..length)
            .map(|_| u8::try_from(self.below(256)).unwrap())
            .collect()
    }

    /// Takes out, changes or doubles a few bytes.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(4) {
            if bytes.is_empty() {
                return;
            }
            let at = self.below(bytes.len());
            match self.below(3) {
                0 => drop(bytes.remove(at)),
                1 => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                _ => bytes.insert(at, bytes[at]),
            }
        }
    }

    fn request(&mut self, session: &str) -> (Vec<u8>, String) {
        const METHODS: [&str; 12] = [
            "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "post",
            "X", "",
        ];
        const PATHS: [&str; 26] = [
            "/mcp",
            "/mcp/",
            "/mcp?a=b",
            "/jobs",
            "/jobs?limit=-1",
            "/jobs?limit=99999999999999999999",
            "/jobs/1",
            "/jobs/x",
            "/metrics",
            "/health/live",
            "/upload",
            "/upload?name=%00%ff",
            "/upload?name=../x&name=y",
            "/files",
            "/files?limit=0",
            "/files?cursor=x",
            "/files/x",
            "/files/sha256:",
            "/files/%2e%2e/content",
            "/files/0000000000000000000000000000000000000000000000000000000000000000/content",
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/%2e",
            "//",
            "/%",
            "*",
            "http://localhost/files",
        ];
        const HEADERS: [&str; 30] = [
            "host: localhost",
            "host: evil.example",
            "host: localhost:99999",
            "origin: null",
            "accept: */*",
            "accept: application/json, text/event-stream",
            "accept: text/event-stream",
            "content-type: application/json",
            "content-type: multipart/form-data",
            "content-type: multipart/form-data; boundary=b",
            "content-type: application/json; charset=utf-16",
            "content-length: 0",
            "content-length: -1",
            "content-length: 99999999999999999999",
            "content-length: 99999999",
            "transfer-encoding: chunked",
            "transfer-encoding: gzip",
            "expect: 100-continue",
            "expect: x",
            "authorization: Bearer x",
            "authorization: ",
            "x-api-key: \u{ff}",
            "mcp-session-id: x",
            "mcp-protocol-version: 2026-07-28",
            "mcp-protocol-version: 2025-11-25",
            "mcp-method: tools/call",
            "range: bytes=0-0",
            "last-event-id: 1",
            "upgrade: websocket",
            "x-request-id: \u{7f}",
        ];
        let method = self.one(&METHODS);
        let mut path = self.one(&PATHS).as_bytes().to_vec();
        if self.below(4) == 0 {
            self.damage(&mut path);
        }
        let shown = String::from_utf8_lossy(&path).into_owned();
        let mut sent = [
            method.as_bytes(),
            b" ",
            &path,
            b" HTTP/1.1\r\nconnection: close\r\n",
        ]
        .concat();
        if self.below(8) > 0 {
            sent.extend_from_slice(b"host: localhost\r\n");
        }
        for _ in 0..self.below(6) {
            sent.extend_from_slice(self.one(&HEADERS).as_bytes());
            sent.extend_from_slice(b"\r\n");
        }
        if self.below(4) == 0 {
            sent.extend_from_slice(format!("mcp-session-id: {session}\r\n").as_bytes());
        }
        let body = self.body();
        if self.below(2) == 0 {
            // Past the gates of the protocol, where more can go wrong.
            sent = HEAD_FOR_MCP.as_bytes().to_vec();
            sent.extend_from_slice(format!("mcp-session-id: {session}\r\n").as_bytes());
        }
        if self.below(3) > 0 {
            sent.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        sent.extend_from_slice(b"\r\n");
        sent.extend_from_slice(&body);
        if self.below(16) == 0 {
            self.damage(&mut sent);
        }
        (sent, format!("{method} {shown} (or a message)"))
    }

    fn body(&mut self) -> Vec<u8> {
        const PARTS: [&str; 17] = [
            "null",
            "true",
            "-0",
            "1e999",
            "\"\"",
            "\"\\ud800\"",
            "[]",
            "{}",
            "\"tools/call\"",
            "\"tools/list\"",
            "\"initialize\"",
            "\"run_file\"",
            "\"notifications/cancelled\"",
            "{\"name\":\"run_file\",\"arguments\":{\"file_path\":\"/etc/passwd\"}}",
            "{\"name\":\"list_workspace\"}",
            "{\"protocolVersion\":\"x\"}",
            "\"ping\"",
        ];
        match self.below(6) {
            0 => Vec::new(),
            1 => self.bytes(300),
            2 => b"--b\r\ncontent-disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n".to_vec(),
            _ => {
                let mut body = b"{\"jsonrpc\":\"2.0\"".to_vec();
                for key in ["id", "method", "params", "result", "error"] {
                    if self.below(2) == 0 {
                        let value = self.one(&PARTS);
                        body.extend_from_slice(format!(",\"{key}\":{value}").as_bytes());
                    }
                }
                body.push(b'}');
                if self.below(3) == 0 {
                    self.damage(&mut body);
                }
                body
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_is_answered_and_never_with_a_5xx() {
    let server = Server::with(|settings| {
        settings.header_time = Duration::from_millis(100);
        settings.body_time = Duration::from_millis(100);
    })
    .await;
    let mut session = open_session(&server).await;
    let mut requests = Requests(Random::new(SEED));
    let (mut answered, mut seen) = (0, std::collections::BTreeMap::new());
    for number in 0..REQUESTS {
        let (sent, shown) = requests.request(&session);
        let answer = tokio::time::timeout(LIMIT, head(&server, &sent))
            .await
            .unwrap();
        let sent = String::from_utf8_lossy(&sent).into_owned();
        if let Some(status) = status(&answer) {
            answered += 1;
            *seen.entry(status).or_insert(0) += 1;
            assert!(status < 500, "{number}: {shown}: {answer}\n{sent}");
        }
        // Some of them end the session, as they may.
        let list = Call::in_session(&request("tools/list", &json!({})), &session);
        if number % 100 == 0 && list.send(server.address).await.status.is_client_error() {
            session = open_session(&server).await;
        }
    }
    // What is no HTTP at all may be hung up on.
    assert!(answered > REQUESTS * 9 / 10, "{answered}: {seen:?}");
    for status in [200, 201, 202, 400, 403, 404, 405] {
        assert!(seen.contains_key(&status), "{status} in {seen:?}");
    }
    assert!(!server.has_ended());
}

/// The head of the answer: a stream of events has no end.
async fn head(server: &Server, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut answer = Vec::new();
    stream.write_all(sent).await.ok();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(count @ 1..) => answer.extend_from_slice(&piece[..count]),
            Ok(0) | Err(_) => break,
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer
        .strip_prefix("HTTP/1.1 100 Continue\r\n\r\n")
        .map_or(answer.clone(), str::to_owned)
}
