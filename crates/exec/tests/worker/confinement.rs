//! What a worker can't do, tried from inside; and that the same attempts
//! succeed where nobody confines it, so that a refusal is the sandbox's.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;

use reversecore_exec::{PoolError, SandboxMode};

use crate::support::{LAUNCHER_VARIABLE, TestPool, WORKER_VARIABLE, launcher, worker};

/// `nobody` on every Linux system.
const ORDINARY_USER: u32 = 65534;

#[tokio::test]
async fn a_worker_can_open_start_and_reach_nothing() {
    let pool = TestPool::sandbox(SandboxMode::Required);
    let mechanism = pool.pool.mechanism().await.unwrap();
    assert!(mechanism.holds, "{mechanism:?}");
    let this = std::process::id();
    for attempt in [
        "open /etc/passwd",
        "open /usr/bin/env",
        "open /dev/null",
        "open /proc/self/status",
        "write /tmp/reversecore-worker-probe",
        "stat /etc/passwd",
        "inet",
        "unix",
        "fork",
        "exec /bin/true",
        &format!("kill {this}"),
        "kill 1",
        "kill-parent",
        "tgkill",
        "ptrace",
        "read-memory",
        "io-uring",
        "bpf",
        "clone3",
        "memfd",
        "pidfd",
        "unshare",
        "chroot",
        "capabilities",
        "write-3",
        "dumpable",
    ] {
        let found = pool.reply(&format!("try {attempt}")).await;
        assert_eq!(found, "ENOSYS", "{attempt}");
    }
    // What engines need.
    assert_eq!(pool.reply("try executable-memory").await, "ok");
    assert_eq!(pool.reply("thread").await, "thread");
    assert_eq!(pool.pool.stats().started, 1);
    again_as_ordinary_user("confinement::a_worker_can_open_start_and_reach_nothing");
}

#[tokio::test]
async fn without_the_sandbox_the_same_attempts_succeed() {
    let pool = TestPool::sandbox(SandboxMode::Off);
    let mechanism = pool.pool.mechanism().await.unwrap();
    assert!(!mechanism.holds && mechanism.detail.contains("switched off"));
    let directory = tempfile::tempdir().unwrap();
    let probe = directory.path().join("probe");
    for attempt in [
        "open /etc/passwd",
        "open /usr/bin/env",
        "open /dev/null",
        "open /proc/self/status",
        &format!("write {}", probe.display()),
        "stat /etc/passwd",
        "inet",
        "unix",
        "fork",
        "memfd",
        "pidfd",
        "kill 1",
        "dumpable",
    ] {
        let found = pool.reply(&format!("try {attempt}")).await;
        let ours = reversecore_testkit::processes::alive(1);
        let expected = if attempt == "kill 1" && !rustix::process::geteuid().is_root() {
            "EPERM"
        } else {
            "ok"
        };
        assert!(ours);
        assert_eq!(found, expected, "{attempt}");
    }
    assert!(probe.exists());
}

/// A required sandbox on an engine without it: the engine refuses, and the pool
/// hands the reason on.
#[tokio::test]
async fn an_engine_that_does_not_come_up_is_the_pools_reason() {
    let pool = TestPool::start(|engine, _| {
        engine.containment = Some(reversecore_exec::Containment::Cgroup);
        engine.cgroup_parent = Some("/no/such/cgroup".into());
    });
    let error = pool.pool.mechanism().await.unwrap_err();
    assert!(matches!(error, PoolError::Start { .. }));
    assert!(error.to_string().contains("cgroup"), "{error}");
}

/// Runs the test of this name once more as an ordinary user, when this process
/// is root's.
fn again_as_ordinary_user(test: &str) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let copy = |program: &std::path::Path, name: &str| {
        let target = directory.path().join(name);
        std::fs::copy(program, &target).unwrap();
        target
    };
    let this = copy(&std::env::current_exe().unwrap(), "test");
    let launcher = copy(&launcher(), "launcher");
    let worker = copy(&worker(), "worker");
    let temporary = directory.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    chown(&temporary, Some(ORDINARY_USER), Some(ORDINARY_USER)).unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).unwrap();
    let output = std::process::Command::new(this)
        .args([test, "--exact", "--test-threads=1"])
        .env(LAUNCHER_VARIABLE, launcher)
        .env(WORKER_VARIABLE, worker)
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
    assert!(text.contains("1 passed"), "no test {test}:\n{text}");
}
