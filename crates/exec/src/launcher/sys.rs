//! The system calls that no safe wrapper offers: the one place in this crate
//! with `unsafe`. Each function is a plain translation; policy lives elsewhere.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// A process id.
pub(super) type Pid = libc::pid_t;

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// As in linux/sched.h; `libc` has it in a type that is too narrow.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// In which process a fork returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forked {
    /// In the new process.
    Child,
    /// In the old one, with the new process's id.
    Parent(Pid),
}

/// Forks this single-threaded process, optionally into a new PID namespace or
/// straight into a cgroup.
///
/// `fork` of the C library is passed over because it can do neither. Its
/// handlers only matter to threaded programs, and the launcher has one thread.
/// Where `clone3` is refused, `clone` does all but the cgroup.
pub(super) fn fork(new_pid_namespace: bool, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Forked> {
    // SAFETY: all-zero is a valid `clone_args`: no flags, no stack.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.exit_signal = libc::SIGCHLD as u64;
    if new_pid_namespace {
        args.flags |= libc::CLONE_NEWPID as u64;
    }
    if let Some(directory) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = directory.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM the child has its own copy of this address
    // space, and there is no other thread whose locks it could find taken.
    let pid = check(unsafe {
        libc::syscall(
            libc::SYS_clone3,
            ptr::from_mut(&mut args),
            size_of::<libc::clone_args>(),
        )
    });
    let pid = match pid {
        Err(error) if is_refused(&error) && cgroup.is_none() => {
            // SAFETY: as above; no stack is given, so the child goes on on its own
            // copy of this one, and all pointers are null for flags that read none.
            check(unsafe {
                libc::syscall(
                    libc::SYS_clone,
                    args.flags | args.exit_signal,
                    0_u64,
                    0_u64,
                    0_u64,
                    0_u64,
                )
            })?
        }
        pid => pid?,
    };
    Ok(if pid == 0 {
        Forked::Child
    } else {
        Forked::Parent(pid as Pid)
    })
}

/// Whether a filter stands before this call, as those of container engines and
/// service managers do before `clone3`: no filter can read its flags.
fn is_refused(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM))
}

/// Whether a process can be born into a cgroup.
///
/// # Errors
/// When the only call that can do it is refused.
pub(super) fn birth_in_cgroup() -> io::Result<()> {
    // SAFETY: arguments of no size are not read; the kernel refuses them.
    let asked =
        unsafe { libc::syscall(libc::SYS_clone3, ptr::null::<libc::clone_args>(), 0_usize) };
    match check(asked) {
        Err(error) if is_refused(&error) => Err(error),
        _ => Ok(()),
    }
}

/// One process that has ended, with what it and its awaited children used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reaped {
    pub(super) pid: Pid,
    pub(super) status: i32,
    pub(super) usage: ProcessUsage,
}

/// CPU time and peak memory of processes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ProcessUsage {
    pub(super) user: Duration,
    pub(super) system: Duration,
    pub(super) peak_rss: u64,
}

impl From<&libc::rusage> for ProcessUsage {
    fn from(usage: &libc::rusage) -> Self {
        let time =
            |value: libc::timeval| Duration::new(value.tv_sec as u64, value.tv_usec as u32 * 1000);
        Self {
            user: time(usage.ru_utime),
            system: time(usage.ru_stime),
            peak_rss: usage.ru_maxrss as u64 * 1024,
        }
    }
}

/// What [`reap`] found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reap {
    /// A process that has ended.
    Ended(Reaped),
    /// There are children, and none has ended.
    NoneYet,
    /// There are no children.
    NoChildren,
}

/// Takes one ended child, without waiting.
pub(super) fn reap() -> Reap {
    let mut status = 0;
    // SAFETY: all-zero is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live locals of the right type.
        let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, &raw mut usage) };
        return match pid {
            0 => Reap::NoneYet,
            pid if pid > 0 => Reap::Ended(Reaped {
                pid,
                status,
                usage: ProcessUsage::from(&usage),
            }),
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => continue,
            _ => Reap::NoChildren,
        };
    }
}

/// What all awaited children together used.
pub(super) fn usage_of_children() -> ProcessUsage {
    // SAFETY: all-zero is a valid `rusage`, and the pointer is to a live local.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    ProcessUsage::from(&usage)
}

/// Sends a signal; a process that is gone already is no error. Negative ids
/// mean process groups and -1 everything, as in `kill(2)`.
pub(super) fn kill(pid: Pid, signal: i32) {
    // SAFETY: takes no pointers. The result says at most that the target is
    // gone, which is what the caller wants.
    unsafe {
        libc::kill(pid, signal);
    }
}

fn signal_set(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: `sigemptyset` initialises the set that the zeroes stand in for.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        set
    }
}

/// Blocks these signals, so that they can be waited for.
pub(super) fn block_signals(signals: &[i32]) {
    let set = signal_set(signals);
    // SAFETY: the set is a live local; a null old set is allowed.
    unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut());
    }
}

/// Gives every signal its default effect. What was ignored in whoever started
/// the server would otherwise be ignored in every run.
pub(super) fn forget_inherited_signals() {
    const SIGNALS: i32 = 64;
    /// Larger than the kernel's structure, in which zeroes mean the default.
    const DEFAULT: [u64; 8] = [0; 8];
    const SET_SIZE: usize = 8;
    for signal in 1..=SIGNALS {
        // SAFETY: reads a structure that fits into `DEFAULT`, writes nothing.
        // Not through the C library, which keeps two signals for itself.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                DEFAULT.as_ptr(),
                ptr::null_mut::<u64>(),
                SET_SIZE,
            );
        }
    }
    // The launcher must not end because standard error is closed.
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}

/// Undoes what the launcher did to signals, which would otherwise survive the
/// exec: `SIGPIPE` ignored, some signals blocked.
pub(super) fn reset_signals() {
    block_signals(&[]);
    // SAFETY: SIG_DFL is a valid disposition.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// A descriptor that becomes readable when a child has ended.
pub(super) fn child_signal_descriptor() -> io::Result<OwnedFd> {
    let set = signal_set(&[libc::SIGCHLD]);
    // SAFETY: the set is a live local.
    let descriptor = check(
        unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) }
            .into(),
    )?;
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as i32) })
}

/// Waits for one of these (blocked) signals.
pub(super) fn wait_for_signal(signals: &[i32]) -> i32 {
    let set = signal_set(signals);
    loop {
        // SAFETY: the set is a live local; a null info pointer is allowed.
        let signal = unsafe { libc::sigwaitinfo(&raw const set, ptr::null_mut()) };
        if signal > 0 {
            return signal;
        }
    }
}

/// A `prctl` whose arguments are plain numbers.
pub(crate) fn prctl(option: i32, value: libc::c_ulong) -> io::Result<()> {
    // SAFETY: the options used in this crate take numbers only.
    check(unsafe { libc::prctl(option, value, 0, 0, 0) }.into()).map(drop)
}

/// Gives up all capabilities but `keep` (one of the first 32, or none), which
/// the program started next has as well.
pub(crate) fn keep_capability(keep: Option<u32>) -> io::Result<()> {
    let mask = keep.map_or(0, |number| 1 << number);
    set_capabilities(mask)?;
    if let Some(number) = keep {
        // SAFETY: takes numbers only.
        let raised = unsafe {
            libc::prctl(
                libc::PR_CAP_AMBIENT,
                libc::PR_CAP_AMBIENT_RAISE,
                libc::c_ulong::from(number),
                0,
                0,
            )
        };
        check(raised.into())?;
    }
    Ok(())
}

fn set_capabilities(keep: u32) -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let data = [
        Data {
            effective: keep,
            permitted: keep,
            inheritable: keep,
        },
        Data {
            effective: 0,
            permitted: 0,
            inheritable: 0,
        },
    ];
    // SAFETY: version 3 reads one header and two data structures, as laid out
    // in linux/capability.h.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) }).map(drop)
}

/// The version of Landlock that the kernel offers; 0 for none.
pub(crate) fn landlock_version() -> u32 {
    const VERSION: libc::c_ulong = 1;
    // SAFETY: with this flag the kernel reads no attributes.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            ptr::null::<u8>(),
            0usize,
            VERSION,
        )
    };
    u32::try_from(version).unwrap_or(0)
}

/// Replaces this process by a program; returns only when that fails.
pub(super) fn execve(
    program: &std::ffi::CStr,
    args: &[std::ffi::CString],
    env: &[std::ffi::CString],
) -> io::Error {
    let terminated = |list: &[std::ffi::CString]| -> Vec<*const libc::c_char> {
        list.iter()
            .map(|text| text.as_ptr())
            .chain([ptr::null()])
            .collect()
    };
    let (args, env) = (terminated(args), terminated(env));
    // SAFETY: both arrays end with a null pointer and outlive the call.
    unsafe {
        libc::execve(program.as_ptr(), args.as_ptr(), env.as_ptr());
    }
    io::Error::last_os_error()
}

/// Ends this process at once: no destructors, no buffers.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(code) }
}

/// Closes all descriptors from this number on. For a forked process that is
/// about to become something else: whoever owned them is in the other process.
pub(super) fn close_from(first: usize) {
    let first = u32::try_from(first).unwrap_or(u32::MAX);
    // SAFETY: nothing in this process uses these descriptors any more.
    unsafe {
        libc::syscall(libc::SYS_close_range, first, u32::MAX, 0u32);
    }
}

/// Lowers the priority of this process; failing is harmless.
pub(super) fn be_nice(increment: i32) {
    // SAFETY: takes no pointers.
    unsafe {
        libc::nice(increment);
    }
}
