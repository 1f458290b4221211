//! Calls that go on without their requests.

use reversecore_testkit::samples::Workspace;
use serde_json::{Value, json};

use crate::support::{Session, refused, reversecore};

/// A server whose clients have this much patience.
fn session(workspace: &Workspace, seconds: u32) -> Session {
    let text = format!("[execution]\ninline_seconds = {seconds}\n");
    let file = workspace.write("my.toml", text.as_bytes());
    Session::start_as(reversecore(workspace.path()).env("REVERSECORE_CONFIG", file))
}

fn handle(envelope: &Value) -> String {
    assert_eq!(envelope["status"], "running", "{envelope}");
    assert!(envelope["poll_after_ms"].as_u64().unwrap() >= 1000);
    assert!(envelope["metadata"]["stage"].is_string(), "{envelope}");
    envelope["job_id"].as_str().unwrap().to_owned()
}

#[test]
fn the_answer_is_asked_for_and_is_the_one_that_a_patient_client_has() {
    let workspace = Workspace::with_ls();
    let given = json!({"file_path": "ls"});
    let mut patient = session(&workspace, 25);
    let mut hasty = session(&workspace, 0);
    for tool in ["run_file", "parse_binary", "run_strings", "triage"] {
        let expected = patient.call(tool, &given);
        let id = handle(&hasty.call(tool, &given));
        let answer = hasty.call("get_job_result", &json!({"job_id": id, "wait": 50}));
        assert_eq!(answer["data"], expected["data"], "{tool}");
        assert_eq!(answer["metadata"]["tool"], tool);
        // It is kept, and can be looked at.
        let again = hasty.call("get_job_result", &json!({"job_id": id, "wait": 0}));
        assert_eq!(again, answer);
        let job = hasty.call("get_job", &json!({"job_id": id}));
        assert_eq!(job["data"]["tool"], tool, "{job}");
    }
    // What answers from memory needs no patience.
    assert_eq!(
        hasty.call("get_server_health", &json!({}))["status"],
        "success"
    );
    // An error is an answer too.
    workspace.write("bad.yar", b"rule bad { condition: nope }");
    let bad = json!({"file_path": "ls", "rule_file": "bad.yar"});
    let id = handle(&hasty.call("run_yara", &bad));
    let answer = hasty.call("get_job_result", &json!({"job_id": id}));
    assert_eq!(answer["error_code"], "PARSE_ERROR", "{answer}");
}

#[test]
fn a_job_outlives_its_request_and_can_be_cancelled_by_its_handle() {
    let workspace = Workspace::with_ls();
    workspace.sparse("huge", 64 << 30);
    let mut server = session(&workspace, 0);
    let call = json!({"file_path": "huge", "timeout": 600});
    let id = handle(&server.call("get_file_info", &call));
    // The request is over, and the job goes on.
    let answer = server.call("get_job_result", &json!({"job_id": id, "wait": 1}));
    assert_eq!(handle(&answer), id);
    let job = server.call("get_job", &json!({"job_id": id}));
    assert_eq!(job["data"]["state"], "running", "{job}");
    let cancelled = server.call("cancel_job", &json!({"job_id": id}));
    assert_eq!(cancelled["data"]["cancelled"], true, "{cancelled}");
    let answer = server.call("get_job_result", &json!({"job_id": id, "wait": 50}));
    assert_eq!(answer["error_code"], "CANCELLED", "{answer}");
    let twice = server.call("cancel_job", &json!({"job_id": id}));
    assert_eq!(twice["data"]["cancelled"], false, "{twice}");
}

#[test]
fn handles_that_are_none_are_refused() {
    let workspace = Workspace::with_ls();
    let mut server = session(&workspace, 25);
    for id in [
        "",
        "job-0",
        "job-00000000000000000000000000000000",
        "../x",
        "x\u{0}y",
    ] {
        for tool in ["get_job_result", "get_job", "cancel_job"] {
            let envelope = server.call(tool, &json!({"job_id": id}));
            refused(&envelope, &["VALIDATION_ERROR"], id, workspace.path());
        }
    }
    let envelope = server.call("get_job_result", &json!({"job_id": "job-0", "wait": 51}));
    refused(&envelope, &["VALIDATION_ERROR"], "wait", workspace.path());
}
