//! Which content a file has: its SHA-256, remembered by what the kernel says of
//! the file, so that the same file is read once.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quick_cache::sync::Cache;
use rustix::fs::fstat;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::text::hex;

/// Hashes that are remembered, some hundred bytes each. Whoever goes through more
/// files than these does not come back to the first ones soon.
const REMEMBERED: usize = 1_000;
/// How old a change must be before the times of a file can be trusted to show
/// the next one; file systems keep them in steps.
const SETTLED: Duration = Duration::from_secs(1);
const BLOCK: usize = 256 << 10;

/// What the kernel says of a file. A file whose content changed has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    pub(crate) size: u64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Identity {
    #[expect(
        clippy::useless_conversion,
        reason = "the types of these fields differ between architectures"
    )]
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let stat = fstat(file)?;
        let nanos = |value| u64::try_from(value).unwrap_or_default();
        Ok(Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: (i64::from(stat.st_mtime), nanos(stat.st_mtime_nsec)),
            changed: (i64::from(stat.st_ctime), nanos(stat.st_ctime_nsec)),
        })
    }

    /// All of it in one name.
    pub(crate) fn key(&self) -> [u8; 32] {
        let Self {
            device,
            inode,
            size,
            modified,
            changed,
        } = *self;
        let mut digest = Sha256::new();
        for number in [device, inode, size, modified.1, changed.1] {
            digest.update(number.to_le_bytes());
        }
        digest.update(modified.0.to_le_bytes());
        digest.update(changed.0.to_le_bytes());
        digest.finalize().into()
    }

    /// Whether the content is still the same. The time of the last change of
    /// the inode is left out: a new link or mode changes no content.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        (self.device, self.inode, self.size, self.modified)
            == (other.device, other.inode, other.size, other.modified)
    }

    fn settled(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        [self.modified, self.changed]
            .iter()
            .all(|(seconds, nanos)| {
                let time = u64::try_from(*seconds)
                    .map(|seconds| Duration::from_secs(seconds) + Duration::from_nanos(*nanos))
                    .unwrap_or_default();
                now.checked_sub(time).is_some_and(|age| age > SETTLED)
            })
    }
}

/// The hashes that are remembered.
#[derive(Debug, Clone)]
pub(super) struct Hashes {
    cache: Arc<Cache<Identity, Arc<str>>>,
}

impl Hashes {
    pub(super) fn new() -> Self {
        Self {
            cache: Arc::new(Cache::new(REMEMBERED)),
        }
    }

    pub(super) fn known(&self, identity: &Identity) -> Option<Arc<str>> {
        self.cache.get(identity)
    }

    /// Reads the file to its end; `None` when stopped. Blocking.
    pub(super) fn read(
        &self,
        file: &File,
        identity: Identity,
        stop: &CancellationToken,
    ) -> io::Result<Option<Arc<str>>> {
        let Some(hash) = hash(file, stop)? else {
            return Ok(None);
        };
        if identity.settled(SystemTime::now()) && Identity::of(file)? == identity {
            self.cache.insert(identity, Arc::clone(&hash));
        }
        Ok(Some(hash))
    }
}

fn hash(file: &File, stop: &CancellationToken) -> io::Result<Option<Arc<str>>> {
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK];
    let mut file = file;
    loop {
        if stop.is_cancelled() {
            return Ok(None);
        }
        match file.read(&mut block) {
            Ok(0) => break,
            Ok(count) => hasher.update(block.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(hex(&hasher.finalize()).into()))
}
