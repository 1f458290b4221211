//! Looks at running jobs now and then and says which limit one has passed:
//! what no kernel mechanism enforces with a verdict on every system. A job
//! shorter than the first interval is never looked at.

use std::fs;
use std::path::Path;

use super::supervisor::children_of;
use super::sys::Pid;
use crate::outcome::Limit;
use crate::wire::Bounds;

/// Descendants of a process, itself not included: all of them, or some more
/// than `enough`. Without that end, a walk through a family that grows faster
/// than it can be walked would never end.
pub(super) fn descendants(root: Pid, enough: usize) -> Vec<Pid> {
    let mut found = children_of_all_threads(root);
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(children_of_all_threads(pid));
        next += 1;
        if found.len() > enough {
            break;
        }
    }
    found
}

/// Threads of one process that are asked for their children.
const MOST_THREADS: usize = 256;

fn children_of_all_threads(pid: Pid) -> Vec<Pid> {
    // Any thread may have started a child; most processes have one thread.
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let threads: Vec<_> = threads.flatten().take(MOST_THREADS).collect();
    if threads.len() == 1 {
        return children_of(pid);
    }
    threads
        .iter()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|child| child.parse().ok())
                .collect::<Vec<Pid>>()
        })
        .collect()
}

/// What a look at a job's processes found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Within its limits.
    Fine,
    /// Within its limits, but not far from one: look again soon.
    Near,
    /// Past this one.
    Past(Limit),
}

/// What a look at processes found, and their memory in bytes, as far as it was
/// counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) look: Look,
    pub(super) memory: u64,
}

/// Compares the processes of a job with its limits.
pub(super) fn look_at_processes(processes: &[Pid], bounds: &Bounds) -> Seen {
    let mut memory = 0;
    let look = compare(processes, bounds, &mut memory);
    Seen { look, memory }
}

fn compare(processes: &[Pid], bounds: &Bounds, memory: &mut u64) -> Look {
    if processes.len() > bounds.processes as usize {
        return Look::Past(Limit::Processes);
    }
    for pid in processes {
        *memory += memory_of(*pid, bounds.memory);
        if open_files_of(*pid) >= bounds.open_files as usize {
            return Look::Past(Limit::OpenFiles);
        }
    }
    if *memory > bounds.memory {
        Look::Past(Limit::Memory)
    } else if *memory > bounds.memory / 2 {
        Look::Near
    } else {
        Look::Fine
    }
}

/// Memory of one process that is its own: anonymous and shared memory, not the
/// pages of mapped files, which the kernel can drop.
fn memory_of(pid: Pid, limit: u64) -> u64 {
    // The short file first: most processes are far below any limit.
    let resident = fs::read_to_string(format!("/proc/{pid}/statm"))
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok())
        .map_or(0, |pages| pages * rustix::param::page_size() as u64);
    if resident <= limit / 4 {
        return resident;
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    ["RssAnon:", "RssShmem:", "VmSwap:"]
        .iter()
        .filter_map(|key| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        })
        .sum::<u64>()
        * 1024
}

fn open_files_of(pid: Pid) -> usize {
    // Since Linux 6.2 the directory's size is the number of its entries.
    let path = format!("/proc/{pid}/fd");
    match fs::metadata(&path) {
        Ok(metadata) if metadata.len() > 0 => usize::try_from(metadata.len()).unwrap_or(0),
        Ok(_) => fs::read_dir(&path).map_or(0, Iterator::count),
        Err(_) => 0,
    }
}

/// Compares a scratch directory with its limits. Looks at no more entries than
/// the limit on their number.
pub(super) fn look_at_scratch(directory: &Path, bounds: &Bounds) -> Look {
    let mut entries = 0_u32;
    let mut bytes = 0_u64;
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let Ok(list) = fs::read_dir(&directory) else {
            continue;
        };
        for entry in list.flatten() {
            entries += 1;
            if entries > bounds.scratch_files {
                return Look::Past(Limit::Scratch);
            }
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_dir() {
                open.push(entry.path());
            } else {
                bytes += std::os::unix::fs::MetadataExt::blocks(&metadata) * 512;
            }
            if bytes > bounds.scratch_bytes {
                return Look::Past(Limit::Scratch);
            }
        }
    }
    if entries == 0 { Look::Fine } else { Look::Near }
}
