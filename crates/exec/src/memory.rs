//! The allocator of this process, kept small: what a burst of work needed is
//! given back to the system. A façade over glibc's; elsewhere it does nothing.

/// Bounds what many threads keep for themselves. To be called once, before any
/// thread is started.
pub fn be_frugal() {
    #[cfg(target_env = "gnu")]
    {
        const ARENAS: libc::c_int = 2;
        // SAFETY: takes two numbers, and no other thread is there yet.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
    }
}

/// Gives free memory back to the system. Takes up to some milliseconds.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
