//! A directory of samples that lives as long as a test.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A new directory, removed with everything in it when dropped.
#[derive(Debug)]
pub struct Workspace {
    directory: TempDir,
}

impl Workspace {
    /// An empty workspace.
    ///
    /// # Panics
    /// When the directory can't be made.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("reversecore-test-")
            .tempdir()
            .expect("the directory for temporary files is writable");
        Self { directory }
    }

    /// A workspace that holds a copy of `/bin/ls` as `ls`.
    #[must_use]
    pub fn with_ls() -> Self {
        let workspace = Self::new();
        workspace.write("ls", &system_binary("ls"));
        workspace
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The path of `name` in it.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file and returns its path.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write(&self, name: impl AsRef<Path>, content: &[u8]) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, content).expect("the workspace is writable");
        path
    }

    /// Writes a program of the system, with a hole behind it up to this size.
    pub fn sparse(&self, name: &str, size: u64) {
        let path = self.write(name, &system_binary("ls"));
        let file = fs::File::options()
            .write(true)
            .open(path)
            .expect("it has just been written");
        file.set_len(size).expect("a hole takes no room");
    }

    /// Writes a file whose name is any bytes without `/` and NUL.
    pub fn write_bytes_name(&self, name: &[u8], content: &[u8]) -> PathBuf {
        self.write(OsStr::from_bytes(name), content)
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

/// The content of a program of the system, such as `ls`.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn system_binary(name: &str) -> Vec<u8> {
    let path = Path::new("/bin").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}
