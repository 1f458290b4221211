//! What a job holds: its place in the queue, and then its share of the machine.
//! Dropping either gives it back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use crate::events::{Event, What};
use crate::refused::Refused;
use crate::spec::JobId;
use crate::state::{Ending, Used};

/// A job that may run. Dropping it gives its share to the next ones; without a
/// call of [`Running::end`] the job counts as cancelled.
#[derive(Debug)]
pub struct Running {
    pub(super) shared: Arc<Shared>,
    pub(super) id: JobId,
    pub(super) waited: Duration,
    pub(super) ending: Ending,
    pub(super) used: Used,
}

/// A place in the queue, given up when this is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) shared: Arc<Shared>,
    pub(super) id: JobId,
    pub(super) receiver: oneshot::Receiver<Result<Duration, Refused>>,
}

impl Ticket {
    pub(super) async fn wait(mut self, cancel: &CancellationToken) -> Result<Running, Refused> {
        let granted = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Refused::Cancelled),
            granted = &mut self.receiver => granted,
        };
        let waited = granted.unwrap_or(Err(Refused::ShutDown))?;
        Ok(self.shared.running(self.id, waited))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.receiver.close();
        match self.receiver.try_recv() {
            // It has been started in the meantime, and nobody is there to run it.
            Ok(Ok(_)) => self
                .shared
                .ended(self.id, Ending::Cancelled, Used::default()),
            Ok(Err(_)) => {}
            Err(_) => {
                let mut state = self.shared.state();
                let Some(queued) = state.dequeue(self.id) else {
                    return;
                };
                state.stats.refused(&Refused::Cancelled);
                let event = Event::new(self.id, &queued.spec, What::Refused);
                // A job behind this one may be the next now.
                let started = state.decide(Instant::now());
                drop(state);
                self.shared.events.send(event).ok();
                self.shared.hand_out(started);
            }
        }
    }
}

impl Running {
    /// The job's number.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// How long it waited.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Whether it is to stand still, for want of memory; `None` for one that never
    /// has to. What it does about it is its own affair: this only asks.
    #[must_use]
    pub fn hold(&self) -> Option<watch::Receiver<bool>> {
        let state = self.shared.state();
        let reins = state.running.get(&self.id)?.reins.as_ref()?;
        Some(reins.hold.subscribe())
    }

    /// Waits until the job has to go for want of memory: its work is to be dropped,
    /// and the job ended as [`Ending::Evicted`]. Most jobs never have to.
    pub fn evicted(&self) -> impl Future<Output = ()> + Send + use<> {
        let state = self.shared.state();
        let job = state.running.get(&self.id);
        let evict = job.and_then(|job| Some(job.reins.as_ref()?.evict.clone()));
        async move {
            match evict {
                Some(evict) => evict.cancelled().await,
                None => std::future::pending().await,
            }
        }
    }

    /// Says how far it has got. Fractions never go back; listeners hear of it at
    /// most once a second, and of every new stage.
    pub fn progress(&self, stage: &str, fraction: Option<f64>) {
        let now = Instant::now();
        let mut state = self.shared.state();
        let Some(started) = state.running.get_mut(&self.id) else {
            return;
        };
        let Some(progress) = started
            .throttle
            .take(&started.progress, stage, fraction, now)
        else {
            return;
        };
        let tell = progress.tell;
        started.progress = Some(progress.progress.clone());
        let event = Event::new(self.id, &started.spec, What::Progress(progress.progress));
        drop(state);
        if tell {
            self.shared.events.send(event).ok();
        }
    }

    /// The job is over.
    pub fn end(mut self, ending: Ending, used: Used) {
        self.ending = ending;
        self.used = used;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.ended(self.id, self.ending, self.used);
    }
}
