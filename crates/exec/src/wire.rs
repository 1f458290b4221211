//! What the engine and its launcher say to each other.
//!
//! Two kinds of `SOCK_SEQPACKET` sockets carry these messages, one message a
//! packet. The *control* socket brings a [`Setup`] and then a [`Request`] a run,
//! and takes back one [`Greeting`]. With each request travels one end of a *job*
//! socket, which belongs to that run alone: [`Report`]s come from the launcher,
//! [`Order`]s go to it, and hanging up means "kill it". So the life of a run
//! hangs on one descriptor, whoever drops it and why.
//!
//! Both ends are the same executable: the encoding needs no versions.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::command::Limits;
use crate::engine::SandboxMode;
use crate::mechanisms::{Containment, Mechanisms};
use crate::outcome::{Leftovers, Limit, Signal};

/// The largest packet. The kernel's default socket buffer holds several.
pub(crate) const MAX_PACKET: usize = 64 << 10;
/// Descriptors that one request may carry, the four standard ones included.
pub(crate) const MAX_DESCRIPTORS: usize = 32;

/// A byte string that need not be UTF-8: paths, arguments, environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Raw(Vec<u8>);

impl Raw {
    pub(crate) fn path(path: &Path) -> Self {
        Self(path.as_os_str().as_bytes().to_vec())
    }

    pub(crate) fn os(text: &OsString) -> Self {
        Self(text.as_bytes().to_vec())
    }

    pub(crate) fn to_path(&self) -> PathBuf {
        PathBuf::from(OsString::from_vec(self.0.clone()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The first message to a launcher.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) sandbox: SandboxMode,
    pub(crate) containment: Option<Containment>,
    /// Runs and workers that can be there at one time.
    pub(crate) places: u32,
    /// This engine's own directory for scratch directories.
    pub(crate) scratch_root: Raw,
    pub(crate) readable: Vec<Raw>,
    pub(crate) cgroup_parent: Option<Raw>,
}

/// The launcher's answer to [`Setup`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Greeting {
    pub(crate) mechanisms: Mechanisms,
    /// With a required sandbox: what is missing, and the launcher ends.
    pub(crate) refused: Option<String>,
}

/// One run. The descriptors travel beside it: job socket, standard output,
/// standard error, standard input if `stdin` says so, then the handed files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) program: Raw,
    pub(crate) args: Vec<Raw>,
    /// `KEY=value` each.
    pub(crate) env: Vec<Raw>,
    pub(crate) stdin: bool,
    pub(crate) readable: Vec<Raw>,
    /// Name of the scratch directory below the engine's own.
    pub(crate) scratch: Option<String>,
    pub(crate) bounds: Bounds,
    /// Send [`Report::Started`].
    pub(crate) announce: bool,
    /// Send [`Report::Resident`] as it changes.
    pub(crate) tell_memory: bool,
}

/// The limits that the launcher enforces; the others are the engine's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bounds {
    pub(crate) cpu_seconds: Option<u64>,
    pub(crate) memory: u64,
    pub(crate) processes: u32,
    pub(crate) open_files: u32,
    pub(crate) file_size: u64,
    pub(crate) scratch_bytes: u64,
    pub(crate) scratch_files: u32,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        let Limits {
            timeout: _,
            idle: _,
            grace: _,
            cpu,
            memory,
            processes,
            open_files,
            file_size,
            scratch_bytes,
            scratch_files,
            output: _,
        } = *limits;
        Self {
            cpu_seconds: cpu.map(|time| time.as_secs() + u64::from(time.subsec_nanos() > 0)),
            memory,
            processes,
            open_files,
            file_size,
            scratch_bytes,
            scratch_files,
        }
    }
}

/// What the launcher says about one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    Started {
        pid: u32,
    },
    /// Memory of all processes of the run together, in bytes.
    Resident {
        bytes: u64,
    },
    SpawnFailed(SpawnFailure),
    Ended(Ended),
}

/// The step that failed, and the system's error number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SpawnFailure {
    pub(crate) step: Step,
    pub(crate) errno: i32,
}

/// The steps between the fork and the program's first instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u32)]
pub(crate) enum Step {
    Fork = 1,
    ProcessGroup = 2,
    Descriptors = 3,
    WorkingDirectory = 4,
    ResourceLimits = 5,
    Landlock = 6,
    Capabilities = 7,
    Seccomp = 8,
    Exec = 9,
    Supervisor = 10,
}

impl Step {
    pub(crate) const ALL: [Self; 10] = [
        Self::Fork,
        Self::ProcessGroup,
        Self::Descriptors,
        Self::WorkingDirectory,
        Self::ResourceLimits,
        Self::Landlock,
        Self::Capabilities,
        Self::Seccomp,
        Self::Exec,
        Self::Supervisor,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::ProcessGroup => "process group",
            Self::Descriptors => "descriptors",
            Self::WorkingDirectory => "working directory",
            Self::ResourceLimits => "resource limits",
            Self::Landlock => "Landlock",
            Self::Capabilities => "capabilities",
            Self::Seccomp => "seccomp",
            Self::Exec => "exec",
            Self::Supervisor => "supervisor",
        }
    }
}

/// The end of a run; all its processes are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    /// The limit for which the launcher killed the run.
    pub(crate) limit: Option<Limit>,
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    pub(crate) peak_rss: u64,
    pub(crate) leftovers: Leftovers,
}

/// How the program's main process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Exit {
    Code(i32),
    Signal(Signal),
}

impl Exit {
    /// Reads the status word of `wait4`.
    pub(crate) fn from_wait_status(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Signal(Signal(libc::WTERMSIG(status)))
        } else {
            Self::Code(libc::WEXITSTATUS(status))
        }
    }
}

/// What the engine wants of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Ask the program to end, and kill everything after the grace.
    End { grace: Duration },
    /// Stop it where it is, or let it go on.
    Hold(bool),
}

/// Encodes a message.
///
/// # Errors
/// With the encoded size when that is larger than a packet may be.
pub(crate) fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, usize> {
    let bytes = postcard::to_allocvec(message).expect("these types have no failing serializer");
    if bytes.len() > MAX_PACKET {
        return Err(bytes.len());
    }
    Ok(bytes)
}

/// Sends one packet with descriptors, without waiting and without `SIGPIPE`.
pub(crate) fn send(
    socket: impl AsFd,
    packet: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> rustix::io::Result<()> {
    let mut space =
        [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::TOOMANYREFS);
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    loop {
        match sendmsg(&socket, &[io::IoSlice::new(packet)], &mut control, flags) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// A received packet; `None` when the other side has hung up.
pub(crate) type Received<T> = Option<(T, Vec<OwnedFd>)>;

/// Receives one packet with its descriptors, which are closed on exec.
///
/// # Errors
/// `EAGAIN` when there is none and the socket does not wait; `EBADMSG` when
/// the packet can't be decoded.
pub(crate) fn receive<T: DeserializeOwned>(
    socket: impl AsFd,
    flags: RecvFlags,
    buffer: &mut [u8],
) -> rustix::io::Result<Received<T>> {
    let mut space =
        [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let received = loop {
        let slices = &mut [io::IoSliceMut::new(buffer)];
        match recvmsg(&socket, slices, &mut control, flags) {
            // Packets that were sent before the other side hung up without
            // having read all of ours come after this error.
            Err(Errno::INTR | Errno::CONNRESET) => {}
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    let bytes = buffer.get(..received.bytes).ok_or(Errno::BADMSG)?;
    let message = postcard::from_bytes(bytes).map_err(|_| Errno::BADMSG)?;
    Ok(Some((message, descriptors)))
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn a_request_travels_with_its_descriptors() {
        let (left, right) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let request = Request {
            program: Raw::path(Path::new("/bin/true")),
            args: vec![Raw(vec![0xff, b'x'])],
            env: vec![],
            stdin: false,
            readable: vec![],
            scratch: Some("7".into()),
            bounds: Bounds::from(&Limits::default()),
            announce: true,
            tell_memory: false,
        };
        let packet = encode(&request).unwrap();
        send(&left, &packet, &[left.as_fd(), right.as_fd()]).unwrap();
        let mut buffer = vec![0; MAX_PACKET];
        let (received, descriptors) = receive::<Request>(&right, RecvFlags::empty(), &mut buffer)
            .unwrap()
            .unwrap();
        assert_eq!(received, request);
        assert_eq!(descriptors.len(), 2);

        drop((left, descriptors));
        assert!(
            receive::<Request>(&right, RecvFlags::empty(), &mut buffer)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn an_oversized_message_is_refused_with_its_size() {
        let report = Report::Ended(Ended {
            exit: Exit::Code(0),
            limit: None,
            user: Duration::ZERO,
            system: Duration::ZERO,
            peak_rss: 0,
            leftovers: Leftovers {
                count: 1,
                names: vec!["x".repeat(MAX_PACKET)],
            },
        });
        assert!(encode(&report).unwrap_err() > MAX_PACKET);
    }
}
