//! Confinement of one run: what its processes may open, call and be, put in
//! place by the run's first process on itself, just before the program starts.
//!
//! Which parts are available is found out once, when the launcher starts.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};

use super::seccomp::Filters;
use super::sys;
use crate::wire::{Raw, SpawnFailure, Step};

/// The newest Landlock that this code asks for; older kernels give what they have.
const NEWEST: ABI = ABI::V6;

/// Reading files of other owners, without which root could not analyse them
/// once it has given up everything else. Landlock bounds what it opens.
const CAP_DAC_READ_SEARCH: u32 = 2;

const SECBIT_NOROOT: libc::c_ulong = 1 << 0;
const SECBIT_NOROOT_LOCKED: libc::c_ulong = 1 << 1;

/// The protections in force, ready to be applied to a run.
#[derive(Debug, Default)]
pub(super) struct Confinement {
    pub(super) landlock: Option<Landlock>,
    pub(super) filters: Option<Filters>,
    pub(super) drop_capabilities: bool,
}

/// The part of the file system that every run may see.
#[derive(Debug)]
pub(super) struct Landlock {
    readable: Vec<(File, bool)>,
    devices: Vec<File>,
}

impl Landlock {
    /// Opens the directories that every run may read. One that does not exist
    /// is passed over: the list is written for many systems.
    pub(super) fn prepare(readable: &[Raw]) -> Self {
        Self {
            readable: readable
                .iter()
                .filter_map(|path| open_path(&path.to_path()).ok())
                .collect(),
            devices: ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"]
                .iter()
                .filter_map(|path| Some(open_path(Path::new(path)).ok()?.0))
                .collect(),
        }
    }

    fn apply(&self, access: &RunAccess<'_>) -> Result<(), RulesetError> {
        let all = AccessFs::from_all(NEWEST);
        let read = AccessFs::from_read(NEWEST);
        let read_file = AccessFs::Execute | AccessFs::ReadFile;
        let readable = |is_directory: bool| if is_directory { read } else { read_file };
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?;
        for (file, is_directory) in self.readable.iter().chain(&access.readable) {
            rules = rules.add_rule(PathBeneath::new(file, readable(*is_directory)))?;
        }
        for device in &self.devices {
            rules = rules.add_rule(PathBeneath::new(
                device,
                AccessFs::ReadFile | AccessFs::WriteFile,
            ))?;
        }
        for handed in access.handed.iter().filter(|file| has_path(file)) {
            rules = rules.add_rule(PathBeneath::new(handed, BitFlags::from(AccessFs::ReadFile)))?;
        }
        if let Some((scratch, _)) = &access.scratch {
            rules = rules.add_rule(PathBeneath::new(
                scratch,
                all & !AccessFs::Execute & !AccessFs::MakeBlock & !AccessFs::MakeChar,
            ))?;
        }
        rules.restrict_self()?;
        Ok(())
    }
}

/// What one run may open besides that.
#[derive(Debug)]
struct RunAccess<'a> {
    readable: Vec<(File, bool)>,
    handed: &'a [BorrowedFd<'a>],
    scratch: Option<(File, bool)>,
}

impl Confinement {
    /// Bounds what this process and its descendants may open.
    pub(super) fn restrict_files(
        &self,
        program: &Path,
        readable: &[Raw],
        handed: &[BorrowedFd<'_>],
        scratch: Option<&Path>,
    ) -> Result<(), SpawnFailure> {
        let Some(landlock) = &self.landlock else {
            return Ok(());
        };
        let open = |path: &Path| open_path(path).map_err(|error| failure(Step::Landlock, &error));
        let mut files = Vec::with_capacity(readable.len() + 1);
        // Where it does not exist, the exec says so better.
        files.extend(open_path(program).ok());
        for path in readable {
            files.push(open(&path.to_path())?);
        }
        let access = RunAccess {
            readable: files,
            handed,
            scratch: scratch.map(open).transpose()?,
        };
        landlock
            .apply(&access)
            .map_err(|_| failure(Step::Landlock, &io::Error::last_os_error()))
    }

    /// Gives up rights and system calls. After this, the process can do little
    /// more than start the program.
    pub(super) fn restrict_calls(&self, single_process: bool) -> Result<(), SpawnFailure> {
        if self.drop_capabilities {
            // Fails where an ordinary user has nothing to give up.
            sys::prctl(
                libc::PR_SET_SECUREBITS,
                SECBIT_NOROOT | SECBIT_NOROOT_LOCKED,
            )
            .ok();
            let root = rustix::process::geteuid().is_root();
            let keep = (root && self.landlock.is_some()).then_some(CAP_DAC_READ_SEARCH);
            sys::keep_capability(keep).map_err(|error| failure(Step::Capabilities, &error))?;
        }
        if let Some(filters) = &self.filters {
            let filter = if single_process {
                &filters.single
            } else {
                &filters.run
            };
            seccompiler::apply_filter(filter)
                .map_err(|_| failure(Step::Seccomp, &io::Error::last_os_error()))?;
        }
        Ok(())
    }
}

fn failure(step: Step, error: &io::Error) -> SpawnFailure {
    SpawnFailure {
        step,
        errno: error.raw_os_error().unwrap_or(libc::EINVAL),
    }
}

/// Opens a path without reading it; also says whether it is a directory.
fn open_path(path: &Path) -> io::Result<(File, bool)> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_CLOEXEC)
        .open(path)?;
    let is_directory = file.metadata()?.is_dir();
    Ok((file, is_directory))
}

/// The directories from which programs, libraries and their data are read, on
/// the distributions we know; no home directories and no secrets of `/etc`.
pub(crate) fn system_directories() -> Vec<PathBuf> {
    [
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/opt",
        "/nix/store",
        "/gnu/store",
        "/etc/ld.so.cache",
        "/etc/ld.so.conf",
        "/etc/ld.so.conf.d",
        "/etc/alternatives",
        "/etc/localtime",
        "/etc/magic",
        "/etc/magic.mime",
        "/etc/python3",
        "/etc/python3.11",
        "/etc/python3.12",
        "/etc/python3.13",
    ]
    .iter()
    .map(PathBuf::from)
    .collect()
}

/// Whether Landlock can have a rule for it: a socket is beneath no directory,
/// and can't be opened again by a path either.
fn has_path(descriptor: impl AsFd) -> bool {
    rustix::fs::fstat(descriptor)
        .is_ok_and(|stat| !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_socket())
}

/// Whether `descriptor` may be handed on: anything but a directory, through
/// which a run could reach what lies beneath.
pub(super) fn is_directory(descriptor: impl AsFd) -> bool {
    rustix::fs::fstat(descriptor)
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
}
