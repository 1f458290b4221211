//! Where things are in a Mach-O image and in memory: sections, segments, code
//! that runs first, and what lies behind it all. `base` is always the offset of
//! the image in its file.

use object::Endianness;
use object::macho;
use object::read::macho::MachHeader;

use super::commands::Commands;
use super::words;
use super::{MOST_FUNCTIONS, bytes_at};
use crate::Warnings;
use crate::binary::density::Density;
use crate::binary::text::Text;
use crate::binary::{Location, ParseOptions, Permissions, Range, Section, Segment};

/// Address of the segment that has the header.
pub(super) fn base_address(commands: &Commands<'_>) -> u64 {
    let by_name = commands
        .segments
        .iter()
        .find(|segment| segment.name == b"__TEXT");
    by_name.map_or(0, |segment| segment.address)
}

/// Offset in the file of an address.
fn offset_of(commands: &Commands<'_>, base: u64, address: u64) -> Option<u64> {
    // Images have some segments; a hostile one of many is cut short here.
    commands.segments.iter().take(64).find_map(|segment| {
        let distance = address.checked_sub(segment.address)?;
        let inside = distance < segment.file_size;
        inside.then(|| base.checked_add(segment.offset)?.checked_add(distance))?
    })
}

pub(super) fn entry_point(
    commands: &Commands<'_>,
    base: u64,
    base_address: u64,
) -> Option<Location> {
    if let Some(offset) = commands.main {
        // Offset from the header, which `__TEXT` begins with.
        return Some(Location {
            address: base_address.wrapping_add(offset),
            offset: base.checked_add(offset),
        });
    }
    commands.thread_entry.map(|address| Location {
        address,
        offset: offset_of(commands, base, address),
    })
}

fn permissions(protection: u32) -> Permissions {
    Permissions {
        read: protection & macho::VM_PROT_READ.0 != 0,
        write: protection & macho::VM_PROT_WRITE.0 != 0,
        execute: protection & macho::VM_PROT_EXECUTE.0 != 0,
    }
}

pub(super) fn segments(base: u64, commands: &Commands<'_>, text: &mut Text) -> Vec<Segment> {
    let segments = commands.segments.iter().map(|segment| Segment {
        name: text.own(segment.name),
        address: segment.address,
        virtual_size: segment.memory_size,
        offset: base.saturating_add(segment.offset),
        file_size: segment.file_size,
        permissions: permissions(segment.protection),
    });
    segments.collect()
}

pub(super) fn sections(
    data: &[u8],
    base: u64,
    commands: &Commands<'_>,
    options: &ParseOptions,
    text: &mut Text,
    warnings: &mut Warnings,
) -> Vec<Section> {
    let mut density = Density::new(data.len(), options.entropy);
    let mut outside = 0;
    let sections = commands.sections.iter().map(|section| {
        let is_empty = matches!(
            section.flags.typ(),
            macho::S_ZEROFILL | macho::S_GB_ZEROFILL | macho::S_THREAD_LOCAL_ZEROFILL
        );
        let file_size = if is_empty { 0 } else { section.size };
        let bytes = bytes_at(data, section.offset, file_size);
        if (bytes.len() as u64) < file_size {
            if outside == 0 {
                warnings.add(format!(
                    "section at 0x{:x} claims 0x{file_size:x} bytes, the image has 0x{:x}",
                    base.saturating_add(section.offset),
                    bytes.len()
                ));
            }
            outside += 1;
        }
        let mut name = text.own(section.segment_name);
        name.push(',');
        name.push_str(&text.own(section.name));
        Section {
            name,
            address: section.address,
            virtual_size: section.size,
            offset: base.saturating_add(section.offset),
            file_size,
            permissions: permissions(section.protection),
            flags: words::section(section.flags),
            entropy: density.of(bytes),
        }
    });
    let sections = sections.collect();
    if outside > 1 {
        warnings.add(format!(
            "{outside} sections lie outside the image, in whole or in part"
        ));
    }
    density.finish(warnings);
    sections
}

/// Functions in sections of initialisers: pointers, or offsets from the base.
pub(super) fn early_code<M: MachHeader<Endian = Endianness>>(
    data: &[u8],
    base: u64,
    base_address: u64,
    endian: Endianness,
    commands: &Commands<'_>,
) -> Vec<Location> {
    use object::Endian as _;
    let mut functions = Vec::new();
    for section in &commands.sections {
        let bytes = bytes_at(data, section.offset, section.size);
        let offsets = section.flags.typ() == macho::S_INIT_FUNC_OFFSETS;
        if !offsets && section.flags.typ() != macho::S_MOD_INIT_FUNC_POINTERS {
            continue;
        }
        let size = if offsets { 4 } else { size_of::<M::Word>() };
        for word in bytes.chunks_exact(size) {
            if functions.len() >= MOST_FUNCTIONS {
                return functions;
            }
            let word = match *word {
                [a, b, c, d] => endian.read_u32([a, b, c, d]).into(),
                [a, b, c, d, e, f, g, h] => endian.read_u64([a, b, c, d, e, f, g, h]),
                _ => 0,
            };
            let address = if offsets {
                base_address.wrapping_add(word)
            } else if commands.chained_fixups.is_some() && word < base_address {
                // A link of a chain: the target is in the low 36 bits.
                base_address.wrapping_add(word & 0xf_ffff_ffff)
            } else {
                word
            };
            functions.push(Location {
                address,
                offset: offset_of(commands, base, address),
            });
        }
    }
    functions
}

/// What lies behind all segments and all that the load commands point to.
pub(super) fn overlay(
    data: &[u8],
    base: u64,
    endian: Endianness,
    commands: &Commands<'_>,
) -> Option<Range> {
    let mut end = commands.ends;
    if let Some(table) = &commands.symbols {
        // In relocatable objects nothing else covers the tables of symbols.
        let strings = u64::from(table.stroff.get(endian)) + u64::from(table.strsize.get(endian));
        end = end.max(strings).max(table.symoff.get(endian).into());
    }
    let size = (data.len() as u64).checked_sub(end)?;
    (size > 0).then_some(Range {
        offset: base.saturating_add(end),
        size,
    })
}
