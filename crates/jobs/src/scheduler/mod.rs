//! The scheduler: who may run now. One small state behind a mutex, held for a
//! few moves and never across an await.
//!
//! ```text
//! admit ──fits, nobody waits──────────────────────────────> Running ──drop, end──┐
//!   │                                                          ▲                 │
//!   └─> Ticket in the queue ──decide: next in order, fits──────┘   share given back
//!         │ cancelled, dropped, start_by passed, shut down                 │
//!         └──> Refused                                       decide again <┘
//! ```
//!
//! Every change of the state ends with [`State::decide`], on the task that made
//! it: a job that can start at once costs no switch of tasks. The *keeper* is
//! the one task that looks at the clock, for jobs that must start by a moment.
//!
//! The work itself is a future of the caller's, which runs as long as it holds
//! its [`Running`]. Nothing here knows what it does.

mod running;
mod shared;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::budget::Capacity;
use crate::events::{Event, What};
use crate::follow::follow;
use crate::order::Patience;
use crate::pressure::Pressure;
use crate::refused::Refused;
use crate::relief::Act;
use crate::scale::Scale;
use crate::spec::{Client, JobId, JobSpec, Lane};
use crate::state::JobView;
use crate::stats::Stats;
use crate::table::State;
pub use running::Running;
use running::Ticket;
use shared::{Shared, keep};

/// Events that a slow listener may fall behind.
const EVENTS: usize = 256;

/// How a scheduler decides.
#[derive(Debug, Clone, Copy)]
pub struct SchedulerConfig {
    /// What there is for jobs.
    pub capacity: Capacity,
    /// Jobs that may wait; a further one is refused. There are a quarter more
    /// places for clients with nothing waiting, and an eighth for interactive jobs.
    pub queue: usize,
    /// How long jobs wait in their lanes before they go before others.
    pub patience: Patience,
    /// Ended jobs that are remembered.
    pub history: usize,
}

/// Decides who runs. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Scheduler {
    shared: Arc<Shared>,
    // Ends the keeper with the last clone.
    _keeper: Arc<JoinSet<()>>,
}

/// What becomes of a job at first.
enum Entered {
    Running(Running),
    Waiting(Ticket),
}

impl Scheduler {
    /// Starts a scheduler. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(config: SchedulerConfig) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(&config)),
            wake: Notify::new(),
            idle: Notify::new(),
            events: broadcast::Sender::new(EVENTS),
        });
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(Arc::clone(&shared)));
        Self {
            shared,
            _keeper: Arc::new(keeper),
        }
    }

    /// Waits until the job may run. `cancel` ends the wait; it is also what
    /// [`Scheduler::cancel`] fires, so the work should end with it.
    ///
    /// # Errors
    /// At once when the queue is full or the job can't start in time; later when
    /// it is cancelled, has waited too long, or the scheduler is shut down.
    pub async fn admit(
        &self,
        spec: JobSpec,
        cancel: &CancellationToken,
    ) -> Result<Running, Refused> {
        self.admit_noting(spec, cancel, |_| {}).await
    }

    /// The same; `note` is told the job's number before it waits.
    ///
    /// # Errors
    /// As [`Scheduler::admit`].
    pub async fn admit_noting(
        &self,
        spec: JobSpec,
        cancel: &CancellationToken,
        note: impl FnOnce(JobId),
    ) -> Result<Running, Refused> {
        match self.enter(spec, cancel)? {
            Entered::Running(running) => {
                note(running.id);
                Ok(running)
            }
            Entered::Waiting(ticket) => {
                note(ticket.id);
                ticket.wait(cancel).await
            }
        }
    }

    fn enter(&self, spec: JobSpec, cancel: &CancellationToken) -> Result<Entered, Refused> {
        let shared = &self.shared;
        let now = Instant::now();
        let mut state = shared.state();
        let (lane, cost, start_by) = (spec.lane, spec.cost, spec.start_by);
        let share = state.budget.share(lane, &cost, now);
        let at_once =
            state.order.is_empty() && state.budget.lacks(&share).is_none() && state.has_room(lane);
        if let Err(refused) = state.check(&spec, at_once) {
            state.stats.refused(&refused);
            return Err(refused);
        }
        let id = JobId(state.next);
        state.next += 1;
        if at_once {
            shared.tell(
                id,
                &spec,
                What::Started {
                    waited: Duration::ZERO,
                },
            );
            state.start(id, spec, share, now, Duration::ZERO, cancel.clone());
            drop(state);
            return Ok(Entered::Running(shared.running(id, Duration::ZERO)));
        }
        shared.tell(id, &spec, What::Queued);
        let receiver = state.enqueue(id, spec, now, cancel.clone());
        let started = state.decide(now);
        let expected = state.expected_wait(lane, &cost, now);
        let late = start_by.is_some_and(|moment| now + expected > moment);
        if late && let Some(queued) = state.dequeue(id) {
            let refused = Refused::Late { expected };
            state.stats.refused(&refused);
            drop(state);
            shared.tell(id, &queued.spec, What::Refused);
            shared.hand_out(started);
            return Err(refused);
        }
        drop(state);
        shared.hand_out(started);
        shared.wake.notify_one();
        Ok(Entered::Waiting(Ticket {
            shared: Arc::clone(shared),
            id,
            receiver,
        }))
    }

    /// Cancels a job, whether it waits or runs; says whether there is one.
    pub fn cancel(&self, id: JobId) -> bool {
        let state = self.shared.state();
        let token = match (state.queued.get(&id), state.running.get(&id)) {
            (Some(queued), _) => &queued.cancel,
            (None, Some(started)) => &started.cancel,
            (None, None) => return false,
        };
        let token = token.clone();
        drop(state);
        // Whoever waits or works with the token does the rest.
        token.cancel();
        true
    }

    /// A job, running, waiting or remembered.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<JobView> {
        self.shared.state().view(id, Instant::now())
    }

    /// The jobs that run, those that wait, in the order of their arrival, and
    /// the last ones that ended, latest first; at most `most` of each.
    #[must_use]
    pub fn jobs(&self, most: usize) -> Vec<JobView> {
        self.some_jobs(most, |_| true)
    }

    /// The same of one client's jobs.
    #[must_use]
    pub fn jobs_of(&self, client: &Client, most: usize) -> Vec<JobView> {
        self.some_jobs(most, |of| of == client)
    }

    fn some_jobs(&self, most: usize, wanted: impl Fn(&Client) -> bool) -> Vec<JobView> {
        let state = self.shared.state();
        let now = Instant::now();
        let running = state.running.iter();
        let running = running.filter(|(_, job)| wanted(&job.spec.client));
        let mut running: Vec<_> = running.map(|(id, _)| *id).collect();
        running.sort_unstable();
        let queued = state.queued.iter();
        let queued = queued.filter(|(_, job)| wanted(&job.spec.client));
        let mut queued: Vec<_> = queued.map(|(id, _)| *id).collect();
        queued.sort_unstable();
        let ended = state.recent.iter().rev();
        let ended = ended.filter(|job| wanted(&job.client)).take(most);
        running
            .into_iter()
            .take(most)
            .chain(queued.into_iter().take(most))
            .filter_map(|id| state.view(id, now))
            .chain(ended.cloned())
            .collect()
    }

    /// What happens to all jobs from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// Counts since the start, and how things are now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let state = self.shared.state();
        Stats {
            queued: Lane::ALL.map(|lane| state.order.lane_len(lane)),
            running: state.budget.running(),
            slots: state.budget.capacity.slots,
            ..state.stats.clone()
        }
    }

    /// Jobs that may wait.
    #[must_use]
    pub fn queue(&self) -> usize {
        self.shared.state().queue
    }

    /// What there is for jobs.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        self.shared.state().budget.capacity
    }

    /// Changes what there is for jobs. What runs goes on.
    pub fn set_capacity(&self, capacity: Capacity) {
        let mut state = self.shared.state();
        if state.budget.capacity.slots != capacity.slots {
            state.stats.scale_moves += 1;
        }
        state.budget.capacity = capacity;
        let started = state.decide(Instant::now());
        drop(state);
        self.shared.hand_out(started);
    }

    /// From now on, looks at the machine's pressure once a second: in an emergency
    /// a batch job has to stop or go. With `bounds`, the number of slots moves
    /// between the two as pressure and backlog have it; a part of them stays
    /// reserved.
    pub fn follow_pressure(&mut self, bounds: Option<(usize, usize)>) {
        let scheduler = Self {
            shared: Arc::clone(&self.shared),
            _keeper: Arc::default(),
        };
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(Arc::clone(&self.shared)));
        let scale = bounds.map(|(min, max)| Scale::new(min, max));
        keeper.spawn(async move { follow(&scheduler, scale).await });
        self._keeper = Arc::new(keeper);
    }

    /// Notes the machine's pressure; returns whether jobs wait, and whether all
    /// slots are in use.
    pub(crate) fn pressed(&self, pressure: Pressure) -> (bool, bool) {
        let mut state = self.shared.state();
        state.stats.pressure = Some(pressure);
        let full = state.budget.running() >= state.budget.capacity.slots;
        (!state.order.is_empty(), full)
    }

    /// Whether there is any batch job.
    pub(crate) fn has_batch(&self) -> bool {
        let state = self.shared.state();
        state.order.lane_len(Lane::Batch) > 0
            || state.running.values().any(|job| job.reins.is_some())
    }

    /// Whether the machine has room for further batch jobs; without it none is
    /// started while another job runs.
    pub fn set_room(&self, room: bool) {
        let mut state = self.shared.state();
        if state.no_room != room {
            return;
        }
        state.no_room = !room;
        let started = state.decide(Instant::now());
        drop(state);
        self.shared.hand_out(started);
    }

    /// The batch jobs that run.
    #[must_use]
    pub fn batch(&self) -> Vec<JobId> {
        let state = self.shared.state();
        let batch = state.running.iter().filter(|(_, job)| job.reins.is_some());
        batch.map(|(id, _)| *id).collect()
    }

    /// Has a batch job stop, go on, or go.
    pub fn act(&self, act: Act) {
        let mut state = self.shared.state();
        let (Act::Hold(id) | Act::Release(id) | Act::Evict(id)) = act;
        let reins = state.running.get(&id).and_then(|job| job.reins.as_ref());
        let Some(reins) = reins else { return };
        match act {
            Act::Hold(_) => drop(reins.hold.send_replace(true)),
            Act::Release(_) => drop(reins.hold.send_replace(false)),
            Act::Evict(_) => reins.evict.cancel(),
        }
        match act {
            Act::Hold(_) => state.stats.holds += 1,
            Act::Evict(_) => state.stats.evictions += 1,
            Act::Release(_) => {}
        }
    }

    /// Takes no more jobs, and refuses those that wait.
    pub fn close(&self) {
        let mut state = self.shared.state();
        state.closed = true;
        let waiting: Vec<_> = state.queued.keys().copied().collect();
        let mut refused = Vec::new();
        for id in waiting {
            if let Some(queued) = state.dequeue(id) {
                state.stats.refused(&Refused::ShutDown);
                refused.push(queued);
            }
        }
        drop(state);
        for queued in refused {
            queued.hand.send(Err(Refused::ShutDown)).ok();
        }
    }

    /// Waits until nothing runs.
    pub async fn idle(&self) {
        loop {
            let notified = self.shared.idle.notified();
            if self.shared.state().running.is_empty() {
                return;
            }
            notified.await;
        }
    }

    /// Cancels all that runs.
    pub fn cancel_all(&self) {
        let tokens: Vec<_> = {
            let state = self.shared.state();
            let running = state.running.values().map(|started| started.cancel.clone());
            running.collect()
        };
        for token in tokens {
            token.cancel();
        }
    }
}
