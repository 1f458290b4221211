//! `bench load` asks a server on its standard streams, over named pipes.

#![expect(
    clippy::disallowed_methods,
    reason = "a shell connects the server with the pipes"
)]

use std::process::{Child, Command, Stdio};

use reversecore_testkit::samples::Workspace;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;

use crate::support::reversecore;

/// Gone with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The report of a load, and whether its process was content with it.
fn load(workspace: &Workspace, arguments: &[&str]) -> (Value, bool) {
    let place = tempfile::tempdir().unwrap();
    let pipes = ["to", "from"].map(|name| place.path().join(name));
    for pipe in &pipes {
        mknodat(CWD, pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }
    let server = Command::new("sh")
        .args(["-c", r#"exec "$0" serve <"$1" >"$2""#])
        .arg(env!("CARGO_BIN_EXE_reversecore"))
        .args(&pipes)
        .env("REVERSECORE_WORKSPACE", workspace.path())
        .env("LOG_LEVEL", "error")
        .spawn();
    let _server = Server(server.unwrap());
    let output = reversecore(workspace.path())
        .args(["bench", "load", "--pipes"])
        .args(&pipes)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no report: {error}: {output:?}"));
    (report, output.status.success())
}

#[test]
fn a_server_on_its_standard_streams_is_measured() {
    let workspace = Workspace::with_ls();
    for more in [&["--session"][..], &[]] {
        let strings = [
            "--tool",
            "run_strings",
            "--args",
            r#"{"file_path":"{file}","min_length":8}"#,
        ];
        let mut arguments = strings.to_vec();
        arguments.extend(["--file", "ls", "--calls", "40", "--concurrency", "8"]);
        arguments.extend(more);
        let (report, content) = load(&workspace, &arguments);
        assert!(content, "{report}");
        assert_eq!(report["calls"], 40);
        let histogram = report["histogram"].as_array().unwrap();
        let counted: u64 = histogram
            .iter()
            .map(|entry| entry[1].as_u64().unwrap())
            .sum();
        assert_eq!(counted, 40, "{report}");
    }
}

#[test]
fn a_call_that_is_not_answered_in_time_is_given_up() {
    let workspace = Workspace::with_ls();
    // Counts for longer than anybody waits.
    let endless = r#"{"file_path":"ls","timeout":100,"rules":"rule endless { condition: for all i in (1..1000000000000) : (i > 0) }"}"#;
    let (report, content) = load(
        &workspace,
        &[
            "--tool",
            "run_yara",
            "--args",
            endless,
            "--calls",
            "1",
            "--timeout",
            "1",
        ],
    );
    assert!(!content);
    assert_eq!(report["errors"]["no answer in 1s"], 1, "{report}");
}
