//! One call: joining a session or having one opened, its turn, and the end of
//! either. Also the keeper, which acts on what the roster decides.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::console::{Console, Said};
use super::live::{Failure, Opened, Slot, ending, live};
use super::question::{
    Opening, Question, Reply, SessionConfig, SessionError, SessionKey, SessionOutcome,
};
use super::roster::{Gone, Roster, SessionStats};
use crate::capture::{Captured, Recorder};
use crate::command::{Hold, Keep};
use crate::engine::Engine;

/// Sessions that were dead already when a command came to them, in a row,
/// before it is given up.
const MOST_DEAD: u32 = 5;
/// A time-out beyond this is none.
const VERY_LONG: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
/// Idle sessions are looked for at least so often.
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// Sessions and the way to them. Cheap to clone; the sessions end when the last
/// clone is dropped.
#[derive(Debug, Clone)]
pub struct SessionPool {
    shared: Arc<Shared>,
    /// The keeper and one task a session.
    tasks: Arc<Mutex<JoinSet<()>>>,
}

/// What calls, sessions' tasks and the keeper share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) config: SessionConfig,
    roster: Mutex<Roster>,
    /// Wakes the keeper.
    wake: Notify,
}

impl SessionPool {
    /// A pool without a session yet. Must be called within a tokio runtime,
    /// which must live as long as the pool. Its sessions take places that the
    /// engine has for [workers](crate::EngineConfig::max_workers).
    #[must_use]
    pub fn start(engine: &Engine, config: SessionConfig) -> Self {
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            config,
            roster: Mutex::default(),
            wake: Notify::new(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(keep(Arc::clone(&shared)));
        Self {
            shared,
            tasks: Arc::new(Mutex::new(tasks)),
        }
    }

    /// Asks the session of this key, after all that asked it before. When there
    /// is none, `open` says how to open one; concurrent calls with the same key
    /// wait for the same preparation, which goes on while one of them is left.
    ///
    /// Cancelling, the time-out and dropping the future end the session, if the
    /// command had its turn; the first two return when it is gone.
    ///
    /// # Errors
    /// When the question was refused, or no session could be opened.
    pub async fn run(
        &self,
        key: &SessionKey,
        open: &mut (dyn FnMut() -> Option<Opening> + Send),
        question: Question,
        cancel: &CancellationToken,
    ) -> Result<Reply, SessionError> {
        let more_lines = |text: &String| text.contains(['\n', '\r', '\0']);
        if more_lines(&question.text) || question.after.iter().any(more_lines) {
            return Err(SessionError::NotOneLine);
        }
        let after = question.timeout.min(VERY_LONG);
        let mut deadline = pin!(sleep_until(Instant::now() + after));
        let mut call = Asking {
            shared: &self.shared,
            question,
            cancel,
            reply: Reply {
                outcome: SessionOutcome::Cancelled,
                stdout: nothing(),
                stderr: nothing(),
                opening: Bytes::new(),
                opened: false,
                worked: Duration::ZERO,
                resident: 0,
                usage: None,
            },
        };
        let mut dead = 0;
        while dead <= MOST_DEAD {
            let ticket = self.join(key, open)?;
            let first = ticket.first;
            call.reply.opened |= first;
            match call.with(ticket, deadline.as_mut()).await? {
                Turn::Over(outcome) => {
                    call.reply.outcome = outcome;
                    return Ok(call.reply);
                }
                // Another session would be out of date, too.
                Turn::Stale if first => return Err(SessionError::OutOfDate),
                Turn::Missed | Turn::Stale => {}
                Turn::WasDead => dead += 1,
            }
        }
        Err(SessionError::NoneLives)
    }

    /// One more user of a session, a new one if need be.
    fn join(
        &self,
        key: &SessionKey,
        open: &mut (dyn FnMut() -> Option<Opening> + Send),
    ) -> Result<Ticket<'_>, SessionError> {
        let shared = &*self.shared;
        let ticket = |slot, first| Ticket {
            shared,
            slot,
            first,
            standing: false,
            asking: None,
        };
        {
            let mut roster = shared.roster();
            if roster.closed {
                return Err(SessionError::ShutDown);
            }
            let limit = shared.config.max_calls;
            if roster.calls() >= limit {
                return Err(SessionError::QueueFull { limit });
            }
            if let Some(slot) = roster.join(key) {
                return Ok(ticket(slot, false));
            }
        }
        // Not under the lock: it is the caller's code.
        let mut opening = open().ok_or(SessionError::NotDescribed)?;
        let slot = Slot::new(key.clone(), &mut opening);
        {
            let mut roster = shared.roster();
            if roster.closed {
                return Err(SessionError::ShutDown);
            }
            // Somebody else was quicker.
            if let Some(slot) = roster.join(key) {
                return Ok(ticket(slot, false));
            }
            roster.add(Arc::clone(&slot), Instant::now());
        }
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(live(Arc::clone(&self.shared), Arc::clone(&slot), opening));
        drop(tasks);
        shared.wake.notify_one();
        Ok(ticket(slot, true))
    }

    /// Whether the session of this key is there and prepared.
    #[must_use]
    pub fn is_ready(&self, key: &SessionKey) -> bool {
        self.shared.roster().is_ready(key)
    }

    /// What the pool is doing.
    #[must_use]
    pub fn stats(&self) -> SessionStats {
        self.shared.roster().stats()
    }

    /// Ends all sessions, and returns when they are gone; calls in progress
    /// get [`SessionError::ShutDown`] or the end of their session.
    pub async fn shut_down(&self) {
        let slots = self.shared.roster().close();
        for slot in slots {
            slot.life.kill.cancel();
        }
        self.shared.wake.notify_one();
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        while tasks.join_next().await.is_some() {}
    }
}

fn nothing() -> Captured {
    Recorder::new(&Keep::nothing()).finish()
}

/// What came of one session for a call.
enum Turn {
    /// The call is over.
    Over(SessionOutcome),
    /// The session was ended by others before this call had its turn.
    Missed,
    /// What the session was opened on is no longer what it was.
    Stale,
    /// The session had ended by itself.
    WasDead,
}

/// A call in progress.
struct Asking<'a> {
    shared: &'a Shared,
    question: Question,
    cancel: &'a CancellationToken,
    reply: Reply,
}

/// What a call waits for, its time and its caller aside.
enum Happening<T> {
    Done(T),
    Cancelled,
    Deadline,
}

impl Asking<'_> {
    /// Tries to have the question answered by this session.
    async fn with(
        &mut self,
        mut ticket: Ticket<'_>,
        mut deadline: Pin<&mut Sleep>,
    ) -> Result<Turn, SessionError> {
        let slot = Arc::clone(&ticket.slot);
        let joined = Instant::now();
        let following = ticket.follow(self.question.hold.clone());
        let opened = tokio::select! {
            biased;
            opened = opened(&slot) => Happening::Done(opened),
            () = self.cancel.cancelled() => Happening::Cancelled,
            () = deadline.as_mut() => Happening::Deadline,
            never = following => match never {},
        };
        ticket.stand(false);
        self.reply.worked += joined.elapsed();
        match opened {
            Happening::Cancelled => return Ok(Turn::Over(SessionOutcome::Cancelled)),
            Happening::Deadline | Happening::Done(Err(Failure::TimedOut)) => {
                return Ok(Turn::Over(SessionOutcome::TimedOut));
            }
            Happening::Done(Err(Failure::Abandoned)) => return Ok(Turn::Missed),
            Happening::Done(Err(Failure::Error(error))) => return Err(error),
            Happening::Done(Err(Failure::Ended {
                outcome,
                stderr,
                usage,
            })) => {
                self.reply.opening = stderr;
                self.reply.usage = Some(usage);
                return Ok(Turn::Over(SessionOutcome::Ended(outcome)));
            }
            Happening::Done(Ok(Opened { stderr })) => self.reply.opening = stderr,
        }
        let place = tokio::select! {
            biased;
            place = slot.line.lock() => Happening::Done(place),
            () = self.cancel.cancelled() => Happening::Cancelled,
            () = deadline.as_mut() => Happening::Deadline,
        };
        let mut place = match place {
            Happening::Done(place) => place,
            Happening::Cancelled => return Ok(Turn::Over(SessionOutcome::Cancelled)),
            Happening::Deadline => return Ok(Turn::Over(SessionOutcome::TimedOut)),
        };
        let Some(mut console) = place.take() else {
            self.shared.retire(&slot, Gone::Cancelled);
            return Ok(Turn::Missed);
        };
        // From here on whoever leaves without putting it back ends the session.
        ticket.asking = Some(Gone::Cancelled);
        if !(slot.still_valid)() {
            ticket.asking = Some(Gone::Stale);
            return Ok(Turn::Stale);
        }
        let asked = Instant::now();
        let asking = self.ask(&mut console, asked);
        let happening = tokio::select! {
            biased;
            said = asking => Happening::Done(said),
            () = self.cancel.cancelled() => Happening::Cancelled,
            () = deadline.as_mut() => Happening::Deadline,
            never = slot.life.follow(self.question.hold.clone()) => match never {},
        };
        if self.question.hold.is_some() {
            // The next command is not the one that was to stand still.
            slot.life.set_hold(false);
        }
        self.reply.worked += asked.elapsed();
        self.reply.resident = slot.memory.load(std::sync::atomic::Ordering::Relaxed);
        let outcome = match happening {
            Happening::Done(Ok(said)) => {
                if !(slot.still_valid)() {
                    ticket.asking = Some(Gone::Stale);
                    return Ok(Turn::Stale);
                }
                self.reply.stdout = said.stdout;
                self.reply.stderr = said.stderr;
                self.shared.roster().commands += 1;
                if self.question.last {
                    ticket.asking = Some(Gone::Spent);
                } else {
                    ticket.asking = None;
                    *place = Some(console);
                }
                return Ok(Turn::Over(SessionOutcome::Answered));
            }
            Happening::Done(Err(None)) => {
                ticket.asking = Some(Gone::Dead);
                return Ok(Turn::WasDead);
            }
            Happening::Done(Err(Some(said))) => {
                ticket.asking = Some(Gone::Dead);
                self.reply.stdout = said.stdout;
                self.reply.stderr = said.stderr;
                // How it ended by itself says more than that it was killed.
                timeout(Duration::from_secs(1), slot.life.ended())
                    .await
                    .ok();
                None
            }
            Happening::Cancelled => Some(SessionOutcome::Cancelled),
            Happening::Deadline => {
                ticket.asking = Some(Gone::TimedOut);
                Some(SessionOutcome::TimedOut)
            }
        };
        if let Some(why) = ticket.asking {
            // Before it ends, or that would be the reason.
            self.shared.retire(&slot, why);
        }
        drop(console);
        let end = slot.life.ended().await;
        self.reply.usage = Some(end.usage);
        Ok(Turn::Over(match outcome {
            Some(outcome) => outcome,
            None => SessionOutcome::Ended(ending(&end.outcome)?),
        }))
    }

    /// `Err`: it has hung up; `None` when it had not come to this command.
    async fn ask(&self, console: &mut Console, now: Instant) -> Result<Said, Option<Said>> {
        let config = &self.shared.config;
        let idle = now.saturating_duration_since(console.last_used);
        if idle >= config.probe_after {
            let probe = timeout(config.probe_timeout, console.ask("", &[], 0, 0)).await;
            if !matches!(probe, Ok(Ok(_))) {
                return Err(None);
            }
        }
        let Question {
            text,
            after,
            keep_stdout,
            keep_stderr,
            ..
        } = &self.question;
        let said = console.ask(text, after, *keep_stdout, *keep_stderr).await;
        said.map_err(|said| said.begun.then_some(said))
    }
}

/// Waits until a session is prepared, or won't be.
async fn opened(slot: &Slot) -> Result<Opened, Failure> {
    let mut opened = slot.opened.subscribe();
    match opened.wait_for(Option::is_some).await {
        Ok(known) => known.clone().unwrap_or(Err(Failure::Abandoned)),
        Err(_) => Err(Failure::Abandoned),
    }
}

/// A call's share in a session, given up when this is dropped.
struct Ticket<'a> {
    shared: &'a Shared,
    slot: Arc<Slot>,
    /// This call had it opened.
    first: bool,
    /// It wants the preparation to stand still.
    standing: bool,
    /// It has the console; the session ends for this reason when it goes now.
    asking: Option<Gone>,
}

impl Ticket<'_> {
    fn stand(&mut self, still: bool) {
        if self.standing != still {
            self.standing = still;
            self.shared.roster().stand(&self.slot, still);
        }
    }

    /// Passes on whether the preparation is to stand still. Never ends.
    async fn follow(&mut self, hold: Option<Hold>) -> Infallible {
        let Some(mut hold) = hold else {
            return std::future::pending().await;
        };
        loop {
            let still = *hold.borrow_and_update();
            self.stand(still);
            if hold.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.stand(false);
        if let Some(why) = self.asking {
            self.shared.retire(&self.slot, why);
        }
        self.shared.leave(&self.slot);
    }
}

impl Shared {
    fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the keeper if there is something to decide.
    pub(super) fn look(&self) {
        let pressed = self.roster().pressed(&self.config);
        if pressed {
            self.wake.notify_one();
        }
    }

    pub(super) fn ready(&self, slot: &Arc<Slot>) -> bool {
        let ready = self.roster().ready(slot);
        self.look();
        ready
    }

    pub(super) fn retire(&self, slot: &Arc<Slot>, why: Gone) {
        self.roster().retire(slot, why);
        self.look();
    }

    pub(super) fn process_gone(&self, slot: &Arc<Slot>) {
        {
            let mut roster = self.roster();
            // Where it was not known that it would end.
            roster.retire(slot, Gone::Dead);
            roster.process_gone(slot);
        }
        self.look();
    }

    /// A call gives up its share; a preparation for which nobody waits any more
    /// ends.
    fn leave(&self, slot: &Arc<Slot>) {
        let unwanted = {
            let mut roster = self.roster();
            let unwanted = roster.leave(slot, Instant::now());
            if let Some(slot) = &unwanted {
                roster.retire(slot, Gone::Cancelled);
            }
            unwanted
        };
        if let Some(slot) = unwanted {
            slot.life.kill.cancel();
        }
        self.look();
    }
}

/// The keeper: lets sessions in as there is room, and has idle ones go.
async fn keep(shared: Arc<Shared>) {
    let nap = shared
        .config
        .idle_after
        .clamp(Duration::from_millis(10), LONGEST_NAP);
    loop {
        let plan = {
            let mut roster = shared.roster();
            if roster.closed {
                return;
            }
            roster.plan(&shared.config, Instant::now())
        };
        for slot in plan.end {
            slot.life.kill.cancel();
        }
        for slot in plan.admit {
            slot.room.notify_one();
        }
        tokio::select! {
            () = shared.wake.notified() => {}
            () = tokio::time::sleep(nap) => {}
        }
    }
}
