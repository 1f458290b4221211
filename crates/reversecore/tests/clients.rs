//! A real client (the Python package `mcp`) against the real binary, over each
//! transport and in each era of the protocol. What is checked stands in
//! `tests/clients/mcp_client.py`; `scripts/setup-tools` installs the client.

#![expect(
    clippy::disallowed_methods,
    reason = "the client is a process of its own"
)]

use std::path::Path;
use std::process::Command;

#[track_caller]
fn check(transport: &str, era: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".tools/venv/bin/python");
    assert!(
        python.exists(),
        "the Python client is missing (run `scripts/setup-tools`)"
    );
    let output = Command::new(python)
        .arg(root.join("tests/clients/mcp_client.py"))
        .arg(env!("CARGO_BIN_EXE_reversecore"))
        .args([transport, era])
        .output()
        .expect("Python can be started");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
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
