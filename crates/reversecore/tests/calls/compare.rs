//! `compare_files` through the real binary: its scores are those of the program
//! `ssdeep`, and what it says of a variant is true.

#![expect(
    clippy::disallowed_methods,
    reason = "a test compares with an external program"
)]

use std::path::Path;
use std::process::Command;

use reversecore_testkit::samples::Workspace;
use serde_json::{Value, json};

use crate::support::{Session, refused};

fn compared(session: &mut Session, one: &str, other: &str) -> Value {
    let given = json!({"file_path": one, "other_path": other});
    let envelope = session.call("compare_files", &given);
    assert_eq!(envelope["status"], "success", "{envelope}");
    envelope["data"].clone()
}

/// What `ssdeep` prints, without its header.
fn ssdeep(arguments: &[&str], directory: &Path) -> String {
    let done = Command::new("ssdeep")
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the tests need ssdeep (scripts/setup-tools)");
    String::from_utf8(done.stdout).unwrap()
}

/// The score of two files, by their hashes, as `NAME matches NAME (SCORE)`.
fn score_by_ssdeep(workspace: &Workspace, one: &str, other: &str) -> u64 {
    for name in [one, other] {
        let hashed = ssdeep(&["-s", "-b", name], workspace.path());
        workspace.write(format!("{name}.hash"), hashed.as_bytes());
    }
    let hashes = [format!("{one}.hash"), format!("{other}.hash")];
    let said = ssdeep(&["-a", "-x", &hashes[0], &hashes[1]], workspace.path());
    let (_, score) = said.rsplit_once('(').unwrap();
    score.trim().trim_end_matches(')').parse().unwrap()
}

#[test]
fn variants_have_the_scores_of_ssdeep_and_show_what_is_the_same() {
    let workspace = Workspace::with_ls();
    let ls = std::fs::read(workspace.join("ls")).unwrap();
    let mut patched = ls.clone();
    let middle = patched.len() / 2;
    for index in 0..12 {
        patched[middle + 997 * index] ^= 0x55;
    }
    workspace.write("patched", &patched);
    workspace.write("half", &ls[..middle]);
    workspace.write("other", &std::fs::read("/bin/cat").unwrap());
    let mut session = Session::start(workspace.path());

    let same = compared(&mut session, "ls", "ls");
    assert_eq!(
        (
            &same["verdict"],
            &same["ssdeep_score"],
            &same["tlsh_distance"]
        ),
        (&json!("identical"), &json!(100), &json!(0)),
        "{same}"
    );
    for other in ["patched", "half", "other"] {
        let found = compared(&mut session, "ls", other);
        let expected = score_by_ssdeep(&workspace, "ls", other);
        // Where sizes are too different, ssdeep says 0.
        let score = |found: &Value| found["ssdeep_score"].as_u64().unwrap_or(0);
        assert_eq!(score(&found), expected, "{other}: {found}");
        let back = compared(&mut session, other, "ls");
        assert_eq!(score(&back), expected, "{other}: {back}");
    }

    let patched = compared(&mut session, "ls", "patched");
    assert_eq!(patched["verdict"], "alike", "{patched}");
    assert_eq!(patched["same_start"], middle, "{patched}");
    let facts = patched["shared"].to_string();
    assert!(facts.contains("build id"), "{patched}");
    let sections = patched["sections"].to_string();
    assert!(sections.contains(".dynstr"), "{patched}");
    let other = compared(&mut session, "ls", "other");
    assert_eq!(other["verdict"], "different", "{other}");
    assert!(other["imports"]["shared"].as_u64().unwrap() > 10, "{other}");
}

#[test]
fn a_second_file_that_is_not_there_is_named() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let given = json!({"file_path": "ls", "other_path": "missing"});
    let envelope = session.call("compare_files", &given);
    refused(&envelope, &["FILE_NOT_FOUND"], "missing", workspace.path());
    let message = envelope["message"].as_str().unwrap();
    assert!(message.contains("`missing`"), "{envelope}");
}
