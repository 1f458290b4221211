//! Which files lie beneath the paths that somebody named. Follows no link, opens
//! no file, and goes into no file system that the kernel makes up.
//!
//! What it finds goes into a bounded channel, so that a million files are never in
//! memory at one time.

use std::collections::HashMap;
use std::fs::FileType;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use walkdir::{DirEntry, WalkDir};

use crate::item::{Found, Listed};

/// Files that are passed on together.
const TOGETHER: usize = 256;
/// Deeper trees are made to trip somebody.
const DEEPEST: usize = 256;
/// File systems without files of anybody's: proc, sysfs, cgroup, cgroup2, debugfs,
/// tracefs, securityfs, devpts, bpf, mqueue, pstore, efivarfs, configfs, selinuxfs.
const MADE_UP: [i64; 14] = [
    0x9fa0,
    0x6265_6572,
    0x27_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0x1cd1,
    0xcafe_4a11,
    0x1980_0202,
    0x6165_676c,
    0xde5e_81e4,
    0x6265_6570,
    0xf97c_ff8c,
];

/// Why there is nothing to walk.
#[derive(Debug, thiserror::Error)]
#[error("`{}` can't be read", .path.display())]
pub struct WalkError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

/// What to walk.
pub struct Walk {
    /// Files and directories, absolute and without links.
    pub paths: Vec<PathBuf>,
    /// How deep; `None` for all the way.
    pub depth: Option<usize>,
    /// Larger files are passed over.
    pub largest: Option<u64>,
    /// Left out with all beneath them: our own files.
    pub except: Vec<PathBuf>,
    /// How a path is spelled in text.
    pub spell: fn(&std::ffi::OsStr) -> String,
}

impl std::fmt::Debug for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk")
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

impl Walk {
    /// The paths without links, so that each is known by one name.
    ///
    /// # Errors
    /// When one is not there.
    pub fn resolve(paths: &[PathBuf]) -> Result<Vec<PathBuf>, WalkError> {
        let mut resolved: Vec<PathBuf> = Vec::new();
        for path in paths {
            let real = std::fs::canonicalize(path).map_err(|source| WalkError {
                path: path.clone(),
                source,
            })?;
            if !resolved.contains(&real) {
                resolved.push(real);
            }
        }
        Ok(resolved)
    }
}

/// Walks, and passes on what it finds. Blocking; ends early when nobody listens.
pub fn walk(walk: &Walk, to: &mpsc::Sender<Vec<Listed>>, stop: &CancellationToken) {
    let mut batch = Vec::with_capacity(TOGETHER);
    let mut skipped = 0;
    let mut devices = HashMap::new();
    for path in &walk.paths {
        let mut entries = WalkDir::new(path)
            .follow_links(false)
            .max_depth(walk.depth.unwrap_or(DEEPEST).min(DEEPEST))
            .sort_by_file_name()
            .into_iter();
        while let Some(entry) = entries.next() {
            if stop.is_cancelled() {
                return;
            }
            match look(walk, entry, &mut devices) {
                Seen::Descend => {}
                Seen::Skip => skipped += 1,
                Seen::Prune => {
                    skipped += 1;
                    entries.skip_current_dir();
                }
                Seen::Row(listed) => batch.push(listed),
            }
            if batch.len() >= TOGETHER && to.blocking_send(std::mem::take(&mut batch)).is_err() {
                return;
            }
        }
    }
    if skipped > 0 {
        batch.push(Listed::Skipped(skipped));
    }
    // Nobody listens any more when the run has ended.
    to.blocking_send(batch).ok();
}

/// What an entry is to the walk.
enum Seen {
    Descend,
    Skip,
    Prune,
    Row(Listed),
}

fn look(
    walk: &Walk,
    entry: Result<DirEntry, walkdir::Error>,
    devices: &mut HashMap<u64, bool>,
) -> Seen {
    let refused = |path: &Path, reason: String| {
        Seen::Row(Listed::Refused {
            path: (walk.spell)(path.as_os_str()),
            reason,
        })
    };
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => {
            let reason = error
                .io_error()
                .map_or_else(|| "a loop of links".to_owned(), ToString::to_string);
            let gone = error
                .io_error()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound);
            return match error.path() {
                // It was there a moment ago, and was nobody's input by name.
                Some(_) if gone && error.depth() > 0 => Seen::Skip,
                Some(path) => refused(path, format!("can't be listed: {reason}")),
                None => Seen::Skip,
            };
        }
    };
    if walk.except.iter().any(|except| except == entry.path()) {
        return if entry.file_type().is_dir() {
            Seen::Prune
        } else {
            Seen::Skip
        };
    }
    let file_type: FileType = entry.file_type();
    if file_type.is_dir() {
        return match entry.metadata() {
            Ok(metadata) if made_up(entry.path(), metadata.dev(), devices) => Seen::Prune,
            Ok(_) | Err(_) => Seen::Descend,
        };
    }
    if !file_type.is_file() {
        return Seen::Skip;
    }
    let size = match entry.metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) => return refused(entry.path(), error.to_string()),
    };
    if let Some(largest) = walk.largest
        && size > largest
    {
        return refused(
            entry.path(),
            format!("has {size} bytes, more than the {largest} of --max-size"),
        );
    }
    if entry.path().as_os_str().as_bytes().len() > 4096 {
        return refused(
            entry.path(),
            "its path is longer than 4096 bytes".to_owned(),
        );
    }
    Seen::Row(Listed::File(Found {
        path: (walk.spell)(entry.path().as_os_str()),
        place: None,
        size,
    }))
}

/// Whether a directory lies in a file system that the kernel makes up.
fn made_up(path: &Path, device: u64, devices: &mut HashMap<u64, bool>) -> bool {
    *devices.entry(device).or_insert_with(|| {
        rustix::fs::statfs(path).is_ok_and(|found| {
            #[expect(
                clippy::useless_conversion,
                reason = "the type of this field differs between architectures"
            )]
            let kind = i64::from(found.f_type);
            MADE_UP.contains(&kind)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn spell(name: &std::ffi::OsStr) -> String {
        name.to_string_lossy().into_owned()
    }

    fn found(walk_over: Walk) -> (Vec<String>, Vec<String>, u64) {
        let (to, mut from) = mpsc::channel(1024);
        walk(&walk_over, &to, &CancellationToken::new());
        drop(to);
        let (mut files, mut refused, mut skipped) = (Vec::new(), Vec::new(), 0);
        while let Some(batch) = from.blocking_recv() {
            for listed in batch {
                match listed {
                    Listed::File(found) => files.push(found.path),
                    Listed::Refused { path, .. } => refused.push(path),
                    Listed::Skipped(count) => skipped += count,
                }
            }
        }
        (files, refused, skipped)
    }

    #[test]
    fn only_regular_files_are_found_and_loops_end() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir(root.join("own")).unwrap();
        for name in ["one", "a/two", "a/b/three", "own/journal", "large"] {
            std::fs::write(root.join(name), "xx").unwrap();
        }
        std::fs::write(root.join("large"), vec![0; 100]).unwrap();
        symlink(&root, root.join("a/loop")).unwrap();
        symlink("/nowhere", root.join("dangling")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        let over = |depth| Walk {
            paths: vec![root.clone()],
            depth,
            largest: Some(50),
            except: vec![root.join("own")],
            spell,
        };
        let (files, refused, skipped) = found(over(None));
        let names: Vec<String> = ["a/b/three", "a/two", "one"]
            .map(|name| spell(root.join(name).as_os_str()))
            .into();
        assert_eq!(files, names);
        assert_eq!(refused, [spell(root.join("large").as_os_str())]);
        assert_eq!(skipped, 5);
        assert_eq!(found(over(Some(1))).0, names[2..]);
    }

    #[test]
    fn what_the_kernel_makes_up_is_left_out() {
        let (files, _, skipped) = found(Walk {
            paths: vec![PathBuf::from("/proc")],
            depth: None,
            largest: None,
            except: Vec::new(),
            spell,
        });
        assert_eq!((files.len(), skipped), (0, 1));
    }
}
