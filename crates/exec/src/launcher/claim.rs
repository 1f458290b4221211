//! Directories that belong to one live engine: made under a name of their own
//! and locked, so that a later engine can tell what was left by one that was
//! killed together with its launcher, and remove it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, flock};

/// A directory that is ours as long as this value lives.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) path: PathBuf,
    _lock: File,
}

/// Makes a directory `PREFIX…` in `parent`, after `remove` has been called for
/// each such directory whose engine is gone.
pub(super) fn claim(parent: &Path, prefix: &str, remove: fn(&Path)) -> io::Result<Claimed> {
    // Keeps two engines that start at the same time from taking each other's
    // new directory, not locked yet, for an old one.
    let gate = File::open(parent)?;
    let alone = lock_briefly(&gate);
    if alone {
        for entry in fs::read_dir(parent)?.flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with(prefix)
                && File::open(&path).is_ok_and(|directory| lock(&directory))
            {
                remove(&path);
            }
        }
    }
    let moment = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let path = parent.join(format!("{prefix}{:x}", moment.as_nanos()));
    DirBuilder::new().mode(0o700).create(&path)?;
    let directory = File::open(&path)?;
    if !lock(&directory) {
        return Err(io::Error::other(
            "a new directory is locked by somebody else",
        ));
    }
    Ok(Claimed {
        path,
        _lock: directory,
    })
}

fn lock(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Anyone may lock a directory that he can read, so this does not wait for
/// ever; without the lock, old directories stay for the next engine.
fn lock_briefly(file: &File) -> bool {
    const TRIES: u32 = 40;
    const PAUSE: Duration = Duration::from_millis(5);
    (0..TRIES).any(|_| {
        lock(file) || {
            super::pause(PAUSE);
            false
        }
    })
}
