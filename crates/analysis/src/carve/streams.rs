//! Checks of compressed streams. gzip, zstd and LZMA are decoded, into nothing
//! and within a bound, since their headers alone prove little; xz, bzip2 and
//! LZ4 have checksums or markers that are walked.

use std::io::{ErrorKind, Read};

use flate2::bufread::GzDecoder;
use memchr::memmem;

use super::Confidence::{High, Low, Medium};
use super::bytes::{Budget, range, tail, u8_at, u32_le};
use super::scan::Found;

/// At most this much is decoded of one stream; longer ones are `medium` and
/// their size is not known.
const DECODED: u64 = 256 << 20;
/// A stream that decodes this far and then fails is reported as cut or damaged.
const CONVINCING: u64 = 16 << 10;

#[derive(Debug, PartialEq, Eq)]
enum Decoded {
    Whole,
    Long,
    Damaged(u64),
}

/// Reads to the end, to the bound, or to the first error.
fn decode(reader: &mut impl Read, budget: &mut Budget) -> Decoded {
    let mut buffer = vec![0; 64 << 10];
    let mut total = 0_u64;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Decoded::Whole,
            Ok(size) => {
                total = total.saturating_add(size as u64);
                if total > DECODED || !budget.spend(size as u64) {
                    return Decoded::Long;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Decoded::Damaged(total),
        }
    }
}

fn judge(decoded: &Decoded, consumed: u64, what: &str) -> Option<Found> {
    let (size, confidence, note) = match decoded {
        Decoded::Whole => (Some(consumed), High, ""),
        Decoded::Long => (None, Medium, ", too long to decode"),
        Decoded::Damaged(size) if *size >= CONVINCING => (None, Low, ", cut or damaged"),
        Decoded::Damaged(_) => return None,
    };
    Some(Found {
        size,
        confidence,
        description: format!("{what}{note}"),
    })
}

/// RFC 1952.
pub(super) fn gzip(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let flags = u8_at(data, 3)?;
    let extra = u8_at(data, 8)?;
    let system = u8_at(data, 9)?;
    if flags & 0xe0 != 0 || !matches!(extra, 0 | 2 | 4) || !(system <= 13 || system == 255) {
        return None;
    }
    let mut reader = GzDecoder::new(data);
    let decoded = decode(&mut reader, budget);
    let consumed = (data.len() as u64).saturating_sub(reader.get_ref().len() as u64);
    let name = reader
        .header()
        .and_then(|header| header.filename())
        .map(|name| format!(", {}", String::from_utf8_lossy(name)));
    judge(
        &decoded,
        consumed,
        &format!("gzip stream{}", name.unwrap_or_default()),
    )
}

/// Block and end markers of bzip2 are the BCD digits of pi and its square root,
/// aligned to bits.
pub(super) fn bzip2(data: &[u8], budget: &mut Budget) -> Option<Found> {
    const END: u64 = 0x1772_4538_5090;
    let level = u8_at(data, 3)?.checked_sub(b'0')?;
    let marker = range(data, 4, 6)?;
    let empty = marker == b"\x17\x72\x45\x38\x50\x90";
    if !(1..=9).contains(&level) || !(empty || marker == b"\x31\x41\x59\x26\x53\x59") {
        return None;
    }
    let mut window = 0_u64;
    let mut size = None;
    for (index, byte) in tail(data, 4)?.iter().enumerate() {
        window = window << 8 | u64::from(*byte);
        if index & 0xffff == 0 && !budget.spend(1 << 16) {
            break;
        }
        if index < 5 {
            continue;
        }
        let Some(spare) = (0..8).find(|spare| window >> spare & 0xffff_ffff_ffff == END) else {
            continue;
        };
        // A CRC-32 follows the marker; `spare` bits of it are read already.
        let bits = 32_u64 - spare;
        size = Some(4 + index as u64 + 1 + bits.div_ceil(8));
        break;
    }
    let size = size.filter(|size| *size <= data.len() as u64);
    Some(Found {
        size,
        confidence: if size.is_some() { High } else { Low },
        description: format!("bzip2 stream, block size {}", u32::from(level) * 100_000),
    })
}

/// xz-file-format.txt 2.1.1 (header) and 2.1.2 (footer).
pub(super) fn xz(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let flags = range(data, 6, 2)?;
    if u32_le(data, 8)? != crc32fast::hash(flags) {
        return None;
    }
    for mark in memmem::find_iter(data, b"YZ") {
        let Some(footer) = (mark as u64).checked_sub(10) else {
            continue;
        };
        if !budget.spend(64) {
            break;
        }
        let agrees = footer >= 12
            && range(data, footer.saturating_add(8), 2) == Some(flags)
            && u32_le(data, footer)
                == range(data, footer.saturating_add(4), 6).map(crc32fast::hash);
        if agrees {
            budget.spend(footer);
            return Some(Found {
                size: footer.checked_add(12),
                confidence: High,
                description: "xz stream".to_owned(),
            });
        }
    }
    budget.spend(data.len() as u64);
    Some(Found {
        size: None,
        confidence: Low,
        description: "xz stream without an end".to_owned(),
    })
}

/// RFC 8878. Two headers in a hundred random bytes would pass, so it is decoded.
pub(super) fn zstd(data: &[u8], budget: &mut Budget) -> Option<Found> {
    // The reserved bit of the descriptor.
    if u8_at(data, 4)? & 8 != 0 {
        return None;
    }
    let mut rest = data;
    let decoded = {
        let mut reader = ruzstd::decoding::StreamingDecoder::new(&mut rest).ok()?;
        decode(&mut reader, budget)
    };
    let consumed = (data.len() as u64).saturating_sub(rest.len() as u64);
    judge(&decoded, consumed, "zstd frame")
}

/// LZ4 frame format 1.6: descriptor with a checksum byte, then sized blocks.
pub(super) fn lz4(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let flags = u8_at(data, 4)?;
    let block_code = u8_at(data, 5)? >> 4;
    if flags >> 6 != 1 || flags & 2 != 0 || !(4..=7).contains(&block_code) {
        return None;
    }
    let has = |bit: u8| flags >> bit & 1 == 1;
    let length = 2 + if has(3) { 8 } else { 0 } + if has(0) { 4 } else { 0 };
    let descriptor = range(data, 4, length)?;
    let stored = u8_at(data, 4 + length)?;
    if u32::from(stored) != xxh32(descriptor) >> 8 & 0xff {
        return None;
    }
    let most = 1_u64 << (8 + 2 * u32::from(block_code));
    let mut offset = 4 + length + 1;
    let mut blocks = 0_u64;
    while let Some(size) = u32_le(data, offset).filter(|_| budget.spend(16)) {
        offset = offset.checked_add(4)?;
        if size == 0 {
            let end = offset.checked_add(if has(2) { 4 } else { 0 })?;
            return (end <= data.len() as u64).then(|| Found {
                size: Some(end),
                confidence: High,
                description: format!("LZ4 frame, {blocks} blocks"),
            });
        }
        let size = u64::from(size & 0x7fff_ffff);
        if size > most {
            return None;
        }
        offset = offset
            .checked_add(size)?
            .checked_add(if has(4) { 4 } else { 0 })?;
        blocks = blocks.saturating_add(1);
    }
    (blocks > 1).then(|| Found {
        size: None,
        confidence: Low,
        description: format!("LZ4 frame, cut after {blocks} blocks"),
    })
}

/// XXH32 of fewer than 16 bytes (xxHash specification, 2.1 "short input").
fn xxh32(data: &[u8]) -> u32 {
    let mut hash = 0x1656_67b1_u32.wrapping_add(u32::try_from(data.len()).unwrap_or(0));
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        hash = hash
            .wrapping_add(u32::from_le_bytes(*word).wrapping_mul(0xc2b2_ae3d))
            .rotate_left(17)
            .wrapping_mul(0x27d4_eb2f);
    }
    for byte in rest {
        hash = hash
            .wrapping_add(u32::from(*byte).wrapping_mul(0x1656_67b1))
            .rotate_left(11)
            .wrapping_mul(0x9e37_79b1);
    }
    hash = (hash ^ hash >> 15).wrapping_mul(0x85eb_ca77);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae3d);
    hash ^ hash >> 16
}

/// lzma-specification.txt: no magic number, so the fields must be those that
/// encoders write, and the stream must decode.
pub(super) fn lzma(data: &[u8], budget: &mut Budget) -> Option<Found> {
    /// Memory for the dictionary, in KiB; firmware uses 8 MiB.
    const MEMORY: u32 = 96 << 10;
    let dictionary = u32_le(data, 1)?;
    let size = super::bytes::u64_le(data, 5)?;
    let usual = dictionary.is_power_of_two() || (dictionary / 3).is_power_of_two();
    let sized = size == u64::MAX || (1..1 << 40).contains(&size);
    // The first byte of the range coder is always 0.
    if dictionary < 4096 || !usual || !sized || u8_at(data, 13)? != 0 {
        return None;
    }
    // The dictionary is allocated and cleared for every candidate.
    budget.spend(u64::from(dictionary).min(u64::from(MEMORY) << 10) / 4);
    let mut source = ByteByByte { rest: data };
    let decoded = {
        let mut reader = lzma_rust2::LzmaReader::new_mem_limit(&mut source, MEMORY, None).ok()?;
        decode(&mut reader, budget)
    };
    let consumed = (data.len() as u64).saturating_sub(source.rest.len() as u64);
    judge(
        &decoded,
        consumed,
        &format!("LZMA stream, dictionary of {dictionary} bytes"),
    )
}

/// The LZMA decoder reads ahead as far as it is given bytes; one at a time, it
/// stops exactly where the stream ends.
struct ByteByByte<'a> {
    rest: &'a [u8],
}

impl Read for ByteByByte<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let (Some((byte, rest)), Some(slot)) = (self.rest.split_first(), buffer.first_mut()) else {
            return Ok(0);
        };
        *slot = *byte;
        self.rest = rest;
        Ok(1)
    }
}

/// lzop 1.04: version fields and method.
pub(super) fn lzop(data: &[u8], _: &mut Budget) -> Option<Found> {
    let version = super::bytes::u16_be(data, 9)?;
    let method = u8_at(data, 15)?;
    ((0x0900..=0x2000).contains(&version) && (1..=3).contains(&method)).then(|| Found {
        size: None,
        confidence: Medium,
        description: format!("lzop file, version {version:#x}"),
    })
}
