//! What the program is allowed to do. Each probe tries one thing and prints
//! `ok` or the name of the error, one line per argument where it takes several.
//!
//! `ok` means that the kernel let it pass; no probe leaves anything behind that
//! outlives the process, except `try-write` and `try-symlink`, whose file is
//! what they are about.

use std::ffi::{CString, OsString};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::errno::{Refused, check};
use crate::output::line;
use crate::processes::{fork_with, wait_for};
use crate::{Arguments, Failure};

/// A type of file system that no kernel has.
const NO_SUCH_TYPE: &std::ffi::CStr = c"no-such-type";
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Runs the probe of this name.
pub(crate) fn run(name: &str, arguments: &Arguments<'_>) -> Result<(), Failure> {
    match name {
        "try-open" => each(arguments, |path| File::open(path).map(drop)),
        "try-write" => each(arguments, |path| {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)?
                .write_all(b"x")
        }),
        "try-list" => each(arguments, |path| std::fs::read_dir(path).map(drop)),
        "try-symlink" => {
            let target = arguments.os(0).unwrap_or("/etc/hostname".as_ref());
            report(std::os::unix::fs::symlink(target, "probe-link"))
        }
        "try-connect" => {
            let address: SocketAddr = arguments.number(0)?;
            report(TcpStream::connect_timeout(&address, CONNECT_LIMIT).map(drop))
        }
        "try-udp" => {
            let address: SocketAddr = arguments.number(0)?;
            report(udp(address))
        }
        "try-unix-socket" => report(unix_socket()),
        "try-fork" => report(fork_and_wait()),
        "try-thread" => report(std::thread::Builder::new().spawn(|| {}).map(drop)),
        "try-exec" => report(execute(arguments.os(0)?)),
        "try-ptrace" => report(ptrace(arguments.number(0)?)),
        "try-kill" => report(kill(arguments.number(0)?, arguments.number(1).unwrap_or(0))),
        "try-mount" => report(mount()),
        "try-userns" => report(user_namespace()),
        "try-bpf" => report(bpf()),
        "try-keyctl" => report(keyctl()),
        "try-io-uring" => report(io_uring()),
        "try-raw" => report(raw(arguments.number(0)?)),
        _ => Err(Failure::Usage("unknown probe")),
    }
}

fn report<E: Into<Refused>>(result: Result<(), E>) -> Result<(), Failure> {
    match result.map_err(Into::into) {
        Ok(()) => line("ok")?,
        Err(refused) => line(&refused.to_string())?,
    }
    Ok(())
}

fn each(
    arguments: &Arguments<'_>,
    probe: impl Fn(&OsString) -> std::io::Result<()>,
) -> Result<(), Failure> {
    arguments.os(0)?;
    arguments
        .rest
        .iter()
        .try_for_each(|path| report(probe(path)))
}

/// Sends one datagram to the address, which need not listen.
fn udp(address: SocketAddr) -> std::io::Result<()> {
    let socket = std::net::UdpSocket::bind(("0.0.0.0", 0))?;
    socket.send_to(b"x", address).map(drop)
}

/// A socket that could reach other processes of this machine by name.
fn unix_socket() -> Result<(), Refused> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) }).map(drop)
}

fn fork_and_wait() -> Result<(), Refused> {
    wait_for(fork_with(|| Ok(()))?).map(drop)
}

/// Executes the file in a child, without arguments and with its output thrown
/// away. Only whether the kernel starts it counts, not how it ends.
fn execute(path: &std::ffi::OsStr) -> Result<(), Refused> {
    let path = CString::new(path.as_bytes()).map_err(|_| Refused(libc::EINVAL))?;
    let mut ends = [0; 2];
    // SAFETY: the pointer is to an array of two, as `pipe2` wants.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    let [reader, writer] = ends;
    let child = fork_with(|| {
        let arguments = [path.as_ptr(), std::ptr::null()];
        // SAFETY: path and array end with their terminators and live until the
        // call returns, which it does only when it failed.
        unsafe {
            libc::close(libc::STDOUT_FILENO);
            libc::execv(path.as_ptr(), arguments.as_ptr());
        }
        let errno = Refused::last().0.to_ne_bytes();
        // SAFETY: writes a live local of that length.
        unsafe {
            libc::write(writer, errno.as_ptr().cast(), errno.len());
        }
        Ok(())
    })?;
    let mut errno = [0; 4];
    // SAFETY: closes a descriptor of this function, then reads into a live
    // local of that length. The pipe ends when `execv` succeeded.
    let length = unsafe {
        libc::close(writer);
        libc::read(reader, errno.as_mut_ptr().cast(), errno.len())
    };
    wait_for(child)?;
    match length {
        0 => Ok(()),
        _ => Err(Refused(i32::from_ne_bytes(errno))),
    }
}

fn ptrace(pid: libc::pid_t) -> Result<(), Refused> {
    // SAFETY: seizing stops nothing and ends with this process.
    check(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) }).map(drop)
}

fn kill(pid: libc::pid_t, signal: i32) -> Result<(), Refused> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Whether this process may mount. Asks for a type that does not exist, which
/// the kernel looks for only after it has checked the permission.
fn mount() -> Result<(), Refused> {
    // SAFETY: all strings are static and terminated; no data is passed.
    let result = check(unsafe {
        libc::mount(
            c"none".as_ptr(),
            c"/".as_ptr(),
            NO_SUCH_TYPE.as_ptr(),
            0,
            std::ptr::null(),
        )
    });
    match result {
        Err(Refused(libc::ENODEV)) => Ok(()),
        other => other.map(drop),
    }
}

fn user_namespace() -> Result<(), Refused> {
    // SAFETY: changes this process only, which has one thread.
    check(unsafe { libc::unshare(libc::CLONE_NEWUSER) }).map(drop)
}

/// Makes a map (an array of one number).
fn bpf() -> Result<(), Refused> {
    const MAP_CREATE: i64 = 0;
    const ARRAY: u32 = 2;
    // Type, key size, value size, entries; the rest must be zero.
    let mut attributes = [0_u32; 32];
    attributes[..4].copy_from_slice(&[ARRAY, 4, 4, 1]);
    let size = size_of_val(&attributes);
    // SAFETY: the pointer is to a live local of the size given.
    check(unsafe { libc::syscall(libc::SYS_bpf, MAP_CREATE, attributes.as_ptr(), size) }).map(drop)
}

/// Asks for the number of this process's session keyring.
fn keyctl() -> Result<(), Refused> {
    const GET_KEYRING_ID: i64 = 0;
    const SESSION_KEYRING: i64 = -3;
    // SAFETY: takes numbers only.
    check(unsafe { libc::syscall(libc::SYS_keyctl, GET_KEYRING_ID, SESSION_KEYRING, 1_i64) })
        .map(drop)
}

fn io_uring() -> Result<(), Refused> {
    // `struct io_uring_params` has 120 bytes; all zero asks for the defaults.
    let mut parameters = [0_u64; 16];
    // SAFETY: the pointer is to a live local of at least the structure's size.
    check(unsafe { libc::syscall(libc::SYS_io_uring_setup, 4_i64, parameters.as_mut_ptr()) })
        .map(drop)
}

/// The system call of this number with all arguments zero.
fn raw(number: i64) -> Result<(), Refused> {
    // SAFETY: none can be given for any number; null pointers make the calls
    // that need memory fail, and the process ends right after this one.
    check(unsafe { libc::syscall(number, 0_i64, 0_i64, 0_i64, 0_i64, 0_i64, 0_i64) }).map(drop)
}
