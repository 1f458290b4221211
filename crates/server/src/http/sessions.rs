//! The sessions of the protocol versions before 2026-07-28: which are open, limits on
//! their number, in all and of one client, an end for the idle ones without cutting off a
//! call that is still running, and for the calls of a session that is closed.
//!
//! rmcp neither tells the manager who asks, nor a client what went wrong: both go
//! past it, in the task of the request ([`asked_by`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use http::StatusCode;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::common::server_side_http::session_id;
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};

use super::refusal::Refusal;
use super::said::{OPENING_EVENT, Shelf};
use super::session::{Line, Session, SessionError};
use crate::calls::Calls;

/// A session without a call in progress is closed after this time.
const IDLE: Duration = Duration::from_secs(300);
const IDLE_CHECK: Duration = Duration::from_secs(30);
/// When a session may be had again that could not be had.
const ROOM_AFTER: Duration = Duration::from_secs(5);

tokio::task_local! {
    static ASKER: Asker;
}

/// Who asks in this task, and why it did not get what it asked for.
#[derive(Debug, Default)]
struct Asker {
    client: Option<Arc<str>>,
    // A std mutex: set and read, never held.
    refusal: Mutex<Option<Refusal>>,
}

/// Lets a request be served for this client. Returns with the answer what the
/// sessions had against it.
pub(super) async fn asked_by<T>(
    client: Option<Arc<str>>,
    served: impl Future<Output = T>,
) -> (T, Option<Refusal>) {
    let asker = Asker {
        client,
        ..Asker::default()
    };
    ASKER
        .scope(asker, async {
            let answer = served.await;
            let refusal = ASKER.with(|asker| {
                let mut refusal = asker.refusal.lock().unwrap_or_else(PoisonError::into_inner);
                refusal.take()
            });
            (answer, refusal)
        })
        .await
}

/// The sessions that are open.
#[derive(Debug)]
pub(super) struct Sessions {
    // A std mutex: held for map operations only, never across an await.
    open: Mutex<HashMap<SessionId, Arc<Session>>>,
    shelf: Arc<Shelf<Session>>,
    calls: Calls,
    max: usize,
    max_of_client: usize,
}

/// Why a session can't be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionsError {
    /// All sessions have calls in progress, of everybody or of the client.
    #[error("too many sessions are open (end one with DELETE, or try again later)")]
    Full,
    /// No such session is open.
    #[error("no such session is open")]
    Gone,
    /// The session does not do what is asked.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Sessions {
    pub(super) fn new(calls: Calls, max: usize, max_of_client: usize) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
            shelf: Shelf::new(),
            calls,
            max,
            max_of_client,
        })
    }

    /// Closes idle sessions now and then, for ever.
    pub(super) async fn close_idle_ones(&self) {
        let mut checks = tokio::time::interval(IDLE_CHECK);
        loop {
            checks.tick().await;
            for id in self.calls.idle_sessions(IDLE, None) {
                self.close(id).await;
            }
        }
    }

    async fn make_room(&self, client: Option<&str>) -> Result<(), SessionsError> {
        let of =
            if client.is_some_and(|client| self.calls.sessions_of(client) >= self.max_of_client) {
                client
            } else if self.calls.sessions() >= self.max {
                None
            } else {
                return Ok(());
            };
        let mut idle = self.calls.idle_sessions(Duration::ZERO, of).into_iter();
        let longest = idle.next().ok_or(SessionsError::Full)?;
        self.close(longest).await;
        Ok(())
    }

    async fn close(&self, id: String) {
        // One that is gone already is closed.
        self.close_session(&SessionId::from(id)).await.ok();
    }

    fn find(&self, id: &SessionId) -> Result<Arc<Session>, SessionsError> {
        let found = self.open().get(id).cloned();
        found.ok_or(SessionsError::Gone).map_err(noted)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves the reason where the request finds it.
fn noted(error: impl Into<SessionsError>) -> SessionsError {
    let error = error.into();
    let known = ASKER.try_with(|asker| {
        let mut refusal = asker.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        *refusal = Some(refuse(&error));
    });
    if known.is_err() {
        // Nobody waits: a session that was closed for being idle.
        tracing::debug!(%error, "a session had a fault");
    }
    error
}

fn refuse(error: &SessionsError) -> Refusal {
    match error {
        SessionsError::Full => Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "SESSIONS_FULL",
            "too many sessions are open, and all have calls in progress",
            "end one with DELETE, or try again later (`http.max_sessions` and `http.max_sessions_per_client` are the limits)",
        )
        .retry_after(ROOM_AFTER),
        SessionsError::Session(SessionError::UnknownEvent) => Refusal::new(
            StatusCode::BAD_REQUEST,
            "BAD_EVENT_ID",
            "no stream of this session is called so",
            "send the last event id as it came, or none",
        ),
        SessionsError::Gone | SessionsError::Session(SessionError::Ended) => gone(),
    }
}

/// What is said of a session that is not open, or not this client's.
pub(super) fn gone() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "SESSION_NOT_FOUND",
        "no such session is open",
        "start a new one with `initialize`",
    )
}

impl SessionManager for Sessions {
    type Error = SessionsError;
    type Transport = Line;

    async fn create_session(&self) -> Result<(SessionId, Line), SessionsError> {
        let client = ASKER.try_with(|asker| asker.client.clone()).ok().flatten();
        self.make_room(client.as_deref()).await.map_err(noted)?;
        let (id, (session, line)) = (session_id(), Session::new(Arc::clone(&self.shelf)));
        self.open().insert(id.clone(), session);
        self.calls.open_session(&id, client);
        Ok((id, line))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionsError> {
        self.find(id)?.initialize(message).await.map_err(noted)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionsError> {
        Ok(self.open().contains_key(id))
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionsError> {
        self.calls.close_session(id);
        let closed = self.open().remove(id);
        if let Some(session) = closed {
            session.end();
        }
        Ok(())
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        self.calls.touch_session(id);
        let said = self.find(id)?.ask(message).await.map_err(noted)?;
        Ok(said.follow(0, ()))
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionsError> {
        self.calls.touch_session(id);
        self.find(id)?.accept(message).await.map_err(noted)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        self.calls.touch_session(id);
        let session = self.find(id)?;
        Ok(stream::iter(session.opening()).chain(session.own_stream()))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        self.calls.touch_session(id);
        let session = self.find(id)?;
        if last_event_id == OPENING_EVENT {
            return Ok(session.own_stream().left_stream());
        }
        let rest = session.resume(&last_event_id).map_err(noted)?;
        Ok(rest.right_stream())
    }
}
