//! The launcher: a small process, forked from the start, that starts and ends
//! all others.
//!
//! ```text
//! server ── control socket ──> guard ── fork ──> launcher ── fork ──> program            (cgroup)
//!                                                    └────── fork ──> supervisor ──> program
//! ```
//!
//! Why not start programs from the server? A `fork` there costs as much as the
//! server is large, and nothing can be confined without one. Here a fork costs
//! a fraction of a millisecond whatever the server holds, and the expensive
//! protections (namespaces, the long system call filter) are put on once and
//! inherited.
//!
//! Where it may, the launcher is the first process of a PID namespace: if it is
//! killed, everything that it started dies with it. The *guard* is its parent
//! and sees to it that it ends soon after the server has.
//!
//! The launcher knows nothing of tools, time-outs or output: those are the
//! engine's. It never reads what a program writes.

mod board;
mod cgroup;
mod child;
mod claim;
mod confine;
mod job;
mod namespaces;
mod scratch;
mod seccomp;
mod serve;
mod supervisor;
mod survey;
pub(crate) mod sys;
mod watch;

pub(crate) use confine::system_directories;
pub(crate) use sys::exit_now;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::RecvFlags;
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid};

use crate::wire::{self, MAX_PACKET, Setup};
use namespaces::Namespaces;
use sys::Forked;

/// The launcher can't see its own PID namespace in `/proc`: do without one.
const NO_PROC: i32 = 77;
/// How long the launcher may take to end everything once the server is gone.
const LAST_CALL: Duration = Duration::from_millis(500);

/// The launcher's main function: the executable calls this, and nothing else,
/// when it was started with [`EngineConfig::launcher_args`](crate::EngineConfig).
///
/// It must be called before any thread is started, and returns when the engine
/// has hung up. The control socket is its standard input.
pub fn main() -> ExitCode {
    match guard() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}

/// Sets the namespaces up, forks the launcher, and outlives it.
fn guard() -> io::Result<()> {
    let control = take_standard_input()?;
    // The server asks for short slices of time; programs have no need of that.
    crate::turns::be_ordinary();
    sys::forget_inherited_signals();
    let mut buffer = vec![0; MAX_PACKET];
    let Some((setup, _)) = wire::receive::<Setup>(&control, RecvFlags::empty(), &mut buffer)?
    else {
        return Ok(());
    };
    drop(buffer);
    // Not in the server's process group: Ctrl-C at the terminal is the
    // server's to handle, and the launcher ends after it.
    let namespaces = if survey::wants_namespaces(&setup) {
        Namespaces::enter()
    } else {
        Namespaces::untouched("switched off")
    };
    let mut isolate = namespaces.mount.is_ok();
    loop {
        let launcher = match sys::fork(isolate, None) {
            Ok(Forked::Child) => {
                let code = launch(control, &setup, &namespaces, isolate);
                sys::exit_now(code);
            }
            Ok(Forked::Parent(pid)) => pid,
            Err(_) if isolate => {
                isolate = false;
                continue;
            }
            Err(error) => return Err(error),
        };
        if wait_for(launcher, &control)? != Some(NO_PROC) {
            return Ok(());
        }
        isolate = false;
    }
}

/// Waits until the launcher has ended, and makes it end when the server is
/// gone and it does not.
fn wait_for(launcher: sys::Pid, control: &OwnedFd) -> io::Result<Option<i32>> {
    let pid = Pid::from_raw(launcher).expect("a process that was just forked has a positive id");
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let mut watched = [
            PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(control.as_fd(), PollFlags::RDHUP),
        ];
        if let Err(error) = poll(&mut watched, None)
            && error != rustix::io::Errno::INTR
        {
            return Err(error.into());
        }
        if !watched[0].revents().is_empty() {
            break;
        }
        if !watched[1].revents().is_empty() {
            let mut process = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
            if !matches!(poll(&mut process, Some(&timespec(LAST_CALL))), Ok(1)) {
                sys::kill(launcher, libc::SIGKILL);
            }
            break;
        }
    }
    let status = waitpid(Some(pid), WaitOptions::empty())?;
    Ok(status.and_then(|(_, status)| status.exit_status()))
}

/// The launcher proper; returns its exit code.
fn launch(control: OwnedFd, setup: &Setup, namespaces: &Namespaces, isolated: bool) -> i32 {
    // Without its guard nobody would end it, should it stand still when the
    // server goes. The engine finds it gone and starts another pair.
    if let Err(error) = sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) {
        note(format_args!(
            "the launcher would outlive its guard: {error}"
        ));
    }
    if isolated && let Err(error) = namespaces::mount_own_proc() {
        note(format_args!(
            "no PID namespace: mounting /proc failed: {error}"
        ));
        return NO_PROC;
    }
    if isolated {
        namespaces::cap_processes(setup.places);
    }
    match survey::bring_up(control, setup, namespaces, isolated) {
        Ok(Some(launcher)) => {
            launcher.run();
            0
        }
        // A sandbox is required and not to be had; the engine has been told.
        Ok(None) => 0,
        Err(error) => {
            note(format_args!("the launcher could not start: {error}"));
            1
        }
    }
}

/// Moves the control socket away from descriptor 0, where every child would
/// find it, and closes whatever else was inherited.
fn take_standard_input() -> io::Result<OwnedFd> {
    sys::close_from(3);
    let control = io::stdin().as_fd().try_clone_to_owned()?;
    let null: OwnedFd = File::open("/dev/null")?.into();
    rustix::stdio::dup2_stdin(&null)?;
    Ok(control)
}

/// Waits without a runtime.
fn pause(time: Duration) {
    poll(&mut [], Some(&timespec(time))).ok();
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// Tells the operator something, on the standard error that the launcher
/// shares with the server. For what can't be reported through a run.
#[expect(
    clippy::print_stderr,
    reason = "the launcher has no logging set up, and standard output is not touched"
)]
fn note(message: fmt::Arguments<'_>) {
    eprintln!("reversecore launcher: {message}");
}
