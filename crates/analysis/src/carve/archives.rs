//! Checks of archives: zip, 7z, RAR, CAB, tar, cpio, ar. Their members are not
//! looked into.

use memchr::memmem;

use super::Confidence::{High, Low, Medium};
use super::bytes::{Budget, array, range, tail, u8_at, u16_le, u32_le, u64_le};
use super::scan::Found;

/// Members that are walked at most; an archive of more is `medium`.
const MEMBERS: usize = 1_000_000;

/// APPNOTE.TXT 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (end).
pub(super) fn zip(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let version = u16_le(data, 4)? & 0xff;
    let method = u16_le(data, 8)?;
    let known = [0, 1, 6, 8, 9, 12, 14, 19, 93, 95, 96, 97, 98, 99];
    let name_length = u16_le(data, 26)?;
    let name = range(data, 30, name_length.into())?;
    if version > 63 || !known.contains(&method) || name.is_empty() {
        return None;
    }
    if name.iter().any(|byte| *byte < 0x20) || u16_le(data, 6)? & 0xf000 != 0 {
        return None;
    }
    let name = String::from_utf8_lossy(name).into_owned();
    for end in memmem::find_iter(data, b"PK\x05\x06") {
        let end = end as u64;
        let Some(size) = zip_end(data, end) else {
            if !budget.spend(64) {
                break;
            }
            continue;
        };
        budget.spend(end);
        let entries = u16_le(data, end.checked_add(10)?)?;
        return Some(Found {
            size: Some(size),
            confidence: High,
            description: format!("zip archive, {entries} entries, the first is {name}"),
        });
    }
    budget.spend(data.len() as u64);
    let packed = u64::from(u32_le(data, 18)?);
    let extra = u64::from(u16_le(data, 28)?);
    let size = 30 + u64::from(name_length) + extra + packed;
    (size <= data.len() as u64 && u16_le(data, 6)? & 8 == 0).then(|| Found {
        size: Some(size),
        confidence: Low,
        description: format!("zip member without a central directory, {name}"),
    })
}

/// The size of the archive, if the end record at `end` is that of an archive
/// which begins at 0.
fn zip_end(data: &[u8], end: u64) -> Option<u64> {
    let size = u64::from(u32_le(data, end.checked_add(12)?)?);
    let offset = u64::from(u32_le(data, end.checked_add(16)?)?);
    let comment = u64::from(u16_le(data, end.checked_add(20)?)?);
    let total = end.checked_add(22)?.checked_add(comment)?;
    if offset == u64::from(u32::MAX) {
        // Zip64 keeps the true values in a record before its locator.
        let locator = end.checked_sub(20)?;
        let record = u64_le(data, locator.checked_add(8)?)?;
        let offset = u64_le(data, record.checked_add(48)?)?;
        let found =
            array(data, record)? == *b"PK\x06\x06" && array(data, offset)? == *b"PK\x01\x02";
        return found.then_some(total);
    }
    let agrees = offset.checked_add(size)? == end && array(data, offset)? == *b"PK\x01\x02";
    (agrees && total <= data.len() as u64).then_some(total)
}

/// 7zFormat.txt of the LZMA SDK: signature header with its own CRC-32.
pub(super) fn seven_zip(data: &[u8], _: &mut Budget) -> Option<Found> {
    let stored = u32_le(data, 8)?;
    if stored != crc32fast::hash(range(data, 12, 20)?) || u8_at(data, 6)? != 0 {
        return None;
    }
    let size = u64_le(data, 12)?
        .checked_add(u64_le(data, 20)?)?
        .checked_add(32)?;
    Some(Found {
        size: Some(size),
        confidence: if size <= data.len() as u64 {
            High
        } else {
            Medium
        },
        description: format!("7-zip archive, version 0.{}", u8_at(data, 7)?),
    })
}

/// technote.txt of RAR 4: the CRC of the archive header is the low half of a
/// CRC-32 over what follows it.
pub(super) fn rar4(data: &[u8], _: &mut Budget) -> Option<Found> {
    let size = u16_le(data, 12)?;
    let header = range(data, 9, u64::from(size).checked_sub(2)?)?;
    let crc = crc32fast::hash(header) & 0xffff;
    (u8_at(data, 9)? == 0x73 && crc == u32::from(u16_le(data, 7)?)).then(|| Found {
        size: None,
        confidence: High,
        description: "RAR archive, version 4".to_owned(),
    })
}

/// RAR 5.0 archive format: CRC-32 over the size field and the header.
pub(super) fn rar5(data: &[u8], _: &mut Budget) -> Option<Found> {
    // A main or encryption header is short; its size takes one byte.
    let size = u8_at(data, 12)?;
    let header = range(data, 12, u64::from(size).checked_add(1)?)?;
    (size < 0x80 && crc32fast::hash(header) == u32_le(data, 8)?).then(|| Found {
        size: None,
        confidence: High,
        description: "RAR archive, version 5".to_owned(),
    })
}

/// MS-CAB 2.1, CFHEADER.
pub(super) fn cab(data: &[u8], _: &mut Budget) -> Option<Found> {
    let size = u64::from(u32_le(data, 8)?);
    let files = u64::from(u32_le(data, 16)?);
    let folders = u16_le(data, 26)?;
    let count = u16_le(data, 28)?;
    let sane = u32_le(data, 12)? == 0 && u32_le(data, 20)? == 0 && array(data, 24)? == [3, 1];
    (sane && files >= 36 && files < size && folders > 0 && count > 0).then(|| Found {
        size: Some(size),
        confidence: if size <= data.len() as u64 {
            Medium
        } else {
            Low
        },
        description: format!("Microsoft cabinet, {count} files in {folders} folders"),
    })
}

/// POSIX.1-1988 ustar: every header carries a checksum of itself.
pub(super) fn tar(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let mut offset = 0_u64;
    let mut members = 0;
    while members < MEMBERS && budget.spend(512) {
        let Some(size) = range(data, offset, 512).and_then(tar_member) else {
            break;
        };
        let Some(next) = size
            .checked_next_multiple_of(512)
            .and_then(|size| offset.checked_add(512)?.checked_add(size))
        else {
            break;
        };
        offset = next;
        members += 1;
    }
    if members == 0 {
        return None;
    }
    // Writers fill the last record of 20 blocks.
    let record = offset.checked_next_multiple_of(10_240)?;
    while offset < record && range(data, offset, 512).is_some_and(|block| *block == [0; 512]) {
        offset = offset.checked_add(512)?;
    }
    let name = range(data, 0, 100)?.split(|byte| *byte == 0).next()?;
    Some(Found {
        size: Some(offset),
        confidence: if offset <= data.len() as u64 {
            High
        } else {
            Medium
        },
        description: format!(
            "tar archive, {members} members, the first is {}",
            String::from_utf8_lossy(name)
        ),
    })
}

fn tar_member(header: &[u8]) -> Option<u64> {
    if range(header, 257, 5)? != b"ustar" {
        return None;
    }
    let sum = header.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let field = range(header, 148, 8)?;
    let own = field.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    // The field counts as eight spaces.
    let sum = sum.saturating_sub(own).saturating_add(8 * 32);
    if number(field, 8)? != sum {
        return None;
    }
    number(range(header, 124, 12)?, 8)
}

fn number(field: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches(|letter| letter == ' ' || letter == '\0');
    u64::from_str_radix(text, radix).ok()
}

/// cpio(5), "new ASCII" format: hexadecimal fields, ended by `TRAILER!!!`.
pub(super) fn cpio(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let magic: [u8; 6] = array(data, 0)?;
    let mut offset = 0_u64;
    let mut members = 0;
    let mut whole = false;
    while members < MEMBERS && budget.spend(128) {
        let Some((end, last)) = cpio_member(data, offset, magic) else {
            break;
        };
        offset = end;
        if last {
            whole = true;
            break;
        }
        members += 1;
    }
    if !whole && members == 0 {
        return None;
    }
    // The archive is filled with zeros to a block of 512 bytes.
    let padded = offset.checked_next_multiple_of(512)?;
    let filling = range(data, offset, padded.checked_sub(offset)?);
    if whole && filling.is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0)) {
        offset = padded;
    }
    Some(Found {
        size: Some(offset),
        confidence: if whole { High } else { Low },
        description: format!("cpio archive, new ASCII format, {members} members"),
    })
}

fn cpio_member(data: &[u8], offset: u64, magic: [u8; 6]) -> Option<(u64, bool)> {
    let header = range(data, offset, 110)?;
    if array(header, 0)? != magic || !header.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let size = number(range(header, 54, 8)?, 16)?;
    let name_size = number(range(header, 94, 8)?, 16)?;
    let start = offset.checked_add(110)?;
    let name = range(data, start, name_size)?;
    if name_size > 4096 || name.last() != Some(&0) {
        return None;
    }
    let body = start.checked_add(name_size)?.checked_next_multiple_of(4)?;
    let end = body.checked_add(size)?.checked_next_multiple_of(4)?;
    let last = name == b"TRAILER!!!\0";
    (last || end <= data.len() as u64).then_some((end, last))
}

/// ar(5): fixed headers that end with a grave accent and a newline.
pub(super) fn ar(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let mut offset = 8_u64;
    let mut members = 0;
    while members < MEMBERS && budget.spend(60) {
        let Some(header) = range(data, offset, 60) else {
            break;
        };
        let size = range(header, 48, 10).and_then(|field| number(field, 10));
        let (Some(size), Some(b"`\n")) = (size, range(header, 58, 2)) else {
            break;
        };
        let Some(end) = size
            .checked_next_multiple_of(2)
            .and_then(|size| offset.checked_add(60)?.checked_add(size))
        else {
            break;
        };
        offset = end;
        members += 1;
    }
    let package = tail(data, 8)?.starts_with(b"debian-binary");
    (members > 0).then(|| Found {
        size: Some(offset),
        confidence: if offset <= (data.len() as u64).saturating_add(1) {
            High
        } else {
            Medium
        },
        description: if package {
            format!("Debian package, {members} members")
        } else {
            format!("ar archive, {members} members")
        },
    })
}
