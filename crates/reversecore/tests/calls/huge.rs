//! A sparse file of 8 GB: an answer about the beginning, in the time and memory
//! of a call.

use reversecore_testkit::processes::resident_bytes;
use reversecore_testkit::samples::Workspace;

use crate::support::{Session, discloses_nothing};
use crate::{FILE_TOOLS, arguments};

#[test]
fn a_file_too_large_for_the_time_has_a_partial_answer() {
    let workspace = Workspace::new();
    workspace.sparse("huge", 8 << 30);
    let mut session = Session::start(workspace.path());
    for tool in FILE_TOOLS {
        if tool == "run_radare2" {
            continue;
        }
        let mut given = arguments(tool, "huge");
        given["timeout"] = 1.into();
        let envelope = session.call(tool, &given);
        discloses_nothing(&envelope, "huge", workspace.path());
        if tool == "run_yara" {
            // A rule is true or false of the whole file only.
            continue;
        }
        assert_eq!(envelope["status"], "success", "{tool}: {envelope}");
        let coverage = envelope["metadata"]["coverage"].as_str().unwrap();
        let whole = ["run_file", "parse_binary", "disassemble", "read_bytes"].contains(&tool);
        assert!(coverage == "timed_out" || whole, "{tool}: {coverage}");
        if coverage == "timed_out" {
            let warnings = envelope["metadata"]["warnings"].to_string();
            assert!(warnings.contains("raise `timeout`"), "{warnings}");
        }
    }
    let memory = resident_bytes(session.pid()).unwrap();
    assert!(memory < 100 << 20, "{memory}");
}
