//! The table of jobs: who waits, who runs, who is next. Moves only when it is
//! told to; the clock, the locks and the news are the scheduler's.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::budget::{Budget, Resource, Share, is_heavy};
use crate::events::{Event, What};
use crate::order::{Entry, Order};
use crate::progress::Throttle;
use crate::refused::Refused;
use crate::scheduler::SchedulerConfig;
use crate::spec::{Cost, JobId, JobSpec, Lane};
use crate::state::{Ending, JobView, Progress, StateView, Used};
use crate::stats::Stats;

const SHORTEST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// Places beyond the queue that not everybody may take, as a part of the queue.
const RESERVED: usize = 8;

/// A job that may run, how long it waited, and whom to tell.
pub(crate) type Granted = (JobId, Duration, oneshot::Sender<Result<Duration, Refused>>);

/// All jobs.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) queue: usize,
    pub(crate) history: usize,
    pub(crate) order: Order,
    pub(crate) budget: Budget,
    pub(crate) queued: HashMap<JobId, Queued>,
    pub(crate) running: HashMap<JobId, Started>,
    /// The moments by which queued jobs have to start.
    pub(crate) start_by: BTreeMap<(Instant, JobId), ()>,
    /// What the queued jobs of each lane are expected to take, together.
    pub(crate) expected: [Duration; 3],
    /// The same of those that keep a processor busy.
    pub(crate) heavy: [Duration; 3],
    /// The next in order, and what it waits for.
    pub(crate) blocked: Option<(JobId, Resource)>,
    pub(crate) recent: VecDeque<JobView>,
    pub(crate) next: u64,
    pub(crate) stats: Stats,
    pub(crate) closed: bool,
    /// The machine has no room for further batch jobs.
    pub(crate) no_room: bool,
}

/// One that waits.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) spec: JobSpec,
    pub(crate) since: Instant,
    pub(crate) cancel: CancellationToken,
    pub(crate) hand: oneshot::Sender<Result<Duration, Refused>>,
}

/// One that runs.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) spec: JobSpec,
    pub(crate) share: Share,
    pub(crate) since: Instant,
    pub(crate) waited: Duration,
    pub(crate) cancel: CancellationToken,
    pub(crate) progress: Option<Progress>,
    pub(crate) throttle: Throttle,
    /// How it is told to stop or go; batch jobs only.
    pub(crate) reins: Option<Reins>,
}

/// How a job is told to make room.
#[derive(Debug)]
pub(crate) struct Reins {
    pub(crate) hold: watch::Sender<bool>,
    pub(crate) evict: CancellationToken,
}

impl State {
    pub(crate) fn new(config: &SchedulerConfig) -> Self {
        let SchedulerConfig {
            capacity,
            queue,
            patience,
            history,
        } = *config;
        Self {
            queue,
            history,
            order: Order::new(patience),
            budget: Budget::new(capacity),
            queued: HashMap::new(),
            running: HashMap::new(),
            start_by: BTreeMap::new(),
            expected: [Duration::ZERO; 3],
            heavy: [Duration::ZERO; 3],
            blocked: None,
            recent: VecDeque::new(),
            next: 1,
            stats: Stats::default(),
            closed: false,
            no_room: false,
        }
    }

    /// Whether a job may be submitted at all; `at_once`: it need not wait.
    pub(crate) fn check(&self, spec: &JobSpec, at_once: bool) -> Result<(), Refused> {
        if self.closed {
            return Err(Refused::ShutDown);
        }
        if !at_once && self.order.len() >= self.places(spec) {
            let all: Duration = self.expected.iter().sum();
            let heavy: Duration = self.heavy.iter().sum();
            let slots = u32::try_from(self.budget.capacity.slots.max(1)).unwrap_or(u32::MAX);
            return Err(Refused::QueueFull {
                running: self.running.len(),
                waiting: self.order.len(),
                retry_after: ((all / slots).max(heavy / self.processors()) / 2)
                    .clamp(SHORTEST_RETRY, LONGEST_RETRY),
            });
        }
        Ok(())
    }

    /// Jobs that may wait when this one comes. Who fills the queue must not shut out
    /// others: a client with nothing waiting finds some places more than one that
    /// has, and a job that takes a moment more than a long one.
    fn places(&self, spec: &JobSpec) -> usize {
        let new = if self.order.waits(&spec.client) { 0 } else { 2 };
        let short = match spec.lane {
            Lane::Interactive => 1,
            Lane::Normal | Lane::Batch => 0,
        };
        let more = (self.queue / RESERVED).saturating_mul(new + short);
        self.queue.saturating_add(more)
    }

    /// Whether the machine has room for one more job of this lane. One may always
    /// run.
    pub(crate) fn has_room(&self, lane: Lane) -> bool {
        !self.no_room || lane != Lane::Batch || self.running.is_empty()
    }

    /// How long a new job of a lane is expected to wait: what runs, and what
    /// waits in its lane and those before it, spread over the slots, and, for one
    /// that keeps a processor busy, over the processors.
    pub(crate) fn expected_wait(&self, lane: Lane, cost: &Cost, now: Instant) -> Duration {
        let before =
            |sums: &[Duration; 3]| -> Duration { sums.iter().take(lane.index() + 1).sum() };
        let slots = u32::try_from(self.budget.capacity.slots_of(lane)).unwrap_or(u32::MAX);
        let left = |started: &Started| started.share.until.saturating_duration_since(now);
        let first_free = self.running.values().map(left).min().unwrap_or_default();
        let by_slots = first_free + before(&self.expected) / slots;
        if !is_heavy(cost) {
            return by_slots;
        }
        let busy = self
            .running
            .values()
            .filter(|other| other.share.processors > 0);
        let running: Duration = busy.map(left).sum();
        by_slots.max((running + before(&self.heavy)) / self.processors())
    }

    fn processors(&self) -> u32 {
        u32::try_from(self.budget.capacity.processors.max(1)).unwrap_or(u32::MAX)
    }

    pub(crate) fn enqueue(
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
        for sum in self.sums(&spec) {
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

    /// The sums that a queued job counts in.
    fn sums(&mut self, spec: &JobSpec) -> impl Iterator<Item = &mut Duration> {
        let lane = spec.lane.index();
        let heavy = is_heavy(&spec.cost);
        let all = self.expected.get_mut(lane);
        all.into_iter()
            .chain(self.heavy.get_mut(lane).filter(|_| heavy))
    }

    /// Takes a job out of the queue; the order must have let go of it, or does.
    pub(crate) fn dequeue(&mut self, id: JobId) -> Option<Queued> {
        let queued = self.queued.remove(&id)?;
        self.order.remove(id);
        if let Some(moment) = queued.spec.start_by {
            self.start_by.remove(&(moment, id));
        }
        for sum in self.sums(&queued.spec) {
            *sum = sum.saturating_sub(queued.spec.cost.wall);
        }
        Some(queued)
    }

    /// Starts all jobs that can be: in order, and behind one that can't those
    /// that do not delay it.
    pub(crate) fn decide(&mut self, now: Instant) -> Vec<Granted> {
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

    pub(crate) fn next_to_start(&mut self, now: Instant) -> Option<(JobId, Share)> {
        self.blocked = None;
        let mut reservation: Option<(Share, Instant)> = None;
        for entry in self.order.candidates(now) {
            let Some(job) = self.queued.get(&entry.id) else {
                continue;
            };
            if !self.has_room(entry.lane) {
                self.blocked = self.blocked.or(Some((entry.id, Resource::Memory)));
                continue;
            }
            // The keeper is about to refuse it.
            if job.spec.start_by.is_some_and(|moment| moment <= now) {
                continue;
            }
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

    pub(crate) fn start(
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
        let reins = (spec.lane == Lane::Batch).then(|| Reins {
            hold: watch::Sender::new(false),
            evict: CancellationToken::new(),
        });
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
                reins,
            },
        );
    }

    pub(crate) fn end(
        &mut self,
        id: JobId,
        ending: Ending,
        used: Used,
        now: Instant,
    ) -> Option<Event> {
        let Started {
            spec,
            share,
            since,
            waited,
            cancel: _,
            progress: _,
            throttle: _,
            reins: _,
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
            self.recent.push_back(into_view(id, spec, state));
        }
        Some(event)
    }

    pub(crate) fn event(&self, id: JobId, what: What) -> Option<Event> {
        let started = self.running.get(&id)?;
        Some(Event::new(id, &started.spec, what))
    }

    pub(crate) fn view(&self, id: JobId, now: Instant) -> Option<JobView> {
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
    pub(crate) fn predicted_start(
        &self,
        queued: &Queued,
        position: usize,
        now: Instant,
    ) -> Duration {
        let lane = queued.spec.lane;
        let all: usize = Lane::ALL
            .into_iter()
            .take(lane.index() + 1)
            .map(|lane| self.order.lane_len(lane))
            .sum();
        let whole = self.expected_wait(lane, &queued.spec.cost, now);
        let position = u32::try_from(position + 1).unwrap_or(u32::MAX);
        whole / u32::try_from(all.max(1)).unwrap_or(u32::MAX) * position
    }
}

fn view(id: JobId, spec: &JobSpec, state: StateView) -> JobView {
    into_view(id, spec.clone(), state)
}

fn into_view(id: JobId, spec: JobSpec, state: StateView) -> JobView {
    JobView {
        id,
        tool: spec.label,
        subject: spec.subject,
        client: spec.client,
        lane: spec.lane,
        state,
        predicted: (&spec.cost).into(),
    }
}
