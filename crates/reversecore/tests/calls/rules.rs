//! YARA rules that reach for files, are wrong, or are expensive.

use std::os::unix::fs::symlink;

use reversecore_testkit::samples::Workspace;
use serde_json::{Value, json};

use crate::support::{Session, refused};

/// Stands in a file that no rule may read.
const SECRET: &str = "the-content-of-a-secret-file";

struct Setting {
    workspace: Workspace,
    outside: Workspace,
}

fn setting() -> Setting {
    let workspace = Workspace::with_ls();
    let outside = Workspace::new();
    outside.write("secret.yar", format!("rule x {{ {SECRET} }}").as_bytes());
    Setting { workspace, outside }
}

#[track_caller]
fn no_secret(envelope: &Value, given: &str, setting: &Setting) {
    let codes = [
        "PARSE_ERROR",
        "PATH_NOT_ALLOWED",
        "VALIDATION_ERROR",
        "FILE_NOT_FOUND",
    ];
    refused(envelope, &codes, given, setting.workspace.path());
    assert!(!envelope.to_string().contains(SECRET), "{envelope}");
}

#[test]
fn includes_in_inline_rules_reach_nothing() {
    let setting = setting();
    let mut session = Session::start(setting.workspace.path());
    let secret = setting.outside.join("secret.yar");
    for target in [
        secret.to_str().unwrap(),
        "/etc/passwd",
        "../../../../../../etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
    ] {
        let rules = format!("include \"{target}\"\nrule a {{ condition: true }}");
        let envelope = session.call("run_yara", &json!({"file_path": "ls", "rules": rules}));
        no_secret(&envelope, target, &setting);
    }
}

#[test]
fn includes_in_rule_files_reach_nothing_outside() {
    let setting = setting();
    let secret = setting.outside.join("secret.yar");
    symlink(&secret, setting.workspace.join("link.yar")).unwrap();
    let mut session = Session::start(setting.workspace.path());
    for target in [
        secret.to_str().unwrap(),
        "/etc/passwd",
        "link.yar",
        "../secret.yar",
    ] {
        let rules = format!("include \"{target}\"\nrule a {{ condition: true }}");
        setting.workspace.write("rules.yar", rules.as_bytes());
        let given = json!({"file_path": "ls", "rule_file": "rules.yar"});
        let envelope = session.call("run_yara", &given);
        no_secret(&envelope, target, &setting);
    }
}

#[test]
fn rule_files_outside_are_not_read() {
    let setting = setting();
    let secret = setting.outside.join("secret.yar");
    symlink(&secret, setting.workspace.join("link.yar")).unwrap();
    let mut session = Session::start(setting.workspace.path());
    for path in [
        secret.to_str().unwrap(),
        "link.yar",
        "/etc/passwd",
        "../etc/passwd",
    ] {
        let given = json!({"file_path": "ls", "rule_file": path});
        no_secret(&session.call("run_yara", &given), path, &setting);
    }
}

#[test]
fn wrong_rules_say_where() {
    let setting = setting();
    let mut session = Session::start(setting.workspace.path());
    for rules in [
        "rule {",
        "rule a { condition: undefined_name }",
        "\0",
        "rule \u{202e} { }",
    ] {
        let given = json!({"file_path": "ls", "rules": rules});
        let envelope = session.call("run_yara", &given);
        let codes = ["PARSE_ERROR", "VALIDATION_ERROR"];
        refused(&envelope, &codes, "", setting.workspace.path());
    }
}

#[test]
fn a_rule_file_that_is_a_binary_is_no_rule() {
    let setting = setting();
    let mut session = Session::start(setting.workspace.path());
    let given = json!({"file_path": "ls", "rule_file": "ls"});
    let envelope = session.call("run_yara", &given);
    let codes = ["PARSE_ERROR", "VALIDATION_ERROR"];
    refused(&envelope, &codes, "ls", setting.workspace.path());
}
