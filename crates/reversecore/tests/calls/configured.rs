//! What the configuration says holds in the calls.

use reversecore_testkit::samples::Workspace;
use serde_json::json;

use crate::support::{Session, reversecore};

fn session(workspace: &Workspace, configuration: &str) -> Session {
    let file = workspace.write("my.toml", configuration.as_bytes());
    Session::start_as(reversecore(workspace.path()).env("REVERSECORE_CONFIG", file))
}

#[test]
fn a_limit_on_programs_is_kept_and_named() {
    let workspace = Workspace::with_ls();
    let mut session = session(&workspace, "[limits]\nmemory_mib = 8\n");
    let given = json!({"file_path": "ls", "r2_command": "aaa"});
    let envelope = session.call("run_radare2", &given);
    assert_eq!(envelope["error_code"], "RESOURCE_LIMIT", "{envelope}");
    let message = envelope["message"].as_str().unwrap();
    assert!(message.contains("memory"), "{message}");
}

#[test]
fn triage_matches_the_configured_rules() {
    let workspace = Workspace::with_ls();
    std::fs::create_dir(workspace.join("rules")).unwrap();
    workspace.write(
        "rules/one.yar",
        b"rule an_elf : tag { meta: description = \"it is one\" condition: uint32(0) == 0x464c457f }",
    );
    let configuration = "[workspace]\ntriage_rules = \"rules\"\n";
    let mut session = session(&workspace, configuration);
    let envelope = session.call("triage", &json!({"file_path": "ls"}));
    let data = &envelope["data"];
    assert_eq!(
        data["yara"],
        json!(["an_elf [tag]: it is one"]),
        "{envelope}"
    );
    let findings = data["findings"].to_string();
    assert!(findings.contains("a YARA rule matches"), "{findings}");
}

#[test]
fn rules_that_are_wrong_do_not_cost_the_triage() {
    let workspace = Workspace::with_ls();
    workspace.write("bad.yar", b"rule bad { condition: nope }");
    let configuration = "[workspace]\ntriage_rules = \"bad.yar\"\n";
    let mut session = session(&workspace, configuration);
    let envelope = session.call("triage", &json!({"file_path": "ls"}));
    assert_eq!(envelope["status"], "success", "{envelope}");
    let warnings = envelope["metadata"]["warnings"].to_string();
    assert!(warnings.contains("could not be used"), "{warnings}");
}
