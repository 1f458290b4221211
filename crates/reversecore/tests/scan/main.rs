//! `reversecore scan` as somebody types it: what is in the row file, what survives
//! kill -9 and Ctrl-C, and who is refused. A file of rows is read as another program
//! would read it.

#![expect(
    clippy::disallowed_methods,
    reason = "the binary under test is a process of its own"
)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

mod archives;
mod browser;
mod help;
mod killed;
mod outputs;
mod refused;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use reversecore_testkit::samples::{Workspace, system_binary};
use serde_json::Value;

/// Files to scan, a data directory, a place for rows.
pub(crate) struct Scene {
    pub(crate) files: Workspace,
    beside: Workspace,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            files: Workspace::new(),
            beside: Workspace::new(),
        }
    }

    /// So many different small files.
    pub(crate) fn with_files(count: usize) -> Self {
        let scene = Self::new();
        let program = system_binary("ls");
        for index in 0..count {
            let mut content = program[..20_000].to_vec();
            content.extend(index.to_le_bytes());
            scene.files.write(format!("f{index}"), &content);
        }
        scene
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.beside.join("data")
    }

    pub(crate) fn out(&self, ending: &str) -> PathBuf {
        self.beside.join(format!("rows.{ending}"))
    }

    /// The command, with nothing of the test's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reversecore"));
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("REVERSECORE_DATA_DIR", self.data())
            .stdin(Stdio::null())
            .arg("scan")
            .arg(self.files.path())
            .args(arguments);
        command
    }

    pub(crate) fn scan(&self, ending: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        command.arg("--out").arg(self.out(ending));
        command.output().unwrap()
    }

    /// The rows by path; each is there once.
    #[track_caller]
    pub(crate) fn rows(&self) -> BTreeMap<String, Value> {
        rows(&self.out("jsonl"))
    }

    /// As it stands in rows.
    pub(crate) fn named(&self, name: &str) -> String {
        let root = self.files.path().canonicalize().unwrap();
        format!("{}/{name}", root.to_str().unwrap())
    }
}

#[track_caller]
pub(crate) fn rows(path: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let path = row["path"].as_str().unwrap().to_owned();
        assert!(rows.insert(path, row.clone()).is_none(), "twice: {row}");
    }
    rows
}

#[track_caller]
pub(crate) fn ended_with(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
