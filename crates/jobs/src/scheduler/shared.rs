//! What all clones of a scheduler and all its jobs share, and the one task that
//! looks at the clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, sleep_until};

use super::running::Running;
use crate::events::{Event, What};
use crate::refused::Refused;
use crate::spec::{JobId, JobSpec};
use crate::state::{Ending, Used};
use crate::table::{Granted, State};

/// Without anything to wait for, the keeper looks again after this.
const VERY_LONG: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// Wakes the keeper: there is an earlier moment to wait for.
    pub(super) wake: Notify,
    /// Told when nothing runs any more.
    pub(super) idle: Notify,
    pub(super) events: broadcast::Sender<Event>,
}

impl Shared {
    /// `Running` must not be dropped while this is held: its drop takes it.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn running(self: &Arc<Self>, id: JobId, waited: Duration) -> Running {
        Running {
            shared: Arc::clone(self),
            id,
            waited,
            ending: Ending::Cancelled,
            used: Used::default(),
        }
    }

    pub(super) fn tell(&self, id: JobId, spec: &JobSpec, what: What) {
        // Nobody may be listening.
        self.events.send(Event::new(id, spec, what)).ok();
    }

    /// Tells jobs that they may run.
    pub(super) fn hand_out(&self, started: Vec<Granted>) {
        for (id, waited, hand) in started {
            let event = self.state().event(id, What::Started { waited });
            if let Some(event) = event {
                self.events.send(event).ok();
            }
            if hand.send(Ok(waited)).is_err() {
                // Its ticket was dropped while it was being started.
                self.ended(id, Ending::Cancelled, Used::default());
            }
        }
    }

    /// A job has ended: its share goes to the next.
    pub(super) fn ended(&self, id: JobId, ending: Ending, used: Used) {
        let now = Instant::now();
        let mut state = self.state();
        let Some(event) = state.end(id, ending, used, now) else {
            return;
        };
        let started = state.decide(now);
        let idle = state.running.is_empty();
        drop(state);
        self.events.send(event).ok();
        self.hand_out(started);
        if idle {
            self.idle.notify_waiters();
        }
    }
}

/// The keeper: refuses jobs that have waited too long.
pub(super) async fn keep(shared: Arc<Shared>) {
    loop {
        let notified = shared.wake.notified();
        let now = Instant::now();
        let (expired, started, next) = {
            let mut state = shared.state();
            let mut expired = Vec::new();
            while let Some(((moment, id), ())) = state.start_by.first_key_value()
                && *moment <= now
            {
                let id = *id;
                if let Some(queued) = state.dequeue(id) {
                    let waited = now.saturating_duration_since(queued.since);
                    let refused = Refused::Expired { waited };
                    state.stats.refused(&refused);
                    expired.push((id, queued, refused));
                }
            }
            let next = state
                .start_by
                .first_key_value()
                .map_or(now + VERY_LONG, |((moment, _), ())| *moment);
            // One that held others up may be gone.
            let started = if expired.is_empty() {
                Vec::new()
            } else {
                state.decide(now)
            };
            (expired, started, next)
        };
        shared.hand_out(started);
        for (id, queued, refused) in expired {
            shared.tell(id, &queued.spec, What::Refused);
            queued.hand.send(Err(refused)).ok();
        }
        tokio::select! {
            () = notified => {}
            () = sleep_until(next) => {}
        }
    }
}
