//! The sessions of the protocol versions before 2026-07-28: rmcp's own manager
//! keeps them; this adds limits on their number, in all and of one client, closes
//! the idle ones without cutting off a call that is still running, and cancels the
//! calls of a session that is closed.
//!
//! rmcp neither tells the manager who asks, nor a client what went wrong: both go
//! past it, in the task of the request ([`asked_by`]).
//!
//! rmcp's idle timer is switched off: it runs while a call runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use http::StatusCode;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError, SessionError,
};
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};

use super::refusal::Refusal;
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
    inner: LocalSessionManager,
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
    /// rmcp's manager failed.
    #[error(transparent)]
    Manager(#[from] LocalSessionManagerError),
}

impl Sessions {
    pub(super) fn new(calls: Calls, max: usize, max_of_client: usize) -> Arc<Self> {
        let mut inner = LocalSessionManager::default();
        inner.session_config.keep_alive = None;
        Arc::new(Self {
            inner,
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
        if let Err(error) = self.close_session(&SessionId::from(id)).await {
            tracing::debug!(%error, "failed to close a session");
        }
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
        SessionsError::Manager(
            LocalSessionManagerError::InvalidEventId(_)
            | LocalSessionManagerError::SessionError(
                SessionError::EventIdParseError(_)
                | SessionError::InvalidEventId
                | SessionError::DuplicatedRequestId(_),
            ),
        ) => Refusal::new(
            StatusCode::BAD_REQUEST,
            "BAD_EVENT_ID",
            "no stream of this session is called so",
            "send the last event id as it came, or none",
        ),
        SessionsError::Manager(_) => gone(),
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
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let client = ASKER.try_with(|asker| asker.client.clone()).ok().flatten();
        self.make_room(client.as_deref()).await.map_err(noted)?;
        let (id, transport) = self.inner.create_session().await.map_err(noted)?;
        self.calls.open_session(&id, client);
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.inner
            .initialize_session(id, message)
            .await
            .map_err(noted)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        Ok(self.inner.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.calls.close_session(id);
        self.inner.close_session(id).await.map_err(noted)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.calls.touch_session(id);
        self.inner.create_stream(id, message).await.map_err(noted)
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), Self::Error> {
        self.calls.touch_session(id);
        self.inner.accept_message(id, message).await.map_err(noted)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.calls.touch_session(id);
        self.inner.create_standalone_stream(id).await.map_err(noted)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.calls.touch_session(id);
        self.inner.resume(id, last_event_id).await.map_err(noted)
    }
}
