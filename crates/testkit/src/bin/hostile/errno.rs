//! System errors by name, as the probes print them: a test compares `EPERM`,
//! not a sentence in some language.

use std::fmt;
use std::io;

/// The system refused something; shown by its error's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) i32);

impl Refused {
    /// The error of the system call that just failed.
    pub(crate) fn last() -> Self {
        io::Error::last_os_error().into()
    }
}

/// The result of a system call that returns -1 when it fails.
pub(crate) fn check<N: Copy + Into<i64>>(result: N) -> Result<N, Refused> {
    if result.into() == -1 {
        Err(Refused::last())
    } else {
        Ok(result)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(0))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            libc::E2BIG => "E2BIG",
            libc::EACCES => "EACCES",
            libc::EAFNOSUPPORT => "EAFNOSUPPORT",
            libc::EAGAIN => "EAGAIN",
            libc::EBADF => "EBADF",
            libc::EBUSY => "EBUSY",
            libc::ECHILD => "ECHILD",
            libc::ECONNREFUSED => "ECONNREFUSED",
            libc::EDQUOT => "EDQUOT",
            libc::EEXIST => "EEXIST",
            libc::EFAULT => "EFAULT",
            libc::EFBIG => "EFBIG",
            libc::EHOSTUNREACH => "EHOSTUNREACH",
            libc::EINTR => "EINTR",
            libc::EINVAL => "EINVAL",
            libc::EIO => "EIO",
            libc::EISDIR => "EISDIR",
            libc::ELOOP => "ELOOP",
            libc::EMFILE => "EMFILE",
            libc::ENAMETOOLONG => "ENAMETOOLONG",
            libc::ENETDOWN => "ENETDOWN",
            libc::ENETUNREACH => "ENETUNREACH",
            libc::ENFILE => "ENFILE",
            libc::ENODEV => "ENODEV",
            libc::ENOENT => "ENOENT",
            libc::ENOEXEC => "ENOEXEC",
            libc::ENOKEY => "ENOKEY",
            libc::ENOMEM => "ENOMEM",
            libc::ENOSPC => "ENOSPC",
            libc::ENOSYS => "ENOSYS",
            libc::ENOTDIR => "ENOTDIR",
            libc::ENXIO => "ENXIO",
            libc::EPERM => "EPERM",
            libc::EPIPE => "EPIPE",
            libc::EPROTONOSUPPORT => "EPROTONOSUPPORT",
            libc::EROFS => "EROFS",
            libc::ESRCH => "ESRCH",
            libc::ETIMEDOUT => "ETIMEDOUT",
            libc::ETXTBSY => "ETXTBSY",
            libc::EUSERS => "EUSERS",
            libc::EXDEV => "EXDEV",
            number => return write!(f, "E{number}"),
        };
        f.write_str(name)
    }
}
