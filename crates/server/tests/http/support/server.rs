//! The server under test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reversecore_exec::{
    Engine, EngineConfig, Limits, PoolConfig, SessionConfig, SessionPool, WorkerPool,
};
use reversecore_server::{Handler, Http, HttpError, HttpSettings, Shutdown, config};
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
    /// Removed with the server that made it.
    _made: Option<TempDir>,
    workspace: PathBuf,
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
        let mut server = Self::on(workspace.path(), change).await;
        server._made = Some(workspace);
        server
    }

    /// One with a workspace that is there already.
    pub(crate) async fn on(workspace: &Path, change: impl FnOnce(&mut HttpSettings)) -> Self {
        let handler = Handler::new(Arc::new(Catalogue::new(services(workspace))));
        let mut settings = settings();
        change(&mut settings);
        let http = Http::bind(settings, handler.clone()).unwrap();
        let address = http.address();
        let shutdown = Shutdown::new();
        let task = Handle::current().spawn(http.serve(shutdown.clone()));
        Self {
            address,
            shutdown,
            _made: None,
            workspace: workspace.to_path_buf(),
            handler,
            task: AbortOnDropHandle::new(task),
        }
    }

    pub(crate) fn workspace(&self) -> &Path {
        &self.workspace
    }

    pub(crate) fn handler(&self) -> Handler {
        self.handler.clone()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
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
    let config = config::load(config::Sources::default()).unwrap().config;
    let mut settings = HttpSettings::from(&config);
    settings.address = "127.0.0.1:0".parse().unwrap();
    settings.max_body_bytes = 1 << 20;
    settings.max_connections = 64;
    settings.max_sessions = 64;
    settings
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
