//! What is written, and with which code the process ends.

use std::os::unix::fs::symlink;

use reversecore_testkit::samples::system_binary;
use serde_json::Value;

use crate::{Scene, ended_with};

const RULE: &str = r#"rule Marked : test { strings: $a = "MARKED-BY-TEST" condition: $a }"#;

#[test]
fn every_file_has_a_row_with_an_envelope_a_tool() {
    let scene = Scene::new();
    scene.files.write("plain.txt", b"nothing to see");
    scene.files.write("copy.txt", b"nothing to see");
    scene.files.write("empty", b"");
    scene.files.write_bytes_name(b"odd\xff\n", b"an odd name");
    scene.files.write("ls", &system_binary("ls"));
    symlink("ls", scene.files.join("link")).unwrap();
    let output = scene.scan("jsonl", &["--tool", "triage", "--tool", "run_file"]);
    let rows = scene.rows();
    assert_eq!(rows.len(), 5, "{:?}", rows.keys());
    for row in rows.values() {
        assert_eq!(row["state"], "done", "{row}");
        for tool in ["triage", "run_file"] {
            let envelope = &row["results"][tool];
            assert_eq!(envelope["status"], "success", "{row}");
            assert_eq!(envelope["metadata"]["sha256"], row["sha256"], "{row}");
        }
    }
    let copy = &rows[&scene.named("copy.txt")];
    assert_eq!(copy["sha256"], rows[&scene.named("plain.txt")]["sha256"]);
    assert!(rows.contains_key(&scene.named("odd%FF\n")));
    let found = rows
        .values()
        .any(|row| row["severity"] == "suspicious" || row["severity"] == "high");
    ended_with(&output, i32::from(found));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("5 files, "), "{text}");
    // Not a terminal: no progress.
    assert!(output.stderr.is_empty(), "{:?}", output.stderr);
}

#[test]
fn findings_and_files_that_are_gone_show_in_the_exit_code() {
    let scene = Scene::new();
    let rules = Scene::new();
    let rules = rules.files.write("r.yar", RULE.as_bytes());
    let rules = rules.to_str().unwrap();
    scene.files.write("a.txt", b"quiet");
    let tool = ["--tool", "run_file", "--rules", rules];
    ended_with(&scene.scan("jsonl", &tool), 0);
    scene.files.write("b.txt", b"xx MARKED-BY-TEST");
    ended_with(&scene.scan("jsonl", &tool), 1);
    let row = &scene.rows()[&scene.named("b.txt")];
    assert_eq!(row["severity"], "suspicious", "{row}");
    assert_eq!(
        row["results"]["run_yara"]["data"]["matches"][0]["rule"],
        "Marked"
    );
    scene.files.sparse("large", 3 << 20);
    let mut larger = tool.to_vec();
    larger.extend(["--max-size", "1"]);
    ended_with(&scene.scan("jsonl", &larger), 3);
    let row = &scene.rows()[&scene.named("large")];
    assert!(
        row["error"].as_str().unwrap().contains("--max-size"),
        "{row}"
    );
}

#[test]
fn the_other_formats_are_what_they_are_called() {
    let scene = Scene::new();
    let rules = Scene::new();
    let rules = rules.files.write("r.yar", RULE.as_bytes());
    let rules = rules.to_str().unwrap();
    scene.files.write("a \"<b>.txt", b"MARKED-BY-TEST");
    let tool = ["--tool", "triage", "--rules", rules];
    for (ending, wanted) in [
        ("csv", "path,parent,sha256,"),
        ("sarif", "\"ruleId\":\"run_yara/marked-test\""),
        ("html", "a &quot;&lt;b&gt;.txt"),
    ] {
        ended_with(&scene.scan(ending, &tool), 1);
        let text = std::fs::read_to_string(scene.out(ending)).unwrap();
        assert!(text.contains(wanted), "{ending}: {text}");
        if ending == "sarif" {
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                value["runs"][0]["invocations"][0]["executionSuccessful"],
                true
            );
        }
    }
}

#[test]
fn without_a_journal_the_rows_are_the_same() {
    let scene = Scene::with_files(20);
    scene.scan("jsonl", &[]);
    let recorded = scene.rows();
    scene.scan("jsonl", &["--no-journal"]);
    let unrecorded = scene.rows();
    assert_eq!(recorded.len(), 20);
    for (path, row) in recorded {
        let other = &unrecorded[&path];
        for key in ["sha256", "state", "size", "severity"] {
            assert_eq!(row[key], other[key], "{path}");
        }
        assert_eq!(
            row["results"]["triage"]["data"],
            other["results"]["triage"]["data"]
        );
    }
}
