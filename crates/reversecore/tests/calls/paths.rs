//! Paths that lead out of the workspace, or to something that is no file.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use reversecore_testkit::samples::{Workspace, system_binary};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::json;

use crate::support::{Session, discloses_nothing, refused, run};
use crate::{FILE_TOOLS, arguments};

#[track_caller]
fn all_tools_refuse(workspace: &Workspace, paths: &[&str], codes: &[&str]) {
    let mut session = Session::start(workspace.path());
    for path in paths {
        for tool in FILE_TOOLS {
            let envelope = session.call(tool, &arguments(tool, path));
            let given = format!("{tool} {path}");
            assert_eq!(envelope["status"], "error", "{given}");
            refused(&envelope, codes, path, workspace.path());
        }
    }
}

#[test]
fn traversal_and_absolute_paths_are_not_allowed() {
    let workspace = Workspace::with_ls();
    fs::create_dir(workspace.join("inner")).unwrap();
    all_tools_refuse(
        &workspace,
        &[
            "../etc/passwd",
            "../../../../../../../../etc/passwd",
            "inner/../../etc/passwd",
            "inner/../..",
            "..",
            "/",
            "/etc/passwd",
            "/etc/shadow",
            "/proc/self/environ",
            "/proc/self/fd/0",
            "/proc/self/exe",
            "/dev/zero",
            "/dev/stdin",
            "//etc//passwd",
        ],
        &["PATH_NOT_ALLOWED"],
    );
}

#[test]
fn a_file_outside_does_not_differ_from_one_that_is_not_there() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let mut answer = |path: &str| {
        let envelope = session.call("run_file", &json!({"file_path": path}));
        let message = envelope["message"].as_str().unwrap().replace(path, "PATH");
        (envelope["error_code"].clone(), message)
    };
    assert_eq!(answer("/etc/passwd"), answer("/etc/no-such-file"));
    assert_eq!(answer("../../etc/passwd"), answer("../../etc/no-such-file"));
}

#[test]
fn links_out_of_the_workspace_are_not_followed() {
    let workspace = Workspace::with_ls();
    for (name, target) in [
        ("to-file", "/etc/passwd"),
        ("to-directory", "/etc"),
        ("to-parent", ".."),
        ("to-link", "to-file"),
        ("to-process", "/proc/self/root/etc/passwd"),
        ("to-device", "/dev/zero"),
    ] {
        symlink(target, workspace.join(name)).unwrap();
    }
    all_tools_refuse(
        &workspace,
        &[
            "to-file",
            "to-directory/passwd",
            "to-parent/etc/passwd",
            "to-link",
            "to-process",
            "to-device",
        ],
        &["PATH_NOT_ALLOWED"],
    );
}

#[test]
fn links_that_lead_nowhere_end() {
    let workspace = Workspace::with_ls();
    symlink("loop-b", workspace.join("loop-a")).unwrap();
    symlink("loop-a", workspace.join("loop-b")).unwrap();
    symlink("gone", workspace.join("dangling")).unwrap();
    all_tools_refuse(
        &workspace,
        &["loop-a", "dangling", "no-such-file", "ls/below", ""],
        &["FILE_NOT_FOUND", "PATH_NOT_ALLOWED", "VALIDATION_ERROR"],
    );
}

#[test]
fn a_link_that_is_swapped_in_after_a_call_is_not_followed() {
    let workspace = Workspace::with_ls();
    workspace.write("sample", &system_binary("ls"));
    fs::create_dir(workspace.join("inner")).unwrap();
    workspace.write("inner/passwd", &system_binary("ls"));
    let mut session = Session::start(workspace.path());
    for path in ["sample", "inner/passwd"] {
        let envelope = session.call("run_strings", &json!({"file_path": path}));
        assert_eq!(envelope["status"], "success", "{envelope}");
    }
    fs::remove_file(workspace.join("sample")).unwrap();
    symlink("/etc/passwd", workspace.join("sample")).unwrap();
    fs::remove_dir_all(workspace.join("inner")).unwrap();
    symlink("/etc", workspace.join("inner")).unwrap();
    for path in ["sample", "inner/passwd"] {
        for tool in FILE_TOOLS {
            let envelope = session.call(tool, &arguments(tool, path));
            refused(&envelope, &["PATH_NOT_ALLOWED"], path, workspace.path());
        }
    }
}

#[test]
fn what_is_no_regular_file_is_not_opened() {
    let workspace = Workspace::with_ls();
    fs::create_dir(workspace.join("directory")).unwrap();
    let make =
        |name: &str, kind, device| mknodat(CWD, workspace.join(name), kind, Mode::RUSR, device);
    make("fifo", FileType::Fifo, 0).unwrap();
    let _socket = UnixListener::bind(workspace.join("socket")).unwrap();
    let mut paths = vec!["directory", ".", "fifo", "socket"];
    // Only root can make a device: this one gives zeros without end.
    if make("zeros", FileType::CharacterDevice, makedev(1, 5)).is_ok() {
        paths.push("zeros");
    }
    all_tools_refuse(&workspace, &paths, &["FILE_NOT_FOUND"]);
}

#[test]
fn an_empty_file_has_an_answer_from_every_tool() {
    let workspace = Workspace::new();
    workspace.write("empty", b"");
    let mut session = Session::start(workspace.path());
    for tool in FILE_TOOLS {
        let envelope = session.call(tool, &arguments(tool, "empty"));
        discloses_nothing(&envelope, "empty", workspace.path());
        match tool {
            // There is nothing to say about it, and either way of saying so is fine.
            "run_radare2" => continue,
            // There is no instruction, and no way to know of what kind one would be.
            "disassemble" => {
                refused(&envelope, &["VALIDATION_ERROR"], "empty", workspace.path());
                continue;
            }
            "parse_binary" => {
                refused(&envelope, &["PARSE_ERROR"], "empty", workspace.path());
                continue;
            }
            "read_bytes" => {
                let nothing = json!({"start": {"offset": 0}, "length": 0, "end": "file"});
                assert_eq!(envelope["data"], nothing, "{envelope}");
                continue;
            }
            "compare_files" => {
                assert_eq!(envelope["data"]["verdict"], "identical", "{envelope}");
                continue;
            }
            _ => {}
        }
        assert_eq!(envelope["status"], "success", "{tool}: {envelope}");
        match tool {
            "run_file" | "get_file_info" | "triage" => {
                assert!(envelope["data"].to_string().contains("empty"), "{envelope}");
            }
            _ => assert_eq!(envelope["metadata"]["total"], 0, "{tool}: {envelope}"),
        }
    }
}

#[test]
fn the_command_line_opens_regular_files_only() {
    // Whoever types the command may read any file; it still has to be one.
    let workspace = Workspace::with_ls();
    let path = workspace.path();
    mknodat(CWD, workspace.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    for given in ["no-such-file", "fifo", ".", "/dev/zero"] {
        let envelope = run(path, &["run_strings", given]);
        refused(&envelope, &["FILE_NOT_FOUND"], given, path);
    }
}
