//! Containment by cgroup (version 2): a directory per run, made once and used
//! again by later runs. A process is born into it (`CLONE_INTO_CGROUP`), none
//! can leave it, and `cgroup.kill` ends all of them at one stroke, forks in
//! progress included.
//!
//! Where the memory and pids controllers are delegated, they enforce the
//! limits; elsewhere [`super::watch`] does.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use super::claim::{Claimed, claim};
use super::sys::Pid;

/// This engine's own directory in the cgroup file system.
#[derive(Debug)]
pub(super) struct Tree {
    claimed: Claimed,
    /// Whether the controllers enforce memory and process limits.
    pub(super) memory: bool,
    pub(super) pids: bool,
    idle: Vec<Group>,
    made: u32,
}

impl Tree {
    /// Makes the engine's directory below `parent`, or below the cgroup that
    /// this process is in.
    ///
    /// # Errors
    /// When there is no cgroup v2 file system, or it is not writable here.
    pub(super) fn create(parent: Option<&Path>) -> io::Result<Self> {
        let parent = match parent {
            Some(parent) => parent.to_owned(),
            None => own_cgroup()?,
        };
        let claimed = claim(&parent, PREFIX, remove_tree)?;
        let directory = &claimed.path;
        let available = fs::read_to_string(directory.join("cgroup.controllers"))?;
        let enable = |name: &str| {
            available.split_whitespace().any(|known| known == name)
                && fs::write(directory.join("cgroup.subtree_control"), format!("+{name}")).is_ok()
        };
        let mut tree = Self {
            memory: enable("memory"),
            pids: enable("pids"),
            claimed,
            idle: Vec::new(),
            made: 0,
        };
        // Finds out now, not in the first run, whether groups can be made and killed.
        let first = tree.make()?;
        tree.idle.push(first);
        Ok(tree)
    }

    /// A group without processes.
    pub(super) fn take(&mut self) -> io::Result<Group> {
        match self.idle.pop() {
            Some(group) => Ok(group),
            None => self.make(),
        }
    }

    /// Takes a group back that [`Group::populated`] said to be empty.
    pub(super) fn put(&mut self, group: Group) {
        if group.killed.get() {
            // Linux 6.14 and later kill whatever is born into a group that was
            // ever killed (they compare the count of kills with that of the
            // parent's group), so such a group is not used again.
            fs::remove_dir(&group.path).ok();
        } else {
            self.idle.push(group);
        }
    }

    fn make(&mut self) -> io::Result<Group> {
        let directory = self.claimed.path.join(self.made.to_string());
        fs::create_dir(&directory)?;
        self.made += 1;
        Group::open(directory)
    }

    /// Removes the directories; they must be empty of processes.
    pub(super) fn remove(&mut self) {
        self.idle.clear();
        remove_tree(&self.claimed.path);
    }
}

/// The cgroup of one run.
#[derive(Debug)]
pub(super) struct Group {
    path: PathBuf,
    directory: File,
    events: File,
    kill: File,
    killed: Cell<bool>,
}

impl Group {
    fn open(path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            directory: File::open(&path)?,
            events: File::open(path.join("cgroup.events"))?,
            kill: File::options().write(true).open(path.join("cgroup.kill"))?,
            killed: Cell::new(false),
            path,
        })
    }

    /// The directory, for `CLONE_INTO_CGROUP`.
    pub(super) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Sets the limits that the controllers enforce.
    pub(super) fn limit(&self, memory: Option<u64>, pids: Option<u32>) -> io::Result<()> {
        if let Some(bytes) = memory {
            fs::write(self.path.join("memory.max"), bytes.to_string())?;
            // Without swap the limit is what the caller asked for.
            fs::write(self.path.join("memory.swap.max"), "0").ok();
        }
        if let Some(count) = pids {
            fs::write(self.path.join("pids.max"), count.to_string())?;
        }
        Ok(())
    }

    /// How often the kernel has ended a process here for its memory, and
    /// refused one for the count; both only ever grow.
    pub(super) fn limit_events(&self) -> (u64, u64) {
        let read = |file: &str, key: &str| {
            fs::read_to_string(self.path.join(file))
                .ok()
                .and_then(|text| key_value(&text, key))
                .unwrap_or(0)
        };
        (
            read("memory.events", "oom_kill"),
            read("pids.events", "max"),
        )
    }

    /// Whether any process is alive in it.
    pub(super) fn populated(&self) -> bool {
        let mut buffer = [0; 128];
        let mut events = &self.events;
        let length = events
            .seek(SeekFrom::Start(0))
            .and_then(|_| events.read(&mut buffer))
            .unwrap_or(0);
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
        // When in doubt it is in use, and not handed to the next run.
        key_value(&text, "populated") != Some(0)
    }

    /// The live processes in it.
    pub(super) fn processes(&self) -> Vec<Pid> {
        fs::read_to_string(self.path.join("cgroup.procs"))
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.parse().ok())
            .collect()
    }

    /// Stops everything in it where it is, or lets it go on.
    pub(super) fn freeze(&self, held: bool) {
        let word = if held { "1" } else { "0" };
        if let Err(error) = fs::write(self.path.join("cgroup.freeze"), word) {
            super::note(format_args!("cgroup.freeze failed: {error}"));
        }
    }

    /// Kills everything in it.
    pub(super) fn kill(&self) {
        self.killed.set(true);
        if let Err(error) = (&self.kill).write_all(b"1") {
            super::note(format_args!("cgroup.kill failed: {error}"));
        }
    }
}

const PREFIX: &str = "reversecore-";

fn key_value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok())?
    })
}

/// The directory of the cgroup that this process is in.
fn own_cgroup() -> io::Result<PathBuf> {
    let missing = || {
        io::Error::new(
            io::ErrorKind::NotFound,
            "no cgroup v2 file system is mounted",
        )
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mount = mounts
        .lines()
        .find_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            after
                .starts_with("cgroup2 ")
                .then(|| before.split(' ').nth(4))?
        })
        .ok_or_else(missing)?;
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let path = groups
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .ok_or_else(missing)?;
    Ok(Path::new(mount).join(path))
}

fn remove_tree(directory: &Path) {
    if let Ok(entries) = fs::read_dir(directory) {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                fs::remove_dir(entry.path()).ok();
            }
        }
    }
    fs::remove_dir(directory).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_whole_name() {
        let text = "oom 3\noom_kill 7\npopulated 1\n";
        assert_eq!(key_value(text, "oom_kill"), Some(7));
        assert_eq!(key_value(text, "populated"), Some(1));
        assert_eq!(key_value(text, "frozen"), None);
        assert_eq!(key_value("populated x\n", "populated"), None);
    }
}
