//! Calls that are not done when a client's patience may be: the call goes on as a
//! *handle*, and the client asks for its answer later.
//!
//! ```text
//! call ──done within the inline budget──> reply
//!   └──not──> keep(): a task of its own ──> done: the reply is kept for a while
//!                 └──> {"status": "running", "job_id": …}     get_job, get_job_result, cancel_job
//! ```
//!
//! A handle outlives the request that made it, its connection and its session. Its
//! name is random, so whoever has it was told it; where clients have names of
//! their own, it answers only to the one that made it.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use reversecore_exec::session::word;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::catalogue::Reply;
use crate::error::{ErrorCode, ToolError};
use crate::schedule::Caller;

/// Handles at one time, those that are done included.
const MOST: usize = 1000;
/// Bytes of replies that are kept; the oldest go first.
const MOST_BYTES: usize = 64 << 20;
/// What the names of handles begin with.
const PREFIX: &str = "job-";

/// How calls are handed out.
#[derive(Debug, Clone, Copy)]
pub struct HandleSettings {
    /// How long a caller waits for a reply before it gets a handle; `None` for as
    /// long as the call takes.
    pub inline: Option<Duration>,
    /// How long a reply is kept.
    pub kept: Duration,
}

impl Default for HandleSettings {
    /// No call is handed out.
    fn default() -> Self {
        Self {
            inline: None,
            kept: Duration::from_secs(3600),
        }
    }
}

/// The calls that go on without their requests.
#[derive(Debug)]
pub struct Handles {
    settings: HandleSettings,
    // A std mutex: held for map operations only, never across an await.
    table: Mutex<HashMap<String, Handle>>,
}

#[derive(Debug, Clone)]
struct Handle {
    tool: &'static str,
    caller: Caller,
    begun: Instant,
    begun_at: SystemTime,
    cancel: CancellationToken,
    done: watch::Receiver<Option<Done>>,
}

#[derive(Debug, Clone)]
struct Done {
    reply: Arc<Reply>,
    at: Instant,
    /// Whether it was cancelled while it went on.
    cancelled: bool,
}

/// What is known of a handle.
#[derive(Debug, Clone)]
pub struct HandleView {
    /// The tool.
    pub tool: &'static str,
    /// Who called, and the job that the call has become.
    pub caller: Caller,
    /// Since when.
    pub begun: Instant,
    /// The same on the calendar.
    pub begun_at: SystemTime,
    /// What came of it; `None` while it goes on.
    pub reply: Option<Arc<Reply>>,
    /// How long it took; `None` while it goes on.
    pub took: Option<Duration>,
    /// Whether it was cancelled, and has no answer for that reason.
    pub cancelled: bool,
}

/// A call that was begun.
pub(crate) type Work = Pin<Box<dyn Future<Output = Reply> + Send>>;

impl Handles {
    /// Nothing handed out yet.
    pub fn new(settings: HandleSettings) -> Self {
        Self {
            settings,
            table: Mutex::default(),
        }
    }

    /// How long a caller waits for a reply.
    pub fn inline(&self) -> Option<Duration> {
        self.settings.inline
    }

    /// How long a reply is kept.
    pub fn kept(&self) -> Duration {
        self.settings.kept
    }

    /// Lets a call go on by itself; returns the name of its handle. When there are
    /// too many, the work is given back.
    pub(crate) fn keep(
        self: &Arc<Self>,
        tool: &'static str,
        caller: Caller,
        begun: Instant,
        cancel: CancellationToken,
        work: Work,
    ) -> Result<String, Work> {
        let (say, done) = watch::channel(None);
        let mut table = self.tidied();
        let full = table.len() >= MOST;
        let Some(id) = name().filter(|_| !full) else {
            return Err(work);
        };
        table.insert(
            id.clone(),
            Handle {
                tool,
                caller,
                begun,
                begun_at: SystemTime::now(),
                cancel: cancel.clone(),
                done,
            },
        );
        drop(table);
        tokio::runtime::Handle::current().spawn(async move {
            let reply = Arc::new(work.await);
            say.send_replace(Some(Done {
                cancelled: reply.is_error && cancel.is_cancelled(),
                reply,
                at: Instant::now(),
            }));
        });
        Ok(id)
    }

    /// What is known of a handle.
    ///
    /// # Errors
    /// When there is none of this name, or it is somebody else's.
    pub fn look(&self, id: &str, caller: &Caller) -> Result<HandleView, ToolError> {
        self.find(id, caller).map(|handle| handle.view())
    }

    /// The same, after waiting for its end, at most so long.
    ///
    /// # Errors
    /// As [`Handles::look`].
    pub async fn wait(
        &self,
        id: &str,
        caller: &Caller,
        most: Duration,
    ) -> Result<HandleView, ToolError> {
        let mut handle = self.find(id, caller)?;
        // Time that runs out, and a server that ends, leave it as it is.
        let ended = handle.done.wait_for(Option::is_some);
        tokio::time::timeout(most, ended).await.ok();
        Ok(handle.view())
    }

    /// Cancels a call; says whether it still went on.
    ///
    /// # Errors
    /// As [`Handles::look`].
    pub fn cancel(&self, id: &str, caller: &Caller) -> Result<bool, ToolError> {
        let handle = self.find(id, caller)?;
        let goes_on = handle.done.borrow().is_none();
        handle.cancel.cancel();
        Ok(goes_on)
    }

    /// Cancels all calls that go on.
    pub fn cancel_all(&self) {
        for handle in self.lock().values() {
            handle.cancel.cancel();
        }
    }

    fn find(&self, id: &str, caller: &Caller) -> Result<Handle, ToolError> {
        let table = self.tidied();
        let handle = table.get(id).filter(|handle| {
            let maker = &handle.caller;
            maker.named.is_none() || maker.named == caller.named
        });
        handle.cloned().ok_or_else(|| {
            ToolError::new(
                ErrorCode::ValidationError,
                format!(
                    "parameter `job_id`: there is no job `{}` of yours",
                    crate::text::quoted(id)
                ),
                "Results of jobs are kept for a limited time; make the call again.",
            )
        })
    }

    /// The table, without what has been kept for long enough.
    fn tidied(&self) -> MutexGuard<'_, HashMap<String, Handle>> {
        let mut table = self.lock();
        let kept = self.settings.kept;
        table.retain(|_, handle| {
            let done = handle.done.borrow();
            done.as_ref().is_none_or(|done| done.at.elapsed() <= kept)
        });
        let size = |handle: &Handle| {
            let done = handle.done.borrow();
            done.as_ref()
                .map_or(0, |done| done.reply.json.len() + done.reply.text.len())
        };
        let mut bytes: usize = table.values().map(size).sum();
        while bytes > MOST_BYTES {
            let oldest = table
                .iter()
                .filter(|(_, handle)| handle.done.borrow().is_some())
                .min_by_key(|(_, handle)| handle.begun)
                .map(|(id, handle)| (id.clone(), size(handle)));
            let Some((id, size)) = oldest else { break };
            table.remove(&id);
            bytes -= size;
        }
        table
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Handle>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle {
    fn view(&self) -> HandleView {
        let done = self.done.borrow();
        let done = done.as_ref();
        HandleView {
            tool: self.tool,
            caller: self.caller.clone(),
            begun: self.begun,
            begun_at: self.begun_at,
            reply: done.map(|done| Arc::clone(&done.reply)),
            took: done.map(|done| done.at.duration_since(self.begun)),
            cancelled: done.is_some_and(|done| done.cancelled),
        }
    }
}

/// A name that nobody guesses; `None` where the kernel has no random bytes.
fn name() -> Option<String> {
    Some(format!("{PREFIX}{}", word().ok()?))
}

#[cfg(test)]
mod tests {
    use reversecore_jobs::Client;

    use super::*;

    fn reply(size: usize) -> Reply {
        Reply {
            is_error: false,
            json: "x".repeat(size),
            text: String::new(),
        }
    }

    fn handles() -> Arc<Handles> {
        Arc::new(Handles::new(HandleSettings {
            inline: None,
            kept: Duration::from_secs(60),
        }))
    }

    fn kept(handles: &Arc<Handles>, caller: &Caller, work: Work) -> String {
        let cancel = CancellationToken::new();
        let begun = Instant::now();
        let Ok(id) = handles.keep("run_file", caller.clone(), begun, cancel, work) else {
            panic!("not kept")
        };
        id
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_is_waited_for_and_kept_for_its_time() {
        let (handles, caller) = (handles(), Caller::new(Client::new("a")));
        let work = Box::pin(async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            reply(5)
        });
        let id = kept(&handles, &caller, work);
        assert!(handles.look(&id, &caller).unwrap().reply.is_none());
        let early = handles.wait(&id, &caller, Duration::from_secs(3)).await;
        assert!(early.unwrap().reply.is_none());
        let done = handles.wait(&id, &caller, Duration::from_secs(30)).await;
        assert_eq!(done.unwrap().reply.unwrap().json, "xxxxx");
        assert!(!handles.cancel(&id, &caller).unwrap());
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(handles.look(&id, &caller).is_err());
    }

    #[tokio::test]
    async fn a_named_clients_handle_is_its_own() {
        let handles = handles();
        let mut ann = Caller::new(Client::new("1"));
        ann.named = Some("ann".into());
        let mut bob = ann.clone();
        bob.named = Some("bob".into());
        let id = kept(&handles, &ann, Box::pin(std::future::pending()));
        assert!(handles.look(&id, &bob).is_err());
        assert!(handles.cancel(&id, &Caller::new(Client::new("1"))).is_err());
        assert!(handles.cancel(&id, &ann).unwrap());
        assert!(handles.look("job-0", &ann).is_err());
    }

    #[tokio::test]
    async fn there_are_only_so_many_and_so_large() {
        let (handles, caller) = (handles(), Caller::new(Client::new("a")));
        let mut ids = Vec::new();
        for _ in 0..5 {
            let id = kept(&handles, &caller, Box::pin(async { reply(MOST_BYTES / 4) }));
            handles
                .wait(&id, &caller, Duration::from_secs(9))
                .await
                .ok();
            ids.push(id);
        }
        let there: Vec<bool> = ids
            .iter()
            .map(|id| handles.look(id, &caller).is_ok())
            .collect();
        assert_eq!(there, [false, true, true, true, true]);
        for _ in 0..MOST - 4 {
            kept(&handles, &caller, Box::pin(std::future::pending()));
        }
        let (begun, cancel) = (Instant::now(), CancellationToken::new());
        let work: Work = Box::pin(std::future::pending());
        assert!(
            handles
                .keep("run_file", caller, begun, cancel, work)
                .is_err()
        );
    }
}
