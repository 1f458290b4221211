//! Both lifecycles: sessions up to 2025-11-25, and single requests of
//! 2026-07-28.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Call, LEGACY, MODERN, Server, initialize, request};

/// The largest list of tools that a client should have to read.
const LIST_LIMIT: usize = 44 * 1024;

pub(crate) async fn open_session(server: &Server) -> String {
    let answer = Call::post(&initialize()).send(server.address).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let result = answer.result();
    assert_eq!(result["protocolVersion"], LEGACY);
    assert_eq!(result["serverInfo"]["name"], "reversecore");
    assert!(result["instructions"].as_str().unwrap().len() <= 2048);
    let session = answer.header("mcp-session-id").unwrap().to_owned();
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let answer = Call::in_session(&initialized, &session)
        .send(server.address)
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    session
}

fn call(tool: &str, arguments: &Value) -> Value {
    request("tools/call", &json!({"name": tool, "arguments": arguments}))
}

#[track_caller]
fn names(result: &Value) -> Vec<&str> {
    let tools = result["tools"].as_array().unwrap();
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect()
}

/// The envelope of a result, after checking that its three forms agree.
#[track_caller]
fn envelope(result: &Value, status: &str) -> Value {
    let envelope = &result["structuredContent"];
    assert_eq!(envelope["status"], status, "{result}");
    assert_eq!(result["isError"], status == "error", "{result}");
    assert!(!result["content"][0]["text"].as_str().unwrap().is_empty());
    envelope.clone()
}

#[tokio::test]
async fn a_session_lists_and_calls() {
    let server = Server::start().await;
    std::fs::write(server.workspace().join("sample.bin"), "hello").unwrap();
    let session = open_session(&server).await;
    let send = |message: Value| Call::in_session(&message, &session).send(server.address);

    let answer = send(request("tools/list", &json!({}))).await;
    assert!(answer.body.len() <= LIST_LIMIT, "{}", answer.body.len());
    let result = answer.result();
    for name in [
        "run_file",
        "run_strings",
        "list_workspace",
        "get_server_health",
    ] {
        assert!(names(&result).contains(&name), "{result}");
    }
    for tool in result["tools"].as_array().unwrap() {
        for hint in [
            "readOnlyHint",
            "destructiveHint",
            "idempotentHint",
            "openWorldHint",
        ] {
            assert!(tool["annotations"][hint].is_boolean(), "{hint}: {tool}");
        }
        assert_eq!(tool["inputSchema"]["type"], "object");
        assert_eq!(tool["outputSchema"]["type"], "object");
    }

    let result = send(call("list_workspace", &json!({}))).await.result();
    let listed = envelope(&result, "success");
    assert!(
        listed["data"].to_string().contains("sample.bin"),
        "{listed}"
    );
    let result = send(call("get_tool_metrics", &json!({}))).await.result();
    envelope(&result, "success");
    // Gemini CLI adds this to the parameters of every tool.
    for tool in answer.result()["tools"].as_array().unwrap() {
        let properties = &tool["inputSchema"]["properties"];
        assert!(properties["wait_for_previous"].is_null(), "{tool}");
    }
    let added = json!({"wait_for_previous": true});
    let result = send(call("list_workspace", &added)).await.result();
    envelope(&result, "success");

    let closed = Call::delete(&session).send(server.address).await;
    assert_eq!(closed.status, StatusCode::ACCEPTED);
    let gone = send(request("tools/list", &json!({}))).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn single_requests_list_and_call() {
    let server = Server::start().await;
    let send = |method: &str, params: Value| Call::modern(method, &params).send(server.address);

    let result = send("server/discover", json!({})).await.result();
    assert!(
        result["supportedVersions"]
            .as_array()
            .unwrap()
            .contains(&json!(MODERN)),
        "{result}"
    );
    let answer = send("tools/list", json!({})).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("mcp-session-id"), None);
    assert!(answer.body.len() <= LIST_LIMIT, "{}", answer.body.len());
    assert!(names(&answer.result()).contains(&"list_workspace"));

    let listed = json!({"name": "list_workspace", "arguments": {}});
    let result = send("tools/call", listed).await.result();
    envelope(&result, "success");
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error() {
    let server = Server::start().await;
    let session = open_session(&server).await;
    let legacy = Call::in_session(&call("run_\u{1b}nothing", &json!({})), &session);
    let message = legacy.send(server.address).await.message();
    assert_eq!(message["error"]["code"], -32602, "{message}");
    let text = message["error"]["message"].as_str().unwrap();
    assert!(text.contains(r"`run_\u{1b}nothing`"), "{text}");
    assert!(text.contains("run_strings"), "{text}");

    let modern = Call::modern(
        "tools/call",
        &json!({"name": "run_nothing", "arguments": {}}),
    );
    let message = modern.send(server.address).await.message();
    assert_eq!(message["error"]["code"], -32602, "{message}");
}

#[tokio::test]
async fn a_bad_argument_is_a_tool_result_that_names_it() {
    let server = Server::start().await;
    let session = open_session(&server).await;
    let bad = call("list_workspace", &json!({"colour": "red"}));
    let result = Call::in_session(&bad, &session)
        .send(server.address)
        .await
        .result();
    let error = envelope(&result, "error");
    assert_eq!(error["error_code"], "VALIDATION_ERROR");
    assert!(
        error["message"].as_str().unwrap().contains("colour"),
        "{error}"
    );
}

#[tokio::test]
async fn the_longest_idle_session_makes_room() {
    let server = Server::with(|settings| settings.max_sessions = 2).await;
    let first = open_session(&server).await;
    let second = open_session(&server).await;
    let list = request("tools/list", &json!({}));
    let used = Call::in_session(&list, &first).send(server.address).await;
    assert_eq!(used.status, StatusCode::OK);
    let third = open_session(&server).await;
    for (session, status) in [
        (first, StatusCode::OK),
        (second, StatusCode::NOT_FOUND),
        (third, StatusCode::OK),
    ] {
        let answer = Call::in_session(&list, &session).send(server.address).await;
        assert_eq!(answer.status, status);
    }
}
