//! Prompts, resources and completion, over the protocol.

use reversecore_testkit::samples::Workspace;
use serde_json::json;

use crate::support::{Session, reversecore};

#[test]
fn prompts_are_listed_and_filled_in() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let listed = session.request("prompts/list", &json!({}));
    let prompts = listed["prompts"].as_array().unwrap();
    assert_eq!(prompts.len(), 5, "{listed}");
    for prompt in prompts {
        let arguments: serde_json::Map<_, _> = prompt["arguments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|argument| (argument["name"].as_str().unwrap().to_owned(), json!("ls")))
            .collect();
        let got = session.request(
            "prompts/get",
            &json!({"name": prompt["name"], "arguments": arguments}),
        );
        let text = got["messages"][0]["content"]["text"].as_str().unwrap();
        assert!(text.contains("`ls`"), "{text}");
        // Every tool that it names is there.
        let tools = session.request("tools/list", &json!({}))["tools"].to_string();
        for word in text.split('`').skip(1).step_by(2) {
            if word.contains('_')
                && !word.ends_with("_path")
                && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                && word != "entropy_curve"
            {
                assert!(tools.contains(&format!("\"{word}\"")), "{word}");
            }
        }
    }
}

#[test]
fn artifacts_are_resources_and_paths_are_completed() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start_as(
        reversecore(workspace.path()).env("REVERSECORE_DATA_DIR", workspace.join("data")),
    );
    let given = json!({"file_path": "ls", "max_output_size": 1_000_000});
    let envelope = session.call("run_strings", &given);
    let uri = &envelope["metadata"]["artifact"]["uri"];
    let read = session.request("resources/read", &json!({"uri": uri}));
    let text = read["contents"][0]["text"].as_str().unwrap();
    assert!(text.contains("/lib64/ld-linux"), "{text}");
    let templates = session.request("resources/templates/list", &json!({}));
    assert_eq!(templates["resourceTemplates"].as_array().unwrap().len(), 3);
    let completed = session.request(
        "completion/complete",
        &json!({"ref": {"type": "ref/prompt", "name": "triage"},
                "argument": {"name": "file_path", "value": "l"}}),
    );
    assert_eq!(
        completed["completion"]["values"],
        json!(["ls"]),
        "{completed}"
    );
}
