//! The order of the queue: a pure struct that knows jobs, clients and moments,
//! and neither resources nor a runtime.
//!
//! - Lanes: interactive before normal before batch.
//! - Inside a lane: deficit round robin across clients. Whose turn it is has its
//!   jobs taken until it has used up its quantum of predicted CPU time; then the
//!   next client. A client that was not there before comes next, so a long queue
//!   of one delays the first job of another by no more than what already runs.
//!   One that was there, and whose others have not had their turn since, goes to
//!   the end: leaving between two jobs is no way past those that wait.
//! - Aging: a job that has waited for its lane's patience is *aged*. Every second
//!   job that is taken is an aged one, if there is one; the lanes take turns at
//!   this, and of a lane it is the job that waits longest. So no lane starves
//!   another, and no crowd of new clients an old job.
//!
//! Every operation costs the logarithm of the queue's length, and amortised a
//! walk over a lane's clients.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::spec::{Client, JobId, Lane};

/// Predicted CPU time that a client has at its turn.
const QUANTUM: i64 = 100_000;
/// A job is charged at least this, in microseconds: starting one costs too.
const LEAST_CHARGE: i64 = 1_000;
/// A job is charged at most this: a wrong prediction must not ban a client.
const MOST_CHARGE: i64 = 600_000_000;
/// Clients that have left the queue and are remembered.
const MOST_REMEMBERED: usize = 4096;
/// Clients of a lane that are looked at, and jobs of each, when those before
/// them can't be started.
const LOOK_AHEAD: usize = 64;
const LOOK_AHEAD_OF_ONE: usize = 8;

/// A waiting job, as far as its order is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: JobId,
    pub(crate) lane: Lane,
    pub(crate) client: Client,
    pub(crate) cpu: Duration,
    pub(crate) since: Instant,
}

/// How long a job waits in its lane before it is aged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// In the interactive lane.
    pub interactive: Duration,
    /// In the normal lane.
    pub normal: Duration,
    /// In the batch lane.
    pub batch: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            interactive: Duration::from_secs(2),
            normal: Duration::from_secs(10),
            batch: Duration::from_secs(60),
        }
    }
}

impl Patience {
    pub(crate) fn of(&self, lane: Lane) -> Duration {
        match lane {
            Lane::Interactive => self.interactive,
            Lane::Normal => self.normal,
            Lane::Batch => self.batch,
        }
    }
}

/// The waiting jobs.
#[derive(Debug)]
pub(crate) struct Order {
    patience: Patience,
    lanes: [LaneQueue; 3],
    jobs: HashMap<JobId, Entry>,
    /// Whether the last job that was taken was an aged one.
    aged_last: bool,
    /// Whose turn it is to have an aged job taken, as a place in [`Lane::ALL`].
    aged_turn: usize,
}

#[derive(Debug, Default)]
struct LaneQueue {
    /// Clients with jobs; whose turn it is comes first.
    turns: VecDeque<Client>,
    clients: HashMap<Client, ClientQueue>,
    /// Rounds gone by.
    round: i64,
    /// Jobs taken so far.
    taken: u64,
    /// Clients that have no job any more, and were served not long ago.
    left: HashMap<Client, Left>,
    /// The lane's jobs; by number, which is the order of arrival.
    all: BTreeSet<JobId>,
}

/// How a client left.
#[derive(Debug, Clone, Copy)]
struct Left {
    /// What it had left of its quantum, or has overdrawn.
    deficit: i64,
    /// In which round.
    round: i64,
    /// When so many jobs have been taken, all that waited then have had a turn.
    forgotten: u64,
}

#[derive(Debug, Default)]
struct ClientQueue {
    jobs: BTreeSet<JobId>,
    /// Microseconds of CPU time that it may still use at this turn.
    deficit: i64,
}

impl Order {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            patience,
            lanes: Default::default(),
            jobs: HashMap::new(),
            aged_last: false,
            aged_turn: 0,
        }
    }

    /// Jobs that wait.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Jobs that wait in a lane.
    pub(crate) fn lane_len(&self, lane: Lane) -> usize {
        self.lane(lane).all.len()
    }

    /// Whether a client has jobs that wait.
    pub(crate) fn waits(&self, client: &Client) -> bool {
        self.lanes
            .iter()
            .any(|lane| lane.clients.contains_key(client))
    }

    /// Puts a job at the end of its client's queue.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.lane_mut(entry.lane).push(&entry);
        self.jobs.insert(entry.id, entry);
    }

    /// Takes a job out that is not wanted any more; it costs its client nothing.
    pub(crate) fn remove(&mut self, id: JobId) -> Option<Entry> {
        let entry = self.jobs.remove(&id)?;
        self.lane_mut(entry.lane).remove(&entry, 0);
        Some(entry)
    }

    /// Takes a job out to start it, and charges its client.
    pub(crate) fn take(&mut self, id: JobId, now: Instant) -> Option<Entry> {
        // Another lane's that went past it does not count.
        let aged = !self.aged_last && self.aged_in_turn(now).next() == Some(id);
        let entry = self.jobs.remove(&id)?;
        self.aged_last = aged;
        if aged {
            self.aged_turn = (entry.lane.index() + 1) % Lane::ALL.len();
        }
        let micros = i64::try_from(entry.cpu.as_micros()).unwrap_or(MOST_CHARGE);
        let charge = micros.clamp(LEAST_CHARGE, MOST_CHARGE);
        self.lane_mut(entry.lane).remove(&entry, charge);
        Some(entry)
    }

    /// The jobs in the order in which they are to be started, the first of each
    /// client; then those that may go before them when they can't be.
    pub(crate) fn candidates(&self, now: Instant) -> impl Iterator<Item = &Entry> {
        // Those of the other lanes, and where it was the aged ones' turn last
        // time all of them, are behind what the lanes have in order.
        let aged: Vec<JobId> = self.aged_in_turn(now).collect();
        let ahead = usize::from(!self.aged_last).min(aged.len());
        let (first, last) = aged.split_at(ahead);
        let (first, last) = (first.to_vec(), last.to_vec());
        let lanes = Lane::ALL.into_iter().flat_map(|lane| {
            self.lane(lane)
                .turns()
                .take(LOOK_AHEAD)
                .flat_map(|queue| queue.jobs.iter().take(LOOK_AHEAD_OF_ONE).copied())
        });
        first
            .into_iter()
            .chain(lanes)
            .chain(last)
            .filter_map(|id| self.jobs.get(&id))
    }

    /// The longest-waiting job of each lane in which it has aged, beginning with
    /// the lane whose turn it is.
    fn aged_in_turn(&self, now: Instant) -> impl Iterator<Item = JobId> {
        Lane::ALL
            .into_iter()
            .cycle()
            .skip(self.aged_turn)
            .take(Lane::ALL.len())
            .filter_map(move |lane| {
                let id = self.lane(lane).all.first()?;
                let since = self.jobs.get(id)?.since;
                (since + self.patience.of(lane) <= now).then_some(*id)
            })
    }

    /// How many jobs are likely to be started before this one.
    pub(crate) fn position(&self, id: JobId) -> Option<usize> {
        let entry = self.jobs.get(&id)?;
        let before: usize = Lane::ALL
            .into_iter()
            .take_while(|lane| *lane < entry.lane)
            .map(|lane| self.lane_len(lane))
            .sum();
        let lane = self.lane(entry.lane);
        let own = lane.clients.get(&entry.client)?.jobs.range(..id).count();
        // In as many rounds as it has jobs of its own before it, each other
        // client has as many turns.
        let others: usize = lane
            .clients
            .iter()
            .filter(|(client, _)| **client != entry.client)
            .map(|(_, queue)| queue.jobs.len().min(own))
            .sum();
        Some(before + own + others)
    }

    fn lane(&self, lane: Lane) -> &LaneQueue {
        let [interactive, normal, batch] = &self.lanes;
        match lane {
            Lane::Interactive => interactive,
            Lane::Normal => normal,
            Lane::Batch => batch,
        }
    }

    fn lane_mut(&mut self, lane: Lane) -> &mut LaneQueue {
        let [interactive, normal, batch] = &mut self.lanes;
        match lane {
            Lane::Interactive => interactive,
            Lane::Normal => normal,
            Lane::Batch => batch,
        }
    }
}

impl LaneQueue {
    fn push(&mut self, entry: &Entry) {
        self.all.insert(entry.id);
        if let Some(queue) = self.clients.get_mut(&entry.client) {
            queue.jobs.insert(entry.id);
            return;
        }
        let left = self.left.remove(&entry.client);
        let (deficit, new) = match left {
            Some(left) => {
                let repaid = self
                    .round
                    .saturating_sub(left.round)
                    .saturating_mul(QUANTUM);
                let deficit = left.deficit.saturating_add(repaid).min(QUANTUM);
                (deficit, deficit > 0 && self.taken >= left.forgotten)
            }
            None => (QUANTUM, true),
        };
        self.clients.insert(
            entry.client.clone(),
            ClientQueue {
                jobs: BTreeSet::from([entry.id]),
                deficit: if new { QUANTUM } else { deficit },
            },
        );
        if new {
            self.turns.push_front(entry.client.clone());
        } else {
            self.turns.push_back(entry.client.clone());
            self.settle();
        }
    }

    fn remove(&mut self, entry: &Entry, charge: i64) {
        self.all.remove(&entry.id);
        let Some(queue) = self.clients.get_mut(&entry.client) else {
            return;
        };
        queue.jobs.remove(&entry.id);
        queue.deficit -= charge;
        let empty = queue.jobs.is_empty();
        let deficit = queue.deficit;
        if charge > 0 {
            self.taken += 1;
        }
        if empty {
            self.clients.remove(&entry.client);
            self.turns.retain(|client| *client != entry.client);
            if deficit < QUANTUM {
                self.remember(entry.client.clone(), deficit);
            }
        }
        self.settle();
    }

    /// Remembers a client that has been served and has no more jobs, until all
    /// that wait now have had a turn and it has repaid what it has overdrawn.
    fn remember(&mut self, client: Client, deficit: i64) {
        let (round, taken) = (self.round, self.taken);
        if self.left.len() >= MOST_REMEMBERED {
            self.left.retain(|_, left| {
                let repaid = round.saturating_sub(left.round).saturating_mul(QUANTUM);
                left.deficit.saturating_add(repaid) <= 0 || taken < left.forgotten
            });
        }
        if self.left.len() < MOST_REMEMBERED {
            let left = Left {
                deficit,
                round,
                forgotten: taken + self.turns.len() as u64,
            };
            self.left.insert(client, left);
        }
    }

    /// Passes the turn on until it is with a client that may use it.
    fn settle(&mut self) {
        let Some(best) = self.clients.values().map(|queue| queue.deficit).max() else {
            // In an empty lane nobody is in anybody's way.
            self.round = self.round.saturating_add(1);
            return;
        };
        if best <= 0 {
            // As many rounds as nobody would have a turn in, all at once.
            let rounds = (-best) / QUANTUM + 1;
            self.round = self.round.saturating_add(rounds);
            for queue in self.clients.values_mut() {
                queue.deficit = (queue.deficit + rounds * QUANTUM).min(QUANTUM);
            }
        }
        for _ in 0..self.turns.len() {
            let may = self
                .turns
                .front()
                .and_then(|client| self.clients.get(client))
                .is_some_and(|queue| queue.deficit > 0);
            if may {
                return;
            }
            self.turns.rotate_left(1);
        }
    }

    /// The clients' queues, whose turn it is first.
    fn turns(&self) -> impl Iterator<Item = &ClientQueue> {
        self.turns
            .iter()
            .filter_map(|client| self.clients.get(client))
    }
}
