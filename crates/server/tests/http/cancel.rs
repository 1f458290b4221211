//! What cancels a call, and what does not. The call here needs a child process,
//! and the launcher never answers: it runs until somebody cancels it.

use http::StatusCode;
use serde_json::{Value, json};

use crate::eras::open_session;
use crate::support::{Call, LIMIT, Server, request};

/// A server with a file to analyse.
async fn start() -> Server {
    let server = Server::start().await;
    std::fs::write(server.workspace().join("sample.bin"), "hello").unwrap();
    server
}

fn endless() -> Value {
    json!({"name": "run_strings", "arguments": {"file_path": "sample.bin", "timeout": 600}})
}

/// Waits until so many calls are in progress.
async fn in_progress(server: &Server, calls: usize) {
    let handler = server.handler();
    let reached = async {
        while handler.in_progress() != calls {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, reached).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_cancels_a_call_in_a_session() {
    let server = start().await;
    let session = open_session(&server).await;
    let begun = Call::in_session(&request("tools/call", &endless()), &session)
        .begin(server.address)
        .await
        .unwrap();
    in_progress(&server, 1).await;
    let cancelled = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1},
    });
    let answer = Call::in_session(&cancelled, &session)
        .send(server.address)
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    in_progress(&server, 0).await;
    drop(begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connection_cancels_a_single_request_and_no_call_in_a_session() {
    let server = start().await;
    let session = open_session(&server).await;
    let in_session = Call::in_session(&request("tools/call", &endless()), &session)
        .begin(server.address)
        .await
        .unwrap();
    in_progress(&server, 1).await;
    drop(in_session);

    let address = server.address;
    let mut single = tokio::task::JoinSet::new();
    single.spawn(Call::modern("tools/call", &endless()).begin(address));
    in_progress(&server, 2).await;
    single.shutdown().await;
    in_progress(&server, 1).await;

    let closed = Call::delete(&session).send(server.address).await;
    assert_eq!(closed.status, StatusCode::ACCEPTED);
    in_progress(&server, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shutdown_cancels_what_outlasts_the_grace() {
    let mut server = start().await;
    let session = open_session(&server).await;
    let answer = Call::in_session(&request("tools/call", &endless()), &session)
        .begin(server.address)
        .await
        .unwrap();
    in_progress(&server, 1).await;
    server.shutdown.request();
    server.shutdown.request();
    tokio::time::timeout(LIMIT, server.ended()).await.unwrap();
    assert_eq!(server.handler().in_progress(), 0);
    drop(answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_and_cancels_its_own_jobs_and_the_operator_all() {
    let server = start().await;
    let (owner, other) = (open_session(&server).await, open_session(&server).await);
    let begun = Call::in_session(&request("tools/call", &endless()), &owner)
        .begin(server.address)
        .await
        .unwrap();
    in_progress(&server, 1).await;
    let list = json!({"name": "list_jobs", "arguments": {}});
    let jobs = |call: Call| async {
        let result = call.send(server.address).await.result();
        result["structuredContent"]["data"]["jobs"]
            .as_array()
            .unwrap()
            .clone()
    };
    let mut own = Vec::new();
    // It becomes a job a moment after it is in progress.
    while own.is_empty() {
        own = jobs(Call::in_session(&request("tools/call", &list), &owner)).await;
    }
    let id = own[0]["id"].as_u64().unwrap();
    // Whatever another says of itself.
    let cancel = json!({"name": "cancel_job", "arguments": {"job_id": id}});
    let forged = |call: Call| call.header("mcp-session-id", &owner);
    for (sees, cancels) in [
        (
            Call::in_session(&request("tools/call", &list), &other),
            Call::in_session(&request("tools/call", &cancel), &other),
        ),
        (
            forged(Call::modern("tools/call", &list)),
            forged(Call::modern("tools/call", &cancel)),
        ),
    ] {
        assert!(jobs(sees).await.is_empty());
        let refused = cancels.send(server.address).await.result();
        assert_eq!(refused["isError"], true, "{refused}");
    }
    assert_eq!(server.handler().in_progress(), 1);
    let all = Call::get("/jobs").send(server.address).await;
    assert!(all.body.contains("sample.bin"), "{}", all.body);
    assert!(!all.body.contains(&owner), "{}", all.body);
    let gone = Call::delete_at(&format!("/jobs/{id}"))
        .send(server.address)
        .await;
    assert_eq!(gone.status, StatusCode::OK);
    in_progress(&server, 0).await;
    let again = Call::delete_at(&format!("/jobs/{id}"))
        .send(server.address)
        .await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    drop(begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_keys_a_client_sees_and_cancels_its_own_jobs_only() {
    let server = Server::with(|settings| {
        settings.keys = crate::access::keys(&[("alice", "key-a"), ("bob", "key-b")]);
        settings.api_key = Some("operator".parse().unwrap());
    })
    .await;
    std::fs::write(server.workspace().join("sample.bin"), "hello").unwrap();
    let begun = Call::modern("tools/call", &endless()).header("x-api-key", "key-a");
    let address = server.address;
    let begun = tokio_util::task::AbortOnDropHandle::new(
        tokio::runtime::Handle::current().spawn(begun.begin(address)),
    );
    in_progress(&server, 1).await;
    let jobs = async |key: &str| {
        let listed = Call::get("/jobs")
            .header("x-api-key", key)
            .send(address)
            .await;
        listed.message()["jobs"].as_array().unwrap().clone()
    };
    while jobs("key-a").await.is_empty() {}
    let seen = jobs("operator").await;
    assert_eq!(seen[0]["client"], "alice", "{seen:?}");
    assert!(jobs("key-b").await.is_empty());
    let path = format!("/jobs/{}", seen[0]["id"]);
    for (key, status) in [("key-b", StatusCode::NOT_FOUND), ("key-a", StatusCode::OK)] {
        let call = Call::delete_at(&path).header("x-api-key", key);
        assert_eq!(call.send(address).await.status, status, "{key}");
    }
    in_progress(&server, 0).await;
    drop(begun);
}
