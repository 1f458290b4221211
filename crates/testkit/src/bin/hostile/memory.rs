//! Memory, really used: every page is written to.

use crate::Failure;
use crate::errno::Refused;
use crate::output::line;
use crate::processes::hang;

const PAGE: usize = 4096;
const STEP: usize = 4 << 20;

/// `memory-bomb`: touches page after page without end; exits with code 1 when
/// the system gives no more.
pub(crate) fn bomb() -> Result<(), Refused> {
    loop {
        map_and_touch(STEP)?;
    }
}

/// `memory BYTES`: touches so much, then exits.
pub(crate) fn touch(bytes: usize) -> Result<(), Refused> {
    if bytes == 0 {
        return Ok(());
    }
    map_and_touch(bytes)
}

/// `memory-hold BYTES`: touches so much, says `ready`, and hangs.
pub(crate) fn hold(bytes: usize) -> Result<(), Failure> {
    touch(bytes)?;
    line("ready")?;
    hang()
}

/// Maps fresh memory and writes to each of its pages; it is never unmapped.
fn map_and_touch(bytes: usize) -> Result<(), Refused> {
    // SAFETY: a new private mapping is asked for; the result is checked.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(Refused::last());
    }
    for offset in (0..bytes).step_by(PAGE) {
        // SAFETY: `offset` lies inside the mapping of `bytes` bytes above.
        unsafe { start.cast::<u8>().add(offset).write_volatile(1) };
    }
    Ok(())
}
