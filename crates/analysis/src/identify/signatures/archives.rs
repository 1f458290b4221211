//! Archives and compressed files. Header layouts: RFC 1952 (gzip), RFC 8878
//! (Zstandard), the xz and LZ4 frame formats, POSIX pax (tar), lzop and others
//! by their own documentation.

use super::super::bytes::{at, be32, from, is, le16, le32, le64, text, u8_at};
use super::super::found::OCTETS;
use super::super::identity::Category::{Archive, Firmware};
use super::Signature;

pub(super) const SIGNATURES: &[Signature] = &[
    Signature::new(
        b"\x1f\x8b",
        "gzip",
        Archive,
        "application/gzip",
        "gzip compressed data",
    )
    .describe(gzip),
    Signature::new(
        b"BZh",
        "bzip2",
        Archive,
        "application/x-bzip2",
        "bzip2 compressed data",
    )
    .describe(bzip2),
    Signature::new(
        b"\xfd7zXZ\0",
        "xz",
        Archive,
        "application/x-xz",
        "XZ compressed data",
    )
    .describe(xz),
    Signature::new(
        b"\x28\xb5\x2f\xfd",
        "zstd",
        Archive,
        "application/zstd",
        "Zstandard compressed data (v0.8+)",
    ),
    Signature::new(
        b"\x37\xa4\x30\xec",
        "zstd-dictionary",
        Archive,
        OCTETS,
        "Zstandard dictionary",
    ),
    Signature::new(
        b"\x04\x22\x4d\x18",
        "lz4",
        Archive,
        "application/x-lz4",
        "LZ4 compressed data (v1.4+)",
    ),
    Signature::new(
        b"\x02\x21\x4c\x18",
        "lz4",
        Archive,
        "application/x-lz4",
        "LZ4 compressed data (v0.1-v0.9)",
    ),
    Signature::new(
        b"\x03\x21\x4c\x18",
        "lz4",
        Archive,
        "application/x-lz4",
        "LZ4 compressed data (v1.0-v1.3)",
    ),
    Signature::new(
        b"\x89LZO\0\r\n\x1a\n",
        "lzop",
        Archive,
        OCTETS,
        "lzop compressed data",
    ),
    Signature::new(
        b"LZIP",
        "lzip",
        Archive,
        "application/x-lzip",
        "lzip compressed data",
    )
    .check(|data| matches!(u8_at(data, 4), Some(0 | 1))),
    Signature::new(
        b"LRZI",
        "lrzip",
        Archive,
        "application/x-lrzip",
        "LRZIP compressed data",
    ),
    Signature::new(
        b"7z\xbc\xaf\x27\x1c",
        "7z",
        Archive,
        "application/x-7z-compressed",
        "7-zip archive data",
    )
    .describe(seven_zip),
    Signature::new(
        b"Rar!\x1a\x07\x01\0",
        "rar",
        Archive,
        "application/x-rar",
        "RAR archive data, v5",
    ),
    Signature::new(
        b"Rar!\x1a\x07\0",
        "rar",
        Archive,
        "application/x-rar",
        "RAR archive data, v4",
    ),
    Signature::new(
        b"RE~^",
        "rar",
        Archive,
        "application/x-rar",
        "RAR archive data, before v1.5",
    ),
    Signature::new(
        b"MSCF\0\0\0\0",
        "cab",
        Archive,
        "application/vnd.ms-cab-compressed",
        "Microsoft Cabinet archive data",
    ),
    Signature::new(
        b"ISc(",
        "installshield-cab",
        Archive,
        OCTETS,
        "InstallShield Cabinet archive data",
    ),
    Signature::new(
        b"MSWIM\0\0\0",
        "wim",
        Archive,
        "application/x-ms-wim",
        "Windows imaging (WIM) image",
    ),
    Signature::new(
        b"SZDD\x88\xf0\x27\x33",
        "szdd",
        Archive,
        OCTETS,
        "MS Compress archive data, SZDD variant",
    ),
    Signature::new(
        b"KWAJ\x88\xf0\x27\xd1",
        "kwaj",
        Archive,
        OCTETS,
        "MS Compress archive data, KWAJ variant",
    ),
    Signature::new(
        b"!<arch>\ndebian",
        "deb",
        Archive,
        "application/vnd.debian.binary-package",
        "Debian binary package",
    ),
    Signature::new(
        b"!<arch>\n",
        "ar",
        Archive,
        "application/x-archive",
        "current ar archive",
    ),
    Signature::new(
        b"!<thin>\n",
        "ar",
        Archive,
        "application/x-archive",
        "thin archive",
    ),
    Signature::new(
        b"\xed\xab\xee\xdb",
        "rpm",
        Archive,
        "application/x-rpm",
        "RPM package",
    ),
    Signature::new(
        b"070701",
        "cpio",
        Archive,
        "application/x-cpio",
        "ASCII cpio archive (SVR4 with no CRC)",
    ),
    Signature::new(
        b"070702",
        "cpio",
        Archive,
        "application/x-cpio",
        "ASCII cpio archive (SVR4 with CRC)",
    ),
    Signature::new(
        b"070707",
        "cpio",
        Archive,
        "application/x-cpio",
        "ASCII cpio archive (pre-SVR4 or odc)",
    )
    .check(|data| at(data, 6, 70).is_some_and(|rest| rest.iter().all(u8::is_ascii_digit))),
    Signature::new(
        b"\xc7\x71",
        "cpio",
        Archive,
        "application/x-cpio",
        "cpio archive",
    )
    .check(old_cpio),
    Signature::new(
        b"\x71\xc7",
        "cpio",
        Archive,
        "application/x-cpio",
        "byte-swapped cpio archive",
    )
    .check(old_cpio),
    Signature::new(
        b"ustar  \0",
        "tar",
        Archive,
        "application/x-tar",
        "POSIX tar archive (GNU)",
    )
    .offset(257),
    Signature::new(
        b"ustar\0",
        "tar",
        Archive,
        "application/x-tar",
        "POSIX tar archive",
    )
    .offset(257),
    Signature::new(b"", "tar", Archive, "application/x-tar", "tar archive").check(old_tar),
    Signature::new(
        b"\x1f\x9d",
        "compress",
        Archive,
        "application/x-compress",
        "compress'd data",
    )
    .describe(compress),
    Signature::new(b"\x1f\x1e", "pack", Archive, OCTETS, "packed data")
        .check(|data| be32(data, 2).is_some_and(|size| size > 0 && size < 1 << 28)),
    Signature::new(b"xar!", "xar", Archive, "application/x-xar", "xar archive")
        .check(|data| is(data, 4, b"\0\x1c") || is(data, 4, b"\0\x40")),
    Signature::new(
        b"\x60\xea",
        "arj",
        Archive,
        "application/x-arj",
        "ARJ archive data",
    )
    .check(arj),
    Signature::new(
        b"-lh",
        "lha",
        Archive,
        "application/x-lzh-compressed",
        "LHa archive data",
    )
    .offset(2)
    .check(|data| u8_at(data, 6) == Some(b'-')),
    Signature::new(b"**ACE**", "ace", Archive, OCTETS, "ACE archive data").offset(7),
    Signature::new(
        b"zlb\x1a",
        "inno-archive",
        Archive,
        OCTETS,
        "Inno Setup compressed data",
    ),
    Signature::new(
        b"Cr24",
        "crx",
        Archive,
        "application/x-chrome-extension",
        "Google Chrome extension",
    )
    .describe(|data| Some(format!(", version {}", le32(data, 4).filter(|v| *v < 16)?))),
    Signature::new(
        b"CrAU\0\0\0\0",
        "android-payload",
        Firmware,
        OCTETS,
        "Android OTA update payload",
    ),
    Signature::new(
        b"\x04\0\0\0",
        "asar",
        Archive,
        OCTETS,
        "Electron archive (ASAR)",
    )
    .check(asar),
    Signature::new(
        b"\xff\x06\0\0sNaPpY",
        "snappy",
        Archive,
        "application/x-snappy-framed",
        "snappy framed data",
    ),
    Signature::new(
        b"bvx2",
        "lzfse",
        Archive,
        "application/x-lzfse",
        "lzfse compressed",
    ),
    Signature::new(
        b"PAR2\0PKT",
        "par2",
        Archive,
        OCTETS,
        "Parity archive volume set",
    ),
    Signature::new(
        b"",
        "lzma",
        Archive,
        "application/x-lzma",
        "LZMA compressed data",
    )
    .describe(lzma),
    Signature::new(
        b"",
        "zlib",
        Archive,
        "application/zlib",
        "zlib compressed data",
    )
    .check(zlib),
];

fn gzip(data: &[u8]) -> Option<String> {
    let (method, flags) = (u8_at(data, 2)?, u8_at(data, 3)?);
    if method != 8 || flags & 0xe0 != 0 {
        return None;
    }
    let mut words = String::new();
    if flags & 8 != 0
        && flags & 4 == 0
        && let Some(name) = text(data, 10, 255)
    {
        words.push_str(&format!(", was \"{name}\""));
    }
    match u8_at(data, 8) {
        Some(2) => words.push_str(", max compression"),
        Some(4) => words.push_str(", max speed"),
        _ => {}
    }
    match u8_at(data, 9) {
        Some(0) => words.push_str(", from FAT filesystem (MS-DOS, OS/2, NT)"),
        Some(3) => words.push_str(", from Unix"),
        Some(10 | 11) => words.push_str(", from NTFS filesystem (NT)"),
        _ => {}
    }
    if data.len() >= 18
        && let Some(size) = le32(data, data.len() - 4)
    {
        words.push_str(&format!(", original size modulo 2^32 {size}"));
    }
    Some(words)
}

fn bzip2(data: &[u8]) -> Option<String> {
    let level = u8_at(data, 3).filter(|level| (b'1'..=b'9').contains(level))?;
    // A block, or the end of an empty stream.
    if data.len() >= 10 && !is(data, 4, b"1AY&SY") && !is(data, 4, b"\x17\x72\x45\x38\x50\x90") {
        return None;
    }
    Some(format!(", block size = {}00k", char::from(level)))
}

fn xz(data: &[u8]) -> Option<String> {
    Some(match u8_at(data, 7).map(|flags| flags & 15) {
        Some(0) => ", no checksum".to_owned(),
        Some(1) => ", checksum CRC32".to_owned(),
        Some(4) => ", checksum CRC64".to_owned(),
        Some(10) => ", checksum SHA-256".to_owned(),
        _ => String::new(),
    })
}

fn seven_zip(data: &[u8]) -> Option<String> {
    Some(match (u8_at(data, 6), u8_at(data, 7)) {
        (Some(major), Some(minor)) => format!(", version {major}.{minor}"),
        _ => String::new(),
    })
}

fn compress(data: &[u8]) -> Option<String> {
    let bits = u8_at(data, 2)? & 0x1f;
    (9..=16).contains(&bits).then(|| format!(" {bits} bits"))
}

/// The old binary header has a name of a sensible length, which ends in NUL.
fn old_cpio(data: &[u8]) -> bool {
    let big = u8_at(data, 0) == Some(0x71);
    let length = le16(data, 20).map(|length| if big { length.swap_bytes() } else { length });
    length.is_some_and(|length| {
        (2..=1024).contains(&length) && u8_at(data, 25 + usize::from(length)) == Some(0)
    })
}

/// A header without the later magic is known by its checksum alone.
fn old_tar(data: &[u8]) -> bool {
    let Some(header) = at(data, 0, 512) else {
        return false;
    };
    let digits = header.get(148..156).unwrap_or_default();
    let digits: Vec<_> = digits
        .iter()
        .skip_while(|byte| **byte == b' ')
        .take_while(|byte| (b'0'..=b'7').contains(byte))
        .collect();
    if digits.len() < 3 || header.first() == Some(&0) {
        return false;
    }
    let claimed = digits
        .iter()
        .fold(0_u32, |sum, digit| (sum << 3) | u32::from(**digit - b'0'));
    let sum: u32 = header
        .iter()
        .enumerate()
        .map(|(place, byte)| {
            if (148..156).contains(&place) {
                32
            } else {
                u32::from(*byte)
            }
        })
        .sum();
    sum == claimed
}

fn arj(data: &[u8]) -> bool {
    le16(data, 2).is_some_and(|size| (30..=2600).contains(&size))
        && u8_at(data, 4).is_some_and(|first| (30..=64).contains(&first))
}

/// Two nested sizes, then the directory as JSON.
fn asar(data: &[u8]) -> bool {
    is(data, 16, b"{\"files\"")
}

/// LZMA "alone" has no magic: properties, a power of two for the dictionary,
/// and a size which is unknown or sensible; the first byte of the range coder
/// is always 0.
fn lzma(data: &[u8]) -> Option<String> {
    let properties = u8_at(data, 0)?;
    let dictionary = le32(data, 1)?;
    let size = le64(data, 5)?;
    let plain = dictionary.is_power_of_two() || (dictionary / 3).is_power_of_two();
    if !matches!(properties, 0x5d | 0x5e | 0x6c | 0x2d | 0x66)
        || !plain
        || dictionary < 1 << 12
        || u8_at(data, 13)? != 0
        || from(data, 14).len() < 4
    {
        return None;
    }
    match size {
        u64::MAX => Some(", streamed".to_owned()),
        1..=0x3f_ffff_ffff => Some(format!(", non-streamed, size {size}")),
        _ => None,
    }
}

/// Two bytes are no proof, so the first block has to make sense too.
fn zlib(data: &[u8]) -> bool {
    let (Some(first), Some(second), Some(block)) = (u8_at(data, 0), u8_at(data, 1), u8_at(data, 2))
    else {
        return false;
    };
    let checked = (u16::from(first) << 8 | u16::from(second)) % 31 == 0;
    // Text can begin with "x^", and random bytes are a zlib header once in
    // ten thousand files.
    first == 0x78
        && checked
        && matches!(second, 0x01 | 0x9c | 0xda)
        && block & 6 != 6
        && (block & 6 != 0 || le16(data, 3).map(|length| !length) == le16(data, 5))
}
