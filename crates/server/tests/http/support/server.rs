//! The server under test.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reversecore_exec::{
    Engine, EngineConfig, Limits, PoolConfig, SessionConfig, SessionPool, WorkerPool,
};
use reversecore_server::{Handler, Http, HttpError, HttpSettings, Shutdown};
use reversecore_tools::{
    Catalogue, HandleSettings, Handles, PolicyMode, ProgramSettings, Programs, ResultSettings,
    Results, Schedule, ScheduleSettings, Services, Telemetry, Workspace, WorkspaceSettings,
};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// A server in this process; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    workspace: TempDir,
    handler: Handler,
    task: AbortOnDropHandle<Result<(), HttpError>>,
}

impl Server {
    /// One with default settings.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// One with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut HttpSettings)) -> Self {
        let workspace = tempfile::tempdir().unwrap();
        let handler = Handler::new(Arc::new(Catalogue::new(services(workspace.path()))));
        let mut settings = settings();
        change(&mut settings);
        let http = Http::bind(settings, handler.clone()).unwrap();
        let address = http.address();
        let shutdown = Shutdown::new();
        let task = Handle::current().spawn(http.serve(shutdown.clone()));
        Self {
            address,
            shutdown,
            workspace,
            handler,
            task: AbortOnDropHandle::new(task),
        }
    }

    pub(crate) fn workspace(&self) -> &Path {
        self.workspace.path()
    }

    pub(crate) fn handler(&self) -> Handler {
        self.handler.clone()
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) {
        (&mut self.task).await.unwrap().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The web thread is no task: it ends when it is told.
        self.shutdown.request();
        self.shutdown.request();
    }
}

pub(crate) fn settings() -> HttpSettings {
    HttpSettings {
        address: "127.0.0.1:0".parse().unwrap(),
        allowed_hosts: Vec::new(),
        allowed_origins: Vec::new(),
        api_key: None,
        grace: Duration::from_secs(10),
        max_body_bytes: 1 << 20,
        max_connections: 64,
        max_sessions: 64,
    }
}

/// The launcher is a program that never answers: what needs no child process
/// works, and a call that needs one runs until it is cancelled.
fn services(workspace: &Path) -> Arc<Services> {
    let engine = Engine::start(EngineConfig::new("/bin/cat", workspace)).unwrap();
    let settings = WorkspaceSettings {
        root: workspace.to_path_buf(),
        read_dirs: Vec::new(),
        rule_dirs: Vec::new(),
    };
    let mut workers = PoolConfig::new("/bin/cat");
    workers.min = 0;
    Arc::new(Services {
        workers: WorkerPool::start(&engine, workers).unwrap(),
        sessions: SessionPool::start(&engine, SessionConfig::default()),
        engine,
        workspace: Workspace::open(&settings).unwrap(),
        programs: Programs::new(ProgramSettings {
            strings: Some("/bin/cat".into()),
            ..ProgramSettings::default()
        }),
        schedule: Schedule::start(ScheduleSettings::default()),
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
