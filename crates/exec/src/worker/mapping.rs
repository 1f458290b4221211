//! A file of a job as a slice: a read-only mapping of a descriptor. For the
//! handlers of workers, which have no other way to a file and need none.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

/// A file mapped into memory, read-only.
///
/// A file that is made shorter while it is mapped raises `SIGBUS` at the first
/// read past its new end, which ends the worker; the pool reports
/// [`WorkOutcome::FileChanged`](super::WorkOutcome::FileChanged). So use this
/// in workers only. Bytes that somebody else writes to the file meanwhile may
/// be seen or not; a handler must not rely on reading the same value twice for
/// anything that its memory safety hangs on, which safe code never does.
#[derive(Debug)]
pub struct Mapping {
    /// Null for an empty file, of which the kernel makes no mapping.
    address: *mut std::ffi::c_void,
    length: usize,
}

impl Mapping {
    /// Maps the whole file, to be read from its beginning to its end.
    ///
    /// # Errors
    /// When the file can't be mapped: it is a pipe or a directory, or larger
    /// than the address space.
    pub fn of(file: impl AsFd) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&file)?;
        let length = usize::try_from(stat.st_size).map_err(io::Error::other)?;
        if length == 0 {
            return Ok(Self {
                address: std::ptr::null_mut(),
                length,
            });
        }
        // SAFETY: a new mapping at an address of the kernel's choice aliases
        // nothing of ours.
        let address = unsafe {
            mmap(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ,
                MapFlags::PRIVATE,
                &file,
                0,
            )?
        };
        // SAFETY: the range is the mapping that was just made; the advice
        // changes how it is read ahead and nothing else.
        unsafe { madvise(address, length, Advice::Sequential) }.ok();
        Ok(Self { address, length })
    }

    /// The file's bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: the mapping is readable, that long, and lives as long as
        // `self`. That the file may change underneath is the caveat that every
        // mapping of a file has (see the type).
        unsafe { std::slice::from_raw_parts(self.address.cast(), self.length) }
    }

    /// Size of the file in bytes when it was mapped.
    #[must_use]
    pub fn size(&self) -> usize {
        self.length
    }

    /// Gives the memory of this part back, as far as whole pages lie in front
    /// of its end. It stays readable, at the price of another look into the
    /// page cache. Called behind a pass over a large file, it keeps the
    /// resident set small.
    pub fn release(&self, range: Range<usize>) {
        let page = rustix::param::page_size();
        let end = if range.end >= self.length {
            self.length
        } else {
            range.end - range.end % page
        };
        let start = range.start.min(end);
        let start = start - start % page;
        if start >= end {
            return;
        }
        // SAFETY: the range lies within the mapping and begins at a page. The
        // pages are clean copies of the file's: dropping them loses nothing.
        unsafe {
            let address = self.address.cast::<u8>().add(start);
            madvise(address.cast(), end - start, Advice::LinuxDontNeed).ok();
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: the mapping was made by `of`, and no slice of it outlives
            // `self`.
            unsafe { munmap(self.address, self.length) }.ok();
        }
    }
}

// SAFETY: an immutable range of memory; nothing in it belongs to a thread.
unsafe impl Send for Mapping {}
// SAFETY: as above, and all access through a shared reference is reading.
unsafe impl Sync for Mapping {}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_mapping_has_the_bytes_before_and_after_they_are_released() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        file.write_all(&bytes).unwrap();
        let mapping = Mapping::of(&file).unwrap();
        assert_eq!(mapping.size(), bytes.len());
        assert_eq!(mapping.as_slice(), bytes);
        for range in [0..10, 5000..100_000, 0..usize::MAX, 9..9, 400_000..500_000] {
            mapping.release(range);
            assert_eq!(mapping.as_slice(), bytes);
        }
    }

    #[test]
    fn an_empty_file_is_an_empty_slice_and_a_pipe_is_an_error_or_empty() {
        let file = tempfile::tempfile().unwrap();
        let mapping = Mapping::of(&file).unwrap();
        mapping.release(0..1);
        assert_eq!(mapping.as_slice(), b"");
        assert!(Mapping::of(std::fs::File::open("/").unwrap()).is_err());
    }
}
