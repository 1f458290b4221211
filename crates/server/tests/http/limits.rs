//! What clients can't do to the server: each thing that is too large, too slow
//! or too many has a defined answer.

use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::eras::open_session;
use crate::support::raw::{exchange, status};
use crate::support::{Call, LIMIT, Server, initialize, request};

const HEAD: &str = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                    accept: application/json, text/event-stream\r\nconnection: close\r\n";

#[tokio::test]
async fn a_head_that_is_too_large_or_has_too_many_headers_is_431() {
    let server = Server::start().await;
    let long = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
        "x: y\r\n".repeat(200)
    );
    for head in [long, many] {
        let answer = exchange(server.address, head.as_bytes()).await;
        assert_eq!(status(&answer), Some(431), "{answer}");
    }
    let path = format!(
        "GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "x".repeat(200_000)
    );
    let answer = exchange(server.address, path.as_bytes()).await;
    assert!(matches!(status(&answer), Some(414 | 431)), "{answer}");
}

#[tokio::test]
async fn a_head_and_a_body_that_do_not_come_are_given_up() {
    let server = Server::with(|settings| {
        settings.header_time = Duration::from_millis(200);
        settings.body_time = Duration::from_millis(200);
    })
    .await;
    // Nothing at all, half a head; then an idle connection after an answer.
    for sent in ["", "GET / HTTP/1.1\r\nhost: loc"] {
        let answer = exchange(server.address, sent.as_bytes()).await;
        assert!(matches!(status(&answer), None | Some(408)), "{answer}");
    }
    let idle = "GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answer = exchange(server.address, idle.as_bytes()).await;
    assert_eq!(status(&answer), Some(200), "{answer}");
    for path in ["/mcp", "/upload"] {
        let slow = format!("{HEAD}content-length: 10\r\n\r\n{{").replace("/mcp", path);
        let answer = exchange(server.address, slow.as_bytes()).await;
        assert_eq!(status(&answer), Some(408), "{answer}");
        assert!(answer.contains("BODY_TIMEOUT"), "{answer}");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_and_the_others_go_on() {
    let server = Server::with(|settings| settings.max_connections = 100).await;
    let mut kept = Vec::new();
    let mut told = 0;
    for _ in 0..5000 {
        kept.push(TcpStream::connect(server.address).await.unwrap());
    }
    for stream in kept.iter_mut().skip(100).take(200) {
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(LIMIT, read).await.unwrap().ok();
        assert!(matches!(status(&answer), None | Some(503)), "{answer}");
        told += usize::from(
            answer.contains("TOO_MANY_CONNECTIONS") && answer.contains("retry-after: 1"),
        );
    }
    assert!(told > 100, "{told} were told");
    let used = &mut kept[..1];
    let live = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    used[0].write_all(live).await.unwrap();
    let mut answer = String::new();
    used[0].read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), Some(200), "{answer}");
    // All of that came from one address: others have room.
    let elsewhere = TcpSocket::new_v4().unwrap();
    elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = elsewhere.connect(server.address).await.unwrap();
    other.write_all(live).await.unwrap();
    let mut answer = String::new();
    other.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), Some(200), "{answer}");
    drop(kept);
    // There is room again once they are gone.
    let again = async {
        loop {
            let answer = exchange(server.address, live).await;
            if status(&answer) == Some(200) {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, again).await.unwrap();
}

#[tokio::test]
async fn a_client_that_closes_its_half_counts_as_gone_and_is_not_kept() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let ended = stream.read_to_string(&mut answer);
    tokio::time::timeout(LIMIT, ended).await.unwrap().unwrap();
    assert!(matches!(status(&answer), None | Some(200)), "{answer}");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_off_and_holds_up_nobody() {
    let server = Server::with(|settings| settings.write_time = Duration::from_millis(300)).await;
    let hash = upload(&server, &vec![7; 32 << 20]).await;
    let mut stalled = TcpStream::connect(server.address).await.unwrap();
    let get = format!("GET /files/{hash}/content HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stalled.write_all(get.as_bytes()).await.unwrap();
    stalled.readable().await.unwrap();
    let live = Call::get("/health/live").send(server.address).await;
    assert_eq!(live.status, StatusCode::OK);
    // A write to the ended connection fails sooner or later: nothing was read.
    let cut_off = async {
        loop {
            if stalled.write_all(b"x").await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, cut_off).await.unwrap();
}

/// Uploads, and returns the hash.
async fn upload(server: &Server, content: &[u8]) -> String {
    let answer = Call::put("/upload", content.to_vec())
        .send(server.address)
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    answer.message()["sha256"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_hundred_megabytes_to_mcp_are_413_announced_or_not() {
    let server = Server::start().await;
    let filler = "x".repeat(100 << 20);
    let announced = format!("{HEAD}content-length: {}\r\n\r\n{filler}", filler.len());
    let chunked = format!(
        "{HEAD}transfer-encoding: chunked\r\n\r\n{:x}\r\n{filler}\r\n0\r\n\r\n",
        filler.len()
    );
    for sent in [announced, chunked] {
        let answer = exchange(server.address, sent.as_bytes()).await;
        assert_eq!(status(&answer), Some(413), "{answer}");
        assert!(answer.contains("BODY_TOO_LARGE"), "{answer}");
    }
}

#[tokio::test]
async fn messages_that_are_none_have_an_answer_that_says_so() {
    let server = Server::start().await;
    let session = open_session(&server).await;
    let nested = "[".repeat(100_000);
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    for (message, code) in [
        ("", -32700),
        ("{", -32700),
        ("nonsense", -32700),
        (nested.as_str(), -32700),
        ("\u{0}", -32700),
        ("[]", -32600),
        ("1", -32600),
        ("null", -32600),
        ("{}", -32600),
        ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", -32600),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}",
            -32600,
        ),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", -32600),
        (deep.as_str(), -32600),
    ] {
        for session in [None, Some(&session)] {
            let mut call = Call::post(&Value::Null).body(message.as_bytes().to_vec());
            if let Some(session) = session {
                call = call.header("mcp-session-id", session);
            }
            let answer = call.send(server.address).await;
            let shown: String = message.chars().take(40).collect();
            assert_eq!(
                answer.status,
                StatusCode::BAD_REQUEST,
                "{shown}: {answer:?}"
            );
            assert_eq!(
                answer.message()["error"]["code"],
                code,
                "{shown}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn wrong_types_unknown_sessions_and_event_ids_are_4xx() {
    let server = Server::start().await;
    let session = open_session(&server).await;
    let list = request("tools/list", &json!({}));
    let unknown = Call::in_session(&list, "no-such-session")
        .send(server.address)
        .await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    for params in [
        json!([]),
        json!(7),
        json!({"name": 7}),
        json!({"name": "run_file", "arguments": []}),
    ] {
        let call = Call::in_session(&request("tools/call", &params), &session);
        let answer = call.send(server.address).await;
        assert!(!answer.status.is_server_error(), "{params}: {answer:?}");
    }
    for id in ["x", "-1", "99999999999999999999", "1/2/3"] {
        let answer = Call::get("/mcp")
            .header("accept", "text/event-stream")
            .header("mcp-session-id", &session)
            .header("mcp-protocol-version", "2025-11-25")
            .header("last-event-id", id)
            .begin(server.address)
            .await
            .unwrap()
            .0;
        assert!(!answer.status().is_server_error(), "{id}: {answer:?}");
    }
}

#[tokio::test]
async fn two_requests_with_one_id_are_both_answered() {
    let server = Server::start().await;
    let session = open_session(&server).await;
    let list = request("tools/list", &json!({}));
    let both = tokio::join!(
        Call::in_session(&list, &session).send(server.address),
        Call::in_session(&list, &session).send(server.address),
    );
    for answer in [both.0, both.1] {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.message()["id"], 1);
    }
}

#[tokio::test]
async fn too_many_requests_are_429_with_the_time_to_wait() {
    let server = Server::with(|settings| settings.rate_limit = Some(60)).await;
    let mut refused = 0;
    for _ in 0..10 {
        let answer = Call::get("/jobs").send(server.address).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused += 1;
            assert_eq!(answer.header("retry-after"), Some("1"));
            let body = answer.message();
            assert_eq!(body["error_code"], "RATE_LIMITED");
            assert!(body["retry_after_ms"].as_u64().unwrap() <= 1000, "{body}");
        }
    }
    assert!(refused >= 3, "{refused}");
    let live = Call::get("/health/live").send(server.address).await;
    assert_eq!(live.status, StatusCode::OK);
}

#[tokio::test]
async fn sessions_of_one_client_are_limited_and_no_other_client_gets_in() {
    let server = Server::with(|settings| {
        settings.max_sessions_per_client = 2;
        settings.keys = crate::access::keys(&[("alice", "key-a"), ("bob", "key-b")]);
    })
    .await;
    let open = async |key: &str| {
        let opened = Call::post(&initialize())
            .header("x-api-key", key)
            .send(server.address)
            .await;
        assert_eq!(opened.status, StatusCode::OK, "{opened:?}");
        opened.header("mcp-session-id").unwrap().to_owned()
    };
    let list = request("tools/list", &json!({}));
    let used = async |session: &str, key: &str| {
        let call = Call::in_session(&list, session).header("x-api-key", key);
        call.send(server.address).await.status
    };
    let of_bob = open("key-b").await;
    let first = open("key-a").await;
    assert_eq!(used(&first, "key-a").await, StatusCode::OK);
    assert_eq!(used(&first, "key-b").await, StatusCode::NOT_FOUND);
    open("key-a").await;
    open("key-a").await;
    assert_eq!(used(&first, "key-a").await, StatusCode::NOT_FOUND);
    assert_eq!(used(&of_bob, "key-b").await, StatusCode::OK);
}

#[tokio::test]
async fn ids_come_back_and_are_made_where_there_is_none() {
    let server = Server::start().await;
    for (given, same) in [("client-7.a", true), ("bad id", false)] {
        let answer = Call::get("/nothing")
            .header("x-request-id", given)
            .send(server.address)
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(id == given, same, "{id}");
        assert!(!id.is_empty());
    }
    let (response, _connection) = Call::get("/health/live")
        .begin(server.address)
        .await
        .unwrap();
    assert!(response.headers().contains_key("x-request-id"));
    response.into_body().collect().await.unwrap();
}
