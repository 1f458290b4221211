//! Checks of executables: headers that agree, and tables within the file.

use super::Confidence::{High, Low, Medium};
use super::bytes::{Budget, Ordered, range, u8_at, u16_le, u32_le};
use super::scan::Found;

/// Entries of a header table that are read at most.
const ENTRIES: u64 = 4096;

/// System V gABI, chapter 4. The size is the end of the last table or segment.
pub(super) fn elf(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let class = u8_at(data, 4)?;
    let order = Ordered {
        big: u8_at(data, 5)? == 2,
    };
    let kind = order.u16(data, 16)?;
    let machine = order.u16(data, 18)?;
    let wide = class == 2;
    let sane = matches!(class, 1 | 2)
        && matches!(u8_at(data, 5)?, 1 | 2)
        && u8_at(data, 6)? == 1
        && order.u32(data, 20)? == 1
        && (1..=4).contains(&kind)
        && machine != 0;
    let at = |short: u64, long: u64| {
        if wide {
            order.u64(data, long)
        } else {
            order.u32(data, short).map(u64::from)
        }
    };
    let half = |short: u64, long: u64| order.u16(data, if wide { long } else { short });
    let (segments, sections) = (at(28, 32)?, at(32, 40)?);
    let header = if wide { 64 } else { 52 };
    let segment = if wide { 56 } else { 32 };
    let section = if wide { 64 } else { 40 };
    let counts = (half(44, 56)?, half(48, 60)?);
    if !sane || half(40, 52)? != header || counts == (0, 0) {
        return None;
    }
    if (counts.0 > 0 && half(42, 54)? != segment) || (counts.1 > 0 && half(46, 58)? != section) {
        return None;
    }
    let table_end = |start: u64, count: u16, size: u16| {
        start.checked_add(u64::from(count).checked_mul(size.into())?)
    };
    let mut end = u64::from(header);
    if counts.0 > 0 {
        end = end.max(table_end(segments, counts.0, segment)?);
    }
    if counts.1 > 0 {
        end = end.max(table_end(sections, counts.1, section)?);
    }
    budget.spend(u64::from(counts.0).saturating_mul(u64::from(segment)));
    for index in 0..u64::from(counts.0).min(ENTRIES) {
        let entry = segments.checked_add(index.checked_mul(segment.into())?)?;
        let field = |short: u64, long: u64| {
            if wide {
                order.u64(data, entry.checked_add(long)?)
            } else {
                order.u32(data, entry.checked_add(short)?).map(u64::from)
            }
        };
        let (Some(start), Some(size)) = (field(4, 8), field(16, 32)) else {
            break;
        };
        end = end.max(start.saturating_add(size));
    }
    Some(Found {
        size: Some(end),
        confidence: if end <= data.len() as u64 { High } else { Low },
        description: format!(
            "ELF {} bit, {} endian, machine {machine}, type {kind}",
            if wide { 64 } else { 32 },
            if order.big { "big" } else { "little" }
        ),
    })
}

/// Microsoft PE format. The size is the end of the last section's raw data, or
/// of the certificates.
pub(super) fn pe(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let header = u64::from(u32_le(data, 60)?);
    if !(4..=0x1_0000).contains(&header) || range(data, header, 4)? != b"PE\0\0" {
        return None;
    }
    let machine = u16_le(data, header + 4)?;
    let sections = u64::from(u16_le(data, header + 6)?);
    let optional = u64::from(u16_le(data, header + 20)?);
    let magic = u16_le(data, header + 24)?;
    let known = matches!(
        machine,
        0x14c
            | 0x8664
            | 0x1c0
            | 0x1c2
            | 0x1c4
            | 0xaa64
            | 0x200
            | 0x166
            | 0x1f0
            | 0xebc
            | 0x5032
            | 0x5064
            | 0x6232
            | 0x6264
    );
    if !known || !(1..=ENTRIES).contains(&sections) || !matches!(magic, 0x10b | 0x20b) {
        return None;
    }
    budget.spend(sections * 40);
    let table = header + 24 + optional;
    let mut end = u64::from(u32_le(data, header + 24 + 60)?).max(table + sections * 40);
    for index in 0..sections {
        let entry = table + index * 40;
        let (Some(size), Some(start)) = (u32_le(data, entry + 16), u32_le(data, entry + 20)) else {
            break;
        };
        if size > 0 {
            end = end.max(u64::from(start).saturating_add(size.into()));
        }
    }
    // The certificate directory holds a file offset, not an address.
    let directory = header + 24 + if magic == 0x20b { 144 } else { 128 };
    if let (Some(start), Some(size)) = (u32_le(data, directory), u32_le(data, directory + 4))
        && optional >= 136
        && u64::from(start) == end.next_multiple_of(8)
    {
        end = u64::from(start).saturating_add(size.into());
    }
    Some(Found {
        size: Some(end),
        confidence: if end <= data.len() as u64 { High } else { Low },
        description: format!(
            "PE {} bit, machine {machine:#x}, {sections} sections",
            if magic == 0x20b { 64 } else { 32 }
        ),
    })
}

/// mach-o/loader.h, little-endian images: the load commands fill their area.
pub(super) fn macho(data: &[u8], budget: &mut Budget) -> Option<Found> {
    let wide = data.first() == Some(&0xcf);
    let (commands, area) = (u32_le(data, 16)?, u64::from(u32_le(data, 20)?));
    let kind = u32_le(data, 12)?;
    let start = if wide { 32_u64 } else { 28 };
    if !(1..=4096).contains(&commands) || !(1..=15).contains(&kind) {
        return None;
    }
    budget.spend(area);
    let mut offset = start;
    let mut end = start + area;
    for _ in 0..commands {
        let command = u32_le(data, offset)?;
        let size = u64::from(u32_le(data, offset + 4)?);
        if size < 8 || !size.is_multiple_of(4) || offset + size > start + area {
            return None;
        }
        if let (0x19, Some(from), Some(length)) = (
            command,
            super::bytes::u64_le(data, offset + 40),
            super::bytes::u64_le(data, offset + 48),
        ) {
            end = end.max(from.saturating_add(length));
        } else if let (1, Some(from), Some(length)) = (
            command,
            u32_le(data, offset + 32),
            u32_le(data, offset + 36),
        ) {
            end = end.max(u64::from(from).saturating_add(length.into()));
        }
        offset += size;
    }
    (offset == start + area).then(|| Found {
        size: Some(end),
        confidence: if end <= data.len() as u64 { High } else { Low },
        description: format!(
            "Mach-O {} bit, CPU type {:#x}, file type {kind}",
            if wide { 64 } else { 32 },
            u32_le(data, 4).unwrap_or(0)
        ),
    })
}

/// Dalvik executable format: fixed header size and byte order mark.
pub(super) fn dex(data: &[u8], _: &mut Budget) -> Option<Found> {
    let size = u64::from(u32_le(data, 32)?);
    let sane = u8_at(data, 7)? == 0
        && u32_le(data, 36)? == 0x70
        && u32_le(data, 40)? == 0x1234_5678
        && size >= 0x70;
    sane.then(|| Found {
        size: Some(size),
        confidence: if size <= data.len() as u64 {
            Medium
        } else {
            Low
        },
        description: "Dalvik executable".to_owned(),
    })
}
