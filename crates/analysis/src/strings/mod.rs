//! Printable strings of a file, in one pass over bytes that the caller feeds.
//! Called by the workers of `run_strings`, and by whoever searches text in a
//! file (indicators, rules).
//!
//! What a string is follows `strings -a` of GNU binutils in the C locale, for
//! every encoding that GNU knows: see [`Encoding`]. Text is handed on as it
//! stands in the file; decoding, escaping and choosing are the caller's.
//!
//! How it works, on words of 64 bytes:
//!
//! ```text
//! bytes ── classify ──> one bit a byte ── runs ──> bits where a run starts or ends ── scanner ──> strings
//!            (AVX2)      printable, zero,  (AVX2)   mostly none                         (once a string)
//!                        high, UTF-8
//! ```

mod classify;
mod edge;
mod runs;
mod scanner;
mod utf8;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use scanner::Scanner;

/// How the characters of a string are stored. Printable are the characters
/// 0x20 to 0x7e and the tab; what else is, each encoding says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Encoding {
    /// Printable bytes: `strings -e s`.
    #[serde(rename = "ascii")]
    Ascii,
    /// Printable bytes and well-formed sequences of UTF-8 of two to four
    /// bytes, at least one of them: U+00A0 to U+3FFFF without surrogates and
    /// the private use area. (No character is assigned beyond U+3FFFF but
    /// tags, variation selectors and private ones, and random bytes would
    /// often spell those.) A run of printable bytes alone is reported as
    /// [`Encoding::Ascii`], whether or not that was asked for.
    #[serde(rename = "utf-8")]
    Utf8,
    /// A printable byte and a zero byte, at any alignment: `strings -e l`.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// A zero byte and a printable byte, at any alignment: `strings -e b`.
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// Printable bytes and those from 0x80 up: `strings -e S`.
    #[serde(rename = "8-bit")]
    EightBit,
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The encodings; one that is named twice counts once.
    pub encodings: Vec<Encoding>,
    /// The fewest characters of a string; 0 is taken for 1.
    pub min_length: usize,
    /// The most bytes of a string that are handed on, so that memory has a
    /// bound where a file is fed in chunks. The rest of the string is left
    /// out (never half a character) and only counted.
    pub longest: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            encodings: vec![Encoding::Ascii, Encoding::Utf16Le],
            min_length: 4,
            longest: 64 * 1024,
        }
    }
}

/// A string that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// Where it starts, in bytes from the start of the file.
    pub offset: u64,
    /// How it is stored.
    pub encoding: Encoding,
    /// Its bytes as they are in the file, up to [`Options::longest`].
    pub bytes: &'a [u8],
    /// Its whole length in bytes.
    pub length: u64,
}

impl Found<'_> {
    /// Whether [`Found::bytes`] is only its beginning.
    pub fn is_cut(&self) -> bool {
        (self.bytes.len() as u64) < self.length
    }

    /// The text. Bytes from 0x80 up are read as Latin-1 in 8-bit strings.
    pub fn text(&self) -> String {
        match self.encoding {
            Encoding::Ascii | Encoding::Utf8 => String::from_utf8_lossy(self.bytes).into_owned(),
            // Of a wide character one byte is zero and the other is the text.
            Encoding::Utf16Le => self
                .bytes
                .iter()
                .step_by(2)
                .map(|byte| char::from(*byte))
                .collect(),
            Encoding::Utf16Be => {
                let low = self.bytes.iter().skip(1).step_by(2);
                low.map(|byte| char::from(*byte)).collect()
            }
            Encoding::EightBit => self.bytes.iter().map(|byte| char::from(*byte)).collect(),
        }
    }
}

/// Finds the strings of a file that is in memory as a whole. See
/// [`Scanner::feed`] for their order.
pub fn scan(bytes: &[u8], options: &Options, mut sink: impl FnMut(Found<'_>)) {
    let mut scanner = Scanner::new(options);
    scanner.feed(bytes, &mut sink);
    scanner.finish(&mut sink);
}
