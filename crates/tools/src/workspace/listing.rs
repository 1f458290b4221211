//! What lies in a directory of the workspace: a bounded walk that follows no
//! link and reads no file.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use globset::GlobMatcher;
use rustix::fs::{AtFlags, Dir, FileType, OFlags, Stat, statat};
use schemars::JsonSchema;
use serde::Serialize;

use super::resolve::{open_entry, reopen};
use super::{Refused, Scope, Workspace, escape_name};

/// How deep a walk goes.
const DEEPEST: usize = 16;
/// How many entries a walk looks at.
const MOST_ENTRIES: usize = 100_000;

/// What to list.
#[derive(Debug)]
pub(crate) struct Walk {
    /// The directory, as the caller gave it.
    pub(crate) path: String,
    /// Which entries, by their path beneath the directory.
    pub(crate) pattern: Option<GlobMatcher>,
    /// Whether directories in it are walked too.
    pub(crate) recursive: bool,
    /// In which roots.
    pub(crate) scope: Scope,
}

/// What was found, sorted by path.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<Entry>,
    /// Whether a bound ended the walk early.
    pub(crate) cut: bool,
    /// Directories that could not be read.
    pub(crate) unreadable: usize,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Beneath the directory, spelled with [`escape_name`].
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    /// Seconds since 1970.
    pub(crate) modified: i64,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink,
    Other,
}

impl Workspace {
    /// Lists. Blocking.
    pub(crate) fn list(&self, walk: &Walk) -> Result<Listing, Refused> {
        let start = self.open_directory(&walk.path, walk.scope)?;
        let start = reopen(&start, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut listing = Listing {
            entries: Vec::new(),
            cut: false,
            unreadable: 0,
        };
        let mut seen = 0;
        // Open directories on the stack are at most those of one path and its
        // siblings' names, since each is opened when its turn comes.
        let mut levels = vec![Level::read(start, PathBuf::new())?];
        loop {
            let depth = levels.len();
            let Some(level) = levels.last_mut() else {
                break;
            };
            let Some(name) = level.names.pop() else {
                levels.pop();
                continue;
            };
            seen += 1;
            if seen > MOST_ENTRIES {
                listing.cut = true;
                break;
            }
            // What has gone since the directory was read is passed over.
            let Ok(stat) = statat(&level.directory, &*name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let path = level.path.join(OsStr::from_bytes(name.as_bytes()));
            let kind = kind(&stat);
            if walk
                .pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(&path))
            {
                listing.entries.push(entry(&path, kind, &stat));
            }
            if walk.recursive && kind == Kind::Directory {
                if depth >= DEEPEST {
                    listing.cut = true;
                    continue;
                }
                let inner = open_entry(&level.directory, OsStr::from_bytes(name.as_bytes()))
                    .and_then(|directory| Level::read(directory, path));
                match inner {
                    Ok(inner) => levels.push(inner),
                    Err(_) => listing.unreadable += 1,
                }
            }
        }
        listing.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(listing)
    }
}

/// One directory whose entries are being looked at.
struct Level {
    directory: File,
    path: PathBuf,
    names: Vec<CString>,
}

impl Level {
    fn read(directory: File, path: PathBuf) -> Result<Self, Refused> {
        let other = |errno: rustix::io::Errno| Refused::Other(errno.raw_os_error());
        let mut names = Vec::new();
        for found in Dir::read_from(&directory).map_err(other)? {
            let found = found.map_err(other)?;
            let name = found.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") {
                names.push(name.to_owned());
            }
            if names.len() > MOST_ENTRIES {
                break;
            }
        }
        // The last is taken first; sorted, so that a cut walk is the same each time.
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Self {
            directory,
            path,
            names,
        })
    }
}

fn entry(path: &Path, kind: Kind, stat: &Stat) -> Entry {
    Entry {
        path: escape_name(path.as_os_str()),
        kind,
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        modified: stat.st_mtime,
    }
}

fn kind(stat: &Stat) -> Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Kind::Other,
    }
}
