//! One session of the protocol versions that have them: what its client says on the way
//! to rmcp's service, and what that answers on the way back, each to the stream of the
//! request that it belongs to.
//!
//! ```text
//! POST ─ create_stream ─> inbox ─> Line::receive ─> service (rmcp)
//!          │                                           │
//!          └─ follow <─ Said, one for each request <── Line::send
//! GET  ─ own_stream ─> Said of the session: what belongs to no request
//! ```
//!
//! In place of rmcp's own sessions, which need five channels and a task each (35 KiB more), wait for
//! a reader that has stopped reading, and forget an answer once it was handed to a
//! connection, broken or not.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::{Stream, StreamExt as _};
use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, GetExtensions as _, GetMeta as _, ProgressToken,
    ProtocolVersion, RequestId, ServerJsonRpcMessage, ServerNotification, ServerResult,
};
use rmcp::service::OriginatingRequestId;
use rmcp::transport::Transport;
use rmcp::transport::streamable_http_server::session::ServerSseMessage;
use tokio::sync::{Notify, oneshot};

use super::said::{self, Owner, Said, Shelf, read_id};

/// Messages that the service has not taken yet; more wait in their requests.
const MOST_WAITING: usize = 64;
/// The number of the stream that belongs to no request.
const OWN: u64 = 0;

/// Why a session does not do what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SessionError {
    /// It is over.
    #[error("the session has ended")]
    Ended,
    /// No stream of it has said this, or it was long ago.
    #[error("no event of this id is known (any more)")]
    UnknownEvent,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    // Std mutexes: held for map operations only, never across an await, never both.
    inbox: Mutex<Inbox>,
    outbox: Mutex<Outbox>,
    arrived: Notify,
    taken: Notify,
    own: Arc<Said>,
    /// Whether its streams open with an event without a message: clients of versions
    /// before 2025-11-25 take the empty text for a broken message.
    primed: AtomicBool,
    shelf: Arc<Shelf<Self>>,
}

#[derive(Debug, Default)]
struct Inbox {
    messages: VecDeque<ClientJsonRpcMessage>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Outbox {
    streams: HashMap<u64, Arc<Said>>,
    /// Requests that are not answered yet.
    asked: HashMap<RequestId, Asked>,
    tokens: HashMap<ProgressToken, u64>,
    last: u64,
    /// Who waits for the answer to `initialize`.
    opening: Option<oneshot::Sender<ServerJsonRpcMessage>>,
    /// Lives as long as somebody reads the session's own stream.
    reader: Weak<()>,
    ended: bool,
}

#[derive(Debug)]
struct Asked {
    stream: u64,
    token: Option<ProgressToken>,
}

/// Whether who got this answer to `initialize` speaks a version in which streams open
/// with an event that names them.
fn resumes(answer: &ServerJsonRpcMessage) -> bool {
    matches!(
        answer,
        ServerJsonRpcMessage::Response(response)
            if matches!(
                &response.result,
                ServerResult::InitializeResult(result)
                    if result.protocol_version >= ProtocolVersion::V_2025_11_25
            )
    )
}

/// The service's end of a session.
#[derive(Debug)]
pub(super) struct Line(Arc<Session>);

impl Session {
    /// A session in which nothing has been said, and the end of it for the service.
    pub(super) fn new(shelf: Arc<Shelf<Self>>) -> (Arc<Self>, Line) {
        let session = Arc::new(Self {
            inbox: Mutex::default(),
            outbox: Mutex::default(),
            arrived: Notify::new(),
            taken: Notify::new(),
            own: Said::new(OWN),
            primed: AtomicBool::new(false),
            shelf,
        });
        (Arc::clone(&session), Line(session))
    }

    /// Passes the first message on; returns what answers it.
    pub(super) async fn initialize(
        &self,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionError> {
        let (answered, answer) = oneshot::channel();
        self.outbox().opening = Some(answered);
        self.accept(message).await?;
        let answer = answer.await.map_err(|_| SessionError::Ended)?;
        self.primed.store(resumes(&answer), Ordering::Relaxed);
        Ok(answer)
    }

    /// What its own stream opens with, if that is for its client.
    pub(super) fn opening(&self) -> Option<ServerSseMessage> {
        self.is_primed().then(said::opening)
    }

    fn is_primed(&self) -> bool {
        self.primed.load(Ordering::Relaxed)
    }

    /// Passes a request on; what is said for it will be in the stream.
    pub(super) async fn ask(
        &self,
        message: ClientJsonRpcMessage,
    ) -> Result<Arc<Said>, SessionError> {
        let said = self.register(&message)?;
        if self.is_primed() {
            said.open();
        }
        self.accept(message).await?;
        Ok(said)
    }

    /// Passes on what has no answer.
    pub(super) async fn accept(&self, message: ClientJsonRpcMessage) -> Result<(), SessionError> {
        if let Some(id) = cancelled(&message) {
            // Nothing more comes for it.
            self.close_stream_of(&id);
        }
        loop {
            let taken = self.taken.notified();
            {
                let mut inbox = self.inbox();
                if inbox.ended {
                    return Err(SessionError::Ended);
                }
                if inbox.messages.len() < MOST_WAITING {
                    inbox.messages.push_back(message);
                    break;
                }
            }
            taken.await;
        }
        self.arrived.notify_one();
        Ok(())
    }

    /// What belongs to no request, from now on. One reader has it; others wait
    /// for nothing, so that clients with two connections don't drive each other out.
    pub(super) fn own_stream(
        &self,
    ) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static + use<> {
        let index = self.own.next_index();
        self.own_stream_from(index)
    }

    fn own_stream_from(
        &self,
        index: u64,
    ) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static + use<> {
        let mut outbox = self.outbox();
        let said = Arc::clone(&self.own);
        if outbox.reader.upgrade().is_some() {
            return said.follow(u64::MAX, Arc::new(()));
        }
        let reader = Arc::new(());
        outbox.reader = Arc::downgrade(&reader);
        said.follow(index, reader)
    }

    /// What was said behind an event.
    pub(super) fn resume(
        &self,
        last: &str,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static + use<>, SessionError>
    {
        let (number, index) = read_id(last).ok_or(SessionError::UnknownEvent)?;
        let next = index.checked_add(1).ok_or(SessionError::UnknownEvent)?;
        if number == OWN {
            return Ok(self.own_stream_from(next).left_stream());
        }
        let said = self.outbox().streams.get(&number).cloned();
        let said = said.ok_or(SessionError::UnknownEvent)?;
        Ok(said.follow(next, ()).right_stream())
    }

    /// Ends it: the service and all streams.
    pub(super) fn end(&self) {
        {
            let mut inbox = self.inbox();
            inbox.ended = true;
            inbox.messages.clear();
        }
        self.arrived.notify_one();
        self.taken.notify_waiters();
        let over = {
            let mut outbox = self.outbox();
            std::mem::replace(
                &mut *outbox,
                Outbox {
                    ended: true,
                    ..Outbox::default()
                },
            )
        };
        self.own.end();
        for said in over.streams.values() {
            said.end();
        }
    }

    /// A stream for a request. Another request of the same id is not waited for any more.
    fn register(&self, message: &ClientJsonRpcMessage) -> Result<Arc<Said>, SessionError> {
        let mut outbox = self.outbox();
        if outbox.ended {
            return Err(SessionError::Ended);
        }
        outbox.last += 1;
        let number = outbox.last;
        let said = Said::new(number);
        outbox.streams.insert(number, Arc::clone(&said));
        if let ClientJsonRpcMessage::Request(request) = message {
            let token = request.request.get_meta().get_progress_token();
            if let Some(token) = &token {
                outbox.tokens.insert(token.clone(), number);
            }
            let asked = Asked {
                stream: number,
                token,
            };
            let before = outbox.asked.insert(request.id.clone(), asked);
            if let Some(before) = before
                && let Some(said) = outbox.streams.remove(&before.stream)
            {
                said.end();
            }
        }
        Ok(said)
    }

    /// Says something to whom it belongs.
    fn say(self: &Arc<Self>, message: ServerJsonRpcMessage) {
        let mut outbox = self.outbox();
        let said = match &message {
            ServerJsonRpcMessage::Response(response) => outbox.answered(&response.id),
            ServerJsonRpcMessage::Error(error) => {
                error.id.as_ref().and_then(|id| outbox.answered(id))
            }
            ServerJsonRpcMessage::Request(request) => {
                let origin = request.request.extensions().get::<OriginatingRequestId>();
                let stream = origin.and_then(|OriginatingRequestId(id)| outbox.stream_of(id));
                stream.or_else(|| Some(Arc::clone(&self.own)))
            }
            ServerJsonRpcMessage::Notification(notification) => {
                let stream = outbox.stream_told(&notification.notification);
                stream.or_else(|| Some(Arc::clone(&self.own)))
            }
        };
        let is_answer = matches!(
            message,
            ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_)
        );
        let opening = if is_answer {
            outbox.opening.take()
        } else {
            None
        };
        drop(outbox);
        if let Some(opening) = opening {
            // Whoever asked may be gone.
            opening.send(message).ok();
        } else if let Some(said) = said {
            said.say(message, is_answer);
            if is_answer {
                self.shelf.keep(self, &said);
            }
        }
    }

    fn close_stream_of(&self, id: &RequestId) {
        let said = {
            let mut outbox = self.outbox();
            let said = outbox.answered(id);
            if let Some(said) = &said {
                outbox.streams.retain(|_, other| !Arc::ptr_eq(other, said));
            }
            said
        };
        if let Some(said) = said {
            said.end();
        }
    }

    /// The next message of the client; `None` when the session has ended.
    async fn next(&self) -> Option<ClientJsonRpcMessage> {
        loop {
            {
                let mut inbox = self.inbox();
                if inbox.ended {
                    return None;
                }
                if let Some(message) = inbox.messages.pop_front() {
                    drop(inbox);
                    self.taken.notify_one();
                    return Some(message);
                }
            }
            // One reader, so one permit is enough: whatever came since the look left it.
            self.arrived.notified().await;
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    /// The stream of a request that is answered with this.
    fn answered(&mut self, id: &RequestId) -> Option<Arc<Said>> {
        let Asked { stream, token } = self.asked.remove(id)?;
        if let Some(token) = token {
            self.tokens.remove(&token);
        }
        self.streams.get(&stream).cloned()
    }

    fn stream_of(&self, id: &RequestId) -> Option<Arc<Said>> {
        self.streams.get(&self.asked.get(id)?.stream).cloned()
    }

    /// The stream of the request that a notification is about.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the enums are foreign and may grow"
    )]
    fn stream_told(&self, notification: &ServerNotification) -> Option<Arc<Said>> {
        match notification {
            ServerNotification::ProgressNotification(progress) => {
                let stream = self.tokens.get(&progress.params.progress_token)?;
                self.streams.get(stream).cloned()
            }
            ServerNotification::CancelledNotification(cancelled) => {
                self.stream_of(cancelled.params.request_id.as_ref()?)
            }
            _ => None,
        }
    }
}

impl Owner for Session {
    fn forget(&self, number: u64) {
        self.outbox().streams.remove(&number);
    }
}

/// The request that a message gives up.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enums are foreign and may grow"
)]
fn cancelled(message: &ClientJsonRpcMessage) -> Option<RequestId> {
    let ClientJsonRpcMessage::Notification(notification) = message else {
        return None;
    };
    match &notification.notification {
        ClientNotification::CancelledNotification(cancelled) => cancelled.params.request_id.clone(),
        _ => None,
    }
}

impl Transport<RoleServer> for Line {
    type Error = Infallible;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        self.0.say(message);
        ready(Ok(()))
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        self.0.next().await
    }

    async fn close(&mut self) -> Result<(), Infallible> {
        self.0.end();
        Ok(())
    }
}

impl Drop for Line {
    /// A service that is gone says nothing more.
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests;
