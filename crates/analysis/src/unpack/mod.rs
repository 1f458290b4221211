//! What is in an archive: its files, taken out in pieces and within bounds. Called
//! by the workers of `scan --recurse`. What the files are is found out when their
//! turn comes; nothing is written and no name is used as a path here.
//!
//! | file | knows |
//! |---|---|
//! | `collect` | budgets, pieces, where to go on |
//! | `streams` | one compressed file: gzip, xz, LZMA, zstd |
//! | `containers` | zip, tar, 7z, cab, by the libraries of the field |
//! | `simple` | ar and cpio |
//! | `iso` | ISO 9660 |
//! | `carved` | what the carving engine finds in a file that is no archive |
//!
//! A caller that wants more than fits one answer asks again with the [`Cursor`] of
//! the last; a stream is decoded from its beginning then, which costs time and no
//! memory.

mod carved;
mod collect;
mod containers;
mod iso;
mod simple;
mod streams;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use collect::Collector;

/// Where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// The entry.
    pub entry: u64,
    /// How much of it was taken out before.
    pub offset: u64,
}

/// What may come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Files.
    pub files: u64,
    /// Bytes, with those of earlier answers.
    pub bytes: u64,
    /// Bytes for each byte of the archive.
    pub ratio: u64,
    /// Bytes in one answer.
    pub answer: usize,
}

/// A file, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Its number in the archive.
    pub entry: u64,
    /// What the archive calls it: any bytes.
    pub name: Vec<u8>,
    /// The content from where the last piece of it ended.
    pub data: Vec<u8>,
    /// Whether this is all of it.
    pub last: bool,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unpacked {
    /// What kind of archive it is; `carved` for another file with something in
    /// it; empty for one without.
    pub kind: String,
    /// What came out.
    pub pieces: Vec<Piece>,
    /// Where to go on, if there is more.
    pub next: Option<Cursor>,
    /// Why something was left in it.
    pub notes: Vec<String>,
    /// It would come to more than the limits allow.
    pub bomb: bool,
}

/// The kind of archive, by its first bytes (and the one place where tar has its
/// name).
#[must_use]
pub fn kind(bytes: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| {
        bytes
            .get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    let kinds: [(usize, &[u8], &str); 12] = [
        (0, b"\x1f\x8b\x08", "gzip"),
        (0, b"\xfd7zXZ\0", "xz"),
        (0, b"\x28\xb5\x2f\xfd", "zstd"),
        (0, b"PK\x03\x04", "zip"),
        (0, b"7z\xbc\xaf\x27\x1c", "7z"),
        (0, b"MSCF\0\0\0\0", "cab"),
        (0, b"!<arch>\n", "ar"),
        (0, b"070701", "cpio"),
        (0, b"070702", "cpio"),
        (0, b"070707", "cpio-odc"),
        (257, b"ustar", "tar"),
        (0x8001, b"CD001", "iso"),
    ];
    kinds
        .iter()
        .find(|(offset, magic, _)| at(*offset, magic))
        .map(|(_, _, kind)| *kind)
        .or_else(|| is_lzma(bytes).then_some("lzma"))
}

/// LZMA alone has no magic: the usual properties, a dictionary of a usual size, and
/// a size of the content that is unknown or one that somebody could have.
fn is_lzma(bytes: &[u8]) -> bool {
    let Some([0x5d, d0, d1, d2, d3, size @ ..]) = bytes.first_chunk::<13>() else {
        return false;
    };
    let dictionary = u32::from_le_bytes([*d0, *d1, *d2, *d3]);
    let size = u64::from_le_bytes(*size);
    dictionary.is_power_of_two()
        && (1 << 12..=1 << 28).contains(&dictionary)
        && (size == u64::MAX || size < 1 << 38)
}

/// Takes files out of an archive, from where the last answer ended; of another file,
/// what is embedded in it. A damaged archive gives what can be had.
#[must_use]
pub fn unpack(bytes: &[u8], from: Cursor, limits: &Limits) -> Unpacked {
    let mut collector = Collector::new(from, limits, bytes.len());
    let Some(kind) = kind(bytes) else {
        let found = carved::look(bytes);
        if found.is_empty() {
            return Unpacked::default();
        }
        carved::take(bytes, &found, &mut collector);
        return collector.into_unpacked("carved");
    };
    match kind {
        "gzip" => streams::gzip(bytes, &mut collector),
        "xz" => streams::xz(bytes, &mut collector),
        "zstd" => streams::zstd(bytes, &mut collector),
        "lzma" => streams::lzma(bytes, &mut collector),
        "zip" => containers::zip(bytes, &mut collector),
        "tar" => containers::tar(bytes, &mut collector),
        "7z" => containers::seven_zip(bytes, &mut collector),
        "cab" => containers::cab(bytes, &mut collector),
        "ar" => simple::ar(bytes, &mut collector),
        "cpio" => simple::cpio_new(bytes, &mut collector),
        "cpio-odc" => simple::cpio_old(bytes, &mut collector),
        _ => iso::iso(bytes, &mut collector),
    }
    collector.into_unpacked(kind)
}
