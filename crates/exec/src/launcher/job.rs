//! One run as the launcher sees it, from the fork to the report.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use super::board::Note;
use super::cgroup::Group;
use super::serve::send_report;
use super::supervisor::{ASK, SWEEP};
use super::sys::{self, Pid, ProcessUsage};
use super::watch::{self, Look};
use crate::outcome::{Leftovers, Limit, Signal};
use crate::wire::{Bounds, Ended, Exit, Report};

/// From here to the first look at a run.
const FIRST_LOOK: Duration = Duration::from_millis(10);
/// Between looks at a run.
const NEXT_LOOK: Duration = Duration::from_millis(50);
/// Between looks at a run that is near a limit.
const SOON: Duration = Duration::from_millis(10);
/// Between looks at a scratch directory, which cost more.
const SCRATCH_LOOK: Duration = Duration::from_millis(200);
/// A supervisor that has not swept by then is itself swept.
const SWEEP_TIME: Duration = Duration::from_millis(250);
/// Descendants of a dead supervisor killed in one turn; more in the next.
const MOST_KILLED: usize = 4096;
/// A change of memory that is worth a message, in bytes.
const MEMORY_NEWS: u64 = 1 << 20;
/// Leftovers named in a report.
const MOST_NAMES: usize = 8;

/// A run in progress.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) socket: OwnedFd,
    pub(super) note: &'static Note,
    /// The program, or its supervisor.
    pub(super) main: Pid,
    /// `None`: there is a supervisor.
    pub(super) group: Option<Group>,
    /// What the group's controllers had counted before this run.
    pub(super) events_before: (u64, u64),
    pub(super) bounds: Bounds,
    pub(super) scratch: Option<PathBuf>,
    pub(super) timers: Timers,
    pub(super) phase: Phase,
    pub(super) limit: Option<Limit>,
    /// It stands still, by order.
    pub(super) held: bool,
    /// The memory that its engine knows of; `None`: it does not want to.
    pub(super) told: Option<u64>,
    /// Set when the main process has been reaped; the run ends when nothing
    /// else is left of it.
    pub(super) exited: Option<Exited>,
}

/// How far a run has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// Asked to end.
    Asked {
        kill_at: Duration,
    },
    /// Killed. The kernel may take a moment, and a supervisor may have been
    /// stopped by what it supervises.
    Killed {
        again_at: Duration,
    },
}

/// When to look next, in monotonic time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timers {
    look_at: Duration,
    scratch_at: Duration,
}

impl Timers {
    pub(super) fn starting(now: Duration) -> Self {
        Self {
            look_at: now + FIRST_LOOK,
            scratch_at: now + SCRATCH_LOOK,
        }
    }
}

/// What is known once the main process has been reaped.
#[derive(Debug, Clone)]
pub(super) struct Exited {
    pub(super) status: i32,
    pub(super) usage: ProcessUsage,
    pub(super) leftovers: Leftovers,
}

impl Job {
    /// Asks the program to end; everything is killed after the grace.
    pub(super) fn ask(&mut self, now: Duration, grace: Duration) {
        if self.phase != Phase::Running {
            return;
        }
        if grace.is_zero() {
            self.kill(now);
            return;
        }
        // One that stands still can't end by itself.
        if self.held {
            self.hold(false);
        }
        if self.group.is_some() {
            sys::kill(-self.main, libc::SIGTERM);
            // A stopped process can't act on it before it is continued.
            sys::kill(-self.main, libc::SIGCONT);
        } else {
            sys::kill(self.main, ASK);
        }
        self.phase = Phase::Asked {
            kill_at: now + grace,
        };
    }

    /// Stops all its processes where they are, or lets them go on.
    pub(super) fn hold(&mut self, held: bool) {
        if self.phase != Phase::Running || self.exited.is_some() {
            return;
        }
        self.held = held;
        match &self.group {
            Some(group) => group.freeze(held),
            None => self.signal_all(if held { libc::SIGSTOP } else { libc::SIGCONT }),
        }
    }

    fn signal_all(&self, signal: i32) {
        for pid in self.processes() {
            sys::kill(pid, signal);
        }
    }

    /// Kills everything.
    pub(super) fn kill(&mut self, now: Duration) {
        let again = matches!(self.phase, Phase::Killed { .. });
        self.phase = Phase::Killed {
            again_at: now + SWEEP_TIME,
        };
        match &self.group {
            Some(group) => group.kill(),
            None if self.exited.is_some() => {}
            None if again => {
                // What hangs below a supervisor that does not answer comes to
                // the launcher when the supervisor is gone.
                for pid in watch::descendants(self.main, MOST_KILLED) {
                    sys::kill(pid, libc::SIGKILL);
                }
                sys::kill(self.main, libc::SIGKILL);
            }
            None => {
                sys::kill(self.main, SWEEP);
                sys::kill(self.main, libc::SIGCONT);
            }
        }
    }

    /// Acts on what is due; called when [`Job::next_event`] has come.
    pub(super) fn on_time(&mut self, now: Duration) {
        match self.phase {
            Phase::Asked { kill_at: at } | Phase::Killed { again_at: at } if at <= now => {
                self.kill(now);
            }
            Phase::Running | Phase::Asked { .. } | Phase::Killed { .. } => {}
        }
        if self.exited.is_none() {
            self.look(now);
        }
    }

    /// When this run next needs attention.
    pub(super) fn next_event(&self) -> Duration {
        let scratch_at = match self.scratch {
            Some(_) => self.timers.scratch_at,
            None => Duration::MAX,
        };
        let look = self.timers.look_at.min(scratch_at);
        match self.phase {
            Phase::Running => look,
            Phase::Asked { kill_at } => look.min(kill_at),
            Phase::Killed { again_at } => again_at,
        }
    }

    fn look(&mut self, now: Duration) {
        if matches!(self.phase, Phase::Killed { .. }) {
            return;
        }
        let mut worst = Look::Fine;
        if self.timers.look_at <= now {
            // Without a group, what was born while the others were being stopped
            // is still going.
            if self.held && self.group.is_none() {
                self.signal_all(libc::SIGSTOP);
            }
            if self.note.started() {
                let seen = watch::look_at_processes(&self.processes(), &self.bounds);
                worst = seen.look;
                self.tell(seen.memory);
            }
            let wait = if worst == Look::Near { SOON } else { NEXT_LOOK };
            self.timers.look_at = now + wait;
        }
        if self.timers.scratch_at <= now
            && let Some(scratch) = &self.scratch
        {
            self.timers.scratch_at = now + SCRATCH_LOOK;
            if let Look::Past(limit) = watch::look_at_scratch(scratch, &self.bounds) {
                worst = Look::Past(limit);
            }
        }
        if let Look::Past(limit) = worst {
            self.limit = Some(limit);
            self.kill(now);
        }
    }

    /// Tells the engine what memory the run has, if it wants to know and that
    /// is news.
    fn tell(&mut self, memory: u64) {
        if let Some(told) = &mut self.told
            && memory.abs_diff(*told) >= MEMORY_NEWS
        {
            *told = memory;
            send_report(&self.socket, &Report::Resident { bytes: memory });
        }
    }

    /// The live processes of the run, its supervisor not included.
    pub(super) fn processes(&self) -> Vec<Pid> {
        match &self.group {
            Some(group) => group.processes(),
            None => watch::descendants(self.main, self.bounds.processes as usize),
        }
    }

    /// Notes the end of the program in a cgroup, and kills what it left.
    pub(super) fn program_exited(&mut self, status: i32, usage: ProcessUsage, now: Duration) {
        let mut leftovers = Leftovers::default();
        if self.group.as_ref().is_some_and(Group::populated) {
            // After a kill from here these are no leftovers, only slow to die.
            if !matches!(self.phase, Phase::Killed { .. }) {
                let processes = self.processes();
                leftovers = Leftovers {
                    count: u32::try_from(processes.len()).unwrap_or(u32::MAX),
                    names: processes.iter().take(MOST_NAMES).map(name_of).collect(),
                };
            }
            self.kill(now);
        }
        self.exited = Some(Exited {
            status,
            usage,
            leftovers,
        });
    }

    /// Notes the end of the supervisor.
    pub(super) fn supervisor_exited(&mut self, status: i32, usage: ProcessUsage) {
        let (status, usage, leftovers) = match self.note.finding() {
            Some(finding) => (finding.status, finding.usage, finding.leftovers),
            // Killed by what it supervised, or by us when it did not answer.
            None => (status, usage, 0),
        };
        self.exited = Some(Exited {
            status,
            usage,
            leftovers: Leftovers {
                // What was killed together with the program by us is no leftover.
                count: if matches!(self.phase, Phase::Killed { .. }) {
                    0
                } else {
                    leftovers
                },
                names: Vec::new(),
            },
        });
    }

    /// The report of a run of which nothing is left.
    pub(super) fn report(&self, exited: &Exited) -> Ended {
        let Exited {
            status,
            usage,
            leftovers,
        } = exited.clone();
        let exit = Exit::from_wait_status(status);
        Ended {
            exit,
            limit: self.limit.or_else(|| self.limit_behind(exit, &usage)),
            user: usage.user,
            system: usage.system,
            peak_rss: usage.peak_rss,
            leftovers,
        }
    }

    /// The limit that a kernel mechanism enforced, as far as it can be told.
    fn limit_behind(&self, exit: Exit, usage: &ProcessUsage) -> Option<Limit> {
        if let Some(group) = &self.group {
            let (memory, pids) = group.limit_events();
            if memory > self.events_before.0 {
                return Some(Limit::Memory);
            }
            if pids > self.events_before.1 && exit != Exit::Code(0) {
                return Some(Limit::Processes);
            }
        }
        let Exit::Signal(Signal(signal)) = exit else {
            return None;
        };
        let cpu_spent = self
            .bounds
            .cpu_seconds
            .is_some_and(|seconds| usage.user + usage.system >= Duration::from_secs(seconds));
        match signal {
            libc::SIGXFSZ => Some(Limit::FileSize),
            libc::SIGXCPU => Some(Limit::CpuTime),
            libc::SIGKILL if cpu_spent && self.phase == Phase::Running => Some(Limit::CpuTime),
            _ => None,
        }
    }
}

fn name_of(pid: &Pid) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .map(|name| name.trim_end().chars().take(16).collect())
        .unwrap_or_default()
}
