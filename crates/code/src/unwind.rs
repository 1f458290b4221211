//! Ranges of functions from what exception handling needs to unwind the stack:
//! `.eh_frame` (Linux Standard Base, 10.6; read by `gimli`) and the `.pdata` of
//! PE files. Stripping leaves both, which makes them the best list of functions
//! that a stripped program has.

use gimli::{BaseAddresses, CieOrFde, EhFrame, RunTimeEndian, UnwindSection as _};
use reversecore_analysis::Warnings;
use reversecore_analysis::binary::{Endian, Format, Image};

use crate::memory::Memory;
use crate::read::u32_at;

/// More entries than this are not read; a hostile table can name a function
/// for every dozen bytes.
const MOST_ENTRIES: usize = 1_000_000;

/// First address and size in bytes of a function.
pub(crate) type Span = (u64, u64);

/// All ranges, in the order of the tables.
pub(crate) fn spans(
    data: &[u8],
    image: &Image,
    memory: &Memory,
    warnings: &mut Warnings,
) -> Vec<Span> {
    let mut spans = Vec::new();
    for region in memory.regions() {
        match &*region.name {
            ".eh_frame" | "__TEXT,__eh_frame" => {
                eh_frame(
                    region.bytes(data),
                    region.address,
                    image,
                    memory,
                    &mut spans,
                    warnings,
                );
            }
            ".pdata" if image.format == Format::Pe => {
                pdata(data, region.bytes(data), image, memory, &mut spans);
            }
            _ => {}
        }
    }
    // Without section headers the segment of `.eh_frame_hdr` leads there.
    if spans.is_empty() && image.format == Format::Elf {
        let header = image
            .segments
            .iter()
            .find(|segment| segment.name.contains("EH_FRAME"));
        if let Some(header) = header
            && let Some(bytes) = memory.bytes_from(data, header.address)
            && let Some(place) = eh_frame_place(bytes, header.address)
            && let Some(bytes) = memory.bytes_from(data, place)
        {
            eh_frame(bytes, place, image, memory, &mut spans, warnings);
        }
    }
    spans
}

/// Where `.eh_frame` is, by its header in the encoding that all linkers use:
/// 4 bytes relative to themselves.
fn eh_frame_place(header: &[u8], address: u64) -> Option<u64> {
    (header.first() == Some(&1) && header.get(1) == Some(&0x1b)).then_some(())?;
    let distance = u32_at(header, 4, Endian::Little)?.cast_signed();
    Some(
        address
            .wrapping_add(4)
            .wrapping_add(i64::from(distance).cast_unsigned()),
    )
}

fn eh_frame(
    bytes: &[u8],
    address: u64,
    image: &Image,
    memory: &Memory,
    spans: &mut Vec<Span>,
    warnings: &mut Warnings,
) {
    let endian = match image.endian {
        Endian::Little => RunTimeEndian::Little,
        Endian::Big => RunTimeEndian::Big,
    };
    let mut section = EhFrame::new(bytes, endian);
    section.set_address_size(image.bits / 8);
    let mut bases = BaseAddresses::default().set_eh_frame(address);
    if let Some(text) = memory
        .regions()
        .iter()
        .find(|region| matches!(&*region.name, ".text" | "__TEXT,__text"))
    {
        bases = bases.set_text(text.address);
    }
    let mut entries = section.entries(&bases);
    let mut bad = 0_u32;
    for _ in 0..MOST_ENTRIES {
        match entries.next() {
            Ok(Some(CieOrFde::Fde(partial))) => match partial.parse(EhFrame::cie_from_offset) {
                Ok(entry) if entry.len() > 0 => {
                    spans.push((entry.initial_address(), entry.len()));
                }
                Ok(_) => {}
                Err(_) => bad = bad.saturating_add(1),
            },
            Ok(Some(CieOrFde::Cie(_))) => {}
            Ok(None) => break,
            Err(error) => {
                warnings.add(format!(
                    "unwind table at 0x{address:x} cannot be read to its end ({error})"
                ));
                break;
            }
        }
    }
    if bad > 0 {
        warnings.add(format!(
            "unwind table at 0x{address:x} has {bad} entries that cannot be read"
        ));
    }
}

/// PE: `RUNTIME_FUNCTION` of x64 and its 8-byte form of ARM and ARM64
/// (Microsoft, "x64 exception handling", "ARM64 exception handling").
fn pdata(data: &[u8], bytes: &[u8], image: &Image, memory: &Memory, spans: &mut Vec<Span>) {
    let base = image.image_base;
    let at = |position| u32_at(bytes, position, Endian::Little);
    match image.architecture.as_str() {
        "x86-64" => {
            for entry in 0..(bytes.len() / 12).min(MOST_ENTRIES) {
                let position = entry.saturating_mul(12);
                let (Some(begin), Some(end), Some(unwind)) = (
                    at(position),
                    at(position.saturating_add(4)),
                    at(position.saturating_add(8)),
                ) else {
                    break;
                };
                if begin == 0 || end <= begin {
                    continue;
                }
                // A part of a function that was cut in pieces is chained to
                // the first one.
                let information = memory.bytes_from(data, base.wrapping_add(u64::from(unwind)));
                let chained = information
                    .and_then(|bytes| bytes.first())
                    .is_some_and(|first| (first >> 3) & 4 != 0);
                if !chained {
                    spans.push((
                        base.wrapping_add(u64::from(begin)),
                        u64::from(end.saturating_sub(begin)),
                    ));
                }
            }
        }
        "aarch64" | "arm" => {
            let unit = if image.architecture == "arm" { 2 } else { 4 };
            for entry in 0..(bytes.len() / 8).min(MOST_ENTRIES) {
                let position = entry.saturating_mul(8);
                let (Some(begin), Some(word)) = (at(position), at(position.saturating_add(4)))
                else {
                    break;
                };
                if begin == 0 {
                    continue;
                }
                let length = if word & 3 == 0 {
                    let information = memory.bytes_from(data, base.wrapping_add(u64::from(word)));
                    information
                        .and_then(|bytes| u32_at(bytes, 0, Endian::Little))
                        .map_or(0, |header| header & 0x3_ffff)
                } else {
                    (word >> 2) & 0x7ff
                };
                spans.push((
                    base.wrapping_add(u64::from(begin & !1)),
                    u64::from(length).saturating_mul(unit),
                ));
            }
        }
        _ => {}
    }
}

/// Starts that a Mach-O file lists (`LC_FUNCTION_STARTS`): distances in LEB128,
/// the first from the beginning of the `__TEXT` segment.
pub(crate) fn function_starts(data: &[u8], image: &Image) -> Vec<u64> {
    const LC_FUNCTION_STARTS: u32 = 0x26;
    /// More load commands than this are not looked at; files have about thirty.
    const MOST_COMMANDS: u32 = 4096;
    let mut starts = Vec::new();
    if image.format != Format::MachO {
        return starts;
    }
    let Some(file) = usize::try_from(image.offset)
        .ok()
        .and_then(|offset| data.get(offset..))
    else {
        return starts;
    };
    let at = |position| u32_at(file, position, image.endian);
    let mut position: usize = if image.bits == 64 { 32 } else { 28 };
    for _ in 0..at(16).unwrap_or(0).min(MOST_COMMANDS) {
        let (Some(command), Some(size)) = (at(position), at(position.saturating_add(4))) else {
            break;
        };
        if command == LC_FUNCTION_STARTS {
            let start = at(position.saturating_add(8)).unwrap_or(0) as usize;
            let size = at(position.saturating_add(12)).unwrap_or(0) as usize;
            let list = file.get(start..).unwrap_or_default();
            let list = list.get(..size).unwrap_or(list);
            let mut address = image
                .segments
                .iter()
                .find(|segment| segment.name == "__TEXT")
                .map_or(image.image_base, |segment| segment.address);
            let (mut value, mut shift) = (0_u64, 0_u32);
            for byte in list {
                if shift < 64 {
                    value |= u64::from(byte & 0x7f) << shift;
                }
                shift = shift.saturating_add(7);
                if byte & 0x80 == 0 {
                    if value == 0 || starts.len() >= MOST_ENTRIES {
                        break;
                    }
                    address = address.wrapping_add(value);
                    starts.push(address);
                    (value, shift) = (0, 0);
                }
            }
            break;
        }
        position = position.saturating_add((size as usize).max(8));
    }
    starts
}
