//! The namespaces that the launcher puts itself into once, so that every run
//! is born inside: no network, no view of other processes, no shared memory
//! with others. An ordinary user needs a user namespace first.

use std::fs;
use std::io;

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{getegid, geteuid};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// What could be unshared; the error text where not.
#[derive(Debug, Clone)]
pub(super) struct Namespaces {
    pub(super) mount: Result<(), String>,
    pub(super) network: Result<(), String>,
    pub(super) ipc: Result<(), String>,
}

impl Namespaces {
    /// Nothing was tried.
    pub(super) fn untouched(reason: &str) -> Self {
        let no = || Err(reason.to_owned());
        Self {
            mount: no(),
            network: no(),
            ipc: no(),
        }
    }

    /// Unshares what it can, each for itself.
    pub(super) fn enter() -> Self {
        if let Err(error) = become_privileged() {
            return Self::untouched(&error);
        }
        let enter = |flags: UnshareFlags| {
            // SAFETY: none of these flags touches memory or descriptors, and
            // this process has one thread.
            unsafe { unshare_unsafe(flags) }.map_err(|error| error.to_string())
        };
        Self {
            mount: enter(UnshareFlags::NEWNS),
            network: enter(UnshareFlags::NEWNET),
            ipc: enter(UnshareFlags::NEWIPC),
        }
    }
}

/// An ordinary user becomes privileged inside a user namespace of his own, as
/// himself; root stays as it is.
fn become_privileged() -> Result<(), String> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    if uid == 0 {
        return Ok(());
    }
    // SAFETY: does not touch memory or descriptors; there is one thread.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }
        .map_err(|error| format!("no user namespace: {error}"))?;
    let map = |file: &str, text: String| {
        fs::write(file, text).map_err(|error| format!("writing {file}: {error}"))
    };
    map("/proc/self/setgroups", "deny".into())?;
    map("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    map("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

/// Caps the processes in this PID namespace, which all runs share: should one
/// ever multiply faster than it is killed, the machine does not run out of
/// process ids. Linux 6.14 and later have the setting for each namespace;
/// before, it can't be written from here, and that is no loss of a promise.
pub(super) fn cap_processes(runs: u32) {
    const FOR_THE_LAUNCHER: u32 = 1024;
    const FOR_A_RUN: u32 = 128;
    let most = FOR_THE_LAUNCHER.saturating_add(runs.saturating_mul(FOR_A_RUN));
    fs::write("/proc/sys/kernel/pid_max", most.min(1 << 15).to_string()).ok();
}

/// Mounts a `/proc` that shows this PID namespace, in this mount namespace.
pub(super) fn mount_own_proc() -> io::Result<()> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None)?;
    Ok(())
}
