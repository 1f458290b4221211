//! What a stream of events has said: kept for a while, so that whoever reads it may come
//! late, be slow, or come again after its connection broke (`Last-Event-ID`).
//!
//! ```text
//! session ─ say ─> Said: e0 e1 e2 …  <─ follow(0) ─ the connection of the request
//!                     │              <─ follow(2) ─ another one, later
//!                     └─ ended ─> Shelf: the last answers of all sessions, within bounds
//! ```
//!
//! Saying never waits: a reader that has stopped reading holds nobody up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use rmcp::model::{ContentBlock, ServerJsonRpcMessage, ServerResult};
use rmcp::transport::streamable_http_server::session::ServerSseMessage;
use serde_json::Value;
use tokio::sync::Notify;

/// Events of one stream; a call tells its progress every few seconds.
const MOST_EVENTS: usize = 256;
/// Streams that have ended and are kept, of all sessions.
const MOST_KEPT: usize = 4096;
/// About how many bytes they have.
const MOST_BYTES: usize = 16 << 20;
/// What an event takes besides its text.
const OVERHEAD: usize = 512;
/// What a message takes whose text is not looked at: lists of tools and the like.
const UNKNOWN: usize = 32 << 10;
/// When a client whose connection broke comes again.
const RETRY: Duration = Duration::from_secs(3);

/// One stream.
#[derive(Debug)]
pub(super) struct Said {
    /// Its number in its session, which its events' ids begin with.
    number: u64,
    // A std mutex: held for list operations only, never across an await.
    events: Mutex<Events>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Events {
    list: VecDeque<ServerSseMessage>,
    /// The index of the first of them.
    first: u64,
    ended: bool,
}

/// The id of the event that a session's own stream opens with.
pub(super) const OPENING_EVENT: &str = "0";

/// That event.
pub(super) fn opening() -> ServerSseMessage {
    ServerSseMessage::priming(OPENING_EVENT, RETRY)
}

impl Said {
    /// Nothing yet.
    pub(super) fn new(number: u64) -> Arc<Self> {
        Arc::new(Self {
            number,
            events: Mutex::default(),
            more: Notify::new(),
        })
    }

    /// The event without a message that a stream opens with: it names the stream.
    pub(super) fn open(&self) {
        self.push(ServerSseMessage::priming("", RETRY), false);
    }

    /// Says something, and that it was the last, if it was.
    pub(super) fn say(&self, message: ServerJsonRpcMessage, last: bool) {
        self.push(ServerSseMessage::from_message(message), last);
    }

    /// Nothing more is said.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.more.notify_waiters();
    }

    /// The index of what is said next.
    pub(super) fn next_index(&self) -> u64 {
        let events = self.lock();
        events.first + events.list.len() as u64
    }

    /// What is said from this index on, to the end. `held` is dropped with the stream.
    pub(super) fn follow<H: Send + Sync + 'static>(
        self: Arc<Self>,
        index: u64,
        held: H,
    ) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static {
        unfold((self, index, held), |(said, next, held)| async move {
            let (event, after) = said.next(next).await?;
            Some((event, (said, after, held)))
        })
    }

    /// About how many bytes it has.
    fn size(&self) -> usize {
        self.lock().list.iter().map(size).sum()
    }

    fn push(&self, mut event: ServerSseMessage, last: bool) {
        let mut events = self.lock();
        let index = events.first + events.list.len() as u64;
        event.event_id = Some(format!("{}-{index}", self.number));
        events.list.push_back(event);
        events.ended |= last;
        if events.list.len() > MOST_EVENTS {
            events.list.pop_front();
            events.first += 1;
        }
        drop(events);
        self.more.notify_waiters();
    }

    /// The event of this index, or the next one that is still there, and the index behind
    /// it; `None` at the end of the stream.
    async fn next(&self, index: u64) -> Option<(ServerSseMessage, u64)> {
        loop {
            // Before the look, so that nothing said after it is missed.
            let more = self.more.notified();
            {
                let events = self.lock();
                let at = index.saturating_sub(events.first);
                let event = usize::try_from(at).ok().and_then(|at| events.list.get(at));
                if let Some(event) = event {
                    return Some((event.clone(), events.first + at + 1));
                }
                if events.ended {
                    return None;
                }
            }
            more.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream and the index that an event's id names.
pub(super) fn read_id(id: &str) -> Option<(u64, u64)> {
    let (stream, index) = id.split_once('-')?;
    Some((stream.parse().ok()?, index.parse().ok()?))
}

/// Whoever has ended streams, and lets go of them.
pub(super) trait Owner {
    /// The stream of this number is not kept any more.
    fn forget(&self, number: u64);
}

/// The streams of all sessions that have ended lately.
#[derive(Debug)]
pub(super) struct Shelf<O> {
    // A std mutex: held for list operations only; an owner's own is taken under it.
    kept: Mutex<Kept<O>>,
}

#[derive(Debug)]
struct Kept<O> {
    order: VecDeque<(Weak<O>, u64, usize)>,
    bytes: usize,
}

impl<O: Owner> Shelf<O> {
    pub(super) fn new() -> Arc<Self> {
        let kept = Kept {
            order: VecDeque::new(),
            bytes: 0,
        };
        Arc::new(Self {
            kept: Mutex::new(kept),
        })
    }

    /// A stream has ended. The oldest ones go when there are too many.
    pub(super) fn keep(&self, owner: &Arc<O>, said: &Said) {
        let size = said.size();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.order
            .push_back((Arc::downgrade(owner), said.number, size));
        kept.bytes += size;
        while kept.order.len() > MOST_KEPT || kept.bytes > MOST_BYTES {
            let Some((owner, number, size)) = kept.order.pop_front() else {
                break;
            };
            kept.bytes -= size;
            if let Some(owner) = owner.upgrade() {
                owner.forget(number);
            }
        }
    }
}

/// About how many bytes an event takes.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enums are foreign and may grow"
)]
fn size(event: &ServerSseMessage) -> usize {
    let text = match event.message.as_deref() {
        Some(ServerJsonRpcMessage::Response(response)) => match &response.result {
            ServerResult::CallToolResult(result) => {
                let texts = result.content.iter().map(|content| match content {
                    ContentBlock::Text(text) => text.text.len(),
                    _ => UNKNOWN,
                });
                texts.sum::<usize>() + result.structured_content.as_ref().map_or(0, length)
            }
            _ => UNKNOWN,
        },
        Some(
            ServerJsonRpcMessage::Request(_)
            | ServerJsonRpcMessage::Notification(_)
            | ServerJsonRpcMessage::Error(_),
        )
        | None => 0,
    };
    OVERHEAD + text
}

/// The text of a value; for what tools answer that is one string in a wrapper.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(length).sum(),
        Value::Object(fields) => fields.values().map(length).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use rmcp::model::{CallToolResult, RequestId};

    use super::*;

    fn answer(text: &str) -> ServerJsonRpcMessage {
        let result = CallToolResult::success(vec![ContentBlock::text(text)]);
        ServerJsonRpcMessage::response(ServerResult::CallToolResult(result), RequestId::Number(1))
    }

    async fn ids(said: &Arc<Said>, index: u64) -> Vec<String> {
        let stream = Arc::clone(said).follow(index, ());
        stream.map(|event| event.event_id.unwrap()).collect().await
    }

    #[tokio::test]
    async fn a_stream_is_followed_to_its_end_and_again() {
        let said = Said::new(7);
        said.open();
        let say = async {
            tokio::task::yield_now().await;
            said.say(answer("half"), false);
            tokio::task::yield_now().await;
            said.say(answer("whole"), true);
        };
        let (seen, ()) = tokio::join!(ids(&said, 0), say);
        assert_eq!(seen, ["7-0", "7-1", "7-2"]);
        assert_eq!(ids(&said, 1).await, ["7-1", "7-2"]);
        assert_eq!(ids(&said, 3).await, [] as [String; 0]);
        assert_eq!(ids(&said, u64::MAX).await, [] as [String; 0]);
    }

    #[tokio::test]
    async fn of_a_long_stream_the_end_is_kept() {
        let said = Said::new(0);
        for _ in 0..2 * MOST_EVENTS {
            said.say(answer("x"), false);
        }
        said.end();
        let seen = ids(&said, 0).await;
        assert_eq!(seen.len(), MOST_EVENTS);
        assert_eq!(seen.last().unwrap(), "0-511");
        assert_eq!(said.next_index(), 512);
    }

    #[test]
    fn ids_are_read() {
        assert_eq!(read_id("3-14"), Some((3, 14)));
        for bad in [
            "",
            "0",
            "-",
            "1-",
            "-1",
            "1-x",
            "1-1-1",
            "18446744073709551616-0",
        ] {
            assert_eq!(read_id(bad), None, "{bad}");
        }
    }

    #[derive(Debug, Default)]
    struct Forgetful(Mutex<Vec<u64>>);

    impl Owner for Forgetful {
        fn forget(&self, number: u64) {
            self.0.lock().unwrap().push(number);
        }
    }

    #[test]
    fn the_shelf_is_bounded_by_bytes_and_number_and_the_oldest_go() {
        let (shelf, owner) = (Shelf::new(), Arc::new(Forgetful::default()));
        let large = "x".repeat(1 << 20);
        for number in 0..20 {
            let said = Said::new(number);
            said.say(answer(&large), true);
            shelf.keep(&owner, &said);
        }
        assert_eq!(*owner.0.lock().unwrap(), [0, 1, 2, 3, 4]);
        for number in 20..20 + MOST_KEPT as u64 {
            shelf.keep(&owner, &Said::new(number));
        }
        assert_eq!(owner.0.lock().unwrap().len(), 20);
        drop(owner);
        let other = Arc::new(Forgetful::default());
        shelf.keep(&other, &Said::new(0));
        assert_eq!(shelf.kept.lock().unwrap().order.len(), MOST_KEPT);
    }
}
