//! What the program finds around itself, in lines that a test can compare.

use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

use crate::output::{Stream, line};

/// Descriptor numbers looked at by [`descriptors`] when the limit is higher.
const MOST_DESCRIPTORS: i32 = 1 << 16;

/// `print-env`: `KEY=VALUE` per variable, byte for byte, in no special order.
pub(crate) fn environment() -> io::Result<()> {
    let mut text = Vec::new();
    for (key, value) in std::env::vars_os() {
        text.extend_from_slice(key.as_bytes());
        text.push(b'=');
        text.extend_from_slice(value.as_bytes());
        text.push(b'\n');
    }
    Stream::Out.file().write_all(&text)
}

/// `print-cwd`: the working directory.
pub(crate) fn working_directory() -> io::Result<()> {
    let mut text = std::env::current_dir()?.as_os_str().as_bytes().to_vec();
    text.push(b'\n');
    Stream::Out.file().write_all(&text)
}

/// `print-fds`: the numbers of the open descriptors. Asks the kernel for each
/// number, because `/proc` may be closed to a confined program.
pub(crate) fn descriptors() -> io::Result<()> {
    for number in 0..MOST_DESCRIPTORS {
        // SAFETY: asks for the flags of a descriptor and changes nothing.
        if unsafe { libc::fcntl(number, libc::F_GETFD) } != -1 {
            line(&number.to_string())?;
        }
    }
    Ok(())
}

/// `print-limits`: `NAME SOFT HARD` per limit, in the kernel's units;
/// `unlimited` where there is none.
pub(crate) fn limits() -> io::Result<()> {
    let all = [
        ("AS", libc::RLIMIT_AS),
        ("CORE", libc::RLIMIT_CORE),
        ("CPU", libc::RLIMIT_CPU),
        ("DATA", libc::RLIMIT_DATA),
        ("FSIZE", libc::RLIMIT_FSIZE),
        ("MEMLOCK", libc::RLIMIT_MEMLOCK),
        ("MSGQUEUE", libc::RLIMIT_MSGQUEUE),
        ("NICE", libc::RLIMIT_NICE),
        ("NOFILE", libc::RLIMIT_NOFILE),
        ("NPROC", libc::RLIMIT_NPROC),
        ("RTPRIO", libc::RLIMIT_RTPRIO),
        ("SIGPENDING", libc::RLIMIT_SIGPENDING),
        ("STACK", libc::RLIMIT_STACK),
    ];
    for (name, resource) in all {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: the pointer is to a live local of the right type.
        if unsafe { libc::getrlimit(resource, &raw mut limit) } == -1 {
            return Err(io::Error::last_os_error());
        }
        let [soft, hard] = [limit.rlim_cur, limit.rlim_max].map(|value| {
            if value == libc::RLIM_INFINITY {
                "unlimited".to_owned()
            } else {
                value.to_string()
            }
        });
        line(&format!("{name} {soft} {hard}"))?;
    }
    Ok(())
}

/// `print-ids`: user, group and supplementary groups, capability sets,
/// `NoNewPrivs`, `Seccomp` and the dumpable flag, as `Name value…`.
pub(crate) fn identity() -> io::Result<()> {
    // SAFETY: the option takes no further argument and returns a number.
    let dumpable = unsafe { libc::prctl(libc::PR_GET_DUMPABLE) };
    status_lines(&[
        "Uid",
        "Gid",
        "Groups",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
    ])?;
    line(&format!("Dumpable {dumpable}"))
}

/// `print-signals`: the blocked and ignored signals this process was started
/// with, as hexadecimal sets. (`SIGPIPE` is set to its default by `main`, and
/// the runtime had changed it before: its bit says nothing.)
pub(crate) fn signals() -> io::Result<()> {
    status_lines(&["SigBlk", "SigIgn"])
}

fn status_lines(names: &[&str]) -> io::Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    for name in names {
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .unwrap_or("missing");
        let value: Vec<&str> = value.split_whitespace().collect();
        line(&format!("{name} {}", value.join(" ")))?;
    }
    Ok(())
}
