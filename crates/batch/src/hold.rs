//! One process at a time works with a data directory: a lock on a file that the
//! kernel lets go of when the process is gone, however it ended. The file holds the
//! number of that process, for whoever is refused.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// The lock's file in the data directory.
const FILE: &str = "batches.lock";
/// A process's number is not longer.
const LONGEST: u64 = 32;

/// Why the directory can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HoldError {
    /// Somebody else has it.
    #[error(
        "process {} works with the data directory `{}` already (wait for it, or name another with --data-dir)",
        .pid.map_or_else(|| "(unknown)".to_owned(), |pid| pid.to_string()),
        .directory.display()
    )]
    Held {
        /// The directory.
        directory: PathBuf,
        /// Who.
        pid: Option<u32>,
    },
    /// The lock's file can't be used.
    #[error("failed to lock the data directory `{}`", .directory.display())]
    Io {
        /// The directory.
        directory: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The directory, as long as this lives.
#[derive(Debug)]
pub(crate) struct Hold {
    // Its lock goes with it.
    _file: File,
}

impl Hold {
    pub(crate) fn take(directory: &Path) -> Result<Self, HoldError> {
        let failed = |source| HoldError::Io {
            directory: directory.to_path_buf(),
            source,
        };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join(FILE))
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(HoldError::Held {
                    directory: directory.to_path_buf(),
                    pid: read(&file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Who works with this data directory now, if anybody does.
#[must_use]
pub fn holder(directory: &Path) -> Option<u32> {
    let file = File::open(directory.join(FILE)).ok()?;
    match file.try_lock_shared() {
        Ok(()) => None,
        Err(TryLockError::WouldBlock) => read(&file),
        Err(TryLockError::Error(_)) => None,
    }
}

fn read(file: &File) -> Option<u32> {
    let mut text = String::new();
    let mut from_the_start = file;
    from_the_start.rewind().ok()?;
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let directory = tempfile::tempdir().unwrap();
        let hold = Hold::take(directory.path()).unwrap();
        let refused = Hold::take(directory.path()).unwrap_err();
        let HoldError::Held { pid, .. } = &refused else {
            panic!("{refused}");
        };
        assert_eq!(*pid, Some(std::process::id()));
        assert_eq!(holder(directory.path()), Some(std::process::id()));
        drop(hold);
        assert_eq!(holder(directory.path()), None);
        Hold::take(directory.path()).unwrap();
    }
}
