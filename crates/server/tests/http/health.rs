//! Health and metrics, also when the work runtime answers nothing any more,
//! and the end.

use std::sync::mpsc;

use http::StatusCode;
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::support::{Call, LIMIT, Server, initialize};

#[tokio::test]
async fn metrics_are_for_prometheus() {
    let server = Server::start().await;
    let call = Call::modern(
        "tools/call",
        &json!({"name": "list_workspace", "arguments": {}}),
    );
    call.send(server.address).await.result();
    let answer = Call::get("/metrics").send(server.address).await;
    assert_eq!(answer.status, StatusCode::OK);
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(answer.body.contains("list_workspace"), "{}", answer.body);
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
}

#[tokio::test]
async fn a_server_whose_engine_is_not_up_lives_and_is_not_ready() {
    let server = Server::start().await;
    let live = Call::get("/health/live").send(server.address).await;
    assert_eq!(live.status, StatusCode::OK);
    let ready = Call::get("/health/ready").send(server.address).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.body.contains("starting"), "{}", ready.body);
}

#[test]
fn a_blocked_work_runtime_does_not_reach_health_and_metrics() {
    let runtime = |workers| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .unwrap()
    };
    let (work, client) = (runtime(1), runtime(1));
    let server = work.block_on(async { work.spawn(Server::start()).await.unwrap() });
    let (release, blocked) = mpsc::channel::<()>();
    let (entered, wait) = mpsc::channel();
    let blocker = work.spawn(async move {
        entered.send(()).unwrap();
        blocked.recv().ok();
    });
    wait.recv().unwrap();
    client.block_on(async {
        for path in ["/health/live", "/metrics"] {
            let answer = Call::get(path).send(server.address).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
        }
    });
    drop(release);
    client.block_on(blocker).unwrap();
}

#[tokio::test]
async fn the_shutdown_ends_open_streams_and_frees_the_port() {
    let mut server = Server::start().await;
    let opened = Call::post(&initialize()).send(server.address).await;
    let session = opened.header("mcp-session-id").unwrap();
    let (stream, connection) = Call::get("/mcp")
        .header("accept", "text/event-stream")
        .header("mcp-session-id", session)
        .begin(server.address)
        .await
        .unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    server.shutdown.request();
    tokio::time::timeout(LIMIT, server.ended()).await.unwrap();
    drop((stream, connection));
    std::net::TcpListener::bind(server.address).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_loses_no_answer() {
    for _ in 0..30 {
        let mut server = Server::start().await;
        let call = Call::modern(
            "tools/call",
            &json!({"name": "list_workspace", "arguments": {}}),
        );
        let shutdown = server.shutdown.clone();
        let (answer, ()) = tokio::join!(call.begin(server.address), async move {
            tokio::task::yield_now().await;
            shutdown.request();
        });
        // Closed before the request was read, refused, or answered in full.
        if let Ok((response, _connection)) = answer
            && response.status() != StatusCode::SERVICE_UNAVAILABLE
        {
            assert_eq!(response.status(), StatusCode::OK);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(body.ends_with(b"}"), "{body:?}");
        }
        tokio::time::timeout(LIMIT, server.ended()).await.unwrap();
    }
}
