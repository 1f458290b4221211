//! The extension `io.modelcontextprotocol/tasks`, for clients that declare it.

use std::time::Duration;

use reversecore_testkit::samples::Workspace;
use serde_json::{Value, json};

use crate::support::{Session, reversecore};

/// A look at a task, and how many are enough for anything here: a minute's.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: u32 = 3000;
/// The protocol's code for a client that lacks a capability.
const LACKS_CAPABILITY: i64 = -32021;

/// A server that hands out each call at once.
fn hasty(workspace: &Workspace) -> Session {
    let file = workspace.write("my.toml", b"[execution]\ninline_seconds = 0\n");
    let mut command = reversecore(workspace.path());
    Session::start_without_a_word(command.env("REVERSECORE_CONFIG", file))
}

/// A request of 2026-07-28, of a client that knows tasks or does not.
fn ask(server: &mut Session, knows_tasks: bool, method: &str, params: Value) -> Value {
    let extensions = if knows_tasks {
        json!({"io.modelcontextprotocol/tasks": {}})
    } else {
        json!({})
    };
    let mut params = params;
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"extensions": extensions},
    });
    server.exchange(method, &params)
}

fn call(server: &mut Session, knows_tasks: bool, tool: &str, arguments: Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    ask(server, knows_tasks, "tools/call", params)["result"].clone()
}

/// The task when it has ended.
fn ended(server: &mut Session, id: &str) -> Value {
    for _ in 0..LOOKS {
        let task = ask(server, true, "tasks/get", json!({"taskId": id}))["result"].clone();
        if task["status"] != "working" {
            return task;
        }
        std::thread::park_timeout(LOOK);
    }
    panic!("the task {id} goes on");
}

#[test]
fn a_call_becomes_a_task_whose_result_is_the_calls() {
    let workspace = Workspace::with_ls();
    let mut server = hasty(&workspace);
    let discovered = ask(&mut server, true, "server/discover", json!({}));
    let declared = &discovered["result"]["capabilities"]["extensions"];
    assert!(
        declared["io.modelcontextprotocol/tasks"].is_object(),
        "{discovered}"
    );

    let created = call(&mut server, true, "run_file", json!({"file_path": "ls"}));
    assert_eq!(created["resultType"], "task", "{created}");
    assert_eq!(created["ttlMs"], Value::Null);
    assert!(created["pollIntervalMs"].as_u64().unwrap() >= 1000);
    let id = created["taskId"].as_str().unwrap();
    let task = ended(&mut server, id);
    assert_eq!(task["status"], "completed", "{task}");
    assert_eq!(task["createdAt"], created["createdAt"]);
    // An hour from its end.
    assert!(task["ttlMs"].as_u64().unwrap() >= 3_600_000, "{task}");
    let report = &task["result"]["structuredContent"];
    assert_eq!(report["status"], "success");
    assert!(
        report["data"]["description"]
            .as_str()
            .unwrap()
            .contains("ELF 64-bit")
    );

    // The task is the handle: other ways to it lead to the same.
    let same = call(&mut server, false, "get_job_result", json!({"job_id": id}));
    assert_eq!(same["structuredContent"], *report);

    // An error of the tool is a result.
    let bad = json!({"file_path": "ls", "rules": "rule bad { condition: nope }"});
    let created = call(&mut server, true, "run_yara", bad);
    let task = ended(&mut server, created["taskId"].as_str().unwrap());
    assert_eq!(task["status"], "completed");
    assert_eq!(task["result"]["isError"], true, "{task}");

    // What answers from memory is no task.
    let health = call(&mut server, true, "get_server_health", json!({}));
    assert_eq!(health["structuredContent"]["status"], "success");
}

#[test]
fn a_task_says_how_far_it_is_and_can_be_cancelled() {
    let workspace = Workspace::with_ls();
    workspace.sparse("huge", 64 << 30);
    let mut server = hasty(&workspace);
    let given = json!({"file_path": "huge", "timeout": 600});
    let created = call(&mut server, true, "get_file_info", given);
    let id = created["taskId"].as_str().unwrap().to_owned();
    let of_it = || json!({"taskId": id});
    let task = ask(&mut server, true, "tasks/get", of_it())["result"].clone();
    assert_eq!(task["status"], "working", "{task}");
    let said = task["statusMessage"].as_str().unwrap();
    assert!(said.starts_with("get_file_info"), "{said}");
    assert_eq!(task["result"], Value::Null);

    let updated = ask(
        &mut server,
        true,
        "tasks/update",
        json!({"taskId": id, "inputResponses": {"x": {}}}),
    );
    assert_eq!(updated["result"]["resultType"], "complete", "{updated}");
    for _ in 0..2 {
        let cancelled = ask(&mut server, true, "tasks/cancel", of_it());
        assert_eq!(cancelled["result"]["resultType"], "complete", "{cancelled}");
        assert_eq!(ended(&mut server, &id)["status"], "cancelled");
    }
}

#[test]
fn tasks_are_for_clients_that_know_them_and_for_known_tasks() {
    let workspace = Workspace::with_ls();
    let mut server = hasty(&workspace);
    let running = call(&mut server, false, "run_file", json!({"file_path": "ls"}));
    assert_eq!(
        running["structuredContent"]["status"], "running",
        "{running}"
    );
    let id = running["structuredContent"]["job_id"]
        .as_str()
        .unwrap()
        .to_owned();
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let params = |id: &str| match method {
            "tasks/update" => json!({"taskId": id, "inputResponses": {}}),
            _ => json!({"taskId": id}),
        };
        let refused = ask(&mut server, false, method, params(&id));
        assert_eq!(
            refused["error"]["code"], LACKS_CAPABILITY,
            "{method}: {refused}"
        );
        for unknown in ["", "job-0", "job-00000000000000000000000000000000", "../x"] {
            let refused = ask(&mut server, true, method, params(unknown));
            assert_eq!(
                refused["error"]["code"], -32602,
                "{method} {unknown}: {refused}"
            );
        }
    }
    // It is there for whoever knows its name and the extension.
    assert_eq!(ended(&mut server, &id)["status"], "completed");
}
