//! The directory of the files that come out of archives.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Its name.
const UNPACKED: &str = "reversecore-unpacked";

/// Where files out of archives lie while they are examined. What is left of a scan
/// that was stopped stays for the next; without a journal there is no next.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) directory: PathBuf,
    passing: bool,
}

impl Unpacked {
    pub(super) fn ready(data: Option<&Path>, resume: bool) -> anyhow::Result<Self> {
        let directory = match data {
            Some(data) => data.join(UNPACKED),
            None => std::env::temp_dir().join(format!("{UNPACKED}-{}", std::process::id())),
        };
        let emptied = if resume {
            Ok(())
        } else {
            match std::fs::remove_dir_all(&directory) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
        };
        // A directory for everybody's files may have one of that name: it is refused.
        let mut make = DirBuilder::new();
        make.mode(0o700).recursive(data.is_some());
        emptied
            .and_then(|()| make.create(&directory))
            .with_context(|| format!("failed to make `{}`", directory.display()))?;
        let directory = directory
            .canonicalize()
            .context("failed to find it again")?;
        Ok(Self {
            directory,
            passing: data.is_none(),
        })
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        if self.passing {
            std::fs::remove_dir_all(&self.directory).ok();
        }
    }
}
