//! What a client can have again whose connection broke in a session.

use http::StatusCode;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::eras::open_session;
use crate::support::{Answer, Call, LEGACY, LIMIT, Server, request};

/// The ids of the events in an answer.
fn ids(answer: &Answer) -> Vec<String> {
    let lines = answer.body.lines();
    let ids = lines.filter_map(|line| line.strip_prefix("id:"));
    ids.map(|id| id.trim().to_owned()).collect()
}

fn resume(session: &str, last: &str) -> Call {
    Call::get("/mcp")
        .header("accept", "text/event-stream")
        .header("mcp-session-id", session)
        .header("mcp-protocol-version", LEGACY)
        .header("last-event-id", last)
}

fn health() -> Value {
    request(
        "tools/call",
        &json!({"name": "get_server_health", "arguments": {}}),
    )
}

#[tokio::test]
async fn an_answer_that_got_lost_is_had_again_once_and_unwrapped() {
    let server = Server::start().await;
    let session = open_session(&server).await;
    let answer = Call::in_session(&health(), &session)
        .send(server.address)
        .await;
    let known = ids(&answer);
    let [opening, last] = known.as_slice() else {
        panic!("{answer:?}");
    };
    let again = resume(&session, opening).send(server.address).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.header("content-type"), Some("text/event-stream"));
    assert_eq!(again.header("cache-control"), Some("no-cache"));
    assert_eq!(again.header("x-accel-buffering"), Some("no"));
    assert_eq!(ids(&again), [last.as_str()]);
    assert_eq!(again.message(), answer.message());
    assert_eq!(again.result()["structuredContent"]["status"], "success");
    let nothing = resume(&session, last).send(server.address).await;
    assert_eq!(ids(&nothing), [] as [String; 0]);
}

#[tokio::test]
async fn a_call_that_goes_on_is_followed_on_another_connection() {
    let server = Server::start().await;
    std::fs::write(server.workspace().join("sample.bin"), "hello").unwrap();
    let session = open_session(&server).await;
    // It runs until it is cancelled; its first event names the stream.
    let endless = json!({"name": "run_strings", "arguments": {"file_path": "sample.bin", "engine": "external"}});
    let call = Call::in_session(&request("tools/call", &endless), &session);
    let (response, connection) = call.begin(server.address).await.unwrap();
    let mut body = response.into_body();
    let opening = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let opening = String::from_utf8(opening.to_vec()).unwrap();
    let id = opening.lines().find_map(|line| line.strip_prefix("id:"));
    let id = id.unwrap().trim().to_owned();
    drop((body, connection));

    let (following, _connection) = resume(&session, &id).begin(server.address).await.unwrap();
    assert_eq!(following.status(), StatusCode::OK);
    // A connection that breaks cancels no call of a session; its end does.
    assert_eq!(server.handler().in_progress(), 1);
    let ended = Call::delete(&session).send(server.address).await;
    assert_eq!(ended.status, StatusCode::ACCEPTED);
    // The stream ends with it, however the call did.
    let rest = tokio::time::timeout(LIMIT, following.into_body().collect()).await;
    assert!(rest.is_ok(), "the stream goes on");
}

#[tokio::test]
async fn ids_of_nothing_have_an_empty_answer() {
    let server = Server::start().await;
    let session = open_session(&server).await;
    for id in ["1", "7-0", "x", "18446744073709551615-0", "0-0/1"] {
        let answer = resume(&session, id).send(server.address).await;
        assert_eq!(answer.status, StatusCode::OK, "{id}");
        assert_eq!(answer.body, "", "{id}");
    }
    let elsewhere = resume("no-such-session", "1").send(server.address).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
}
