//! Pools of the broken engine.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reversecore_exec::{
    Engine, EngineConfig, Job, PoolConfig, PoolStats, SandboxMode, Work, WorkOutcome, WorkerPool,
};
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Name the programs where `CARGO_BIN_EXE_…` is not readable for the user.
pub(crate) const LAUNCHER_VARIABLE: &str = "REVERSECORE_TEST_LAUNCHER";
pub(crate) const WORKER_VARIABLE: &str = "REVERSECORE_TEST_WORKER";

pub(crate) struct TestPool {
    pub(crate) pool: WorkerPool,
    pub(crate) engine: Engine,
    /// In the command line of every worker of this pool, and of nothing else.
    pub(crate) mark: String,
    _scratch: TempDir,
}

impl TestPool {
    pub(crate) fn start(adjust: impl FnOnce(&mut EngineConfig, &mut PoolConfig)) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let mark = mark();
        let mut engine = EngineConfig::new(launcher(), scratch.path());
        let mut config = PoolConfig::new(worker());
        config.args = vec![mark.clone().into()];
        config.max = 1;
        config.memory = 256 << 20;
        adjust(&mut engine, &mut config);
        let engine = Engine::start(engine).unwrap();
        Self {
            pool: WorkerPool::start(&engine, config).unwrap(),
            engine,
            mark,
            _scratch: scratch,
        }
    }

    pub(crate) fn with(adjust: impl FnOnce(&mut PoolConfig)) -> Self {
        Self::start(|_, config| adjust(config))
    }

    pub(crate) fn sandbox(mode: SandboxMode) -> Self {
        Self::start(|engine, _| engine.sandbox = mode)
    }

    pub(crate) async fn work(&self, job: Job) -> Work {
        self.pool.run(job, &CancellationToken::new()).await.unwrap()
    }

    pub(crate) async fn outcome(&self, command: &str) -> WorkOutcome {
        self.work(job(command)).await.outcome
    }

    /// The reply as text.
    pub(crate) async fn reply(&self, command: &str) -> String {
        let outcome = self.outcome(command).await;
        let WorkOutcome::Done(bytes) = outcome else {
            panic!("{command}: {outcome:?}");
        };
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// The next job is served, whatever became of the last.
    pub(crate) async fn assert_works(&self, case: &str) {
        assert_eq!(self.reply(&format!("echo {case}")).await, case);
    }

    /// Waits until the pool is in such a state.
    pub(crate) async fn until(&self, what: &str, reached: impl Fn(PoolStats) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !reached(self.pool.stats()) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.pool.stats());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) fn processes(&self) -> Vec<u32> {
        reversecore_testkit::processes::marked(&self.mark)
    }
}

pub(crate) fn job(command: &str) -> Job {
    Job {
        timeout: Duration::from_secs(30),
        ..Job::new(command.to_owned())
    }
}

pub(crate) fn mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("worker-mark-{}-{number}-end", std::process::id())
}

pub(crate) fn launcher() -> PathBuf {
    program(
        LAUNCHER_VARIABLE,
        env!("CARGO_BIN_EXE_reversecore-launcher"),
    )
}

pub(crate) fn worker() -> PathBuf {
    program(
        WORKER_VARIABLE,
        env!("CARGO_BIN_EXE_reversecore-test-worker"),
    )
}

fn program(variable: &str, built: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| Path::new(built).to_owned(), PathBuf::from)
}

pub(crate) fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
