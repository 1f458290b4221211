//! Functions as C: with names and texts, by either engine, and what is said when
//! there is none.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use reversecore_testkit::samples::Workspace;
use serde_json::{Value, json};

use crate::code::{data, first, output};
use crate::support::{Session, refused, reversecore};

/// The text of a function.
#[track_caller]
fn code(session: &mut Session, given: &Value) -> String {
    let decompiled = data(session, "decompile", given);
    let code = decompiled["code"].as_str();
    code.unwrap_or_else(|| panic!("{decompiled}")).to_owned()
}

#[test]
fn a_function_is_shown_with_names_and_texts() {
    let workspace = Workspace::new();
    first(&workspace, "a");
    let mut session = Session::start(workspace.path());
    let given = json!({"file_path": "a", "function": "main"});
    let envelope = session.call("decompile", &given);
    assert_eq!(envelope["metadata"]["coverage"], "complete", "{envelope}");
    let main = envelope["data"]["code"].as_str().unwrap();
    for part in [
        "main(int32_t ",
        "puts(\"a needle in the haystack\")",
        "exit(3)",
        "choose(",
        "checksum(",
        "printf(\"%d %u\\n\",",
    ] {
        assert!(main.contains(part), "{part}: {main}");
    }
    // Lines are lines, and the names of the report lead on.
    assert!(main.lines().count() > 5);
    let choose = json!({"file_path": "a", "function": "choose"});
    assert!(code(&mut session, &choose).contains("switch"));
    assert_eq!(envelope["data"]["name"], "main");

    output("strip", &["-o", "b", "a"], &workspace);
    let address = format!("{:#x}", envelope["data"]["address"].as_u64().unwrap());
    let stripped = json!({"file_path": "b", "function": address});
    let stripped = code(&mut session, &stripped);
    assert!(
        stripped.contains("puts(\"a needle in the haystack\")") && stripped.contains("sub_"),
        "{stripped}"
    );
}

#[test]
fn radare2_shows_the_same_function() {
    let workspace = Workspace::new();
    first(&workspace, "a");
    let mut session = Session::start(workspace.path());
    let given = json!({"file_path": "a", "function": "checksum", "engine": "external"});
    let envelope = session.call("decompile", &given);
    assert_eq!(envelope["status"], "success", "{envelope}");
    let engine = envelope["metadata"]["engine"].as_str().unwrap();
    assert!(engine.starts_with("radare2"), "{envelope}");
    assert_eq!(envelope["data"]["name"], "checksum");
    let text = envelope["data"]["code"].as_str().unwrap();
    assert!(text.contains("0xedb88320"), "{text}");
}

#[test]
fn what_is_left_out_is_said_with_the_next_call() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let sorted = json!({"file_path": "ls", "sort": "size", "limit": 1});
    let largest = data(&mut session, "list_functions", &sorted);
    let address = format!("{:#x}", largest["functions"][0][0].as_u64().unwrap());
    let given = json!({"file_path": "ls", "function": address, "limit": 40});
    let envelope = session.call("decompile", &given);
    assert_eq!(envelope["status"], "success", "{envelope}");
    assert_eq!(envelope["metadata"]["truncated"], true, "{envelope}");
    let warnings = envelope["metadata"]["warnings"].to_string();
    assert!(
        warnings.contains("raise `limit`") && warnings.contains("more than 40 instructions"),
        "{warnings}"
    );
}

#[test]
fn functions_that_have_no_text_have_a_reason() {
    let workspace = Workspace::new();
    first(&workspace, "a");
    workspace.write("text", b"no program at all");
    let bytes = std::fs::read(workspace.join("a")).unwrap();
    let mut other = bytes.clone();
    // s390x, which no decompiler is here for.
    other[18] = 22;
    workspace.write("other", &other);
    let mut session = Session::start(workspace.path());
    for (given, words) in [
        (json!({"file_path": "a", "function": "chose"}), "choose"),
        (json!({"file_path": "a", "function": "0x1"}), "function"),
        (json!({"file_path": "a", "function": ""}), "function"),
        (
            json!({"file_path": "a", "function": "main", "limit": 0}),
            "limit",
        ),
        (
            json!({"file_path": "text", "function": "main"}),
            "executable",
        ),
        (json!({"file_path": "other", "function": "0x0"}), "function"),
        (
            json!({"file_path": "a", "function": "chose", "engine": "external"}),
            "choose",
        ),
    ] {
        let envelope = session.call("decompile", &given);
        let said = given.to_string();
        refused(&envelope, &["VALIDATION_ERROR"], &said, workspace.path());
        assert!(envelope.to_string().contains(words), "{words}: {envelope}");
    }
}

/// A server that is told of a Ghidra in this directory.
fn with_ghidra(workspace: &Workspace, directory: &Path) -> Session {
    let mut command = reversecore(workspace.path());
    command.env("GHIDRA_INSTALL_DIR", directory);
    Session::start_as(&mut command)
}

#[test]
fn ghidra_is_asked_for_where_there_is_none() {
    let workspace = Workspace::new();
    first(&workspace, "a");
    let mut session = Session::start(workspace.path());
    let given = json!({"file_path": "a", "function": "checksum", "engine": "ghidra"});
    let envelope = session.call("decompile", &given);
    assert_eq!(envelope["error_code"], "TOOL_NOT_FOUND", "{envelope}");
    let hint = envelope["hint"].as_str().unwrap();
    assert!(hint.contains("GHIDRA_INSTALL_DIR"), "{envelope}");
}

/// Ghidra is in no package registry, so it is run where `GHIDRA_INSTALL_DIR` says that
/// somebody has it.
#[test]
fn ghidra_shows_the_same_function_where_it_is_installed() {
    let Some(installed) = std::env::var_os("GHIDRA_INSTALL_DIR") else {
        eprintln!("GHIDRA_INSTALL_DIR is not set, so Ghidra was not run");
        return;
    };
    let workspace = Workspace::new();
    first(&workspace, "a");
    workspace.write("text", b"no program at all");
    let mut session = with_ghidra(&workspace, Path::new(&installed));
    let given = json!({"file_path": "a", "function": "checksum", "engine": "ghidra"});
    let envelope = session.call("decompile", &given);
    assert_eq!(envelope["status"], "success", "{envelope}");
    let engine = envelope["metadata"]["engine"].as_str().unwrap();
    assert!(engine.starts_with("ghidra 1"), "{envelope}");
    assert_eq!(envelope["data"]["name"], "checksum");
    let text = envelope["data"]["code"].as_str().unwrap();
    assert!(
        text.contains("checksum(") && text.contains("0xedb88320"),
        "{text}"
    );
    let given = json!({"file_path": "text", "function": "0x10", "engine": "ghidra"});
    let envelope = session.call("decompile", &given);
    assert_eq!(envelope["error_code"], "TOOL_FAILED", "{envelope}");
    let message = envelope["message"].as_str().unwrap();
    assert!(
        message.contains("does not know this kind of file"),
        "{envelope}"
    );
}

/// How a run that ends without a text is told; the program stands in for Ghidra, whose
/// exit code is 0 in all these cases too.
#[test]
fn what_ghidra_does_not_say_is_an_error() {
    let workspace = Workspace::new();
    first(&workspace, "a");
    let directory = tempfile::tempdir().unwrap();
    let headless = directory.path().join("support/analyzeHeadless");
    std::fs::create_dir(headless.parent().unwrap()).unwrap();
    for (script, code, words) in [
        (
            "test -s scripts/ReversecoreDecompile.java && test -s sample && echo INFO",
            "TOOL_FAILED",
            "without an answer",
        ),
        (
            "echo 'ERROR No load spec found for import file: sample'",
            "TOOL_FAILED",
            "does not know this kind of file",
        ),
        ("exec sleep 600", "TIMEOUT", "still running"),
        (
            "for word; do case $word in reversecore-*) echo \"$word{\\\"error\\\":\\\"no code\\\"}\";; esac; done",
            "TOOL_FAILED",
            "no code",
        ),
    ] {
        std::fs::write(&headless, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&headless, mode).unwrap();
        let mut session = with_ghidra(&workspace, directory.path());
        let given =
            json!({"file_path": "a", "function": "checksum", "engine": "ghidra", "timeout": 2});
        let envelope = session.call("decompile", &given);
        assert_eq!(envelope["error_code"], code, "{script}: {envelope}");
        let message = envelope["message"].as_str().unwrap();
        assert!(message.contains(words), "{script}: {envelope}");
    }
}
