//! Looks at processes from outside: who is alive, who is gone in time, who
//! belongs to a run. Reads `/proc` and process descriptors; never kills.

use std::fs;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Whether the process exists and is no zombie.
#[must_use]
pub fn alive(pid: u32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// The process's state letter as in `/proc/PID/stat`; `None` when it does not
/// exist.
#[must_use]
pub fn state(pid: u32) -> Option<char> {
    // The name in parentheses can hold anything, `)` included.
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.iter().rposition(|byte| *byte == b')')?;
    stat.get(after_name + 2).map(|byte| char::from(*byte))
}

/// CPU time of all threads of the process, in the kernel's ticks; `None` when
/// it does not exist.
#[must_use]
pub fn cpu_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

/// Between two looks at the CPU time of a process, some of the kernel's ticks.
const LOOK: Duration = Duration::from_millis(30);
/// So often the same, and it stands still.
const STILL: usize = 10;
/// Looks at a process before it is given up; twelve seconds.
const LOOKS: usize = 400;

/// Waits until the processes with `mark` have used no CPU time for a while;
/// whether they did so within twelve seconds. Blocks the thread.
#[must_use]
pub fn stand_still(mark: &str) -> bool {
    let (mut last, mut same) = (ticks_of(mark), 0);
    (0..LOOKS).any(|_| {
        pause(LOOK);
        let now = ticks_of(mark);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        same == STILL
    })
}

/// Waits until the processes with `mark` have used some CPU time; whether they
/// did so within twelve seconds. Blocks the thread.
#[must_use]
pub fn go_on(mark: &str) -> bool {
    let first = ticks_of(mark);
    (0..LOOKS).any(|_| {
        pause(LOOK);
        ticks_of(mark) > first
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the CPU time of another process is no event that could be waited for"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn ticks_of(mark: &str) -> u64 {
    marked(mark).into_iter().filter_map(cpu_ticks).sum()
}

/// Waits until none of the processes is alive, at most `limit` in total.
///
/// # Errors
/// Those that are still alive then.
pub fn gone_within(pids: &[u32], limit: Duration) -> Result<(), Vec<u32>> {
    let deadline = monotonic() + limit;
    let survivors: Vec<u32> = pids
        .iter()
        .copied()
        .filter(|pid| !wait_for_end(*pid, deadline))
        .collect();
    if survivors.is_empty() {
        Ok(())
    } else {
        Err(survivors)
    }
}

/// The processes whose command line or environment holds `mark`, zombies
/// excluded; this process excluded too. Finds the descendants of a run
/// whatever they did to their session, group or parent, and in whatever PID
/// namespace they are.
#[must_use]
pub fn marked(mark: &str) -> Vec<u32> {
    marked_each(&[mark]).pop().unwrap_or_default()
}

/// The processes of each mark, as [`marked`] finds them, by one look at all
/// processes.
#[must_use]
pub fn marked_each(marks: &[&str]) -> Vec<Vec<u32>> {
    let finders: Vec<_> = marks.iter().map(memchr::memmem::Finder::new).collect();
    let mut found = vec![Vec::new(); marks.len()];
    let others = all()
        .into_iter()
        .filter(|pid| *pid != std::process::id() && alive(*pid));
    for pid in others {
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let (command, environment) = (read("cmdline"), read("environ"));
        for (finder, found) in finders.iter().zip(&mut found) {
            if finder.find(&command).is_some() || finder.find(&environment).is_some() {
                found.push(pid);
            }
        }
    }
    found
}

/// The zombies whose parent is `parent`.
#[must_use]
pub fn zombies_of(parent: u32) -> Vec<u32> {
    children_of(parent)
        .into_iter()
        .filter(|pid| state(*pid) == Some('Z'))
        .collect()
}

/// The processes whose parent is `parent`, zombies included.
#[must_use]
pub fn children_of(parent: u32) -> Vec<u32> {
    all()
        .into_iter()
        .filter(|pid| status_field(*pid, "PPid:") == Some(u64::from(parent)))
        .collect()
}

/// Resident memory of the process in bytes.
#[must_use]
pub fn resident_bytes(pid: u32) -> Option<u64> {
    status_field(pid, "VmRSS:").map(|kib| kib * 1024)
}

/// The largest resident memory that the process ever had, in bytes.
#[must_use]
pub fn peak_resident_bytes(pid: u32) -> Option<u64> {
    status_field(pid, "VmHWM:").map(|kib| kib * 1024)
}

/// How many descriptors the process has open.
#[must_use]
pub fn open_descriptors(pid: u32) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

fn all() -> Vec<u32> {
    fs::read_dir("/proc")
        .expect("a Linux machine has /proc")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn status_field(pid: u32, name: &str) -> Option<u64> {
    fs::read_to_string(format!("/proc/{pid}/status"))
        .ok()?
        .lines()
        .find_map(|line| line.strip_prefix(name))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// Whether the process has ended by `deadline`. Waits on a process descriptor,
/// which becomes readable at the moment of the end.
fn wait_for_end(pid: u32, deadline: Duration) -> bool {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return true;
    };
    let Ok(descriptor) = pidfd_open(number, PidfdFlags::empty()) else {
        return !alive(pid);
    };
    loop {
        let left = deadline.saturating_sub(monotonic());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut wait = [PollFd::new(&descriptor, PollFlags::IN)];
        match poll(&mut wait, Some(&timeout)) {
            Ok(0) => return !alive(pid),
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll on a process descriptor failed: {error}"),
        }
    }
}

/// Time since some fixed moment. Wall-clock waiting is the point of this
/// module, and it can't use a runtime's clock because it has no runtime.
fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_does_not_go_away() {
        let own = std::process::id();
        assert!(alive(own));
        assert_eq!(gone_within(&[own], Duration::ZERO), Err(vec![own]));
        assert!(resident_bytes(own).unwrap() > 0);
        assert!(open_descriptors(own).unwrap() >= 3);
    }

    #[test]
    fn a_number_without_process_is_gone() {
        // The kernel's largest process number is 2^22.
        assert_eq!(gone_within(&[0, 5_000_000], Duration::ZERO), Ok(()));
    }
}
