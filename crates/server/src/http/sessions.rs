//! The sessions of the protocol versions before 2026-07-28: rmcp's own manager
//! keeps them; this adds a limit on their number, closes the idle ones without
//! cutting off a call that is still running, and cancels the calls of a session
//! that is closed.
//!
//! rmcp's idle timer is switched off: it runs while a call runs.

use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};

use crate::calls::Calls;

/// A session without a call in progress is closed after this time.
const IDLE: Duration = Duration::from_secs(300);
const IDLE_CHECK: Duration = Duration::from_secs(30);

/// The sessions that are open.
#[derive(Debug)]
pub(super) struct Sessions {
    inner: LocalSessionManager,
    calls: Calls,
    max: usize,
}

/// Why a session can't be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionsError {
    /// All sessions have calls in progress.
    #[error("too many sessions are open (end one with DELETE, or try again later)")]
    Full,
    /// rmcp's manager failed.
    #[error(transparent)]
    Manager(#[from] LocalSessionManagerError),
}

impl Sessions {
    pub(super) fn new(calls: Calls, max: usize) -> Arc<Self> {
        let mut inner = LocalSessionManager::default();
        inner.session_config.keep_alive = None;
        Arc::new(Self { inner, calls, max })
    }

    /// Closes idle sessions now and then, for ever.
    pub(super) async fn close_idle_ones(&self) {
        let mut checks = tokio::time::interval(IDLE_CHECK);
        loop {
            checks.tick().await;
            for id in self.calls.idle_sessions(IDLE) {
                self.close(id).await;
            }
        }
    }

    async fn make_room(&self) -> Result<(), SessionsError> {
        if self.calls.sessions() < self.max {
            return Ok(());
        }
        let mut idle = self.calls.idle_sessions(Duration::ZERO).into_iter();
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

impl SessionManager for Sessions {
    type Error = SessionsError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        self.make_room().await?;
        let (id, transport) = self.inner.create_session().await?;
        self.calls.open_session(&id);
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        Ok(self.inner.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        Ok(self.inner.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.calls.close_session(id);
        Ok(self.inner.close_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.calls.touch_session(id);
        Ok(self.inner.create_stream(id, message).await?)
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), Self::Error> {
        self.calls.touch_session(id);
        Ok(self.inner.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.calls.touch_session(id);
        Ok(self.inner.create_standalone_stream(id).await?)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.calls.touch_session(id);
        Ok(self.inner.resume(id, last_event_id).await?)
    }
}
