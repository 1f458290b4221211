//! The tool calls in progress, so that a shutdown can wait for them, and a
//! closed session can cancel its own.
//!
//! rmcp ends a service with a closed session only after it has waited for its
//! handlers; that is too long for calls whose answers nobody can receive.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The calls in progress, and the sessions that they belong to. Cheap to clone;
/// all clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    tracker: TaskTracker,
    /// Answers on their way to clients, after the calls themselves.
    deliveries: TaskTracker,
    // A std mutex: held for map operations only, never across an await.
    sessions: Arc<Mutex<HashMap<String, Session>>>,
    numbers: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Session {
    stop: CancellationToken,
    last_used: Instant,
    in_progress: usize,
    /// What the session is called where its id must not be seen.
    number: u64,
    /// The client that has opened it, where clients have names.
    owner: Option<Arc<str>>,
}

/// One call in progress; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct InProgress {
    _token: TaskTrackerToken,
    session: Option<(Calls, String)>,
    /// Fires when the session that the call belongs to is closed.
    pub(crate) session_closed: CancellationToken,
}

impl Calls {
    /// A call begins, in this session when it has one.
    pub(crate) fn enter(&self, session: Option<&str>) -> InProgress {
        let mut session_closed = CancellationToken::new();
        let mut entered = None;
        if let Some(id) = session
            && let Some(session) = self.lock().get_mut(id)
        {
            session.in_progress += 1;
            session_closed = session.stop.clone();
            entered = Some((self.clone(), id.to_owned()));
        }
        InProgress {
            _token: self.tracker.token(),
            session: entered,
            session_closed,
        }
    }

    /// How many calls are in progress.
    pub(crate) fn in_progress(&self) -> usize {
        self.tracker.len()
    }

    /// An answer is being delivered for as long as this is held.
    pub(crate) fn delivery(&self) -> TaskTrackerToken {
        self.deliveries.token()
    }

    /// Waits until no call is in progress and every answer is delivered.
    pub(crate) async fn finished(&self) {
        for tracker in [&self.tracker, &self.deliveries] {
            tracker.close();
            tracker.wait().await;
        }
    }

    /// A session is opened, by this client where clients have names.
    pub(crate) fn open_session(&self, id: &str, owner: Option<Arc<str>>) {
        let session = Session {
            stop: CancellationToken::new(),
            last_used: Instant::now(),
            in_progress: 0,
            number: self.numbers.fetch_add(1, Ordering::Relaxed) + 1,
            owner,
        };
        self.lock().insert(id.to_owned(), session);
    }

    /// Whether an open session is another client's.
    pub(crate) fn is_anothers(&self, id: &str, client: Option<&str>) -> bool {
        self.lock()
            .get(id)
            .is_some_and(|session| session.owner.as_deref() != client)
    }

    /// The number of an open session.
    pub(crate) fn session_number(&self, id: &str) -> Option<u64> {
        self.lock().get(id).map(|session| session.number)
    }

    /// A session is used.
    pub(crate) fn touch_session(&self, id: &str) {
        if let Some(session) = self.lock().get_mut(id) {
            session.last_used = Instant::now();
        }
    }

    /// A session is closed: its calls are cancelled.
    pub(crate) fn close_session(&self, id: &str) {
        if let Some(session) = self.lock().remove(id) {
            session.stop.cancel();
        }
    }

    /// How many sessions are open.
    pub(crate) fn sessions(&self) -> usize {
        self.lock().len()
    }

    /// How many sessions of this client are open.
    pub(crate) fn sessions_of(&self, client: &str) -> usize {
        let of_client = |session: &&Session| session.owner.as_deref() == Some(client);
        self.lock().values().filter(of_client).count()
    }

    /// The sessions without a call in progress that have been idle for `limit`
    /// or longer, longest first; of one client when it is named.
    pub(crate) fn idle_sessions(&self, limit: Duration, client: Option<&str>) -> Vec<String> {
        let mut idle: Vec<(Duration, String)> = self
            .lock()
            .iter()
            .filter(|(_, session)| session.in_progress == 0)
            .filter(|(_, session)| client.is_none() || session.owner.as_deref() == client)
            .map(|(id, session)| (session.last_used.elapsed(), id.clone()))
            .filter(|(idle, _)| *idle >= limit)
            .collect();
        idle.sort_unstable_by_key(|(idle, _)| std::cmp::Reverse(*idle));
        idle.into_iter().map(|(_, id)| id).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        if let Some((calls, id)) = self.session.take()
            && let Some(session) = calls.lock().get_mut(&id)
        {
            session.in_progress = session.in_progress.saturating_sub(1);
            session.last_used = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(300);

    #[tokio::test(start_paused = true)]
    async fn a_session_with_a_call_in_progress_is_not_idle() {
        let calls = Calls::default();
        calls.open_session("busy", None);
        calls.open_session("idle", None);
        calls.open_session("used", None);
        let call = calls.enter(Some("busy"));
        tokio::time::advance(LIMIT).await;
        calls.touch_session("used");
        assert_eq!(calls.idle_sessions(LIMIT, None), ["idle"]);
        drop(call);
        assert_eq!(calls.idle_sessions(LIMIT, None), ["idle"]);
        tokio::time::advance(LIMIT).await;
        assert_eq!(calls.idle_sessions(LIMIT, None).first().unwrap(), "idle");
        assert_eq!(calls.idle_sessions(LIMIT, None).len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_belong_to_the_client_that_opened_them() {
        let calls = Calls::default();
        calls.open_session("a", Some("alice".into()));
        calls.open_session("b", Some("bob".into()));
        calls.open_session("n", None);
        for (id, client, anothers) in [
            ("a", Some("alice"), false),
            ("a", Some("bob"), true),
            ("a", None, true),
            ("n", None, false),
            ("n", Some("bob"), true),
            ("closed", Some("bob"), false),
        ] {
            assert_eq!(calls.is_anothers(id, client), anothers, "{id} {client:?}");
        }
        assert_eq!(calls.sessions_of("alice"), 1);
        assert_eq!(calls.idle_sessions(Duration::ZERO, Some("bob")), ["b"]);
    }

    #[tokio::test]
    async fn closing_a_session_cancels_its_calls_and_no_other() {
        let calls = Calls::default();
        calls.open_session("a", None);
        calls.open_session("b", None);
        let (a, b, none) = (
            calls.enter(Some("a")),
            calls.enter(Some("b")),
            calls.enter(None),
        );
        calls.close_session("a");
        assert!(a.session_closed.is_cancelled());
        assert!(!b.session_closed.is_cancelled());
        assert!(!none.session_closed.is_cancelled());
        assert_eq!(calls.sessions(), 1);
    }

    #[tokio::test]
    async fn finished_waits_for_the_last_answer() {
        let calls = Calls::default();
        let call = calls.enter(None);
        let finished = calls.finished();
        tokio::pin!(finished);
        tokio::select! {
            biased;
            () = &mut finished => panic!("a call is in progress"),
            () = tokio::task::yield_now() => {}
        }
        let delivery = calls.delivery();
        drop(call);
        tokio::select! {
            biased;
            () = &mut finished => panic!("an answer is on its way"),
            () = tokio::task::yield_now() => {}
        }
        drop(delivery);
        finished.await;
    }
}
