//! A directory with all programs, readable for every user, and the word by which
//! everything is found that a judge started.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use super::watch;

/// `nobody` on every Linux system.
pub(super) const ORDINARY_USER: u32 = 65534;

const PYTHON_DRIVER: &str = include_str!("../../drivers/python_asyncio.py");

/// Programs and directories of one judge.
#[derive(Debug)]
pub struct Stage {
    directory: TempDir,
    word: String,
    next: AtomicU32,
}

impl Stage {
    /// Puts the driver program, the Python driver and the hostile program where
    /// every user can run them.
    ///
    /// # Errors
    /// When that can't be done.
    pub fn new(driver: &Path, hostile: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("engine-conformance-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let stage = Self {
            word: format!("judged-{}-{:x}", std::process::id(), now.as_nanos()),
            directory,
            next: AtomicU32::new(0),
        };
        fs::copy(driver, stage.path("engine-driver"))?;
        fs::copy(hostile, stage.path("hostile"))?;
        fs::write(stage.path("python_asyncio.py"), PYTHON_DRIVER)?;
        Ok(stage)
    }

    /// The path of something in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn hostile(&self) -> String {
        self.path("hostile").to_string_lossy().into_owned()
    }

    /// A new empty directory, the ordinary user's where that can be arranged.
    pub(super) fn directory(&self, as_user: bool) -> io::Result<PathBuf> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path(&format!("work-{number}"));
        fs::create_dir(&path)?;
        if as_user {
            chown(&path, Some(ORDINARY_USER), Some(ORDINARY_USER))?;
        }
        Ok(path)
    }

    /// A word that is in no other command line.
    pub(super) fn mark(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}-end", self.word)
    }

    /// The part that all marks have: in the command line or the environment of
    /// everything that was started.
    #[must_use]
    pub fn word(&self) -> &str {
        &self.word
    }

    /// Ends whatever is left of all that was started.
    pub fn end_all(&self) {
        watch::end(&self.word);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.end_all();
    }
}
