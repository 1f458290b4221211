//! From what a caller wrote to an open file beneath a root.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, fstatfs, openat, openat2};
use rustix::io::Errno;

use super::{Refused, Root, Scope, Workspace, WorkspaceError, unescape_name};

/// Longest path that is accepted, in bytes: the kernel's own limit.
const LONGEST_PATH: usize = 4096;
/// What the name of an uploaded file begins with.
const BY_CONTENT: &str = "sha256:";
/// Hexadecimal digits of a SHA-256.
const HASH_DIGITS: usize = 64;
/// Where uploaded files are in the workspace, each under its SHA-256. The server
/// puts them there.
const UPLOADS: &str = "uploads";
/// How often a resolution is repeated that a rename got in the way of.
const ATTEMPTS: usize = 16;
/// Types of file systems that open a file whose inode is in memory without
/// asking a disk, a network or another process: ext2 to ext4, XFS, Btrfs, tmpfs.
/// The numbers are those of Linux's `include/uapi/linux/magic.h`. Overlays are
/// left out, since their layers may be of any type.
const PROMPT: [u64; 4] = [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994];

impl Root {
    pub(super) fn open(path: &Path) -> Result<Self, WorkspaceError> {
        let failed = |source: std::io::Error| WorkspaceError::Open {
            path: path.to_path_buf(),
            source,
        };
        let absolute = std::path::absolute(path).map_err(failed)?;
        let real = absolute.canonicalize().map_err(failed)?;
        let directory = openat(
            CWD,
            &real,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|errno| failed(errno.into()))?;
        let root = Self {
            path: absolute,
            real,
            prompt: is_prompt(&directory),
            directory: directory.into(),
        };
        match root.beneath(Path::new("."), OFlags::PATH) {
            Err(errno) if errno == Errno::NOSYS => Err(WorkspaceError::NoOpenat2 {
                source: errno.into(),
            }),
            Err(errno) => Err(failed(errno.into())),
            Ok(_) => Ok(root),
        }
    }

    /// Opens what lies at `relative` beneath this root, and nothing else.
    fn beneath(&self, relative: &Path, flags: OFlags) -> Result<File, Errno> {
        let mut attempts = 0;
        loop {
            let opened = openat2(
                &self.directory,
                relative,
                flags | OFlags::CLOEXEC,
                Mode::empty(),
                ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
            );
            attempts += 1;
            match opened {
                // A rename somewhere above made the kernel unsure.
                Err(Errno::AGAIN) if attempts < ATTEMPTS => {}
                opened => return opened.map(File::from),
            }
        }
    }

    /// The same for a file whose whole path is in the kernel's memory and on the
    /// root's own file system, so that finding it takes no time; otherwise `None`.
    fn at_hand(&self, relative: &Path) -> Option<File> {
        if !self.prompt {
            return None;
        }
        let found = openat2(
            &self.directory,
            relative,
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH
                | ResolveFlags::NO_MAGICLINKS
                | ResolveFlags::NO_XDEV
                | ResolveFlags::CACHED,
        );
        found.ok().map(File::from)
    }

    /// The part of an absolute path that lies beneath this root.
    fn relative(&self, absolute: &Path) -> Option<PathBuf> {
        [&self.path, &self.real]
            .into_iter()
            .find_map(|root| absolute.strip_prefix(root).ok())
            .map(or_dot)
    }
}

impl Workspace {
    /// Opens a regular file for reading.
    pub(crate) fn open_file(&self, given: &str, scope: Scope) -> Result<File, Refused> {
        let path = checked(given)?;
        let found = self.locate(&path, scope)?;
        readable_file(&found, OFlags::empty())
    }

    /// Opens a regular file of the workspace for reading if that can't take any
    /// time, so that it needs no thread of its own. `None` says nothing but that
    /// [`Self::open_file`] must be asked.
    pub(crate) fn open_at_hand(&self, given: &str) -> Option<File> {
        let path = checked(given).ok().filter(|path| path.is_relative())?;
        let found = self.inner.roots.first()?.at_hand(&path)?;
        // Another process may hold a lease on the file: then this fails.
        readable_file(&found, OFlags::NONBLOCK).ok()
    }

    /// Opens a regular file that another file names, relative to that file's
    /// directory first, then to each root. Used for YARA's `include`.
    pub(crate) fn open_included(
        &self,
        given: &str,
        including: Option<&str>,
    ) -> Result<(File, String), Refused> {
        let beside = including
            .and_then(|file| file.rsplit_once('/'))
            .filter(|_| !given.starts_with('/'))
            .map(|(directory, _)| format!("{directory}/{given}"));
        let mut refused = Refused::Absent;
        for candidate in beside.into_iter().chain([given.to_owned()]) {
            match self.open_file(&candidate, Scope::Rules) {
                Ok(file) => return Ok((file, candidate)),
                // Outside says more than absent.
                Err(Refused::Absent) => {}
                Err(other) => refused = other,
            }
        }
        Err(refused)
    }

    /// Opens a directory for reading; says also what it is called in messages.
    pub(crate) fn open_directory(&self, given: &str, scope: Scope) -> Result<File, Refused> {
        let path = checked(given)?;
        let found = self.locate(&path, scope)?;
        let kind = FileType::from_raw_mode(stat(&found)?.st_mode);
        if kind != FileType::Directory {
            return Err(Refused::NotA {
                wanted: "a directory",
                found: what(kind),
            });
        }
        Ok(found)
    }

    /// Finds what lies at `path`, without opening it for reading.
    fn locate(&self, path: &Path, scope: Scope) -> Result<File, Refused> {
        let flags = OFlags::PATH;
        if path.is_absolute() {
            let mut refused = Refused::Outside;
            for root in self.roots(scope) {
                if let Some(relative) = root.relative(path) {
                    match root.beneath(&relative, flags) {
                        Ok(found) => return Ok(found),
                        Err(errno) => refused = reason(errno),
                    }
                }
            }
            return Err(refused);
        }
        // Relative to the workspace; rules also relative to each rule root.
        let mut refused = Refused::Absent;
        for (index, root) in self.roots(scope).enumerate() {
            if index > 0 && scope == Scope::Files {
                break;
            }
            match root.beneath(path, flags) {
                Ok(found) => return Ok(found),
                Err(errno) => {
                    // Any other reason says more than that it is absent.
                    let reason = reason(errno);
                    if reason != Refused::Absent {
                        refused = reason;
                    }
                }
            }
        }
        Err(refused)
    }
}

/// Opens for reading what an `O_PATH` descriptor has found, if it is a regular
/// file. A FIFO would wait for a writer, a device could do anything; neither is
/// ever opened.
fn readable_file(found: &File, flags: OFlags) -> Result<File, Refused> {
    let kind = FileType::from_raw_mode(stat(found)?.st_mode);
    if kind != FileType::RegularFile {
        return Err(Refused::NotA {
            wanted: "a regular file",
            found: what(kind),
        });
    }
    reopen(found, OFlags::RDONLY | OFlags::NOCTTY | flags)
}

/// Whether the file system of an open directory is one of those.
fn is_prompt(directory: &OwnedFd) -> bool {
    // The type of the field differs between architectures; no number is negative.
    fstatfs(directory).is_ok_and(|stat| {
        PROMPT
            .iter()
            .any(|kind| i128::from(stat.f_type) == i128::from(*kind))
    })
}

/// Opens again, with other rights, exactly what a descriptor stands for.
pub(super) fn reopen(found: &File, flags: OFlags) -> Result<File, Refused> {
    openat(
        CWD,
        format!("/proc/self/fd/{}", found.as_raw_fd()),
        flags | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map(File::from)
    .map_err(reason)
}

/// Opens one entry of an open directory without following a link.
pub(super) fn open_entry(directory: &File, name: &OsStr) -> Result<File, Refused> {
    openat2(
        directory,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS,
    )
    .map(File::from)
    .map_err(reason)
}

fn checked(given: &str) -> Result<PathBuf, Refused> {
    if let Some(digits) = given.strip_prefix(BY_CONTENT) {
        return by_content(digits);
    }
    if given.is_empty() {
        return Err(Refused::Malformed("is empty"));
    }
    if given.len() > LONGEST_PATH {
        return Err(Refused::Malformed("is longer than 4096 bytes"));
    }
    if given.contains('\0') {
        return Err(Refused::Malformed("contains a NUL character"));
    }
    let path = PathBuf::from(unescape_name(given));
    if is_bookkeeping(&path) {
        return Err(Refused::Absent);
    }
    Ok(path)
}

/// Whether a path names what the server writes down of uploads: who sent what is
/// no client's business.
fn is_bookkeeping(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_some_and(|name| name.as_bytes().starts_with(b"."));
    hidden && path.components().any(|part| part.as_os_str() == UPLOADS)
}

/// The path of an uploaded file in the workspace.
fn by_content(digits: &str) -> Result<PathBuf, Refused> {
    let is_hash = digits.len() == HASH_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hash {
        return Err(Refused::Malformed(
            "is no SHA-256: 64 hexadecimal digits must follow `sha256:`",
        ));
    }
    Ok(Path::new(UPLOADS).join(digits.to_ascii_lowercase()))
}

fn stat(found: &File) -> Result<rustix::fs::Stat, Refused> {
    fstat(found).map_err(reason)
}

fn reason(errno: Errno) -> Refused {
    match errno {
        Errno::XDEV => Refused::Outside,
        Errno::NOENT | Errno::NOTDIR => Refused::Absent,
        // More links than the kernel follows, or a magic link such as those of
        // /proc, which RESOLVE_NO_MAGICLINKS refuses.
        Errno::LOOP => Refused::Outside,
        Errno::NAMETOOLONG => Refused::Malformed("has a component that is too long"),
        Errno::ACCESS | Errno::PERM => Refused::Unreadable,
        Errno::AGAIN => Refused::Unstable,
        other => Refused::Other(other.raw_os_error()),
    }
}

fn what(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice => "a character device",
        FileType::BlockDevice => "a block device",
        FileType::Unknown => "of an unknown kind",
    }
}

fn or_dot(relative: &Path) -> PathBuf {
    let empty = relative
        .components()
        .all(|component| component == Component::CurDir)
        || relative.as_os_str().as_bytes().is_empty();
    if empty {
        PathBuf::from(".")
    } else {
        relative.to_path_buf()
    }
}
