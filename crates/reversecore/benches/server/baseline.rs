//! The least that any server could do: run the program and capture its output.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::process::Command;
use tokio::task::JoinSet;

/// Runs `strings` so often, so many at one time; returns how many failed.
pub(crate) async fn strings(file: &Path, runs: usize, in_flight: usize) -> usize {
    let left = Arc::new(AtomicUsize::new(runs));
    let mut tasks = JoinSet::new();
    for _ in 0..in_flight {
        tasks.spawn(worker(file.to_path_buf(), Arc::clone(&left)));
    }
    tasks.join_all().await.into_iter().sum()
}

async fn worker(file: PathBuf, left: Arc<AtomicUsize>) -> usize {
    let mut errors = 0;
    while take(&left) {
        let output = command(&file).output().await.unwrap();
        if !output.status.success() || output.stdout.is_empty() {
            errors += 1;
        }
    }
    errors
}

#[expect(
    clippy::disallowed_methods,
    reason = "the bare spawn is what the engine is compared with"
)]
fn command(file: &Path) -> Command {
    let mut command = Command::new("/usr/bin/strings");
    command
        .args(["-a", "-t", "x", "-n", "4"])
        .arg(file)
        .stdin(Stdio::null());
    command
}

/// Takes one of the runs that are left.
pub(crate) fn take(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        left.checked_sub(1)
    })
    .is_ok()
}
