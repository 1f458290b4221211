//! Scratch directories: one below the engine's own directory per run that
//! wants one, removed when the run has ended. What a run left inside may be
//! large, so it is removed by a forked helper, not by the launcher itself.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::claim::{Claimed, claim};
use super::sys::{self, Forked, Pid};

const PREFIX: &str = "engine-";

/// The engine's own directory, and the helpers at work in it.
#[derive(Debug)]
pub(super) struct Scratch {
    claimed: Claimed,
    helpers: Vec<Pid>,
}

impl Scratch {
    /// Claims a directory below `root`, which is made when it is missing.
    pub(super) fn claim(root: &Path) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)?;
        Ok(Self {
            claimed: claim(root, PREFIX, remove_all)?,
            helpers: Vec::new(),
        })
    }

    /// The path that a run's directory has.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.claimed.path.join(name)
    }

    /// Makes a run's directory.
    pub(super) fn make(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path_of(name);
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(path)
    }

    /// Removes a run's directory, at once when it is empty.
    pub(super) fn remove(&mut self, path: &Path) {
        if fs::remove_dir(path).is_ok() {
            return;
        }
        match sys::fork(false, None) {
            Ok(Forked::Child) => {
                remove_all(path);
                sys::exit_now(0);
            }
            Ok(Forked::Parent(pid)) => self.helpers.push(pid),
            Err(_) => remove_all(path),
        }
    }

    /// Notes that a child has ended, which may have been a helper.
    pub(super) fn ended(&mut self, pid: Pid) {
        self.helpers.retain(|helper| *helper != pid);
    }

    /// Whether this child is a helper at work.
    pub(super) fn is_helper(&self, pid: Pid) -> bool {
        self.helpers.contains(&pid)
    }

    /// Whether helpers are at work.
    pub(super) fn busy(&self) -> bool {
        !self.helpers.is_empty()
    }

    /// Removes the engine's directory with everything in it.
    pub(super) fn finish(&self) {
        remove_all(&self.claimed.path);
    }
}

/// Removes a tree whose directories may have been made unreadable.
fn remove_all(path: &Path) {
    if fs::remove_dir_all(path).is_ok() {
        return;
    }
    let mut open = vec![path.to_owned()];
    while let Some(directory) = open.pop() {
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&directory, all).ok();
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
        }
    }
    fs::remove_dir_all(path).ok();
}
