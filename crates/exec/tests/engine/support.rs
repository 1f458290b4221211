//! Engines for tests, on every rung of the containment ladder and as every kind
//! of user.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reversecore_exec::{
    Command, Containment, Engine, EngineConfig, Finished, Limits, SandboxMode, StartError,
};
use reversecore_testkit::{fixture, processes};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// All rungs, best first.
pub(crate) const RUNGS: [Containment; 3] = [
    Containment::Cgroup,
    Containment::PidNamespace,
    Containment::Subreaper,
];

/// Names the launcher where `CARGO_BIN_EXE_…` is not readable for the user.
const LAUNCHER_VARIABLE: &str = "REVERSECORE_TEST_LAUNCHER";

/// `nobody` on every Linux system.
const ORDINARY_USER: u32 = 65534;

/// An engine with a scratch root of its own.
pub(crate) struct TestEngine {
    pub(crate) engine: Engine,
    pub(crate) scratch: TempDir,
}

impl TestEngine {
    pub(crate) fn start(adjust: impl FnOnce(&mut EngineConfig)) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let mut config = EngineConfig::new(launcher(), scratch.path());
        adjust(&mut config);
        Self {
            engine: Engine::start(config).unwrap(),
            scratch,
        }
    }

    pub(crate) fn new() -> Self {
        Self::start(|_| {})
    }

    pub(crate) fn unconfined() -> Self {
        Self::start(|config| config.sandbox = SandboxMode::Off)
    }

    /// Runs to the end, and expects that the engine itself does its part.
    pub(crate) async fn run(&self, command: Command) -> Finished {
        self.engine
            .run(command, &CancellationToken::new())
            .await
            .unwrap()
    }

    /// Runs the fixture program with arguments, and returns its output lines.
    pub(crate) async fn lines(&self, command: Command) -> Vec<String> {
        let finished = self.run(command).await;
        assert!(finished.success(), "{finished:?}");
        finished.stdout.text().lines().map(str::to_owned).collect()
    }
}

/// Engines on each rung that this user can have, with the rung.
pub(crate) async fn every_rung(
    adjust: impl Fn(&mut EngineConfig),
) -> Vec<(Containment, TestEngine)> {
    let mut engines = Vec::new();
    for rung in RUNGS {
        let engine = TestEngine::start(|config| {
            config.containment = Some(rung);
            adjust(config);
        });
        match engine.engine.mechanisms().await {
            Ok(mechanisms) => {
                assert_eq!(mechanisms.containment, rung);
                engines.push((rung, engine));
            }
            // An ordinary user may not write to the cgroup file system.
            Err(StartError::SandboxUnavailable { .. }) => {
                assert!(!is_root() && rung != Containment::Subreaper, "{rung}");
            }
            Err(error) => panic!("{rung}: {error}"),
        }
    }
    engines
}

/// The fixture program.
pub(crate) fn hostile(arguments: &[&str]) -> Command {
    Command::new(fixture("hostile")).args(arguments.iter().copied())
}

/// Limits with these times and everything else by default.
pub(crate) fn times(timeout: Duration, grace: Duration) -> Limits {
    Limits {
        timeout,
        grace,
        ..Limits::default()
    }
}

pub(crate) fn milliseconds(number: u64) -> Duration {
    Duration::from_millis(number)
}

pub(crate) fn in_flight(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

/// A word that no other process has in its command line.
pub(crate) fn mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("mark-{}-{number}-end", std::process::id())
}

/// Fails when a process with this mark is alive one second from now.
pub(crate) fn assert_gone(mark: &str, case: &str) {
    let found = processes::marked(mark);
    if let Err(alive) = processes::gone_within(&found, Duration::from_secs(1)) {
        panic!("{case}: still alive: {alive:?}");
    }
    // What was forked between the two looks.
    assert_eq!(processes::marked(mark), [0; 0], "{case}");
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn launcher() -> PathBuf {
    std::env::var_os(LAUNCHER_VARIABLE).map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_reversecore-launcher")),
        PathBuf::from,
    )
}

/// Runs the test of this name once more as an ordinary user, when this process
/// is root's.
pub(crate) fn again_as_ordinary_user(test: &str) {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let copy = |program: &Path, name: &str| {
        let target = directory.path().join(name);
        std::fs::copy(program, &target).unwrap();
        target
    };
    // Where the tests were built may be closed to others.
    let this = copy(&std::env::current_exe().unwrap(), "engine");
    let launcher = copy(&launcher(), "reversecore-launcher");
    copy(&fixture("hostile"), "hostile");
    let temporary = directory.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    chown(&temporary, Some(ORDINARY_USER), Some(ORDINARY_USER)).unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).unwrap();

    let mut arguments: Vec<OsString> = vec![test.into()];
    arguments.extend(["--exact", "--test-threads=1"].map(OsString::from));
    let output = std::process::Command::new(this)
        .args(arguments)
        .env("REVERSECORE_FIXTURES", directory.path())
        .env(LAUNCHER_VARIABLE, launcher)
        .env("TMPDIR", &temporary)
        .current_dir("/")
        .gid(ORDINARY_USER)
        .uid(ORDINARY_USER)
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "as an ordinary user:\n{text}");
    assert!(
        text.contains("1 passed"),
        "no test is called {test}:\n{text}"
    );
}
