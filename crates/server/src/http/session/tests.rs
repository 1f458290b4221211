//! A session with a service that says what the test wants.

use serde_json::{Value, json};

use super::*;

/// Of a client of 2025-11-25.
fn session() -> (Arc<Session>, Line) {
    let (session, line) = Session::new(Shelf::new());
    session.primed.store(true, Ordering::Relaxed);
    (session, line)
}

fn client(message: Value) -> ClientJsonRpcMessage {
    serde_json::from_value(message).unwrap()
}

fn server(message: Value) -> ServerJsonRpcMessage {
    serde_json::from_value(message).unwrap()
}

fn call(id: u64) -> ClientJsonRpcMessage {
    client(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
                  "params": {"name": "x", "_meta": {"progressToken": format!("token {id}")}}}))
}

fn progress(id: u64) -> ServerJsonRpcMessage {
    server(json!({"jsonrpc": "2.0", "method": "notifications/progress",
                  "params": {"progressToken": format!("token {id}"), "progress": 1}}))
}

fn answer(id: u64) -> ServerJsonRpcMessage {
    server(json!({"jsonrpc": "2.0", "id": id, "result": {"content": []}}))
}

/// A request, and what is said for it.
async fn asked(session: &Session, id: u64) -> impl Stream<Item = ServerSseMessage> + use<> {
    session.ask(call(id)).await.unwrap().follow(0, ())
}

/// What a stream says to its end: the ids of its events, and of the answers in them.
async fn all(stream: impl Stream<Item = ServerSseMessage>) -> Vec<(String, Option<Value>)> {
    let said = stream.map(|event| {
        let message = event
            .message
            .map(|message| serde_json::to_value(&*message).unwrap());
        (
            event.event_id.unwrap(),
            message.map(|message| message["id"].clone()),
        )
    });
    said.collect().await
}

#[tokio::test]
async fn only_clients_that_can_read_it_get_an_event_without_a_message() {
    for (version, primed) in [
        ("2024-11-05", false),
        ("2025-03-26", false),
        ("2025-06-18", false),
        ("2025-11-25", true),
    ] {
        let (session, mut line) = Session::new(Shelf::new());
        let initialize = client(
            json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                "protocolVersion": version, "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            }}),
        );
        let answered = async {
            line.receive().await.unwrap();
            let result = json!({"protocolVersion": version, "capabilities": {},
                                "serverInfo": {"name": "test", "version": "1"}});
            let answer = server(json!({"jsonrpc": "2.0", "id": 0, "result": result}));
            line.send(answer).await.unwrap();
        };
        let (opened, ()) = tokio::join!(session.initialize(initialize), answered);
        opened.unwrap();
        assert_eq!(session.opening().is_some(), primed, "{version}");
        let said = asked(&session, 1).await;
        line.receive().await.unwrap();
        line.send(answer(1)).await.unwrap();
        let said = all(said).await;
        assert_eq!(said.len(), if primed { 2 } else { 1 }, "{version}");
        assert_eq!(said.last().unwrap().1, Some(json!(1)));
    }
}

#[tokio::test]
async fn each_request_has_its_own_answer_and_progress() {
    let (session, mut line) = session();
    let first = asked(&session, 1).await;
    let second = asked(&session, 2).await;
    for _ in 0..2 {
        assert!(line.receive().await.is_some());
    }
    line.send(progress(2)).await.unwrap();
    line.send(answer(2)).await.unwrap();
    line.send(progress(1)).await.unwrap();
    line.send(progress(2)).await.unwrap();
    line.send(answer(1)).await.unwrap();
    let named = |id: &str, message| (id.to_owned(), message);
    assert_eq!(
        all(second).await,
        [
            named("2-0", None),
            named("2-1", Some(json!(null))),
            named("2-2", Some(json!(2)))
        ]
    );
    assert_eq!(all(first).await.len(), 3);
    // The answer can be had again, and belongs to this session only.
    assert_eq!(
        all(session.resume("2-1").unwrap()).await,
        [named("2-2", Some(json!(2)))]
    );
    assert!(session.resume("3-0").is_err());
    assert!(self::session().0.resume("2-1").is_err());
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_nobody_up() {
    let (session, mut line) = session();
    let unread = asked(&session, 1).await;
    let read = asked(&session, 2).await;
    for _ in 0..10_000 {
        line.send(progress(1)).await.unwrap();
    }
    line.send(answer(2)).await.unwrap();
    assert_eq!(all(read).await.len(), 2);
    line.send(answer(1)).await.unwrap();
    assert!(all(unread).await.len() < 1000);
}

#[tokio::test]
async fn a_cancelled_request_has_no_answer_and_its_stream_ends() {
    let (session, mut line) = session();
    let stream = asked(&session, 1).await;
    let note =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    session.accept(client(note)).await.unwrap();
    assert_eq!(all(stream).await.len(), 1);
    line.send(answer(1)).await.unwrap();
    assert!(session.resume("1-0").is_err());
}

#[tokio::test]
async fn the_first_answer_goes_to_whoever_opened_the_session() {
    let (session, mut line) = session();
    let (opened, ()) = tokio::join!(session.initialize(call(1)), async {
        line.receive().await.unwrap();
        line.send(answer(1)).await.unwrap();
    });
    assert_eq!(serde_json::to_value(opened.unwrap()).unwrap()["id"], 1);
}

#[tokio::test]
async fn what_belongs_to_no_request_is_read_by_one() {
    let (session, mut line) = session();
    let list_changed =
        || server(json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
    line.send(list_changed()).await.unwrap();
    let (first, second) = (session.own_stream(), session.own_stream());
    line.send(list_changed()).await.unwrap();
    line.send(list_changed()).await.unwrap();
    drop(first);
    let again = session.resume("0-1").unwrap();
    session.end();
    assert_eq!(all(second).await, []);
    let ids: Vec<String> = all(again).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["0-2"]);
}

#[tokio::test]
async fn a_full_inbox_makes_its_clients_wait() {
    let (session, mut line) = session();
    let note = || client(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    for _ in 0..MOST_WAITING {
        session.accept(note()).await.unwrap();
    }
    let waits = session.accept(note());
    tokio::pin!(waits);
    tokio::select! {
        biased;
        accepted = &mut waits => panic!("{accepted:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert!(line.receive().await.is_some());
    waits.await.unwrap();
}

#[tokio::test]
async fn the_end_ends_everything() {
    let (session, mut line) = session();
    let stream = asked(&session, 1).await;
    let own = session.own_stream();
    let opening = session.initialize(call(2));
    tokio::pin!(opening);
    tokio::select! {
        biased;
        opened = &mut opening => panic!("{opened:?}"),
        () = tokio::task::yield_now() => {}
    }
    session.end();
    assert_eq!(opening.await.unwrap_err(), SessionError::Ended);
    assert_eq!(all(stream).await.len(), 1);
    assert_eq!(all(own).await, []);
    assert!(line.receive().await.is_none());
    assert!(session.ask(call(3)).await.is_err());
    assert_eq!(session.accept(call(4)).await, Err(SessionError::Ended));
    // What is still said goes nowhere.
    line.send(answer(1)).await.unwrap();
}
