//! Looks at processes, and ends those of this judge.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use reversecore_testkit::processes;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

/// Between two looks at memory or numbers.
const LOOK: Duration = Duration::from_millis(25);
/// Sweeps before a swarm is given up; each kills all that it finds.
const SWEEPS: usize = 1000;

/// Kills every process with this word until there is none.
pub(super) fn end(word: &str) {
    for _ in 0..SWEEPS {
        let found = processes::marked(word);
        if found.is_empty() {
            return;
        }
        // Stopped ones don't fork while the others are killed.
        for signal in [Signal::STOP, Signal::KILL] {
            for pid in &found {
                send(*pid, signal);
            }
        }
    }
}

pub(super) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        kill_process(pid, signal).ok();
    }
}

/// The process, if there is one, and all its descendants, zombies included.
pub(super) fn tree(root: Option<u32>) -> Vec<u32> {
    let mut children = HashMap::<u32, Vec<u32>>::new();
    for pid in all() {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::from_iter(root);
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        let more = children.remove(pid).unwrap_or_default();
        found.extend(more);
        next += 1;
    }
    found
}

/// Resident bytes of the process and its descendants, without those that carry
/// one of the marks: they are the program's, not the engine's.
pub(super) fn memory(root: Option<u32>, marks: &[String]) -> u64 {
    let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
    let programs = processes::marked_each(&marks).concat();
    tree(root)
        .into_iter()
        .filter(|pid| !programs.contains(pid))
        .filter_map(processes::resident_bytes)
        .sum()
}

/// The most that [`memory`] was while `work` went on.
pub(super) async fn most_memory<T>(
    root: Option<u32>,
    marks: &[String],
    work: impl Future<Output = T>,
) -> (u64, T) {
    let mut most = 0;
    let look = async {
        loop {
            most = most.max(memory(root, marks));
            tokio::time::sleep(LOOK).await;
        }
    };
    let result = tokio::select! {
        result = work => result,
        () = look => unreachable!("it never ends"),
    };
    // What was between two looks, of the one that reads.
    (
        most.max(root.and_then(processes::peak_resident_bytes).unwrap_or(0)),
        result,
    )
}

/// Ends the processes with this mark when they become too many or too large,
/// while `work` goes on: an engine's promise of a limit is not relied on. Says
/// what it had to end.
pub(super) async fn guarded<T>(
    mark: &str,
    processes_limit: usize,
    memory_limit: u64,
    work: impl Future<Output = T>,
) -> (T, Option<String>) {
    let mut ended = None;
    let guard = async {
        loop {
            tokio::time::sleep(LOOK).await;
            let found = processes::marked(mark);
            let memory: u64 = found
                .iter()
                .filter_map(|pid| processes::resident_bytes(*pid))
                .sum();
            if found.len() > processes_limit || memory > memory_limit {
                let mib = memory >> 20;
                ended = Some(format!("{} processes with {mib} MiB", found.len()));
                end(mark);
            }
        }
    };
    let result = tokio::select! {
        result = work => result,
        () = guard => unreachable!("it never ends"),
    };
    (result, ended)
}

/// Waits until each mark has at least so many processes; which of them had in
/// time.
pub(super) async fn appear(wanted: &[(&str, usize)], within: Duration) -> Vec<bool> {
    let marks: Vec<&str> = wanted.iter().map(|(mark, _)| *mark).collect();
    let mut came = vec![false; wanted.len()];
    let deadline = Instant::now() + within;
    loop {
        let there = processes::marked_each(&marks);
        for (came, (found, (_, count))) in came.iter_mut().zip(there.iter().zip(wanted)) {
            *came = *came || found.len() >= *count;
        }
        if came.iter().all(|came| *came) || Instant::now() > deadline {
            return came;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// How many threads all processes of the user have.
pub(super) fn threads_of(user: u32) -> u64 {
    all()
        .filter_map(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let field = |name| {
                let mut lines = status.lines();
                let value = lines.find_map(|line: &str| line.strip_prefix(name))?;
                value.split_whitespace().next()?.parse::<u64>().ok()
            };
            (field("Uid:") == Some(user.into())).then(|| field("Threads:"))?
        })
        .sum()
}

fn all() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(1)?.parse().ok()
}
