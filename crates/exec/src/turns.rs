//! How soon a thread gets a processor that others keep busy.
//!
//! Linux lets what runs go on for a slice of time (1.4 ms with two processors) before
//! a thread goes on that has just been given something to do. A call is handed on half a
//! dozen times, so beside programs that keep all processors busy it waits for many
//! slices. Since Linux 6.12 a thread may ask for shorter ones: who does goes on
//! before those that don't, for a shorter time, and has no greater share in the end.
//! Before, the wish is taken and has no effect.

use std::io;

/// The shortest that there is.
const SHORT: u64 = 100_000;
/// As the system sees fit.
const DEFAULT: u64 = 0;

/// Asks for short slices, for this thread and those that it starts. To be called before there
/// are others. Failing is harmless.
pub fn be_prompt() {
    ask(SHORT).ok();
}

/// Takes the wish back, which processes inherit.
pub(crate) fn be_ordinary() {
    ask(DEFAULT).ok();
}

/// Leaves everything else as it is.
fn ask(nanoseconds: u64) -> io::Result<()> {
    let mut attributes = current()?;
    attributes.sched_runtime = nanoseconds;
    // SAFETY: the structure says how long it is, and lives until the call returns.
    let done = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0u32) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// How this thread is scheduled.
fn current() -> io::Result<libc::sched_attr> {
    let size = u32::try_from(size_of::<libc::sched_attr>()).unwrap_or(0);
    // SAFETY: all its fields are numbers, for which zero is a value.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: no more than `size` bytes are written, which it has.
    let done =
        unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0u32) };
    if done == 0 {
        Ok(attributes)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_is_taken_and_changes_nothing_else() {
        let before = current().unwrap();
        be_prompt();
        let prompt = current().unwrap();
        assert_eq!(
            (prompt.sched_policy, prompt.sched_nice),
            (before.sched_policy, before.sched_nice)
        );
        // Before Linux 6.12 nothing is said of it.
        assert!([SHORT, before.sched_runtime].contains(&prompt.sched_runtime));
        be_ordinary();
        assert_eq!(current().unwrap().sched_runtime, before.sched_runtime);
    }
}
