//! The process between the launcher and the program where no cgroup is to be
//! had: it adopts whatever the program leaves behind, so that it can be found
//! and killed whatever session or parent it has chosen.
//!
//! With a PID namespace of its own it is the namespace's first process: what it
//! kills can't fork away, and its own end is the end of everything inside.
//! Without, it is a subreaper and sweeps until there is nothing left.
//!
//! It listens to signals only: `SIGTERM` asks the program to end, `SIGUSR1`
//! kills everything. The result goes to the board.

use std::fs;

use rustix::process::{getpid, setpgid};

use super::board::Finding;
use super::child::{self, Plan};
use super::sys::{self, Forked, Pid, Reap};
use crate::wire::Step;

/// Asks the supervisor to ask the program to end.
pub(super) const ASK: i32 = libc::SIGTERM;
/// Tells the supervisor to kill everything.
pub(super) const SWEEP: i32 = libc::SIGUSR1;

/// Signals that the launcher blocks before it forks a supervisor, so that none
/// arrives before the supervisor waits for it.
pub(super) const SIGNALS: [i32; 3] = [libc::SIGCHLD, ASK, SWEEP];

/// Runs the program to its end, and everything it started.
pub(super) fn supervise(plan: &Plan<'_>, own_namespace: bool) -> ! {
    let death_signal = if own_namespace { libc::SIGKILL } else { SWEEP };
    if sys::prctl(libc::PR_SET_PDEATHSIG, death_signal as libc::c_ulong).is_err()
        || sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1).is_err()
        || setpgid(None, None).is_err()
    {
        give_up(plan);
    }
    let program = match sys::fork(false, None) {
        Ok(Forked::Child) => child::become_program(plan),
        Ok(Forked::Parent(pid)) => pid,
        Err(_) => give_up(plan),
    };
    // A pipe or a job socket that this process kept open would look alive to
    // those who wait for its end.
    sys::close_from(0);
    let mut state = Supervisor {
        program,
        own_namespace,
        status: None,
        leftovers: 0,
        sweeping: false,
    };
    while !state.reap_all() {
        match sys::wait_for_signal(&SIGNALS) {
            ASK => {
                sys::kill(-program, libc::SIGTERM);
                sys::kill(-program, libc::SIGCONT);
            }
            SWEEP => state.sweeping = true,
            _ => {}
        }
        state.sweep_if_due();
    }
    plan.note.set_finding(Finding {
        status: state.status.unwrap_or_default(),
        leftovers: state.leftovers,
        usage: sys::usage_of_children(),
    });
    sys::exit_now(0)
}

fn give_up(plan: &Plan<'_>) -> ! {
    let errno = std::io::Error::last_os_error().raw_os_error();
    plan.note
        .set_failure(Step::Supervisor, errno.unwrap_or(libc::EINVAL));
    sys::exit_now(1)
}

#[derive(Debug)]
struct Supervisor {
    program: Pid,
    own_namespace: bool,
    status: Option<i32>,
    leftovers: u32,
    sweeping: bool,
}

impl Supervisor {
    /// Takes all ended children; true when there are none left.
    fn reap_all(&mut self) -> bool {
        loop {
            match sys::reap() {
                Reap::Ended(ended) if ended.pid == self.program => {
                    self.status = Some(ended.status);
                    // Whatever is alive now has outlived the program.
                    self.sweeping = true;
                    self.sweep_if_due();
                }
                // What ended by itself was no leftover, only not waited for.
                Reap::Ended(ended) => {
                    if self.status.is_some() && libc::WIFSIGNALED(ended.status) {
                        self.leftovers += 1;
                    }
                }
                Reap::NoneYet => return false,
                Reap::NoChildren => return true,
            }
        }
    }

    /// Kills everything below this process. Orphans of what is killed come to
    /// this process, with a signal, and are killed in turn.
    fn sweep_if_due(&self) {
        if !self.sweeping {
            return;
        }
        if self.own_namespace {
            sys::kill(-1, libc::SIGKILL);
            return;
        }
        sys::kill(-self.program, libc::SIGKILL);
        for child in children_of(getpid().as_raw_nonzero().get()) {
            sys::kill(child, libc::SIGKILL);
        }
    }
}

/// The children of a single-threaded process.
pub(super) fn children_of(pid: Pid) -> Vec<Pid> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}
