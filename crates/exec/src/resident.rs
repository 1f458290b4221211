//! A run that stays: the way to kill it or to have it stand still, and the news
//! of its end. Workers and sessions are such runs; both are driven by a task of
//! their own, and used by others through what is here.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::command::Hold;
use crate::error::ExecError;
use crate::outcome::{Finished, Outcome, Usage};

/// How such a run ended.
#[derive(Debug)]
pub(crate) struct End {
    /// `Err`: nobody knows.
    pub(crate) outcome: Result<Outcome, Lost>,
    pub(crate) last_words: String,
    /// Of the whole run.
    pub(crate) usage: Usage,
}

/// Why nobody knows how a run ended.
#[derive(Debug, Clone)]
pub(crate) enum Lost {
    /// The engine itself failed.
    Engine(Arc<ExecError>),
    /// The task that drove it is gone.
    ShutDown,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(error) => error.fmt(f),
            Self::ShutDown => f.write_str("the pool was shut down"),
        }
    }
}

/// What outlives the handle of such a run: the way to kill it, and its end.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) kill: CancellationToken,
    /// Whether its processes are to stand still.
    pub(crate) hold: watch::Sender<bool>,
    end: watch::Sender<Option<Arc<End>>>,
}

impl Life {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            kill: CancellationToken::new(),
            hold: watch::Sender::new(false),
            end: watch::Sender::new(None),
        })
    }

    /// Waits until its processes are gone.
    pub(crate) async fn ended(&self) -> Arc<End> {
        let mut end = self.end.subscribe();
        let end = end
            .wait_for(Option::is_some)
            .await
            .expect("the sender lives as long as `self`");
        Arc::clone(end.as_ref().expect("that is what was waited for"))
    }

    pub(crate) fn set_end(&self, end: End) {
        self.end.send_if_modified(|known| {
            let unknown = known.is_none();
            known.get_or_insert_with(|| Arc::new(end));
            unknown
        });
    }

    /// Has it stand still, or go on.
    pub(crate) fn set_hold(&self, held: bool) {
        self.hold.send_if_modified(|known| {
            let differs = *known != held;
            *known = held;
            differs
        });
    }

    /// Passes on whether it is to stand still. Never ends.
    pub(crate) async fn follow(&self, hold: Option<Hold>) -> Infallible {
        let Some(mut hold) = hold else {
            return std::future::pending().await;
        };
        loop {
            let held = *hold.borrow_and_update();
            self.set_hold(held);
            if hold.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

/// Sees to it that everybody who waits for an end hears of one, even when the
/// task that would have told is dropped.
pub(crate) struct Telling(pub(crate) Arc<Life>);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.set_end(End {
            outcome: Err(Lost::ShutDown),
            last_words: String::new(),
            usage: Usage::default(),
        });
    }
}

pub(crate) fn end_of(finished: Result<Finished, ExecError>) -> End {
    match finished {
        Ok(finished) => End {
            outcome: Ok(finished.outcome),
            last_words: String::from_utf8_lossy(&finished.stderr.tail).into_owned(),
            usage: finished.usage,
        },
        Err(error) => End {
            outcome: Err(Lost::Engine(Arc::new(error))),
            last_words: String::new(),
            usage: Usage::default(),
        },
    }
}
