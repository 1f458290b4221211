//! The files that callers may name: those beneath the workspace and the
//! read-only directories, opened once, each resolved by the kernel beneath an
//! already opened root, so that no `..`, no symbolic link and no exchange of a
//! directory leads outside.
//!
//! It opens regular files and reads directories; it never writes.

mod error;
mod identity;
mod listing;
mod names;
mod resolve;
mod target;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use error::Refused;
pub use error::WorkspaceError;
pub(crate) use identity::Identity;
pub(crate) use listing::{Entry, Kind, Listing, Walk};
pub(crate) use names::{escape_name, unescape_name};
pub(crate) use target::Target;

use identity::Hashes;

/// Which directories callers may name files in.
#[derive(Debug, Clone)]
pub struct WorkspaceSettings {
    /// The workspace; relative paths are relative to it.
    pub root: PathBuf,
    /// Further directories, by absolute path.
    pub read_dirs: Vec<PathBuf>,
    /// Directories that YARA rules may be read from, besides the above.
    pub rule_dirs: Vec<PathBuf>,
}

/// The opened directories. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Workspace {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The workspace first, then the read-only directories.
    roots: Vec<Root>,
    /// Further directories with rules.
    rules: Vec<Root>,
    hashes: Hashes,
}

/// One opened directory.
#[derive(Debug)]
pub(crate) struct Root {
    /// As configured, made absolute.
    path: PathBuf,
    /// The same without symbolic links.
    real: PathBuf,
    directory: File,
    /// Whether it opens what is in memory without waiting for anything.
    prompt: bool,
}

/// Which roots a path may lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The workspace and the read-only directories.
    Files,
    /// These and the directories with rules.
    Rules,
}

impl Workspace {
    /// Opens the directories.
    ///
    /// # Errors
    /// When one can't be opened, or the kernel can't resolve paths beneath a
    /// directory (Linux before 5.6).
    pub fn open(settings: &WorkspaceSettings) -> Result<Self, WorkspaceError> {
        let WorkspaceSettings {
            root,
            read_dirs,
            rule_dirs,
        } = settings;
        let roots = std::iter::once(root)
            .chain(read_dirs)
            .map(|path| Root::open(path))
            .collect::<Result<Vec<_>, _>>()?;
        let rules = rule_dirs
            .iter()
            .map(|path| Root::open(path))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            inner: Arc::new(Inner {
                roots,
                rules,
                hashes: Hashes::new(),
            }),
        })
    }

    /// The workspace directory, for the operator's eyes.
    pub fn root(&self) -> &Path {
        // There is always a first one: the workspace itself.
        self.inner
            .roots
            .first()
            .map_or_else(|| Path::new("/"), |root| &root.path)
    }

    fn roots(&self, scope: Scope) -> impl Iterator<Item = &Root> {
        let rules = match scope {
            Scope::Files => [].iter(),
            Scope::Rules => self.inner.rules.iter(),
        };
        self.inner.roots.iter().chain(rules)
    }
}
