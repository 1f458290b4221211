//! Signals: ignored, sent to oneself, survived.

use std::io;
use std::process::ExitCode;

use crate::Failure;
use crate::errno::{Refused, check};
use crate::output::line;
use crate::processes::hang;

/// Gives a signal its default action.
pub(crate) fn restore_default(signal: i32) {
    set_action(signal, libc::SIG_DFL);
}

/// Ignores a signal.
pub(crate) fn ignore(signal: i32) {
    set_action(signal, libc::SIG_IGN);
}

fn set_action(signal: i32, action: libc::sighandler_t) {
    // SAFETY: both actions that come here are the kernel's own; no handler
    // of this program is installed.
    unsafe {
        libc::signal(signal, action);
    }
}

/// `ignore-term`: ignores `SIGTERM`, `SIGINT` and `SIGHUP`, says `ready`, and hangs.
pub(crate) fn ignore_term() -> io::Result<()> {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        ignore(signal);
    }
    line("ready")?;
    hang()
}

/// `on-term CODE`: says `ready`, waits for `SIGTERM`, says `terminated`, and
/// exits with the code: a program that tidies up when it is asked to end.
pub(crate) fn on_term(code: u8) -> Result<ExitCode, Failure> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut signal = 0;
    // SAFETY: `set` is initialised by `sigemptyset` before it is read, and all
    // pointers are to live locals.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        check(libc::sigprocmask(
            libc::SIG_BLOCK,
            set.as_ptr(),
            std::ptr::null_mut(),
        ))?;
    }
    line("ready")?;
    // SAFETY: as above.
    let error = unsafe { libc::sigwait(set.as_ptr(), &raw mut signal) };
    if error != 0 {
        return Err(Refused(error).into());
    }
    line("terminated")?;
    Ok(ExitCode::from(code))
}

/// `stop-self`: `SIGSTOP`; hangs should somebody continue it.
pub(crate) fn stop_self() {
    raise(libc::SIGSTOP);
    hang()
}

/// `raise SIGNAL`: sends the signal to itself with its default action.
pub(crate) fn raise(signal: i32) {
    restore_default(signal);
    // SAFETY: no handler runs; the default action ends or stops the process.
    unsafe {
        libc::raise(signal);
    }
}

/// `abort`: `SIGABRT`.
pub(crate) fn abort() {
    std::process::abort()
}

/// `segv`: a real write to memory that may not be written.
pub(crate) fn segv() {
    restore_default(libc::SIGSEGV);
    // SAFETY: a fresh private mapping is asked for; the result is checked.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page != libc::MAP_FAILED {
        // SAFETY: none, on purpose: the page exists and may not be accessed,
        // so the kernel ends the process at this instruction.
        unsafe { page.cast::<u8>().write_volatile(1) }
    }
}
