//! Names out of a hostile file: bounded each, and bounded together.
//!
//! String tables are shared, so a file of a few megabytes can have a hundred
//! thousand symbols that all name the same megabyte. Called by the parsers of
//! ELF and Mach-O; it escapes nothing.

use std::ffi::CStr;

use crate::Warnings;

/// A longer name is cut. Mangled C++ names of some thousand bytes are real.
const LONGEST: usize = 16 << 10;
/// What all names of a small file together may hold, in bytes.
const LEAST_TOTAL: usize = 1 << 20;
/// What all names of any file together may hold, in bytes.
const MOST_TOTAL: usize = 1 << 30;

/// Makes the strings of a report, until they are too many bytes.
#[derive(Debug)]
pub(super) struct Text {
    left: usize,
    exhausted: bool,
}

impl Text {
    /// For the report of a file of so many bytes.
    pub(super) fn new(file_size: usize) -> Self {
        Self {
            left: file_size.saturating_mul(4).clamp(LEAST_TOTAL, MOST_TOTAL),
            exhausted: false,
        }
    }

    /// The text, lossy where it is not UTF-8; empty when the report is full.
    pub(super) fn own(&mut self, bytes: &[u8]) -> String {
        if bytes.len() > self.left {
            self.exhausted = true;
            return String::new();
        }
        self.left -= bytes.len();
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// Says so when the report was full.
    pub(super) fn finish(self, warnings: &mut Warnings) {
        if self.exhausted {
            warnings.add("names are more bytes than a report may hold, some were left empty");
        }
    }
}

/// The bytes up to the first NUL, or to the end, or as many as a name may have.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
    CStr::from_bytes_until_nul(bytes).map_or(bytes, CStr::to_bytes)
}

/// The name at an offset of a string table; `None` when it begins behind it.
pub(super) fn name_at(table: &[u8], offset: u64) -> Option<&[u8]> {
    let offset = usize::try_from(offset).ok()?;
    table.get(offset..).map(until_nul)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_nul_or_at_a_bound() {
        assert_eq!(until_nul(b"ab\0c"), b"ab");
        assert_eq!(until_nul(b"abc"), b"abc");
        assert_eq!(until_nul(&vec![b'a'; 1 << 20]).len(), LONGEST);
        assert_eq!(name_at(b"\0ab\0", 1), Some(&b"ab"[..]));
        assert_eq!(name_at(b"\0ab\0", 5), None);
        assert_eq!(name_at(b"\0ab\0", u64::MAX), None);
    }

    #[test]
    fn all_names_together_are_bounded() {
        let mut text = Text::new(0);
        let name = [b'a'; LONGEST];
        let total: usize = (0..2000).map(|_| text.own(&name).len()).sum();
        assert_eq!(total, LEAST_TOTAL);
        let mut warnings = Warnings::default();
        text.finish(&mut warnings);
        assert_eq!(warnings.messages().len(), 1);
    }
}
