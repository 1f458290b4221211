//! What is printed for shells, manuals and clients.

use std::process::{Command, Output};

use serde_json::Value;

use crate::Scene;

fn print(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_reversecore"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn text(arguments: &[&str]) -> String {
    String::from_utf8(print(arguments).stdout).unwrap()
}

#[test]
fn shells_and_manuals_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&["completions", shell]);
        assert!(script.contains("no-journal"), "{shell}");
    }
    assert!(text(&["man"]).starts_with(".ie"), "the first page");
    let scene = Scene::new();
    let directory = scene.out("man");
    print(&["man", "--dir", directory.to_str().unwrap()]);
    let page = std::fs::read_to_string(directory.join("reversecore-scan.1")).unwrap();
    assert!(page.contains("\\-\\-resume"), "{page}");
}

#[test]
fn clients_get_what_they_read() {
    let shown = text(&["mcp-config", "vscode", "--workspace", "/srv/samples"]);
    let value: Value = serde_json::from_str(&shown).unwrap();
    let server = &value["servers"]["reversecore"];
    assert_eq!(server["args"][2], "/srv/samples");
    assert_eq!(server["command"], env!("CARGO_BIN_EXE_reversecore"));
}

/// The tool's flags and the file it takes are still those that its schema has.
#[test]
fn one_tool_on_one_file_is_a_report_or_an_envelope() {
    let scene = Scene::with_files(1);
    let file = scene.files.join("f0");
    let file = file.to_str().unwrap();
    let report = text(&["run", "triage", file]);
    assert!(
        report.contains("\n  kind: elf\n") && !report.contains('\u{1b}'),
        "{report}"
    );
    let envelope: Value = serde_json::from_str(&text(&["run", "triage", file, "--json"])).unwrap();
    assert_eq!(envelope["status"], "success");
}
