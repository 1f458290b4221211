//! The allocator of the program, and how what a burst of work needed is given back
//! to the system.
//!
//! mimalloc instead of the C library's: an answer is made on one thread and freed on
//! another, and in glibc both then wait for one lock. Without huge pages, which would
//! double what an idle server has. The library has no allocator of its own; the
//! program installs it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// For `#[global_allocator]`.
pub use mimalloc::MiMalloc as Allocator;

/// Gives free memory back to the system: that of this thread, and what no thread
/// holds. Takes up to some milliseconds.
pub fn trim() {
    // SAFETY: may be called at any time, from any thread, also where another
    // allocator is installed.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// How often all threads were asked to trim.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// [`trim`], here and on each thread that calls [`trim_if_asked`], as soon as it does.
pub fn trim_all() {
    ASKED.fetch_add(1, Ordering::Relaxed);
    trim();
}

/// Gives back what this thread holds, once for each [`trim_all`]. For threads that
/// are about to wait (`on_thread_park`): no other can do it for them.
pub fn trim_if_asked() {
    thread_local! {
        static DONE: Cell<u64> = const { Cell::new(0) };
    }
    let asked = ASKED.load(Ordering::Relaxed);
    if DONE.replace(asked) != asked {
        trim();
    }
}
