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

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::budget::{Budget, Capacity, Resource, Share};
use crate::events::{Event, What};
use crate::order::{Entry, Order, Patience};
use crate::progress::Throttle;
use crate::spec::{Cost, JobId, JobSpec, Lane};
use crate::state::{Ending, JobView, Progress, StateView, Used};
use crate::stats::Stats;

const SHORTEST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// Events that a slow listener may fall behind.
const EVENTS: usize = 1024;
/// Without anything to wait for, the keeper looks again after this.
const VERY_LONG: Duration = Duration::from_secs(24 * 3600);

/// How a scheduler decides.
#[derive(Debug, Clone, Copy)]
pub struct SchedulerConfig {
    /// What there is for jobs.
    pub capacity: Capacity,
    /// Jobs that may wait; a further one is refused.
    pub queue: usize,
    /// How long jobs wait in their lanes before they go before others.
    pub patience: Patience,
    /// Ended jobs that are remembered.
    pub history: usize,
}

/// Why a job was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Too many wait already.
    #[error("{running} jobs are running and {waiting} are waiting (try again in {} ms)", .retry_after.as_millis())]
    QueueFull {
        /// Jobs that run.
        running: usize,
        /// Jobs that wait.
        waiting: usize,
        /// When there is likely to be room.
        retry_after: Duration,
    },
    /// It would have to start earlier than it can.
    #[error("the job can't start in time: it is expected to wait {} ms", .expected.as_millis())]
    Late {
        /// How long it is expected to wait.
        expected: Duration,
    },
    /// The moment by which it had to start has passed while it waited.
    #[error("the job waited {} ms, longer than it may", .waited.as_millis())]
    Expired {
        /// How long it has waited.
        waited: Duration,
    },
    /// Whoever wanted it no longer does.
    #[error("the job was cancelled while it waited")]
    Cancelled,
    /// The scheduler takes no more jobs.
    #[error("no more jobs are taken: the server is shutting down")]
    ShutDown,
}

/// Decides who runs. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Scheduler {
    shared: Arc<Shared>,
    // Ends the keeper with the last clone.
    _keeper: Arc<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the keeper: there is an earlier moment to wait for.
    wake: Notify,
    /// Told when nothing runs any more.
    idle: Notify,
    events: broadcast::Sender<Event>,
}

/// A job that may run. Dropping it gives its share to the next ones; without a
/// call of [`Running::end`] the job counts as cancelled.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    id: JobId,
    waited: Duration,
    ending: Ending,
    used: Used,
}

#[derive(Debug)]
struct State {
    queue: usize,
    history: usize,
    order: Order,
    budget: Budget,
    queued: HashMap<JobId, Queued>,
    running: HashMap<JobId, Started>,
    /// The moments by which queued jobs have to start.
    start_by: BTreeMap<(Instant, JobId), ()>,
    /// What the queued jobs of each lane are expected to take, together.
    expected: [Duration; 3],
    /// The next in order, and what it waits for.
    blocked: Option<(JobId, Resource)>,
    recent: VecDeque<JobView>,
    next: u64,
    stats: Stats,
    closed: bool,
}

#[derive(Debug)]
struct Queued {
    spec: JobSpec,
    since: Instant,
    cancel: CancellationToken,
    hand: oneshot::Sender<Result<Duration, Refused>>,
}

#[derive(Debug)]
struct Started {
    spec: JobSpec,
    share: Share,
    since: Instant,
    waited: Duration,
    cancel: CancellationToken,
    progress: Option<Progress>,
    throttle: Throttle,
}

/// A job that may run, how long it waited, and whom to tell.
type Granted = (JobId, Duration, oneshot::Sender<Result<Duration, Refused>>);

/// What becomes of a job at first.
enum Entered {
    Running(Running),
    Waiting(Ticket),
}

/// A place in the queue, given up when this is dropped.
#[derive(Debug)]
struct Ticket {
    shared: Arc<Shared>,
    id: JobId,
    receiver: oneshot::Receiver<Result<Duration, Refused>>,
}

impl Scheduler {
    /// Starts a scheduler. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(config: SchedulerConfig) -> Self {
        let SchedulerConfig {
            capacity,
            queue,
            patience,
            history,
        } = config;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue,
                history,
                order: Order::new(patience),
                budget: Budget::new(capacity),
                queued: HashMap::new(),
                running: HashMap::new(),
                start_by: BTreeMap::new(),
                expected: [Duration::ZERO; 3],
                blocked: None,
                recent: VecDeque::new(),
                next: 1,
                stats: Stats::default(),
                closed: false,
            }),
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
        match self.enter(spec, cancel)? {
            Entered::Running(running) => Ok(running),
            Entered::Waiting(ticket) => ticket.wait(cancel).await,
        }
    }

    fn enter(&self, spec: JobSpec, cancel: &CancellationToken) -> Result<Entered, Refused> {
        let shared = &self.shared;
        let now = Instant::now();
        let mut state = shared.state();
        let lane = spec.lane;
        if let Err(refused) = state.check(&spec, now) {
            state.stats.refused(&refused);
            return Err(refused);
        }
        let id = JobId(state.next);
        state.next += 1;
        let share = state.budget.share(lane, &spec.cost, now);
        if state.order.is_empty() && state.budget.lacks(&share).is_none() {
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
        let state = self.shared.state();
        let now = Instant::now();
        let mut running: Vec<_> = state.running.keys().copied().collect();
        running.sort_unstable();
        let mut queued: Vec<_> = state.queued.keys().copied().collect();
        queued.sort_unstable();
        running
            .into_iter()
            .take(most)
            .chain(queued.into_iter().take(most))
            .filter_map(|id| state.view(id, now))
            .chain(state.recent.iter().rev().take(most).cloned())
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

impl Shared {
    /// `Running` must not be dropped while this is held: its drop takes it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(self: &Arc<Self>, id: JobId, waited: Duration) -> Running {
        Running {
            shared: Arc::clone(self),
            id,
            waited,
            ending: Ending::Cancelled,
            used: Used::default(),
        }
    }

    fn tell(&self, id: JobId, spec: &JobSpec, what: What) {
        // Nobody may be listening.
        self.events.send(Event::new(id, spec, what)).ok();
    }

    /// Tells jobs that they may run.
    fn hand_out(&self, started: Vec<Granted>) {
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
    fn ended(&self, id: JobId, ending: Ending, used: Used) {
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

impl State {
    /// Whether a job may be submitted at all.
    fn check(&self, spec: &JobSpec, now: Instant) -> Result<(), Refused> {
        if self.closed {
            return Err(Refused::ShutDown);
        }
        let share = self.budget.share(spec.lane, &spec.cost, now);
        let waits = !self.order.is_empty() || self.budget.lacks(&share).is_some();
        if !waits {
            return Ok(());
        }
        if self.order.len() >= self.queue {
            let all: Duration = self.expected.iter().sum();
            let slots = u32::try_from(self.budget.capacity.slots.max(1)).unwrap_or(u32::MAX);
            return Err(Refused::QueueFull {
                running: self.running.len(),
                waiting: self.order.len(),
                retry_after: (all / slots / 2).clamp(SHORTEST_RETRY, LONGEST_RETRY),
            });
        }
        let expected = self.expected_wait(spec.lane, now);
        if spec.start_by.is_some_and(|moment| now + expected > moment) {
            return Err(Refused::Late { expected });
        }
        Ok(())
    }

    /// How long a new job of a lane is expected to wait: what runs, and what
    /// waits in its lane and those before it, spread over the slots.
    fn expected_wait(&self, lane: Lane, now: Instant) -> Duration {
        let before: Duration = self.expected.iter().take(lane.index() + 1).sum();
        let slots = u32::try_from(self.budget.capacity.slots_of(lane)).unwrap_or(u32::MAX);
        let first_free = self
            .running
            .values()
            .map(|started| started.share.until.saturating_duration_since(now))
            .min()
            .unwrap_or_default();
        first_free + before / slots
    }

    fn enqueue(
        &mut self,
        id: JobId,
        spec: JobSpec,
        now: Instant,
        cancel: CancellationToken,
    ) -> oneshot::Receiver<Result<Duration, Refused>> {
        let (hand, receiver) = oneshot::channel();
        self.order.push(Entry {
            id,
            lane: spec.lane,
            client: spec.client.clone(),
            cpu: spec.cost.cpu,
            since: now,
        });
        if let Some(moment) = spec.start_by {
            self.start_by.insert((moment, id), ());
        }
        if let Some(sum) = self.expected.get_mut(spec.lane.index()) {
            *sum = sum.saturating_add(spec.cost.wall);
        }
        self.queued.insert(
            id,
            Queued {
                spec,
                since: now,
                cancel,
                hand,
            },
        );
        receiver
    }

    /// Takes a job out of the queue; the order must have let go of it, or does.
    fn dequeue(&mut self, id: JobId) -> Option<Queued> {
        let queued = self.queued.remove(&id)?;
        self.order.remove(id);
        if let Some(moment) = queued.spec.start_by {
            self.start_by.remove(&(moment, id));
        }
        if let Some(sum) = self.expected.get_mut(queued.spec.lane.index()) {
            *sum = sum.saturating_sub(queued.spec.cost.wall);
        }
        Some(queued)
    }

    /// Starts all jobs that can be: in order, and behind one that can't those
    /// that do not delay it.
    fn decide(&mut self, now: Instant) -> Vec<Granted> {
        let mut started = Vec::new();
        while let Some((id, share)) = self.next_to_start(now) {
            self.order.take(id, now);
            let Some(Queued {
                spec,
                since,
                cancel,
                hand,
            }) = self.dequeue(id)
            else {
                break;
            };
            let waited = now.saturating_duration_since(since);
            self.start(id, spec, share, now, waited, cancel);
            started.push((id, waited, hand));
        }
        started
    }

    fn next_to_start(&mut self, now: Instant) -> Option<(JobId, Share)> {
        self.blocked = None;
        let mut reservation: Option<(Share, Instant)> = None;
        for entry in self.order.candidates(now) {
            let Some(job) = self.queued.get(&entry.id) else {
                continue;
            };
            let share = self.budget.share(entry.lane, &job.spec.cost, now);
            let running = || self.running.values().map(|started| &started.share);
            match (self.budget.lacks(&share), &reservation) {
                (None, None) => return Some((entry.id, share)),
                (None, Some((waiting, reserved))) => {
                    let may = self
                        .budget
                        .may_overtake(&share, waiting, *reserved, running(), now);
                    if may {
                        return Some((entry.id, share));
                    }
                }
                (Some(lack), None) => {
                    self.blocked = self.blocked.or(Some((entry.id, lack)));
                    match lack {
                        // Nobody can have one.
                        Resource::Slot => return None,
                        // Interactive jobs may still have one, and take nothing
                        // that this one waits for.
                        Resource::UnreservedSlot => {}
                        Resource::Processor
                        | Resource::Memory
                        | Resource::Subprocess
                        | Resource::Exclusive
                        | Resource::Reservation => {
                            let at = self.budget.fits_at(&share, running(), now);
                            reservation = Some((share, at));
                        }
                    }
                }
                (Some(_), Some(_)) => {}
            }
        }
        None
    }

    fn start(
        &mut self,
        id: JobId,
        spec: JobSpec,
        share: Share,
        now: Instant,
        waited: Duration,
        cancel: CancellationToken,
    ) {
        self.budget.take(&share);
        self.stats.started(spec.lane, waited);
        self.running.insert(
            id,
            Started {
                spec,
                share,
                since: now,
                waited,
                cancel,
                progress: None,
                throttle: Throttle::default(),
            },
        );
    }

    fn end(&mut self, id: JobId, ending: Ending, used: Used, now: Instant) -> Option<Event> {
        let Started {
            spec,
            share,
            since,
            waited,
            cancel: _,
            progress: _,
            throttle: _,
        } = self.running.remove(&id)?;
        self.budget.give_back(&share);
        let ran = now.saturating_duration_since(since);
        self.stats.ended(ending, &spec.cost, ran, &used);
        let event = Event::new(id, &spec, What::Ended { ending, ran, used });
        while self.recent.len() >= self.history.max(1) {
            self.recent.pop_front();
        }
        if self.history > 0 {
            let state = StateView::Ended {
                ending,
                waited,
                ran,
                used,
            };
            self.recent.push_back(view(id, &spec, state));
        }
        Some(event)
    }

    fn event(&self, id: JobId, what: What) -> Option<Event> {
        let started = self.running.get(&id)?;
        Some(Event::new(id, &started.spec, what))
    }

    fn view(&self, id: JobId, now: Instant) -> Option<JobView> {
        if let Some(started) = self.running.get(&id) {
            let state = StateView::Running {
                waited: started.waited,
                ran: now.saturating_duration_since(started.since),
                progress: started.progress.clone(),
            };
            return Some(view(id, &started.spec, state));
        }
        if let Some(queued) = self.queued.get(&id) {
            let share = self.budget.share(queued.spec.lane, &queued.spec.cost, now);
            let waits_for = match self.blocked {
                Some((blocked, lack)) if blocked == id => lack,
                _ => self.budget.lacks(&share).unwrap_or(Resource::Reservation),
            };
            let position = self.order.position(id).unwrap_or(0);
            let state = StateView::Queued {
                position,
                waits_for,
                waited: now.saturating_duration_since(queued.since),
                predicted_start: self.predicted_start(queued, position, now),
            };
            return Some(view(id, &queued.spec, state));
        }
        self.recent.iter().rev().find(|view| view.id == id).cloned()
    }

    /// As [`State::expected_wait`], for one that has got as far as `position`.
    fn predicted_start(&self, queued: &Queued, position: usize, now: Instant) -> Duration {
        let lane = queued.spec.lane;
        let all: usize = Lane::ALL
            .into_iter()
            .take(lane.index() + 1)
            .map(|lane| self.order.lane_len(lane))
            .sum();
        let whole = self.expected_wait(lane, now);
        let position = u32::try_from(position + 1).unwrap_or(u32::MAX);
        whole / u32::try_from(all.max(1)).unwrap_or(u32::MAX) * position
    }
}

fn view(id: JobId, spec: &JobSpec, state: StateView) -> JobView {
    JobView {
        id,
        tool: spec.label.clone(),
        subject: spec.subject.clone(),
        client: spec.client.clone(),
        lane: spec.lane,
        state,
        predicted: (&spec.cost).into(),
    }
}

impl Ticket {
    async fn wait(mut self, cancel: &CancellationToken) -> Result<Running, Refused> {
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

/// The keeper: refuses jobs that have waited too long.
async fn keep(shared: Arc<Shared>) {
    loop {
        let notified = shared.wake.notified();
        let now = Instant::now();
        let (expired, next) = {
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
            (expired, next)
        };
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

/// What a job of no known kind is expected to use.
impl Cost {
    /// Light, short and small.
    #[must_use]
    pub fn light() -> Self {
        Self {
            cpu: Duration::from_millis(5),
            wall: Duration::from_millis(10),
            memory: 8 << 20,
            subprocesses: 0,
        }
    }
}
