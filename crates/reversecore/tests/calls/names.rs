//! File names that programs mistake for options, commands or several names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use reversecore_testkit::awkward;
use reversecore_testkit::samples::{Workspace, system_binary};
use serde_json::json;

use crate::support::{Session, refused, reversecore};
use crate::{FILE_TOOLS, arguments};

#[test]
fn awkward_names_get_the_right_answer() {
    let workspace = Workspace::with_ls();
    let sample = system_binary("ls");
    for name in awkward::NAMES {
        workspace.write_bytes_name(name, &sample);
    }
    let mut session = Session::start(workspace.path());
    let mut answer = |tool: &str, path: &str| {
        let envelope = session.call(tool, &arguments(tool, path));
        assert_eq!(envelope["status"], "success", "{tool} {path:?}: {envelope}");
        envelope
    };
    for tool in FILE_TOOLS {
        let expected = answer(tool, "ls");
        for name in awkward::NAMES {
            let Ok(name) = std::str::from_utf8(name) else {
                continue;
            };
            let envelope = answer(tool, name);
            let part = |envelope: &serde_json::Value| {
                let total = envelope["metadata"]["total"].clone();
                (total, envelope["metadata"]["sha256"].clone())
            };
            assert_eq!(part(&envelope), part(&expected), "{tool} {name:?}");
        }
    }
}

#[test]
fn names_that_are_no_text_end_with_an_envelope_or_a_usage_error() {
    let workspace = Workspace::new();
    for name in awkward::NAMES {
        if std::str::from_utf8(name).is_ok() {
            continue;
        }
        workspace.write_bytes_name(name, &system_binary("ls"));
        let output = reversecore(workspace.path())
            .args(["run", "run_strings"])
            .arg(OsStr::from_bytes(name))
            .arg("--json")
            .output()
            .unwrap();
        let code = output.status.code();
        assert!(matches!(code, Some(0..=2)), "{output:?}");
        assert!(!output.stdout.is_empty() || !output.stderr.is_empty());
    }
}

#[test]
fn names_that_no_file_can_have_are_refused() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let long = "a/".repeat(4000);
    let wide = "a".repeat(300);
    for name in ["ls\0", "\0", "ls\0.txt", &long, &wide] {
        for tool in FILE_TOOLS {
            let envelope = session.call(tool, &arguments(tool, name));
            refused(
                &envelope,
                &["FILE_NOT_FOUND", "PATH_NOT_ALLOWED", "VALIDATION_ERROR"],
                name,
                workspace.path(),
            );
            // A message does not grow with the argument.
            assert!(envelope.to_string().len() < 3000, "{tool}");
        }
    }
}

#[test]
fn the_workspace_lists_awkward_names() {
    let workspace = Workspace::new();
    for name in awkward::NAMES {
        workspace.write_bytes_name(name, b"x");
    }
    let mut session = Session::start(workspace.path());
    let envelope = session.call("list_workspace", &json!({}));
    assert_eq!(envelope["status"], "success", "{envelope}");
    assert_eq!(
        envelope["metadata"]["total"],
        awkward::NAMES.len(),
        "{envelope}"
    );
}
