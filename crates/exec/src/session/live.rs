//! One session from its place in the queue for room to its end: the task that
//! drives its run, prepares it, and follows what memory it has.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{Instant, timeout};

use super::console::Console;
use super::pool::Shared;
use super::question::{Opening, SessionError, SessionKey};
use super::roster::Gone;
use crate::command::{Command, Keep, Limits};
use crate::drive::{Stay, drive};
use crate::outcome::{Finished, Outcome, Usage};
use crate::pump::Reader;
use crate::resident::{Life, Lost, Telling, end_of};

/// What is kept of what a session writes to its standard error while it is
/// prepared.
const OPENING_WORDS: usize = 16 << 10;
/// A program that has hung up by itself has ended by then, or is killed.
const END_IS_NEAR: Duration = Duration::from_secs(1);

/// A session as its users see it.
pub(super) struct Slot {
    pub(super) key: SessionKey,
    /// Resident, or what is expected while it is being prepared, if that is more.
    pub(super) memory: AtomicU64,
    pub(super) life: Arc<Life>,
    /// Notified once there is room for it.
    pub(super) room: Notify,
    pub(super) opened: watch::Sender<Option<Result<Opened, Failure>>>,
    /// The users' queue, in the order of their arrival. `None` when somebody
    /// has let go of the console.
    pub(super) line: Mutex<Option<Console>>,
    pub(super) still_valid: Box<dyn Fn() -> bool + Send + Sync>,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// A session that is ready.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    /// What it wrote to its standard error on the way.
    pub(super) stderr: Bytes,
}

/// Why a session did not become ready.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// Nobody waited for it any more.
    Abandoned,
    /// It took longer than it may.
    TimedOut,
    /// The program ended.
    Ended {
        outcome: Outcome,
        stderr: Bytes,
        usage: Usage,
    },
    Error(SessionError),
}

impl Slot {
    pub(super) fn new(key: SessionKey, opening: &mut Opening) -> Arc<Self> {
        Arc::new(Self {
            key,
            memory: AtomicU64::new(opening.expected_memory),
            life: Life::new(),
            room: Notify::new(),
            opened: watch::Sender::new(None),
            line: Mutex::new(None),
            still_valid: std::mem::replace(&mut opening.still_valid, Box::new(|| true)),
        })
    }

    fn publish(&self, result: Result<Opened, Failure>) {
        self.opened.send_if_modified(|known| {
            let unknown = known.is_none();
            known.get_or_insert(result);
            unknown
        });
    }
}

/// Sees to it that nobody waits for a session whose task is gone.
struct Leaving {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.slot
            .publish(Err(Failure::Error(SessionError::ShutDown)));
        self.shared.process_gone(&self.slot);
    }
}

/// Waits for room, starts a session, prepares it, and follows it to its end.
pub(super) async fn live(shared: Arc<Shared>, slot: Arc<Slot>, opening: Opening) {
    let _leaving = Leaving {
        shared: Arc::clone(&shared),
        slot: Arc::clone(&slot),
    };
    let life = &slot.life;
    let telling = Telling(Arc::clone(life));
    tokio::select! {
        biased;
        () = life.kill.cancelled() => return slot.publish(Err(Failure::Abandoned)),
        () = slot.room.notified() => {}
    }
    let Opening {
        command,
        dialect,
        prepare,
        timeout: patience,
        expected_memory,
        still_valid: _,
    } = opening;
    let (console, theirs) = match Console::open(dialect, Arc::clone(life)) {
        Ok(opened) => opened,
        Err(error) => {
            let error = crate::ExecError::system("make the pipes of a session")(error);
            return fail(&shared, &slot, Gone::Dead, error_of(error));
        }
    };
    let memory = watch::Sender::new(0);
    let mut seen = memory.subscribe();
    let mut command = resident(command, shared.config.max_memory).hold(Some(life.hold.subscribe()));
    command.console = Some(theirs);
    command.memory = Some(memory);
    let mut run = pin!(drive(
        &shared.engine.inner,
        command,
        &life.kill,
        Reader::Nobody,
        Stay::Resident,
    ));
    let mut preparing = pin!(timeout(patience, prepared(console, &prepare)));
    let happened = loop {
        tokio::select! {
            biased;
            finished = &mut run => break Err(finished),
            done = &mut preparing => break Ok(done),
            Ok(()) = seen.changed() => {
                let bytes = *seen.borrow_and_update();
                slot.memory.store(bytes.max(expected_memory), Ordering::Relaxed);
                shared.look();
            }
        }
    };
    let (finished, stderr) = match happened {
        Ok(Ok(Ok((console, stderr)))) => {
            slot.memory
                .store(*seen.borrow_and_update(), Ordering::Relaxed);
            *slot.line.lock().await = Some(console);
            if !shared.ready(&slot) {
                // Given up at the last moment.
                life.kill.cancel();
            }
            life.set_hold(false);
            slot.publish(Ok(Opened { stderr }));
            let finished = loop {
                tokio::select! {
                    biased;
                    finished = &mut run => break finished,
                    Ok(()) = seen.changed() => {
                        slot.memory.store(*seen.borrow_and_update(), Ordering::Relaxed);
                        shared.look();
                    }
                }
            };
            shared.retire(&slot, Gone::Dead);
            life.set_end(end_of(finished));
            drop(telling);
            return;
        }
        Ok(Err(_)) => {
            fail(&shared, &slot, Gone::TimedOut, Failure::TimedOut);
            life.kill.cancel();
            life.set_end(end_of(run.await));
            return;
        }
        Ok(Ok(Err((console, stderr)))) => {
            // Without the console it is killed, and that would be its end.
            let ended = timeout(END_IS_NEAR, &mut run).await;
            drop(console);
            let finished = match ended {
                Ok(finished) => finished,
                Err(_) => run.await,
            };
            (finished, stderr)
        }
        Err(finished) => {
            let said = timeout(END_IS_NEAR, &mut preparing).await;
            let stderr = match said {
                Ok(Ok(Ok((_, stderr)) | Err((_, stderr)))) => stderr,
                Ok(Err(_)) | Err(_) => Bytes::new(),
            };
            (finished, stderr)
        }
    };
    fail(&shared, &slot, Gone::Dead, failure(finished, stderr));
}

fn failure(finished: Result<Finished, crate::ExecError>, stderr: Bytes) -> Failure {
    match finished {
        Ok(Finished {
            outcome: Outcome::Cancelled,
            ..
        }) => Failure::Abandoned,
        Ok(finished) => Failure::Ended {
            outcome: finished.outcome,
            stderr,
            usage: finished.usage,
        },
        Err(error) => error_of(error),
    }
}

fn error_of(error: crate::ExecError) -> Failure {
    Failure::Error(SessionError::Exec(Arc::new(error)))
}

fn fail(shared: &Shared, slot: &Arc<Slot>, why: Gone, failure: Failure) {
    shared.retire(slot, why);
    slot.publish(Err(failure));
}

/// The command with limits that suit a run that stays.
fn resident(command: Command, most_memory: u64) -> Command {
    let limits = Limits {
        timeout: Duration::MAX,
        idle: None,
        grace: Duration::ZERO,
        memory: command.limits.memory.min(most_memory),
        output: None,
        ..command.limits.clone()
    };
    command
        .limits(limits)
        .keep_stdout(Keep::nothing())
        .keep_stderr(Keep::nothing())
}

/// Has it do the lines of the preparation; one empty line shows at least that
/// it is there. Returns what it wrote to its standard error. `Err`: it has hung
/// up.
async fn prepared(
    mut console: Console,
    lines: &[String],
) -> Result<(Console, Bytes), (Console, Bytes)> {
    let mut stderr = BytesMut::new();
    let nothing = [String::new()];
    let lines = if lines.is_empty() {
        &nothing[..]
    } else {
        lines
    };
    for line in lines {
        let room = OPENING_WORDS.saturating_sub(stderr.len());
        let (said, there) = match console.ask(line, &[], 0, room).await {
            Ok(said) => (said, true),
            Err(said) => (said, false),
        };
        stderr.extend_from_slice(&said.stderr.head);
        if !there {
            return Err((console, stderr.freeze()));
        }
    }
    console.last_used = Instant::now();
    Ok((console, stderr.freeze()))
}

/// How a session ended, for its user.
pub(super) fn ending(outcome: &Result<Outcome, Lost>) -> Result<Outcome, SessionError> {
    match outcome {
        Ok(outcome) => Ok(*outcome),
        Err(Lost::Engine(error)) => Err(SessionError::Exec(Arc::clone(error))),
        Err(Lost::ShutDown) => Err(SessionError::ShutDown),
    }
}
