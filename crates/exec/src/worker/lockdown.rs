//! The confinement that a worker puts on itself before it takes work, on top
//! of what the launcher has put on it already.
//!
//! A worker needs no file system at all: its files arrive as open descriptors.
//! So Landlock allows nothing, all capabilities are given up, and the system
//! call filter is a short list of what computing needs: memory, threads, time,
//! reading, and the one socket. A refused call returns `ENOSYS`, as on a kernel
//! that does not have it: libraries have another way then (glibc takes `clone`
//! for `clone3`, wasmtime does without `memfd_create`).
//!
//! What an allowed call may not be given is checked where an argument tells:
//! `write` goes to the standard streams only, messages to descriptor 3 only,
//! signals to this process only, `clone` makes threads only. Executable memory
//! is allowed: YARA rules are compiled to native code.

use std::collections::BTreeMap;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError,
    RulesetStatus, Scope,
};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Op,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use serde::{Deserialize, Serialize};

use super::SOCKET;
use crate::launcher::sys;
use crate::mechanisms::Mechanism;

/// The newest Landlock that this code asks for; older kernels give what they have.
const NEWEST: ABI = ABI::V6;

/// What came of it, as the worker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    /// Why no file system is not in force, if it isn't.
    pub(super) files: Result<(), String>,
    /// Why the system call filter is not in force, if it isn't.
    pub(super) calls: Result<(), String>,
}

impl Found {
    pub(super) fn switched_off() -> Self {
        let off = || Err("the sandbox is switched off".to_owned());
        Self {
            files: off(),
            calls: off(),
        }
    }

    /// What does not hold, with the reasons; `None` when everything does.
    pub(super) fn missing(&self) -> Option<String> {
        let all = [("landlock", &self.files), ("seccomp", &self.calls)];
        let missing: Vec<String> = all
            .into_iter()
            .filter_map(|(name, result)| Some(format!("{name} ({})", result.as_ref().err()?)))
            .collect();
        (!missing.is_empty()).then(|| missing.join(", "))
    }

    /// For the list that `doctor` prints.
    pub(super) fn mechanism(&self) -> Mechanism {
        let missing = self.missing();
        Mechanism {
            name: "worker-confinement".into(),
            purpose: "an embedded engine can open nothing, start nothing and reach nobody".into(),
            holds: missing.is_none(),
            detail: missing.unwrap_or_else(|| "no file system, a short list of calls".into()),
        }
    }
}

/// Locks this process down, for good. It must have one thread.
pub(super) fn lock_down() -> Found {
    let files = no_files().map_err(|error| error.to_string());
    // Fails where an ordinary user has nothing to give up.
    sys::keep_capability(None).ok();
    let calls = filter()
        .map_err(|error| error.to_string())
        .and_then(|filter| seccompiler::apply_filter(&filter).map_err(|error| error.to_string()));
    Found { files, calls }
}

fn no_files() -> Result<(), String> {
    let restricted = || -> Result<RulesetStatus, RulesetError> {
        let status = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?
            .restrict_self()?;
        Ok(status.ruleset)
    };
    match restricted() {
        // Partly: the kernel is older than the newest version, and the file
        // system is closed all the same.
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => Ok(()),
        Ok(RulesetStatus::NotEnforced) => Err("the kernel does not have it".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn filter() -> Result<BpfProgram, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(
        rules()?,
        SeccompAction::Errno(libc::ENOSYS as u32),
        SeccompAction::Allow,
        arch,
    )?
    .try_into()
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Allowed with any arguments: these work on memory, on this thread, on time,
/// and on what is open already.
const ALLOWED: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_getcpu,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mincore,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
];

fn rules() -> Result<Rules, BackendError> {
    let condition =
        |argument: u8, op: Op, value: u64| SeccompCondition::new(argument, Width::Dword, op, value);
    let wide =
        |argument: u8, op: Op, value: u64| SeccompCondition::new(argument, Width::Qword, op, value);
    let mut rules: Rules = ALLOWED.iter().map(|number| (*number, vec![])).collect();
    #[cfg(target_arch = "x86_64")]
    {
        rules.insert(libc::SYS_poll, vec![]);
        rules.insert(libc::SYS_time, vec![]);
    }
    for number in [libc::SYS_write, libc::SYS_writev] {
        let standard = condition(0, Op::Le, 2)?;
        rules.insert(number, vec![SeccompRule::new(vec![standard])?]);
    }
    for number in [libc::SYS_sendmsg, libc::SYS_recvmsg] {
        let socket = condition(0, Op::Eq, u64::from(SOCKET.unsigned_abs()))?;
        rules.insert(number, vec![SeccompRule::new(vec![socket])?]);
    }
    // An abort signals its own thread.
    let this = condition(0, Op::Eq, std::process::id().into())?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![this])?]);
    // Reading a limit of one's own, which the start of a thread does.
    let own_limit = vec![condition(0, Op::Eq, 0)?, wide(2, Op::Eq, 0)?];
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(own_limit)?]);
    let mut names = Vec::new();
    for option in [libc::PR_SET_NAME, libc::PR_SET_VMA] {
        let option = condition(0, Op::Eq, u64::from(option.unsigned_abs()))?;
        names.push(SeccompRule::new(vec![option])?);
    }
    rules.insert(libc::SYS_prctl, names);
    let mut controls = Vec::new();
    for control in [libc::F_GETFD, libc::F_GETFL, libc::F_DUPFD_CLOEXEC] {
        let control = condition(1, Op::Eq, u64::from(control.unsigned_abs()))?;
        controls.push(SeccompRule::new(vec![control])?);
    }
    rules.insert(libc::SYS_fcntl, controls);
    // Flags are the first argument on the architectures that we know. `clone3`
    // has its flags behind a pointer, where no filter can look.
    let thread = (libc::CLONE_THREAD | libc::CLONE_VM) as u64;
    let namespaces = (libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP) as u64;
    let threads_only = wide(0, Op::MaskedEq(thread | namespaces), thread)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![threads_only])?]);
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_compiles() {
        assert!(filter().unwrap().len() > ALLOWED.len());
    }

    #[test]
    fn what_is_missing_is_named_with_its_reason() {
        let found = Found {
            files: Err("too old".into()),
            calls: Ok(()),
        };
        assert_eq!(found.missing().as_deref(), Some("landlock (too old)"));
        assert!(!found.mechanism().holds);
        assert!(Found::switched_off().mechanism().detail.contains("seccomp"));
    }
}
