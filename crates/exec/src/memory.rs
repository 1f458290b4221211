//! The allocator of the program, and how what a burst of work needed is given back
//! to the system.
//!
//! jemalloc instead of the C library's: an answer is made on one thread and freed on
//! another, and in glibc both then wait for one lock. C libraries (SQLite, capstone) still
//! ask the C library. This library has no allocator of its own; the program
//! installs it.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};
use std::sync::atomic::{AtomicU64, Ordering};

/// For `#[global_allocator]`.
pub use tikv_jemallocator::Jemalloc as Allocator;

/// What jemalloc has to know before `main`, in its own words: few arenas, and free
/// pages go back within about five seconds of work.
const SETTINGS: &CStr = c"narenas:2,dirty_decay_ms:5000,muzzy_decay_ms:0";

/// The pointer that jemalloc looks for, by its name.
// SAFETY: nothing else has the name, and jemalloc declares it as a pointer to a
// string that ends with a zero.
#[unsafe(export_name = "_rjem_malloc_conf")]
static FOR_JEMALLOC: Settings = Settings(SETTINGS.as_ptr());

#[repr(transparent)]
struct Settings(*const c_char);

// SAFETY: what it points to is never written.
unsafe impl Sync for Settings {}

/// Empties what the thread keeps.
const FLUSH: &CStr = c"thread.tcache.flush";
/// Gives back what is free; 4096 stands for all arenas (`MALLCTL_ARENAS_ALL`).
const PURGE: &CStr = c"arena.4096.purge";

/// Bounds what many threads keep of the C library's memory. To be called once, before
/// any thread is started.
pub fn be_frugal() {
    #[cfg(target_env = "gnu")]
    {
        const ARENAS: libc::c_int = 2;
        // SAFETY: takes two numbers, and no other thread is there yet.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
    }
}

/// How often memory was given back.
static TRIMMED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// How often it had been when this thread last gave up what it keeps.
    static FLUSHED: Cell<u64> = const { Cell::new(0) };
}

/// Gives free memory back to the system: what this thread keeps for itself, and what
/// no thread does. What other threads keep, some MiB after a burst, they give back in
/// [`before_sleep`]. Takes up to some milliseconds.
pub fn trim() {
    TRIMMED.fetch_add(1, Ordering::Relaxed);
    // Where one of them can't be done there is nothing to give back.
    act(FLUSH);
    act(PURGE);
    #[cfg(target_env = "gnu")]
    // SAFETY: may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// What a thread that stays does before it sleeps: gives back what it keeps for
/// itself, if [`trim`] was called since it last did.
pub fn before_sleep() {
    let trimmed = TRIMMED.load(Ordering::Relaxed);
    if FLUSHED.replace(trimmed) != trimmed {
        act(FLUSH);
    }
}

/// Has jemalloc do something that takes and gives nothing. 0, or a number of `errno`.
fn act(name: &CStr) -> c_int {
    use std::ptr::null_mut;
    // SAFETY: the name ends with a zero, and no value is read or written. It may be
    // called from any thread, also where another allocator is installed.
    unsafe { tikv_jemalloc_sys::mallctl(name.as_ptr(), null_mut(), null_mut(), null_mut(), 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jemalloc_knows_what_is_asked_of_it() {
        assert_eq!(act(PURGE), 0);
        assert_eq!(act(c"arena.4096.purges"), libc::ENOENT);
        // A thread that has kept nothing yet has nothing to flush.
        assert!([0, libc::EFAULT].contains(&act(FLUSH)));
        trim();
    }
}
