//! What a process and all below it use, from `/proc`.

use std::collections::HashSet;
use std::time::Duration;

/// CPU time and resident memory of a process tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Use {
    /// CPU time, that of ended and reaped children included.
    pub(crate) cpu: Duration,
    /// Resident bytes; a page that several processes share counts once, in parts.
    pub(crate) resident: u64,
    /// Processes.
    pub(crate) processes: usize,
}

/// Of a process and all below it; zeros when it is not there.
pub(crate) fn used(pid: u32) -> Use {
    /// The kernel's unit in `/proc/PID/stat` on every Linux that matters.
    const TICKS_A_SECOND: u64 = 100;
    let mut used = Use::default();
    let mut seen = HashSet::new();
    let mut todo = vec![pid];
    while let Some(pid) = todo.pop() {
        if !seen.insert(pid) {
            continue;
        }
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        // The name may hold anything; what follows its last parenthesis is numbers.
        let numbers: Vec<u64> = stat
            .rsplit_once(')')
            .map_or("", |(_, rest)| rest)
            .split_whitespace()
            .skip(11)
            .take(4)
            .filter_map(|number| number.parse().ok())
            .collect();
        let ticks: u64 = numbers.iter().sum();
        used.cpu += Duration::from_millis(ticks * 1000 / TICKS_A_SECOND);
        used.processes += 1;
        used.resident += resident(pid);
        todo.extend(children(pid));
    }
    used
}

/// The proportional set size, or the resident set where that can't be read.
fn resident(pid: u32) -> u64 {
    const PAGE: u64 = 4096;
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let proportional = rollup.lines().find_map(|line| {
        let kibibytes = line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?;
        kibibytes.trim().parse::<u64>().ok()
    });
    if let Some(kibibytes) = proportional {
        return kibibytes * 1024;
    }
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages = statm.split(' ').nth(1);
    pages
        .and_then(|pages| pages.parse::<u64>().ok())
        .unwrap_or(0)
        * PAGE
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
            pids.collect::<Vec<u32>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let mine = used(std::process::id());
        assert!(mine.resident > 100_000 && mine.processes >= 1);
        assert_eq!(used(u32::MAX), Use::default());
    }
}
