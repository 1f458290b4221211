//! radare2 commands that would leave radare2. That they could do nothing even
//! if they got past the filter is tested elsewhere, with the filter off.

use std::fs;
use std::io::Write as _;

use reversecore_testkit::{escapes, samples::Workspace};
use serde_json::json;

use crate::jobs::jobs;
use crate::support::{Session, refused};

/// What each escape would leave behind, in the working directory or by path.
const MARK: &str = "escaped";

#[test]
fn commands_that_escape_are_refused() {
    let workspace = Workspace::with_ls();
    let before = fs::read(workspace.join("ls")).unwrap();
    let mark = workspace.join(MARK);
    let mark = mark.to_str().unwrap();
    let mut session = Session::start(workspace.path());
    assert!(escapes::all().count() >= 200);
    for template in escapes::all() {
        let command = template
            .replace("MARK", mark)
            .replace("SECRET", "/etc/passwd");
        let given = json!({"file_path": "ls", "r2_command": command});
        let envelope = session.call("run_radare2", &given);
        // The message quotes the caller's own words, this path among them.
        let envelope = envelope.to_string().replace(mark, "MARK");
        let envelope = serde_json::from_str(&envelope).unwrap();
        refused(&envelope, &["VALIDATION_ERROR"], &command, workspace.path());
        let left: Vec<_> = fs::read_dir(workspace.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["ls"], "{template}");
    }
    assert_eq!(fs::read(workspace.join("ls")).unwrap(), before);
}

#[test]
fn the_refusal_names_what_is_refused() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    for (command, named) in [
        ("i;!id", "!"),
        ("wx 41", "wx"),
        ("oo+", "oo+"),
        ("i|id", "|"),
    ] {
        let given = json!({"file_path": "ls", "r2_command": command});
        let envelope = session.call("run_radare2", &given);
        let message = envelope["message"].as_str().unwrap();
        assert!(message.contains(named), "{command}: {message}");
    }
}

#[test]
fn ordinary_commands_are_answered() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    for command in [
        "iI",
        "ij",
        "iSj",
        "iz~:0..3",
        "pd 5 @ entry0",
        "px 32",
        "aa;afl",
        "?e hello",
    ] {
        let given = json!({"file_path": "ls", "r2_command": command});
        let envelope = session.call("run_radare2", &given);
        assert_eq!(envelope["status"], "success", "{command}: {envelope}");
    }
}

#[test]
fn a_file_that_changes_meanwhile_is_told_at_once() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let call = session.begin(
        "run_radare2",
        &json!({"file_path": "ls", "r2_command": "aaa;?e done"}),
    );
    jobs(&mut session, "running", 1);
    let mut file = fs::File::options()
        .append(true)
        .open(workspace.join("ls"))
        .unwrap();
    file.write_all(b"more").unwrap();
    let envelope = session.answer(call);
    assert_eq!(envelope["error_code"], "FILE_CHANGED", "{envelope}");
    let again = session.call(
        "run_radare2",
        &json!({"file_path": "ls", "r2_command": "?e done"}),
    );
    assert_eq!(again["data"]["output"], "done\n", "{again}");
}
