//! From the fork to the program's first instruction.
//!
//! The launcher has one thread and the child of its fork a copy of everything,
//! so ordinary code may run here; what fails is noted on the board, and the
//! launcher finds it when it reaps the child.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Resource, Rlimit, chdir, getppid, setpgid, setrlimit};

use super::board::Note;
use super::confine::Confinement;
use super::sys;
use crate::wire::{Bounds, Request, SpawnFailure, Step};

/// Descriptors are moved above this number before they are put in place, so
/// that none is overwritten while it is still needed.
const PARKING: RawFd = 64;

/// How far below the server's own priority runs are.
const NICE: i32 = 5;

/// Exit code of a child that never became the program; its note says why.
const NOT_STARTED: i32 = 127;

/// Everything the child needs; made before the fork.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) request: &'a Request,
    pub(super) streams: &'a Streams,
    pub(super) confinement: &'a Confinement,
    pub(super) scratch: Option<PathBuf>,
    pub(super) note: &'static Note,
}

/// The descriptors that the program gets.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    pub(super) handed: Vec<OwnedFd>,
}

/// Becomes the program, or notes why not and ends.
pub(super) fn become_program(plan: &Plan<'_>) -> ! {
    let Err(SpawnFailure { step, errno }) = try_become(plan);
    plan.note.set_failure(step, errno);
    sys::exit_now(NOT_STARTED)
}

fn try_become(plan: &Plan<'_>) -> Result<std::convert::Infallible, SpawnFailure> {
    let at = |step: Step| {
        move |error: io::Error| SpawnFailure {
            step,
            errno: error.raw_os_error().unwrap_or(libc::EINVAL),
        }
    };
    let Plan {
        request,
        streams,
        confinement,
        scratch,
        note,
    } = plan;
    let parent = getppid();
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong)
        .map_err(at(Step::ProcessGroup))?;
    if getppid() != parent {
        // The launcher died before the line above took effect.
        sys::exit_now(NOT_STARTED);
    }
    setpgid(None, None).map_err(|error| at(Step::ProcessGroup)(error.into()))?;
    sys::be_nice(NICE);
    sys::reset_signals();

    let directory = scratch.as_deref().unwrap_or(Path::new("/"));
    chdir(directory).map_err(|error| at(Step::WorkingDirectory)(error.into()))?;
    let strings = Strings::of(request, scratch.as_deref()).map_err(at(Step::Exec))?;
    let handed: Vec<BorrowedFd<'_>> = streams.handed.iter().map(AsFd::as_fd).collect();
    let program = request.program.to_path();
    confinement.restrict_files(&program, &request.readable, &handed, scratch.as_deref())?;
    place_descriptors(streams).map_err(at(Step::Descriptors))?;
    // Not earlier: the launcher may have more descriptors open than the run may.
    set_limits(&request.bounds).map_err(at(Step::ResourceLimits))?;
    confinement.restrict_calls(request.bounds.processes <= 1)?;
    note.set_started();
    let error = sys::execve(&strings.program, &strings.args, &strings.env);
    Err(at(Step::Exec)(error))
}

/// Puts the descriptors at 0, 1, 2, 3… and closes everything else.
fn place_descriptors(streams: &Streams) -> io::Result<()> {
    let Streams {
        stdin,
        stdout,
        stderr,
        handed,
    } = streams;
    let mut parked = Vec::with_capacity(3 + handed.len());
    for descriptor in [stdin, stdout, stderr].into_iter().chain(handed) {
        parked.push(fcntl_dupfd_cloexec(descriptor, PARKING)?);
    }
    for (number, descriptor) in (0..).zip(&parked) {
        put_at(descriptor, number)?;
    }
    sys::close_from(parked.len());
    std::mem::forget(parked);
    Ok(())
}

/// `dup2`, leaving the new descriptor open across exec.
fn put_at(descriptor: &OwnedFd, number: RawFd) -> io::Result<()> {
    // SAFETY: whatever had this number belongs to the launcher's copy, which
    // nothing uses any more in this process; `ManuallyDrop` keeps the new
    // owner from closing it.
    let mut target = std::mem::ManuallyDrop::new(unsafe {
        <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(number)
    });
    rustix::io::dup2(descriptor, &mut target)?;
    fcntl_setfd(&*target, FdFlags::empty())?;
    debug_assert_eq!(target.as_raw_fd(), number);
    Ok(())
}

fn set_limits(bounds: &Bounds) -> io::Result<()> {
    let Bounds {
        cpu_seconds,
        memory,
        processes: _,
        open_files,
        file_size,
        scratch_bytes: _,
        scratch_files: _,
    } = *bounds;
    let set = |resource: Resource, soft: u64, hard: u64| {
        let mut limit = Rlimit {
            current: Some(soft),
            maximum: Some(hard),
        };
        // An ordinary user can't raise what was lowered before.
        if let Some(ceiling) = rustix::process::getrlimit(resource).maximum {
            limit.current = Some(soft.min(ceiling));
            limit.maximum = Some(hard.min(ceiling));
        }
        setrlimit(resource, limit)
    };
    set(Resource::Core, 0, 0)?;
    set(
        Resource::Nofile,
        u64::from(open_files),
        u64::from(open_files),
    )?;
    set(Resource::Fsize, file_size, file_size)?;
    // What is really used is watched, with a verdict; this stops a single
    // absurd allocation between two looks.
    let ceiling = memory.saturating_mul(2);
    set(Resource::Data, ceiling, ceiling)?;
    if let Some(seconds) = cpu_seconds {
        // The soft limit's signal can be caught; one second later it can't.
        set(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    }
    Ok(())
}

struct Strings {
    program: CString,
    args: Vec<CString>,
    env: Vec<CString>,
}

impl Strings {
    fn of(request: &Request, scratch: Option<&Path>) -> io::Result<Self> {
        let text = |bytes: &[u8]| CString::new(bytes).map_err(io::Error::other);
        let program = text(request.program.bytes())?;
        let mut args = Vec::with_capacity(request.args.len() + 1);
        args.push(program.clone());
        for arg in &request.args {
            args.push(text(arg.bytes())?);
        }
        let mut env = request
            .env
            .iter()
            .map(|pair| text(pair.bytes()))
            .collect::<io::Result<Vec<_>>>()?;
        if let Some(scratch) = scratch {
            for key in ["HOME=", "TMPDIR="] {
                env.push(text(
                    &[key.as_bytes(), scratch.as_os_str().as_bytes()].concat(),
                )?);
            }
        }
        Ok(Self { program, args, env })
    }
}

/// `/dev/null`, for a run without input.
pub(super) fn null_device() -> io::Result<OwnedFd> {
    Ok(File::open("/dev/null")?.into())
}
