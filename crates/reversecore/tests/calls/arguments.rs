//! Arguments that are unknown, missing, of the wrong type, or out of bounds.

use reversecore_testkit::samples::Workspace;
use serde_json::{Value, json};

use crate::support::{Session, refused, run};
use crate::{FILE_TOOLS, arguments};

#[track_caller]
fn is_refused(
    session: &mut Session,
    workspace: &Workspace,
    tool: &str,
    given: &Value,
    named: &str,
) {
    let envelope = session.call(tool, given);
    refused(&envelope, &["VALIDATION_ERROR"], "", workspace.path());
    let message = envelope["message"].as_str().unwrap();
    assert!(message.contains(named), "{tool} {given}: {message}");
}

#[test]
fn unknown_arguments_are_refused_by_name() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    for tool in FILE_TOOLS {
        for name in ["filepath", "timeuot", "-n", "$(id)"] {
            let mut given = arguments(tool, "ls");
            given[name] = 1.into();
            is_refused(&mut session, &workspace, tool, &given, name);
        }
    }
    for tool in ["list_workspace", "get_server_health", "get_tool_metrics"] {
        let given = json!({"unheard_of": true});
        is_refused(&mut session, &workspace, tool, &given, "unheard_of");
    }
}

#[test]
fn values_out_of_bounds_are_refused_with_the_bounds() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let mut check = |tool: &str, name: &str, value: Value, bound: &str| {
        let mut given = arguments(tool, "ls");
        given[name] = value;
        is_refused(&mut session, &workspace, tool, &given, name);
        is_refused(&mut session, &workspace, tool, &given, bound);
    };
    for tool in FILE_TOOLS {
        for value in [
            json!(0),
            json!(3601),
            json!(-1),
            json!(1.5),
            json!("10"),
            json!(null),
            json!(u64::MAX),
        ] {
            check(tool, "timeout", value, "3600");
        }
    }
    for value in [json!(0), json!(1025), json!([4])] {
        check("run_strings", "min_length", value, "1024");
    }
    for tool in ["run_strings", "run_binwalk", "run_radare2"] {
        for value in [json!(0), json!(1023), json!(104_857_601)] {
            check(tool, "max_output_size", value, "1024");
        }
    }
}

#[test]
fn missing_and_contradictory_arguments_are_refused() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    for tool in FILE_TOOLS {
        let mut given = arguments(tool, "ls");
        given.as_object_mut().unwrap().remove("file_path");
        is_refused(&mut session, &workspace, tool, &given, "file_path");
        for wrong in [json!(1), json!(null), json!(["ls"]), json!({"path": "ls"})] {
            given["file_path"] = wrong;
            is_refused(&mut session, &workspace, tool, &given, "file_path");
        }
    }
    let no_command = json!({"file_path": "ls"});
    is_refused(
        &mut session,
        &workspace,
        "run_radare2",
        &no_command,
        "r2_command",
    );
    is_refused(&mut session, &workspace, "run_yara", &no_command, "rule");
    let both = json!({"file_path": "ls", "rules": crate::ELF_RULE, "rule_file": "ls"});
    is_refused(&mut session, &workspace, "run_yara", &both, "rule");
    let encoding = json!({"file_path": "ls", "encoding": "ebcdic"});
    is_refused(
        &mut session,
        &workspace,
        "run_strings",
        &encoding,
        "encoding",
    );
}

#[test]
fn patterns_that_are_wrong_or_explode_are_refused() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    for pattern in ["(", "a{1000}{1000}{1000}", "[z-a]", "(?<name"] {
        let given = json!({"file_path": "ls", "pattern": pattern});
        let envelope = session.call("run_strings", &given);
        refused(&envelope, &["VALIDATION_ERROR"], pattern, workspace.path());
    }
}

#[test]
fn an_unknown_tool_is_named_on_the_command_line() {
    let workspace = Workspace::with_ls();
    let output = crate::support::reversecore(workspace.path())
        .args(["run", "run_everything", "ls", "--json"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("run_everything"), "{said}");
    assert!(
        said.contains("run_strings"),
        "it should list those there are: {said}"
    );
}

#[test]
fn the_command_line_checks_bounds_too() {
    let workspace = Workspace::with_ls();
    let envelope = run(workspace.path(), &["run_strings", "ls", "--timeout", "0"]);
    refused(&envelope, &["VALIDATION_ERROR"], "", workspace.path());
}
