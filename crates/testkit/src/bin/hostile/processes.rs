//! Descendants of all kinds, and processes that do not end.
//!
//! The process has one thread whenever it forks, so a child may do what it
//! likes. A child that is meant to stay never returns from its function.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::Failure;
use crate::errno::{Refused, check};
use crate::output::line;
use crate::reports::Report;
use crate::signals::ignore;

/// `hang`, `never-reads`: waits for ever, reads nothing, writes nothing.
pub(crate) fn hang() -> ! {
    loop {
        // SAFETY: takes no argument and touches no memory.
        unsafe {
            libc::pause();
        }
    }
}

/// `spin`: uses one CPU for ever.
pub(crate) fn spin() {
    loop {
        std::hint::spin_loop();
    }
}

/// `spin-threads N`: uses N CPUs for ever.
pub(crate) fn spin_threads(count: usize) -> Result<(), Refused> {
    for _ in 1..count {
        std::thread::Builder::new().spawn(spin)?;
    }
    spin();
    Ok(())
}

/// Does nothing for a while. A wait for wall time is what the subcommands that
/// call this are about.
pub(crate) fn pause_for(time: Duration) {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    // SAFETY: the pointer is to a live local; no remainder is asked for.
    unsafe {
        libc::nanosleep(&raw const time, std::ptr::null_mut());
    }
}

/// `grandchild MODE`: starts the descendants of the mode, prints the process
/// number of each that stays, one per line, and then hangs. They hang too:
///
/// | mode | who stays |
/// |---|---|
/// | `child` | one child |
/// | `grandchild` | a child and its child |
/// | `double-fork` | an orphan, in the session and group of this process |
/// | `setsid` | a child in a session of its own |
/// | `setsid-ignore-term` | the same, ignoring `SIGTERM` and `SIGHUP` |
/// | `daemon` | an orphan in its own session, in `/`, without the standard streams |
/// | `daemon-keep` | the same, with the standard streams |
pub(crate) fn grandchild(mode: &str) -> Result<(), Failure> {
    let plan: fn(&mut Report) -> Result<(), Refused> = match mode {
        "child" => |report| fork_child(|| report.stay()),
        "grandchild" => |report| {
            fork_child(|| {
                fork_child(|| report.stay())?;
                report.stay()
            })
        },
        "double-fork" => |report| orphan(|| report.stay()),
        "setsid" => |report| {
            fork_child(|| {
                new_session()?;
                report.stay()
            })
        },
        "setsid-ignore-term" => |report| {
            fork_child(|| {
                new_session()?;
                ignore(libc::SIGTERM);
                ignore(libc::SIGHUP);
                report.stay()
            })
        },
        "daemon" => |report| {
            orphan(|| {
                daemonise()?;
                close_standard_streams();
                report.stay()
            })
        },
        "daemon-keep" => |report| {
            orphan(|| {
                daemonise()?;
                report.stay()
            })
        },
        _ => return Err(Failure::Usage("unknown mode")),
    };
    let staying = if mode == "grandchild" { 2 } else { 1 };
    let (mut reader, mut report) = Report::channel()?;
    plan(&mut report)?;
    drop(report);
    for pid in reader.pids(staying)? {
        line(&pid)?;
    }
    hang()
}

/// `leak-pipe`: a child in its own session keeps standard output and error
/// open and hangs; its number is printed, and this process exits at once.
pub(crate) fn leak_pipe() -> Result<(), Failure> {
    let (mut reader, mut report) = Report::channel()?;
    fork_child(|| {
        new_session()?;
        report.stay()
    })?;
    drop(report);
    for pid in reader.pids(1)? {
        line(&pid)?;
    }
    Ok(())
}

/// `fork-bomb`: every process forks for ever. One that may not fork waits a
/// millisecond and tries again.
pub(crate) fn fork_bomb() {
    loop {
        if fork().is_err() {
            pause_for(Duration::from_millis(1));
        }
    }
}

/// `fork-tree N`: becomes 2^N processes that hang. One that may not fork waits a
/// moment and tries again: a bomb that does no harm where nobody holds it.
pub(crate) fn fork_tree(levels: usize) {
    for _ in 0..levels {
        while fork().is_err() {
            pause_for(Duration::from_millis(1));
        }
    }
    hang()
}

/// A child that hangs with all descriptors of its parent; for `converse`.
pub(crate) fn fork_quietly() -> Result<(), Refused> {
    fork_child(|| hang())
}

/// `fork-many N`: N children that hang; prints their numbers and hangs too.
/// When a fork fails, exits at once with code 1 and leaves the rest behind.
pub(crate) fn fork_many(count: usize) -> Result<(), Failure> {
    let (mut reader, mut report) = Report::channel()?;
    for _ in 0..count {
        fork_child(|| report.stay())?;
    }
    drop(report);
    for pid in reader.pids(count)? {
        line(&pid)?;
    }
    hang()
}

/// `nested PROGRAM ARGS…`: runs a program as a child, waits for it, and exits
/// with its code.
#[expect(
    clippy::disallowed_methods,
    reason = "a fixture that starts a program is the point"
)]
pub(crate) fn nested(command: &[OsString]) -> Result<ExitCode, Failure> {
    let (program, arguments) = command
        .split_first()
        .ok_or(Failure::Usage("a program is missing"))?;
    let status = Command::new(program).args(arguments).status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// `exec PROGRAM ARGS…`: becomes that program; returns only the refusal.
#[expect(
    clippy::disallowed_methods,
    reason = "a fixture that becomes another program is the point"
)]
pub(crate) fn exec(command: &[OsString]) -> Result<Refused, Failure> {
    let (program, arguments) = command
        .split_first()
        .ok_or(Failure::Usage("a program is missing"))?;
    Ok(Command::new(program).args(arguments).exec().into())
}

/// Forks, runs `body` in the child, and ends the child with code 0 or 1.
/// Returns in the parent only, with the child's number.
pub(crate) fn fork_with(
    body: impl FnOnce() -> Result<(), Refused>,
) -> Result<libc::pid_t, Refused> {
    match fork()? {
        0 => {
            let code = i32::from(body().is_err());
            // SAFETY: ends this process; nothing of it is used afterwards.
            unsafe { libc::_exit(code) }
        }
        child => Ok(child),
    }
}

/// Waits for a child and returns whether it ended with code 0.
pub(crate) fn wait_for(child: libc::pid_t) -> Result<bool, Refused> {
    let mut status = 0;
    // SAFETY: the pointer is to a live local.
    check(unsafe { libc::waitpid(child, &raw mut status, 0) })?;
    Ok(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0)
}

fn fork_child(body: impl FnOnce() -> Result<(), Refused>) -> Result<(), Refused> {
    fork_with(body).map(drop)
}

/// Runs `body` in a grandchild whose parent has ended.
fn orphan(body: impl FnOnce() -> Result<(), Refused>) -> Result<(), Refused> {
    let child = fork_with(|| fork_child(body))?;
    wait_for(child).map(drop)
}

fn fork() -> Result<libc::pid_t, Refused> {
    // SAFETY: this process has one thread (see the top of the file), so no
    // lock can be left held in the child.
    check(unsafe { libc::fork() })
}

fn new_session() -> Result<(), Refused> {
    // SAFETY: takes no argument and touches no memory.
    check(unsafe { libc::setsid() }).map(drop)
}

fn daemonise() -> Result<(), Refused> {
    new_session()?;
    std::env::set_current_dir("/")?;
    Ok(())
}

pub(crate) fn close_standard_streams() {
    for descriptor in 0..3 {
        // SAFETY: nothing in this process uses the streams after this.
        unsafe {
            libc::close(descriptor);
        }
    }
}
