//! The engine: the handle through which everything is run.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::command::Command;
use crate::connection::Connection;
use crate::drive::{Stay, drive};
use crate::error::{ExecError, StartError};
use crate::launcher::system_directories;
use crate::mechanisms::{Containment, Mechanisms};
use crate::outcome::Finished;
use crate::pump::Reader;
use crate::stream::{Event, Running};

/// Chunks that wait for a consumer of the streaming form.
const STREAM_CHUNKS: usize = 16;

/// What the engine does when a protection is not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxMode {
    /// Refuse to start.
    Required,
    /// Use what there is, and report it.
    #[default]
    Auto,
    /// Use none; runs are still contained (found and killed together).
    Off,
}

/// How to bring an engine up.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// An executable that calls [`crate::launcher::main`] when started with
    /// `launcher_args`; normally the server's own.
    pub launcher: PathBuf,
    /// The arguments that make it a launcher.
    pub launcher_args: Vec<OsString>,
    /// What to do when a protection is missing.
    pub sandbox: SandboxMode,
    /// Use this rung of the containment ladder and no other; `None` for the
    /// best that holds.
    pub containment: Option<Containment>,
    /// Runs in progress at one time; further ones wait.
    pub max_in_flight: NonZeroUsize,
    /// Worker processes that pools on this engine may have together; they do
    /// not count among the runs in flight.
    pub max_workers: usize,
    /// Where scratch directories are made.
    pub scratch_root: PathBuf,
    /// What every confined child may read, besides its own program and files.
    pub readable: Vec<PathBuf>,
    /// The cgroup below which the engine makes its own; `None` for the one
    /// that the server runs in.
    pub cgroup_parent: Option<PathBuf>,
}

impl EngineConfig {
    /// The defaults: the best containment there is, the sandbox as far as it
    /// holds, five runs at a time, the system's program directories readable.
    pub fn new(launcher: impl Into<PathBuf>, scratch_root: impl Into<PathBuf>) -> Self {
        Self {
            launcher: launcher.into(),
            launcher_args: Vec::new(),
            sandbox: SandboxMode::default(),
            containment: None,
            max_in_flight: NonZeroUsize::new(5).expect("five is not zero"),
            max_workers: 64,
            scratch_root: scratch_root.into(),
            readable: system_directories(),
            cgroup_parent: None,
        }
    }
}

/// Runs commands. Cheap to clone; all clones share one launcher process, which
/// ends when the last of them is dropped.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

impl Engine {
    /// Starts the launcher process; does not wait until it is ready.
    ///
    /// # Errors
    /// When the launcher can't be started.
    pub fn start(config: EngineConfig) -> Result<Self, StartError> {
        let connection = Arc::new(Connection::open(&config)?);
        Ok(Self {
            inner: Arc::new(Inner {
                slots: Semaphore::new(config.max_in_flight.get()),
                residents: Semaphore::new(config.max_workers),
                connection: Mutex::new(connection),
                names: AtomicU64::new(0),
                config,
            }),
        })
    }

    /// Which mechanisms hold on this machine; waits until the launcher is ready.
    ///
    /// # Errors
    /// When the launcher ended early, or the sandbox is required and not there.
    pub async fn mechanisms(&self) -> Result<Mechanisms, StartError> {
        self.inner.connection().mechanisms().await
    }

    /// Runs a command to its end.
    ///
    /// Dropping the future kills the run's processes. Cancelling ends them with
    /// the grace of the command's limits, and returns what was captured.
    ///
    /// # Errors
    /// When the program can't be started, or the engine itself failed.
    pub async fn run(
        &self,
        command: Command,
        cancel: &CancellationToken,
    ) -> Result<Finished, ExecError> {
        // On the heap: whoever might run a program, and mostly does not, must not
        // be as large as a run.
        Box::pin(drive(
            &self.inner,
            command,
            cancel,
            Reader::Nobody,
            Stay::Transient,
        ))
        .await
    }

    /// Runs a command to its end and shows `on_stdout` its standard output,
    /// piece by piece, as it arrives. Cheaper than [`Engine::stream`] where
    /// nothing has to wait for the bytes: the function is called between two
    /// reads, so it must not block.
    ///
    /// # Errors
    /// As for [`Engine::run`].
    pub async fn run_reading(
        &self,
        command: Command,
        cancel: &CancellationToken,
        on_stdout: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Finished, ExecError> {
        let reader = Reader::Function(on_stdout);
        Box::pin(drive(&self.inner, command, cancel, reader, Stay::Transient)).await
    }

    /// The blocking twin of [`Engine::run`], for callers without a runtime.
    ///
    /// # Errors
    /// As for [`Engine::run`].
    pub fn run_blocking(
        &self,
        command: Command,
        cancel: &CancellationToken,
    ) -> Result<Finished, ExecError> {
        let run = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(ExecError::system("make a runtime"))?
                .block_on(self.run(command, cancel))
        };
        if tokio::runtime::Handle::try_current().is_err() {
            return run();
        }
        // A runtime's thread may not block on another runtime; it may wait for
        // a thread that does.
        std::thread::scope(|scope| {
            scope
                .spawn(run)
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a command and yields its events as they happen. Must be called
    /// within a tokio runtime.
    pub fn stream(&self, command: Command, cancel: CancellationToken) -> Running {
        let (sink, events) = mpsc::channel(STREAM_CHUNKS);
        let inner = Arc::clone(&self.inner);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let reader = Reader::Events(&sink);
            let result = drive(&inner, command, &cancel, reader, Stay::Transient).await;
            let last = result.map(|finished| Event::Exit(Box::new(finished)));
            sink.send(last).await.ok();
        });
        Running {
            events,
            _task: task,
        }
    }
}

/// What the clones of an engine share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: EngineConfig,
    pub(crate) slots: Semaphore,
    /// Places of workers, apart from the runs in flight: a worker stays for
    /// hours, and must neither wait behind runs nor keep one waiting.
    pub(crate) residents: Semaphore,
    /// Replaced when its launcher has died. A `std` mutex: it is held for a
    /// clone or a replacement, never across an await.
    connection: Mutex<Arc<Connection>>,
    names: AtomicU64,
}

impl Inner {
    pub(crate) fn connection(&self) -> Arc<Connection> {
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&connection)
    }

    /// A name for a scratch directory that no other run of this engine has.
    pub(crate) fn next_name(&self) -> String {
        self.names.fetch_add(1, Ordering::Relaxed).to_string()
    }

    /// Replaces a launcher that is gone, unless it refused to work or somebody
    /// else has replaced it already.
    pub(crate) async fn reconnect(&self, lost: &Arc<Connection>) -> Result<(), StartError> {
        if let Err(refusal @ StartError::SandboxUnavailable { .. }) = lost.mechanisms().await {
            return Err(refusal);
        }
        self.replace(lost)
    }

    fn replace(&self, lost: &Arc<Connection>) -> Result<(), StartError> {
        let mut current = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, lost) {
            tracing::warn!("the launcher process has ended, starting a new one");
            *current = Arc::new(Connection::open(&self.config)?);
        }
        Ok(())
    }

    /// The error for a run whose launcher ended without a report.
    pub(crate) async fn launcher_lost(&self, lost: &Arc<Connection>) -> ExecError {
        match self.reconnect(lost).await {
            Ok(()) => ExecError::LauncherDied,
            Err(error) => error.into(),
        }
    }

    /// Gives up a launcher that does not do what it is told: hanging up ends
    /// it and all its runs, by its guard if need be.
    pub(crate) fn launcher_stuck(&self, stuck: &Arc<Connection>) -> ExecError {
        match self.replace(stuck) {
            Ok(()) => ExecError::LauncherDied,
            Err(error) => error.into(),
        }
    }
}
