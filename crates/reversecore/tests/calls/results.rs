//! Large results are shown by their ends and kept whole; results that were
//! asked for before are remembered, and only those.

use std::fmt::Write as _;

use reversecore_testkit::samples::Workspace;
use serde_json::{Value, json};

use crate::support::{Session, refused, reversecore};

/// A server that keeps things in its workspace, and may read the system's
/// programs: files that have been as they are for a while.
fn session(workspace: &Workspace) -> Session {
    Session::start_as(
        reversecore(workspace.path())
            .env("REVERSECORE_DATA_DIR", workspace.join("data"))
            .env("REVERSECORE_READ_DIRS", "/usr/bin"),
    )
}

fn texts(envelope: &Value) -> Vec<String> {
    let rows = envelope["data"]["strings"].as_array().unwrap();
    rows.iter()
        .map(|row| format!("{} {}", row[0], row[2]))
        .collect()
}

#[test]
fn a_large_result_is_kept_and_can_be_paged_searched_and_sliced() {
    let workspace = Workspace::with_ls();
    let mut server = session(&workspace);
    let given = json!({"file_path": "ls", "r2_command": "px 100000 @ 0"});
    let envelope = server.call("run_radare2", &given);
    let metadata = &envelope["metadata"];
    assert_eq!(metadata["coverage"], "truncated", "{envelope}");
    assert!(envelope.to_string().len() < 48_000);
    let output = envelope["data"]["output"].as_str().unwrap();
    assert!(output.contains("ELF"), "{output}");
    let (id, lines) = (
        &metadata["artifact"]["id"],
        metadata["artifact"]["lines"].as_u64().unwrap(),
    );
    assert!(lines > 6000, "{metadata}");

    // From another server, too: what is kept outlives the one that made it.
    drop(server);
    let mut server = session(&workspace);
    let (mut from, mut seen) = (1, 0);
    loop {
        let page = server.call("read_artifact", &json!({"artifact": id, "from_line": from}));
        assert_eq!(page["metadata"]["total"], lines, "{page}");
        let rows = page["data"]["lines"].as_array().unwrap();
        assert_eq!(rows[0][0], from);
        seen += rows.len() as u64;
        match page["metadata"]["next_cursor"].as_str() {
            Some(next) => from = next.parse().unwrap(),
            None => break,
        }
    }
    assert_eq!(seen, lines);
    let found = server.call(
        "read_artifact",
        &json!({"artifact": metadata["artifact"]["uri"], "pattern": "^0x00000000 .*ELF"}),
    );
    assert_eq!(found["data"]["matches"], 1, "{found}");
    let counted = server.call(
        "read_artifact",
        &json!({"artifact": id, "pattern": "^0x", "count": true}),
    );
    assert!(
        counted["data"]["matches"].as_u64().unwrap() > 6000,
        "{counted}"
    );
    assert!(counted["data"]["lines"].is_null());
    let bytes = server.call("read_artifact", &json!({"artifact": id, "offset": 10}));
    assert!(
        bytes["data"]["text"].as_str().unwrap().len() > 1000,
        "{bytes}"
    );
    for (bad, code) in [
        (
            json!({"artifact": "0123456789abcdef0123456789abcdef"}),
            "FILE_NOT_FOUND",
        ),
        (json!({"artifact": "../../../etc/passwd"}), "FILE_NOT_FOUND"),
        (json!({"artifact": id, "pattern": "("}), "VALIDATION_ERROR"),
        (
            json!({"artifact": id, "offset": 1, "count": true}),
            "VALIDATION_ERROR",
        ),
    ] {
        let envelope = server.call("read_artifact", &bad);
        refused(&envelope, &[code], &bad.to_string(), workspace.path());
    }
}

#[test]
fn pages_of_strings_join_to_the_whole() {
    let workspace = Workspace::with_ls();
    let mut server = session(&workspace);
    for engine in ["embedded", "external"] {
        let whole = json!({"file_path": "ls", "encoding": "utf-16le", "min_length": 1, "engine": engine, "max_output_size": 50_000_000});
        let whole = server.call("run_strings", &whole)["metadata"]["total"]
            .as_u64()
            .unwrap();
        let (mut cursor, mut seen) = (Value::Null, Vec::new());
        loop {
            let mut given = json!({"file_path": "ls", "encoding": "utf-16le", "min_length": 1, "engine": engine});
            if !cursor.is_null() {
                given["cursor"] = cursor;
            }
            let page = server.call("run_strings", &given);
            assert!(page["metadata"]["artifact"].is_null(), "{page}");
            assert!(
                page.to_string().len() < 44_000,
                "{}",
                page.to_string().len()
            );
            seen.extend(texts(&page));
            cursor = page["metadata"]["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(seen.len() as u64, whole, "{engine}");
        seen.dedup();
        assert_eq!(seen.len() as u64, whole, "{engine}");
    }
}

#[test]
fn a_report_that_is_too_large_keeps_its_shape() {
    let workspace = Workspace::with_ls();
    let mut rules = String::new();
    for number in 0..900 {
        writeln!(
            rules,
            "rule r{number} {{ meta: about = \"{}\" condition: true }}",
            "x".repeat(40)
        )
        .unwrap();
    }
    let mut server = session(&workspace);
    let envelope = server.call("run_yara", &json!({"file_path": "ls", "rules": rules}));
    let cut = &envelope["metadata"]["cuts"][0];
    assert_eq!(cut["total"], 900, "{}", envelope["metadata"]);
    let matches = envelope["data"]["matches"].as_array().unwrap();
    assert_eq!(
        matches.len() as u64,
        cut["head"].as_u64().unwrap() + cut["tail"].as_u64().unwrap()
    );
    assert_eq!(matches.last().unwrap()["rule"], "r899");
    let artifact = &envelope["metadata"]["artifact"]["id"];
    let found = server.call(
        "read_artifact",
        &json!({"artifact": artifact, "pattern": r"\br450\b"}),
    );
    assert_eq!(found["data"]["matches"], 1, "{found}");
}

#[test]
fn the_same_question_about_the_same_content_is_answered_from_memory() {
    let workspace = Workspace::with_ls();
    let mut server = session(&workspace);
    let mut cached = |given: &Value| {
        let envelope = server.call("get_file_info", given);
        assert_eq!(envelope["status"], "success", "{envelope}");
        let data = envelope["data"].clone();
        (envelope["metadata"]["cached"].as_bool().unwrap(), data)
    };
    let ls = json!({"file_path": "/usr/bin/ls"});
    let (first, report) = cached(&ls);
    assert!(!first);
    assert_eq!(cached(&ls), (true, report.clone()));
    // How long it may take changes nothing; what is asked does.
    assert!(cached(&json!({"file_path": "/usr/bin/ls", "timeout": 7})).0);
    assert!(!cached(&json!({"file_path": "/usr/bin/ls", "entropy_curve": true})).0);
    assert_eq!(
        cached(&json!({"file_path": "/usr/bin/ls", "cache": "bypass"})),
        (false, report)
    );
    let refusal = server.call(
        "get_file_info",
        &json!({"file_path": "ls", "cache": "maybe"}),
    );
    refused(&refusal, &["VALIDATION_ERROR"], "cache", workspace.path());
    // Rules in a file may change: nothing is remembered of them.
    workspace.write("r.yar", crate::ELF_RULE.as_bytes());
    for _ in 0..2 {
        let given = json!({"file_path": "/usr/bin/ls", "rule_file": "r.yar"});
        assert_eq!(server.call("run_yara", &given)["metadata"]["cached"], false);
    }
}

#[test]
fn content_that_has_changed_is_another_question() {
    let workspace = Workspace::with_ls();
    let mut server = session(&workspace);
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    for (content, cached) in [("first", false), ("other", false), ("first", false)] {
        let path = workspace.write("a.bin", content.as_bytes());
        // Same name, size and time: only the inode's own time differs.
        std::fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(old)
            .unwrap();
        let envelope = server.call("get_file_info", &json!({"file_path": "a.bin"}));
        assert_eq!(envelope["metadata"]["cached"], cached, "{envelope}");
        let digest = envelope["data"]["hashes"]["sha256"].as_str().unwrap();
        assert_eq!(digest, envelope["metadata"]["sha256"].as_str().unwrap());
    }
}

#[test]
fn what_took_long_outlives_the_server() {
    let workspace = Workspace::with_ls();
    let path = workspace.write("large.bin", &vec![0x41; 64 << 20]);
    let given = json!({"file_path": "large.bin"});
    // A file is remembered by what the kernel says of it once it has settled.
    let settled = |server: &mut Session| {
        let age = std::fs::metadata(&path).unwrap().modified().unwrap();
        while age.elapsed().unwrap() < std::time::Duration::from_millis(1100) {
            server.call("get_server_health", &json!({}));
        }
    };
    let mut server = session(&workspace);
    settled(&mut server);
    let first = server.call("get_file_info", &given);
    assert_eq!(first["metadata"]["cached"], false, "{first}");
    // It is written beside the answer.
    let kept = workspace.join("data/results");
    while std::fs::read_dir(&kept).map_or(0, Iterator::count) == 0 {
        server.call("get_server_health", &json!({}));
    }
    drop(server);
    let mut server = session(&workspace);
    // The new server learns the content's hash from another question.
    server.call("run_file", &given);
    let again = server.call("get_file_info", &given);
    assert_eq!(again["metadata"]["cached"], true, "{again}");
    assert_eq!(again["data"], first["data"]);
}
