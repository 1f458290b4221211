//! Where uploaded files are kept: `uploads/` of the workspace, each under its
//! SHA-256, opened without following any link. A file is written under a name
//! of its own and gets its final one when it is whole, so whatever has a final
//! name is what that name says. All here blocks.
//!
//! One server writes to a workspace; a second one would not know what the first
//! has taken in.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use http::StatusCode;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstatvfs, mkdirat, openat, openat2,
    renameat, statat, unlinkat,
};
use rustix::io::Errno;

use super::index::{Change, Index, Record};
use crate::config::unhex;
use crate::http::refusal::Refusal;
use crate::http::settings::UploadLimits;

/// The directory in the workspace; the tools know it too.
const DIRECTORY: &str = "uploads";
/// The journal in it.
const JOURNAL: &str = ".index";
const NEW_JOURNAL: &str = ".index.new";
/// What a file's name begins with that is not whole yet.
const PARTIAL: &str = ".partial-";
/// Files of one client: each takes a place in the file system and in memory.
const MOST_FILES: usize = 20_000;
/// Longest line of the journal that is read, and most lines.
const LONGEST_LINE: u64 = 4096;
const MOST_LINES: usize = 10_000_000;
/// What uploads leave free on the disk.
const LEFT_FREE: u64 = 256 << 20;

/// The uploaded files. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(in crate::http) struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    workspace: PathBuf,
    limits: UploadLimits,
    // A std mutex: held for map operations, never while the disk works, because
    // the web thread takes it too.
    state: Mutex<State>,
    /// Held while names and journal are changed, by threads that may wait.
    changing: Mutex<()>,
    partials: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// There once something was uploaded.
    directory: Option<Arc<OwnedFd>>,
    index: Index,
    /// Bytes on their way, of all clients and of each.
    coming: u64,
    coming_of: std::collections::HashMap<Arc<str>, u64>,
}

/// A file that is being written; gone when this is dropped before it is whole.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) file: File,
    directory: Arc<OwnedFd>,
    name: String,
    whole: bool,
}

/// Room for bytes of a client that are on their way; given back when dropped.
#[derive(Debug)]
pub(super) struct Room {
    store: Store,
    owner: Arc<str>,
    bytes: u64,
}

impl Store {
    /// The files beneath this workspace. What an earlier server left unfinished
    /// is removed.
    pub(in crate::http) fn open(workspace: &Path, limits: UploadLimits) -> Self {
        let store = Self(Arc::new(Inner {
            workspace: workspace.to_path_buf(),
            limits,
            state: Mutex::default(),
            changing: Mutex::default(),
            partials: AtomicU64::new(0),
        }));
        // Nothing was ever uploaded, or nothing may be: found out then.
        if let Ok(directory) = open_directory(workspace)
            && let Err(error) = store.load(directory)
        {
            tracing::warn!(%error, "failed to read what was uploaded before");
        }
        store
    }

    pub(super) fn limits(&self) -> UploadLimits {
        self.0.limits
    }

    /// Reads the journal, removes what is unfinished, and writes the journal
    /// anew without what is no longer true.
    fn load(&self, directory: OwnedFd) -> io::Result<()> {
        let mut state = self.lock();
        match open_inside(&directory, JOURNAL, OFlags::RDONLY) {
            Ok(journal) => read_journal(journal, &mut state.index),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let lost: Vec<Change> = state
            .index
            .changes()
            .filter(|change| match change {
                Change::Add { record, .. } => !is_whole(&directory, record),
                Change::Remove { .. } => false,
            })
            .collect();
        for change in lost {
            if let Change::Add { owner, record } = change {
                state.index.remove(&owner, &record.sha256);
            }
        }
        for entry in Dir::read_from(&directory)?.flatten() {
            if entry.file_name().to_bytes().starts_with(PARTIAL.as_bytes()) {
                unlinkat(&directory, entry.file_name(), AtFlags::empty()).ok();
            }
        }
        let mut lines = Vec::new();
        for change in state.index.changes() {
            write_line(&mut lines, &change)?;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        open_inside(&directory, NEW_JOURNAL, flags)?.write_all(&lines)?;
        renameat(&directory, NEW_JOURNAL, &directory, JOURNAL)?;
        state.directory = Some(Arc::new(directory));
        Ok(())
    }

    /// The directory; made when it is not there.
    fn directory(&self) -> io::Result<Arc<OwnedFd>> {
        if let Some(directory) = &self.lock().directory {
            return Ok(Arc::clone(directory));
        }
        let root = openat(
            CWD,
            &self.0.workspace,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        match mkdirat(&root, DIRECTORY, Mode::RWXU | Mode::RGRP | Mode::XGRP) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let directory = Arc::new(open_directory(&self.0.workspace)?);
        self.lock().directory = Some(Arc::clone(&directory));
        Ok(directory)
    }

    /// Whether the disk has room for so much more than what uploads leave free.
    fn disk_has(&self, directory: &OwnedFd, bytes: u64) -> bool {
        fstatvfs(directory).map_or(true, |disk| {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            free >= bytes.saturating_add(LEFT_FREE)
        })
    }

    /// Begins a file of about so many bytes.
    pub(super) fn begin(&self, announced: u64) -> Result<Partial, Refusal> {
        let directory = self.directory().map_err(|error| unwritable(&error))?;
        if !self.disk_has(&directory, announced) {
            return Err(disk_full());
        }
        let number = self.0.partials.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PARTIAL}{}-{number}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let file = open_inside(&directory, &name, flags).map_err(|error| unwritable(&error))?;
        Ok(Partial {
            file,
            directory,
            name,
            whole: false,
        })
    }

    /// Room for a client's file, none of which has come yet.
    pub(super) fn room(&self, owner: &Arc<str>) -> Result<Room, Refusal> {
        if self.lock().index.count(owner) >= MOST_FILES {
            return Err(over_quota(format!("{MOST_FILES} files are kept already")));
        }
        Ok(Room {
            store: self.clone(),
            owner: Arc::clone(owner),
            bytes: 0,
        })
    }

    /// Gives a whole file its name, and notes whose it is.
    pub(super) fn finish(
        &self,
        mut partial: Partial,
        room: Room,
        record: &Record,
    ) -> io::Result<()> {
        // No deletion of the same content comes between.
        let changing = self.changing();
        renameat(
            &partial.directory,
            &partial.name,
            &partial.directory,
            &record.sha256,
        )?;
        partial.whole = true;
        let change = Change::Add {
            owner: room.owner.to_string(),
            record: record.clone(),
        };
        append(&partial.directory, &change)?;
        self.lock().index.add(&room.owner, record.clone());
        drop(changing);
        Ok(())
    }

    /// A client gives up a file; the last one's is removed.
    pub(super) fn remove(&self, owner: &str, sha256: &str) -> io::Result<bool> {
        let changing = self.changing();
        let (still_held, directory) = {
            let mut state = self.lock();
            let Some(still_held) = state.index.remove(owner, sha256) else {
                return Ok(false);
            };
            let Some(directory) = state.directory.clone() else {
                return Ok(false);
            };
            (still_held, directory)
        };
        let change = Change::Remove {
            owner: owner.to_owned(),
            sha256: sha256.to_owned(),
        };
        append(&directory, &change)?;
        if !still_held {
            match unlinkat(&directory, sha256, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        drop(changing);
        Ok(true)
    }

    pub(super) fn get(&self, owner: &str, sha256: &str) -> Option<Record> {
        self.lock().index.get(owner, sha256).cloned()
    }

    /// A page of a client's files, and how many it has.
    pub(super) fn page(
        &self,
        owner: &str,
        after: u64,
        limit: usize,
    ) -> (Vec<(u64, Record)>, usize) {
        let state = self.lock();
        (
            state.index.page(owner, after, limit),
            state.index.count(owner),
        )
    }

    /// Opens a file for reading.
    pub(super) fn file(&self, sha256: &str) -> io::Result<File> {
        let directory = self.lock().directory.clone();
        let directory = directory.ok_or(io::ErrorKind::NotFound)?;
        open_inside(&directory, sha256, OFlags::RDONLY)
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.0
            .changing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// So many bytes more.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Refusal> {
        let UploadLimits {
            file,
            client,
            total,
        } = self.store.0.limits;
        let whole = self.bytes.saturating_add(bytes);
        if whole > file {
            return Err(too_large(file));
        }
        let mut state = self.store.lock();
        let coming = state.coming_of.get(&self.owner).copied().unwrap_or(0);
        let of_client = state.index.bytes(&self.owner).saturating_add(coming);
        if of_client.saturating_add(bytes) > client {
            return Err(over_quota(format!(
                "the files of this client would take more than {client} bytes"
            )));
        }
        let of_all = state.index.total().saturating_add(state.coming);
        if of_all.saturating_add(bytes) > total {
            return Err(over_quota(format!(
                "all files would take more than {total} bytes"
            )));
        }
        state.coming = state.coming.saturating_add(bytes);
        *state.coming_of.entry(Arc::clone(&self.owner)).or_insert(0) += bytes;
        self.bytes = whole;
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut state = self.store.lock();
        state.coming = state.coming.saturating_sub(self.bytes);
        if let Some(coming) = state.coming_of.get_mut(&self.owner) {
            *coming = coming.saturating_sub(self.bytes);
            if *coming == 0 {
                state.coming_of.remove(&self.owner);
            }
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.whole
            && let Err(errno) = unlinkat(&self.directory, &self.name, AtFlags::empty())
        {
            tracing::warn!(error = %errno, "failed to remove an unfinished upload");
        }
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

pub(super) fn too_large(limit: u64) -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "UPLOAD_TOO_LARGE",
        "",
        "send a smaller file (`http.upload_limit_mib` is the limit)",
    )
    .saying(format!("the file has more than {limit} bytes"))
}

fn over_quota(message: String) -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "UPLOAD_QUOTA",
        "",
        "delete files that are no longer needed with DELETE /files/{sha256} (`http.upload_quota_mib` and `http.upload_total_mib` are the limits)",
    )
    .saying(message)
}

fn disk_full() -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "UPLOAD_QUOTA",
        "the disk has too little room for the file",
        "delete files that are no longer needed with DELETE /files/{sha256}",
    )
}

/// What is said of a workspace that can't be written to. The reason is for the
/// log: it would tell clients about the host.
pub(super) fn unwritable(error: &io::Error) -> Refusal {
    if matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        return disk_full();
    }
    tracing::error!(%error, "an upload could not be kept");
    Refusal::new(
        StatusCode::FORBIDDEN,
        "UPLOADS_OFF",
        "the workspace can't be written to",
        "the server's log has the reason; the server's user needs the right to write to `uploads` in the workspace",
    )
}

/// `uploads` itself must be a directory, and no link to one: what is written
/// into it must stay in the workspace.
fn open_directory(workspace: &Path) -> io::Result<OwnedFd> {
    let root = openat(
        CWD,
        workspace,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    Ok(openat2(
        &root,
        DIRECTORY,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )?)
}

/// Opens an entry of the directory, which must be no link.
fn open_inside(directory: &OwnedFd, name: &str, flags: OFlags) -> io::Result<File> {
    // A pipe in the place of a file must not hold us up.
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mode = if flags.contains(OFlags::CREATE) {
        Mode::RUSR | Mode::WUSR | Mode::RGRP
    } else {
        Mode::empty()
    };
    Ok(openat(directory, name, flags, mode).map(File::from)?)
}

fn is_whole(directory: &OwnedFd, record: &Record) -> bool {
    unhex(&record.sha256).is_some()
        && statat(directory, &record.sha256, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                && u64::try_from(stat.st_size).is_ok_and(|size| size == record.size)
        })
}

/// Passes over lines that can't be read: the last one may be cut off.
fn read_journal(journal: File, index: &mut Index) {
    let mut lines = BufReader::new(journal);
    let mut line = Vec::new();
    for _ in 0..MOST_LINES {
        line.clear();
        match (&mut lines).take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(1..) => {}
            Ok(0) | Err(_) => break,
        }
        if let Ok(change) = serde_json::from_slice(&line) {
            index.apply(change);
        }
    }
}

fn append(directory: &OwnedFd, change: &Change) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND;
    let mut line = Vec::new();
    write_line(&mut line, change)?;
    open_inside(directory, JOURNAL, flags)?.write_all(&line)
}

fn write_line(to: &mut Vec<u8>, change: &Change) -> io::Result<()> {
    serde_json::to_writer(&mut *to, change)?;
    to.push(b'\n');
    Ok(())
}
