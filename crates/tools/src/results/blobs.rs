//! Files under a quota: written whole, named by a digest, the one that was used
//! longest ago given up first. Artifacts and remembered results are kept in
//! such a directory each; what they mean is their owners' business.
//!
//! A directory may be shared by several servers. Names say what the content is,
//! so two that write the same file do no harm, and one that has been given up
//! by another is simply not there any more.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Files of a directory that are counted; the quota bounds their bytes.
const MOST_FILES: usize = 100_000;
/// What begins with this is being written.
const UNFINISHED: &str = ".new-";
/// What a dead server has left unfinished is old by then.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A directory of files under a quota. All calls block.
#[derive(Debug)]
pub(crate) struct Blobs {
    directory: PathBuf,
    limits: BlobLimits,
    /// Opened at the first use: a server that is never asked makes no directory.
    index: Mutex<Option<Index>>,
}

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlobLimits {
    /// Bytes of all files together.
    pub(crate) bytes: u64,
    /// Since the last use.
    pub(crate) age: Duration,
}

#[derive(Debug, Default)]
struct Index {
    files: HashMap<String, Entry>,
    bytes: u64,
    written: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    size: u64,
    used: SystemTime,
}

/// What is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

impl Blobs {
    pub(crate) fn new(directory: PathBuf, limits: BlobLimits) -> Self {
        Self {
            directory,
            limits,
            index: Mutex::default(),
        }
    }

    /// Keeps `parts`, one behind the other, under `name`. `false` when they are
    /// more than the quota.
    pub(crate) fn put(&self, name: &str, parts: &[&[u8]]) -> io::Result<bool> {
        debug_assert!(is_name(name), "names are digests");
        let size = parts.iter().map(|part| part.len() as u64).sum();
        if size > self.limits.bytes {
            return Ok(false);
        }
        let mut guard = self.lock();
        let index = self.opened(&mut guard)?;
        let now = SystemTime::now();
        if let Some(entry) = index.files.get_mut(name)
            && self.directory.join(name).exists()
        {
            entry.used = now;
            return Ok(true);
        }
        self.make_room(index, size, now);
        index.written += 1;
        let unfinished = format!("{UNFINISHED}{}-{}", std::process::id(), index.written);
        let unfinished = self.directory.join(unfinished);
        let written = write(&unfinished, parts)
            .and_then(|()| std::fs::rename(&unfinished, self.directory.join(name)));
        if let Err(error) = written {
            // Whatever there is of it is worth nothing.
            std::fs::remove_file(&unfinished).ok();
            return Err(error);
        }
        index.add(name.to_owned(), Entry { size, used: now });
        Ok(true)
    }

    /// The file of this name, open for reading.
    pub(crate) fn get(&self, name: &str) -> io::Result<Option<File>> {
        if !is_name(name) {
            return Ok(None);
        }
        let mut guard = self.lock();
        let index = self.opened(&mut guard)?;
        let file = match File::open(self.directory.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                index.remove(name);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let (now, size) = (SystemTime::now(), file.metadata()?.len());
        let known = index.files.get(name).copied();
        let last = known.map_or_else(
            || file.metadata().and_then(|data| data.modified()),
            |entry| Ok(entry.used),
        )?;
        if now.duration_since(last).unwrap_or_default() > self.limits.age {
            self.give_up(index, name);
            return Ok(None);
        }
        index.add(name.to_owned(), Entry { size, used: now });
        Ok(Some(file))
    }

    /// Gives up what is too old, and looks anew at what there is: other servers
    /// may write to the same directory.
    pub(crate) fn sweep(&self) -> io::Result<Kept> {
        let mut guard = self.lock();
        let Some(known) = guard.take() else {
            return Ok(Kept::default());
        };
        let index = self.opened(&mut guard)?;
        index.written = known.written;
        for (name, entry) in known.files {
            if let Some(found) = index.files.get_mut(&name) {
                found.used = found.used.max(entry.used);
            }
        }
        self.make_room(index, 0, SystemTime::now());
        Ok(Kept {
            files: index.files.len(),
            bytes: index.bytes,
        })
    }

    fn opened<'a>(&self, guard: &'a mut Option<Index>) -> io::Result<&'a mut Index> {
        if guard.is_none() {
            *guard = Some(scan(&self.directory)?);
        }
        Ok(guard.as_mut().expect("set above"))
    }

    /// Gives up what is too old, then what was used longest ago, until `more`
    /// bytes fit.
    fn make_room(&self, index: &mut Index, more: u64, now: SystemTime) {
        let full = |index: &Index| {
            index.bytes.saturating_add(more) > self.limits.bytes || index.files.len() >= MOST_FILES
        };
        let stale =
            |entry: &Entry| now.duration_since(entry.used).unwrap_or_default() > self.limits.age;
        if !full(index) && !index.files.values().any(stale) {
            return;
        }
        let mut by_age: Vec<(SystemTime, String)> = index
            .files
            .iter()
            .map(|(name, entry)| (entry.used, name.clone()))
            .collect();
        by_age.sort_unstable();
        for (used, name) in by_age {
            if !full(index) && !stale(&Entry { size: 0, used }) {
                break;
            }
            self.give_up(index, &name);
        }
    }

    fn give_up(&self, index: &mut Index, name: &str) {
        index.remove(name);
        // One that another server has given up before is as good as removed.
        if let Err(error) = std::fs::remove_file(self.directory.join(name))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a file that is kept no longer could not be removed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Index>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn add(&mut self, name: String, entry: Entry) {
        self.bytes = self.bytes.saturating_add(entry.size);
        if let Some(before) = self.files.insert(name, entry) {
            self.bytes = self.bytes.saturating_sub(before.size);
        }
    }

    fn remove(&mut self, name: &str) {
        if let Some(entry) = self.files.remove(name) {
            self.bytes = self.bytes.saturating_sub(entry.size);
        }
    }
}

/// Digests in hexadecimal and nothing else are names of files here.
pub(crate) fn is_name(name: &str) -> bool {
    (16..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn scan(directory: &Path) -> io::Result<Index> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let mut index = Index::default();
    let now = SystemTime::now();
    for entry in std::fs::read_dir(directory)?.take(2 * MOST_FILES) {
        let entry = entry?;
        let Ok(data) = entry.metadata() else {
            continue;
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        let used = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        if is_name(&name) && data.is_file() {
            let size = data.len();
            index.add(name, Entry { size, used });
        } else if name.starts_with(UNFINISHED)
            && now.duration_since(used).unwrap_or_default() > ABANDONED
        {
            // The next scan tries again.
            std::fs::remove_file(entry.path()).ok();
        }
    }
    Ok(index)
}

fn write(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbb";
    const C: &str = "cccccccccccccccc";

    fn blobs(directory: &Path, bytes: u64) -> Blobs {
        Blobs::new(
            directory.join("kept"),
            BlobLimits {
                bytes,
                age: Duration::from_secs(3600),
            },
        )
    }

    fn text(file: Option<File>) -> Option<String> {
        let mut text = String::new();
        file?.read_to_string(&mut text).unwrap();
        Some(text)
    }

    #[test]
    fn the_one_used_longest_ago_is_given_up_first() {
        let directory = tempfile::tempdir().unwrap();
        let kept = blobs(directory.path(), 10);
        assert!(kept.put(A, &[b"12", b"34"]).unwrap());
        assert!(kept.put(B, &[b"5678"]).unwrap());
        assert_eq!(text(kept.get(A).unwrap()).unwrap(), "1234");
        assert!(kept.put(C, &[b"9012"]).unwrap());
        assert!(kept.get(B).unwrap().is_none());
        assert_eq!(text(kept.get(A).unwrap()).unwrap(), "1234");
        assert_eq!(kept.sweep().unwrap(), Kept { files: 2, bytes: 8 });
        assert!(!kept.put(B, &[b"more than all of it"]).unwrap());
        assert_eq!(kept.sweep().unwrap().files, 2);
    }

    #[test]
    fn another_server_finds_what_was_kept_and_can_give_it_up() {
        let directory = tempfile::tempdir().unwrap();
        let first = blobs(directory.path(), 100);
        first.put(A, &[b"1234"]).unwrap();
        let second = blobs(directory.path(), 100);
        assert_eq!(text(second.get(A).unwrap()).unwrap(), "1234");
        std::fs::remove_file(directory.path().join("kept").join(A)).unwrap();
        assert!(first.get(A).unwrap().is_none());
        assert!(first.put(A, &[b"1234"]).unwrap());
        assert!(second.get(A).unwrap().is_some());
    }

    #[test]
    fn what_is_old_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let kept = blobs(directory.path(), 100);
        kept.put(A, &[b"1"]).unwrap();
        let old = SystemTime::now() - Duration::from_secs(7200);
        let path = directory.path().join("kept").join(A);
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(old)
            .unwrap();
        let again = blobs(directory.path(), 100);
        assert!(again.get(A).unwrap().is_none());
        assert!(again.get("../../etc/passwd").unwrap().is_none());
        assert_eq!(again.sweep().unwrap(), Kept::default());
    }
}
