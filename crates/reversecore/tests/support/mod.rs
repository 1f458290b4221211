//! Runs the real binary for tests: one call through the command line, or many
//! over a session on its standard streams. Used by the test programs beside it.

#![expect(
    clippy::disallowed_methods,
    reason = "the binary under test is a process of its own"
)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// The binary with this directory as its workspace, and nothing of the test's
/// environment.
pub(crate) fn reversecore(workspace: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reversecore"));
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("REVERSECORE_WORKSPACE", workspace)
        .env("LOG_LEVEL", "error")
        .current_dir(workspace);
    command
}

/// `reversecore run ARGUMENTS --json`: the envelope that it printed. The exit
/// code has to agree with it.
#[track_caller]
pub(crate) fn run<A: AsRef<OsStr>>(workspace: &Path, arguments: &[A]) -> Value {
    let output = reversecore(workspace)
        .arg("run")
        .args(arguments)
        .arg("--json")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let envelope: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no envelope: {error}: {output:?}"));
    assert_eq!(
        output.status.success(),
        envelope["status"] == "success",
        "{output:?}"
    );
    envelope
}

/// A server that is spoken to over its standard streams; killed when dropped.
#[derive(Debug)]
pub(crate) struct Session {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    last_id: u64,
    /// Answers that came while another was waited for.
    early: HashMap<u64, Value>,
    /// Messages that are no answers.
    pub(crate) notifications: Vec<Value>,
}

impl Session {
    /// Starts a server and goes through `initialize`.
    pub(crate) fn start(workspace: &Path) -> Self {
        Self::start_as(&mut reversecore(workspace))
    }

    /// The same, with a command that has arguments or an environment of its own.
    pub(crate) fn start_as(command: &mut Command) -> Self {
        let mut session = Self::start_without_a_word(command);
        session.request(
            "initialize",
            &json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            }),
        );
        session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        session
    }

    /// Starts a server, and says nothing yet: requests of 2026-07-28 need no opening.
    pub(crate) fn start_without_a_word(command: &mut Command) -> Self {
        let mut process = command
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Self {
            process,
            stdin,
            stdout,
            last_id: 0,
            early: HashMap::new(),
            notifications: Vec::new(),
        }
    }

    /// Calls a tool and returns its envelope, after checking that the parts of
    /// the result agree with each other.
    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let id = self.begin(tool, arguments);
        self.answer(id)
    }

    /// Calls a tool, and does not wait for the answer; returns the request's number.
    pub(crate) fn begin(&mut self, tool: &str, arguments: &Value) -> u64 {
        let params = json!({
            "name": tool,
            "arguments": arguments,
            "_meta": {"progressToken": self.last_id + 1},
        });
        self.post("tools/call", &params)
    }

    /// Tells the server that an answer is not wanted any more.
    pub(crate) fn give_up(&mut self, id: u64) {
        let params = json!({"requestId": id});
        self.send(
            &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}),
        );
    }

    /// The envelope of a call that was begun before.
    #[track_caller]
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        let result = self.wait("tools/call", id);
        let envelope = result["structuredContent"].clone();
        let failed = result["isError"].as_bool().unwrap_or(false);
        assert_eq!(failed, envelope["status"] == "error", "{result}");
        envelope
    }

    /// Sends a request and returns its result.
    #[track_caller]
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> Value {
        let id = self.post(method, params);
        self.wait(method, id)
    }

    /// Sends a request and returns what answers it, a result or an error.
    pub(crate) fn exchange(&mut self, method: &str, params: &Value) -> Value {
        let id = self.post(method, params);
        self.message(id)
    }

    fn post(&mut self, method: &str, params: &Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    #[track_caller]
    fn wait(&mut self, method: &str, id: u64) -> Value {
        let mut message = self.message(id);
        assert!(message["error"].is_null(), "{method}: {message}");
        message["result"].take()
    }

    fn message(&mut self, id: u64) -> Value {
        loop {
            if let Some(message) = self.early.remove(&id) {
                return message;
            }
            let mut line = String::new();
            let length = self.stdout.read_line(&mut line).unwrap();
            assert!(length > 0, "the server closed its output");
            let message: Value = serde_json::from_str(&line).unwrap();
            match message["id"].as_u64() {
                Some(id) => drop(self.early.insert(id, message)),
                None => self.notifications.push(message),
            }
        }
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    fn send(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.stdin.write_all(line.as_bytes()).unwrap();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Asserts that the call was refused with one of these codes, completely: with
/// a message and a hint, and with nothing of the host in them.
#[track_caller]
pub(crate) fn refused(envelope: &Value, codes: &[&str], given: &str, workspace: &Path) {
    assert_eq!(envelope["status"], "error", "{given}: {envelope}");
    let code = envelope["error_code"].as_str().unwrap();
    assert!(codes.contains(&code), "{given}: {envelope}");
    for field in ["message", "hint"] {
        let text = envelope[field].as_str().unwrap();
        assert!(!text.is_empty(), "{given}: {envelope}");
    }
    discloses_nothing(envelope, given, workspace);
}

/// Asserts that the envelope holds no path of the host but what was given.
#[track_caller]
pub(crate) fn discloses_nothing(envelope: &Value, given: &str, workspace: &Path) {
    let text = envelope.to_string().replace(given, "");
    for secret in [
        workspace.to_str().unwrap(),
        "/proc/self",
        "/usr/bin",
        "/home/",
        "/root",
        env!("CARGO_BIN_EXE_reversecore"),
    ] {
        assert!(!text.contains(secret), "`{secret}` in {given}: {envelope}");
    }
}
