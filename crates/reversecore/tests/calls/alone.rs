//! A machine with nothing installed: every core tool answers from its embedded
//! engine.

use reversecore_testkit::samples::Workspace;
use serde_json::json;

use crate::support::{Session, refused, reversecore};
use crate::{FILE_TOOLS, arguments};

#[test]
fn every_core_tool_answers_without_any_program() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start_as(reversecore(workspace.path()).env("PATH", "/nowhere"));
    for tool in FILE_TOOLS {
        let envelope = session.call(tool, &arguments(tool, "ls"));
        if tool == "run_radare2" {
            refused(&envelope, &["TOOL_NOT_FOUND"], "ls", workspace.path());
            continue;
        }
        assert_eq!(envelope["status"], "success", "{tool}: {envelope}");
        let engine = envelope["metadata"]["engine"].as_str().unwrap();
        assert!(engine.starts_with("embedded "), "{tool}: {engine}");
    }
    // Where the program was asked for, it is missed.
    for tool in ["run_file", "run_strings", "run_binwalk", "run_yara"] {
        let mut given = arguments(tool, "ls");
        given["engine"] = "external".into();
        let envelope = session.call(tool, &given);
        refused(&envelope, &["TOOL_NOT_FOUND"], "ls", workspace.path());
    }
}

#[test]
fn strings_name_their_section() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let given = json!({"file_path": "ls", "sections": true, "pattern": "GLIBC_2|^/lib64"});
    let envelope = session.call("run_strings", &given);
    assert_eq!(envelope["data"]["columns"][3], "section", "{envelope}");
    let rows = envelope["data"]["strings"].as_array().unwrap();
    let section_of = |text: &str| {
        let row = rows
            .iter()
            .find(|row| row[2].as_str().unwrap().contains(text));
        row.unwrap()[3].as_str().unwrap().to_owned()
    };
    assert_eq!(section_of("/lib64"), ".interp");
    assert_eq!(section_of("GLIBC_2"), ".dynstr");
}

#[test]
fn externals_reach_the_rules_in_both_engines() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let rules =
        r#"rule x { condition: number == 7 and text contains "b c" and flag and ratio > 1.2 }"#;
    for engine in ["embedded", "external"] {
        for (number, matches) in [(7, 1), (8, 0), (7, 1)] {
            let externals = json!({"number": number, "text": "a b c", "flag": true, "ratio": 1.25});
            let given = json!({"file_path": "ls", "rules": rules, "engine": engine, "externals": externals});
            let envelope = session.call("run_yara", &given);
            assert_eq!(
                envelope["metadata"]["total"], matches,
                "{engine}: {envelope}"
            );
        }
    }
    let bad = json!({"file_path": "ls", "rules": rules, "externals": {"a b": 1}});
    let envelope = session.call("run_yara", &bad);
    refused(&envelope, &["VALIDATION_ERROR"], "a b", workspace.path());
}

#[test]
fn slow_rules_are_named() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let rules = "rule slow { condition: for all i in (0..30000000) : (uint8(i % 1000) != 1000) }";
    let given = json!({"file_path": "ls", "rules": rules, "slow_rules": true});
    let envelope = session.call("run_yara", &given);
    assert_eq!(envelope["data"]["slow"][0]["rule"], "slow", "{envelope}");
}

#[test]
fn a_rule_that_takes_too_long_is_given_up_and_named() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let rules = "rule endless { condition: for all i in (0..100000000000) : (uint8(i % 7) != 256) }
        rule elf { condition: uint32(0) == 0x464c457f }";
    let given = json!({"file_path": "ls", "rules": rules, "timeout": 10, "rule_timeout": 1, "slow_rules": true});
    let envelope = session.call("run_yara", &given);
    let data = &envelope["data"];
    assert_eq!(data["matches"][0]["rule"], "elf", "{envelope}");
    assert_eq!(data["given_up"][0]["rule"], "endless", "{envelope}");
    assert_eq!(envelope["metadata"]["coverage"], "timed_out", "{envelope}");
    let external =
        json!({"file_path": "ls", "rules": rules, "rule_timeout": 1, "engine": "external"});
    let envelope = session.call("run_yara", &external);
    refused(
        &envelope,
        &["VALIDATION_ERROR"],
        "rule_timeout",
        workspace.path(),
    );
}
