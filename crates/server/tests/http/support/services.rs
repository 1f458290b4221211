//! What the tools work with, for a server in this process.

use std::path::Path;
use std::sync::Arc;

use reversecore_exec::{
    Engine, EngineConfig, Limits, PoolConfig, SessionConfig, SessionPool, WorkerPool,
};
use reversecore_tools::{
    HandleSettings, Handles, PolicyMode, ProgramSettings, Programs, ResultSettings, Results,
    Schedule, ScheduleSettings, Services, Telemetry, Workspace, WorkspaceSettings,
};
use tokio::time::Instant;

/// The launcher is a program that never answers: what needs no child process
/// works, and a call that needs one runs until it is cancelled.
pub(crate) fn services(workspace: &Path) -> Arc<Services> {
    let engine =
        Engine::start(EngineConfig::new("/bin/cat", workspace)).expect("it starts nothing yet");
    let settings = WorkspaceSettings {
        root: workspace.to_path_buf(),
        read_dirs: Vec::new(),
        rule_dirs: Vec::new(),
    };
    let mut workers = PoolConfig::new("/bin/cat");
    workers.min = 0;
    Arc::new(Services {
        workers: WorkerPool::start(&engine, workers).expect("there are none yet"),
        sessions: SessionPool::start(&engine, SessionConfig::default()),
        engine,
        workspace: Workspace::open(&settings).expect("the directory is there"),
        programs: Programs::new(ProgramSettings {
            strings: Some("/bin/cat".into()),
            ..ProgramSettings::default()
        }),
        schedule: Schedule::start(ScheduleSettings::default()),
        batches: Arc::default(),
        handles: Arc::new(Handles::new(HandleSettings::default())),
        results: Arc::new(Results::new(&ResultSettings::default())),
        telemetry: Telemetry::default(),
        limits: Limits::default(),
        started: Instant::now(),
        default_timeout: None,
        triage_rules: None,
        radare2_policy: PolicyMode::Enforced,
    })
}
