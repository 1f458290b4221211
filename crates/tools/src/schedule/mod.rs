//! From a call to a job: what it is expected to use, how urgent it is, and with
//! which other call it is the same. The decisions themselves are made in
//! `reversecore-jobs`.
//!
//! ```text
//! catalogue: typed parameters ─> Workload (engine, file) ─> JobSpec ─> Scheduler
//!     same tool, arguments and file in progress? wait for that one (Flights)
//!     the job has ended: what it used ─> CostModel
//! ```

mod costs;
pub(crate) mod estimates;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use reversecore_jobs::{
    Capacity, Client, Flights, JobId, JobSpec, Lane, Patience, Progress, Refused, Scheduler,
    SchedulerConfig,
};
use tokio::time::Instant;

use crate::bounded::Timeout;
use crate::catalogue::Done;
use crate::embedded::engine::Engine;
use crate::error::{ErrorCode, ToolError};
use crate::results::cache::Reuse;
use crate::workspace::Identity;
use costs::Costs;
use estimates::Kind;

/// A job that starts no program and is expected to be over by then is
/// interactive, if nobody says otherwise.
const A_MOMENT: Duration = Duration::from_millis(200);
/// Ended jobs that `list_jobs` remembers.
const HISTORY: usize = 500;

/// How calls are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As many at one time as the machine has room for.
    Async,
    /// One at a time, in order, on a thread of its own: what the other mode is
    /// measured against.
    Sync,
}

/// What the scheduler works with.
#[derive(Debug, Clone)]
pub struct ScheduleSettings {
    /// One at a time, or many.
    pub mode: Mode,
    /// Whether fewer calls run at one time when the machine is under pressure.
    pub auto: bool,
    /// Calls in progress at one time.
    pub max_concurrent: usize,
    /// Calls that may wait.
    pub queue: usize,
    /// Child processes at one time.
    pub max_subprocesses: u32,
    /// How long a call may wait.
    pub longest_wait: Duration,
    /// Where what was learned of costs is kept.
    pub costs_file: Option<PathBuf>,
}

impl Default for ScheduleSettings {
    /// What the configuration has where nothing is said; nothing is kept.
    fn default() -> Self {
        Self {
            mode: Mode::Async,
            auto: false,
            max_concurrent: 10,
            queue: 100,
            max_subprocesses: 5,
            longest_wait: Duration::from_secs(300),
            costs_file: None,
        }
    }
}

/// Decides when calls run.
#[derive(Debug)]
pub struct Schedule {
    /// Who may run.
    pub scheduler: Scheduler,
    pub(crate) mode: Mode,
    pub(crate) flights: Flights<Key, Arc<Done>>,
    costs: Costs,
    longest_wait: Duration,
}

/// What makes two calls the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) tool: &'static str,
    /// The arguments as JSON, in the order of their names.
    pub(crate) arguments: String,
    pub(crate) file: Identity,
}

/// What a call works with.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    /// What does the work.
    pub(crate) kind: Kind,
    /// The file that it works on, as the caller named it.
    pub(crate) file: Option<&'a str>,
    /// It is ended after this.
    pub(crate) timeout: Duration,
    /// What its result answers besides itself.
    pub(crate) reuse: Reuse,
}

impl<'a> Workload<'a> {
    /// Work on a file.
    pub(crate) fn on<const DEFAULT: u64>(
        file: &'a str,
        kind: Kind,
        timeout: Timeout<DEFAULT>,
    ) -> Self {
        Self {
            kind,
            file: Some(file),
            timeout: timeout.resolve(None),
            // Another version of a program is found when the server starts anew.
            reuse: if kind.estimate.subprocesses == 0 {
                Reuse::Always
            } else {
                Reuse::WhileServing
            },
        }
    }
}

impl Engine {
    /// Which of the two does the work.
    pub(crate) fn kind(self, embedded: Kind, external: Kind) -> Kind {
        if self.is_embedded() {
            embedded
        } else {
            external
        }
    }
}

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Shares of the machine are equal between clients.
    pub client: Client,
    /// How urgent the call is; `None` for what its size suggests.
    pub lane: Option<Lane>,
    /// The name by which the caller is known to the operator, where it has one:
    /// what it makes is its own then.
    pub named: Option<Arc<str>>,
    job: Arc<AtomicU64>,
    /// How far a call has got that is no job; held for assignments only.
    said: Arc<Mutex<Option<Progress>>>,
}

impl Caller {
    /// A caller of this name.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            lane: None,
            named: None,
            job: Arc::default(),
            said: Arc::default(),
        }
    }

    /// How far the call has got, where it is no job and has said so.
    pub fn progress(&self) -> Option<Progress> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }

    pub(crate) fn say(&self, progress: Progress) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    /// The job that the call has become, once it is one.
    pub fn job(&self) -> Option<JobId> {
        match self.job.load(Ordering::Relaxed) {
            0 => None,
            id => Some(JobId(id)),
        }
    }

    pub(crate) fn became(&self, id: JobId) {
        self.job.store(id.0, Ordering::Relaxed);
    }
}

impl Schedule {
    /// Starts the scheduler. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(settings: ScheduleSettings) -> Self {
        let ScheduleSettings {
            mode,
            auto,
            max_concurrent,
            queue,
            max_subprocesses,
            longest_wait,
            costs_file,
        } = settings;
        let memory = reversecore_jobs::memory_for_jobs();
        let processors = processors();
        let capacity = match mode {
            Mode::Async => Capacity {
                slots: max_concurrent,
                reserved: reserved(max_concurrent),
                processors,
                memory,
                subprocesses: max_subprocesses,
            },
            Mode::Sync => Capacity {
                slots: 1,
                reserved: 0,
                processors: 1,
                memory,
                subprocesses: max_subprocesses,
            },
        };
        let mut scheduler = Scheduler::start(SchedulerConfig {
            capacity,
            queue,
            patience: Patience::default(),
            history: HISTORY,
        });
        let bounds = (processors.min(max_concurrent), max_concurrent);
        scheduler.follow_pressure((auto && mode == Mode::Async).then_some(bounds));
        Self {
            scheduler,
            mode,
            flights: Flights::default(),
            costs: Costs::open(costs_file),
            longest_wait,
        }
    }

    /// The job that a call becomes.
    pub(crate) fn spec(
        &self,
        tool: &'static str,
        workload: &Workload<'_>,
        size: u64,
        caller: &Caller,
    ) -> JobSpec {
        let Kind { engine, estimate } = &workload.kind;
        let mut cost = self.costs.expect(engine, size, estimate);
        cost.wall = cost.wall.min(workload.timeout);
        let quick = cost.wall <= A_MOMENT && cost.subprocesses == 0;
        let lane = caller.lane.unwrap_or(if quick {
            Lane::Interactive
        } else {
            Lane::Normal
        });
        JobSpec {
            label: tool,
            subject: workload.file.map(crate::text::quoted),
            client: caller.client.clone(),
            lane: match self.mode {
                Mode::Async => lane,
                // In order means in order.
                Mode::Sync => Lane::Normal,
            },
            cost,
            start_by: Some(Instant::now() + self.longest_wait),
        }
    }

    pub(crate) fn learn(&self, engine: &str, size: u64, measured: reversecore_jobs::Measured) {
        self.costs.learn(engine, size, measured);
    }

    /// Writes down what was learned of costs, if there is a place for it.
    pub fn save(&self) {
        self.costs.save();
    }
}

/// Processors that this process may use; asked of the system once, which takes
/// it ten microseconds.
pub(crate) fn processors() -> usize {
    static PROCESSORS: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));
    *PROCESSORS
}

/// Of so many slots, those for interactive jobs only.
fn reserved(slots: usize) -> usize {
    match slots {
        0 | 1 => 0,
        2..=7 => 1,
        _ => 2,
    }
}

/// The error of a call that was not started.
pub(crate) fn refusal(refused: &Refused) -> ToolError {
    match refused {
        Refused::QueueFull {
            running,
            waiting,
            retry_after,
        } => ToolError::new(
            ErrorCode::QueueFull,
            format!("{running} calls are in progress and {waiting} are waiting"),
            "Retry after `retry_after_ms`, with fewer calls at one time.",
        )
        .retry_after(*retry_after),
        Refused::Late { expected } => ToolError::new(
            ErrorCode::DeadlineExceeded,
            format!(
                "the call would wait about {} s, longer than it may",
                expected.as_secs()
            ),
            "Retry later, with fewer calls at one time; `list_jobs` shows what runs.",
        ),
        Refused::Expired { waited } => ToolError::new(
            ErrorCode::DeadlineExceeded,
            format!("the call waited {} s and was not started", waited.as_secs()),
            "Retry later, with fewer calls at one time; `list_jobs` shows what runs.",
        ),
        Refused::Cancelled => ToolError::cancelled(),
        Refused::ShutDown => ToolError::new(
            ErrorCode::Cancelled,
            "the server is shutting down",
            "Call again when the server is back.",
        ),
        _ => ToolError::new(
            ErrorCode::Internal,
            "the call could not be started",
            "Call again; if it persists, the server's log has the reason.",
        )
        .log_detail(refused),
    }
}
