//! What tools work with. Built once by the server and shared by all calls.

use std::sync::Arc;

use reversecore_exec::{Engine, Limits, SessionConfig, SessionPool, WorkerPool};

use crate::batch::Batches;
use crate::bounded::TimeoutSeconds;
use crate::handles::{HandleSettings, Handles};
use crate::programs::{ProgramSettings, Programs};
use crate::results::{ResultSettings, Results};
use crate::schedule::{Schedule, ScheduleSettings};
use crate::telemetry::Telemetry;
use crate::tools::radare2::policy::PolicyMode;
use crate::tools::yara::configured::ConfiguredRules;
use crate::workspace::Workspace;

/// Everything a tool may use.
#[derive(Debug)]
pub struct Services {
    /// Runs the external programs.
    pub engine: Engine,
    /// Runs the embedded engines, in confined processes.
    pub workers: WorkerPool,
    /// Keeps external programs that are asked again and again.
    pub sessions: SessionPool,
    /// Opens the files that callers may name.
    pub workspace: Workspace,
    /// Where the external programs are.
    pub programs: Programs,
    /// Counts and logs calls.
    pub telemetry: Telemetry,
    /// Keeps results that are too large, and those that may be asked for again.
    pub results: Arc<Results>,
    /// Keeps calls that go on without their requests.
    pub handles: Arc<Handles>,
    /// Examines many files beside calls.
    pub batches: Arc<Batches>,
    /// Decides when calls run.
    pub schedule: Schedule,
    /// What one run of an external program may use; its time is the call's.
    pub limits: Limits,
    /// When the server was started.
    pub started: tokio::time::Instant,
    /// The timeout of calls that don't give one; `None` for each tool's own.
    pub default_timeout: Option<TimeoutSeconds>,
    /// YARA rules that `triage` matches, where the operator has named some.
    pub triage_rules: Option<ConfiguredRules>,
    /// Whether radare2 commands are checked; always
    /// [`PolicyMode::Enforced`] outside tests.
    pub radare2_policy: PolicyMode,
}

impl Services {
    /// With the defaults for all but these. Must be called within a runtime.
    #[must_use]
    pub fn new(engine: Engine, workers: WorkerPool, workspace: Workspace) -> Self {
        Self {
            workers,
            sessions: SessionPool::start(&engine, SessionConfig::default()),
            engine,
            workspace,
            programs: Programs::new(ProgramSettings::default()),
            telemetry: Telemetry::default(),
            results: Arc::new(Results::new(&ResultSettings::default())),
            handles: Arc::new(Handles::new(HandleSettings::default())),
            batches: Arc::default(),
            schedule: Schedule::start(ScheduleSettings::default()),
            limits: Limits::default(),
            started: tokio::time::Instant::now(),
            default_timeout: None,
            triage_rules: None,
            radare2_policy: PolicyMode::Enforced,
        }
    }
}
