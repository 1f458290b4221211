//! The allocator of the program, and how what a burst of work needed is given back
//! to the system.
//!
//! mimalloc instead of the C library's: an answer is made on one thread and freed on
//! another, and in glibc both then wait for one lock. Without huge pages, which would
//! double what an idle server has. The library has no allocator of its own; the
//! program installs it.

/// For `#[global_allocator]`.
pub use mimalloc::MiMalloc as Allocator;

/// Gives free memory back to the system: that of this thread, and what no thread
/// holds. Takes up to some milliseconds.
pub fn trim() {
    // SAFETY: may be called at any time, from any thread, also where another
    // allocator is installed.
    unsafe { libmimalloc_sys::mi_collect(true) };
}
