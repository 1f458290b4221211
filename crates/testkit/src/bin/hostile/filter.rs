//! A system call that is not there, as under the filters of container engines and
//! service managers.

use crate::errno::{Refused, check};

/// Where the number of the call stands in what a filter is shown.
const NUMBER: u32 = 0;

/// From now on this call fails with `ENOSYS`, here and in whatever is started.
pub(crate) fn without(number: i64) -> Result<(), Refused> {
    let number = u32::try_from(number).map_err(|_| Refused(libc::EINVAL))?;
    let step = |code: u32, jt, jf, k| libc::sock_filter {
        // All codes are below 0x100.
        code: code as u16,
        jt,
        jf,
        k,
    };
    let refuse = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    let mut steps = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, NUMBER),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, refuse),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: takes numbers only.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    // SAFETY: the kernel copies the program, which lives until the call returns.
    check(unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    })?;
    Ok(())
}
