//! Where things are in an ELF file and in memory: sections, segments, the entry
//! point, and what lies behind it all.

use object::Endianness;
use object::elf;
use object::read::elf::FileHeader;

use super::file::File;
use super::words;
use crate::Warnings;
use crate::binary::density::Density;
use crate::binary::text::Text;
use crate::binary::{Location, ParseOptions, Permissions, Range, Section, Segment};

/// The lowest address that is loaded, down to the start of its page.
pub(super) fn image_base<H: FileHeader<Endian = Endianness>>(file: &File<'_, H>) -> u64 {
    let loaded = file
        .segments
        .iter()
        .filter(|segment| segment.kind == elf::PT_LOAD.0);
    let Some(first) = loaded.min_by_key(|segment| segment.address) else {
        return 0;
    };
    if first.alignment.is_power_of_two() {
        first.address & !(first.alignment - 1)
    } else {
        first.address
    }
}

/// The entry point, as the header has it: for ARM with the lowest bit set when
/// it is Thumb code, for 64-bit PowerPC of the first ABI the address of a
/// function descriptor. `None` for 0, which libraries and objects have.
pub(super) fn entry_point<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
) -> Option<Location> {
    let entry = file.header.entry;
    (entry != 0).then(|| location(file, entry))
}

/// The place of code.
pub(super) fn location<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    address: u64,
) -> Location {
    let thumb = file.header.machine == elf::EM_ARM.0;
    Location {
        address,
        offset: file.offset_of(if thumb { address & !1 } else { address }),
    }
}

pub(super) fn sections<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    options: &ParseOptions,
    text: &mut Text,
    warnings: &mut Warnings,
) -> Vec<Section> {
    let mut density = Density::new(file.data.len(), options.entropy);
    let mut outside = 0;
    let sections = file.sections.iter().map(|section| {
        let bytes = file.section_bytes(section);
        let is_empty = matches!(
            elf::SectionType(section.kind),
            elf::SHT_NOBITS | elf::SHT_NULL
        );
        let file_size = if is_empty { 0 } else { section.size };
        if (bytes.len() as u64) < file_size {
            if outside == 0 {
                warnings.add(format!(
                    "section at 0x{:x} claims 0x{file_size:x} bytes, the file has 0x{:x}",
                    section.offset,
                    bytes.len()
                ));
            }
            outside += 1;
        }
        let has = |flag: elf::SectionFlags| section.flags & flag.0 != 0;
        let in_memory = has(elf::SHF_ALLOC) || section.kind == elf::SHT_NOBITS.0;
        Section {
            name: text.own(file.section_name(section)),
            address: section.address,
            virtual_size: if in_memory { section.size } else { 0 },
            offset: section.offset,
            file_size,
            permissions: Permissions {
                read: has(elf::SHF_ALLOC),
                write: has(elf::SHF_WRITE),
                execute: has(elf::SHF_EXECINSTR),
            },
            flags: words::section(file.header.machine, section.kind, section.flags),
            entropy: density.of(bytes),
        }
    });
    let sections = sections.collect();
    if outside > 1 {
        warnings.add(format!(
            "{outside} sections lie outside the file, in whole or in part"
        ));
    }
    density.finish(warnings);
    sections
}

pub(super) fn segments<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    warnings: &mut Warnings,
) -> Vec<Segment> {
    let mut outside = 0;
    let segments = file.segments.iter().map(|segment| {
        if segment.offset.saturating_add(segment.file_size) > file.data.len() as u64
            && segment.file_size > 0
        {
            if outside == 0 {
                warnings.add(format!(
                    "segment at 0x{:x} claims 0x{:x} bytes and ends outside the file",
                    segment.offset, segment.file_size
                ));
            }
            outside += 1;
        }
        let may = |flag: elf::ProgramFlags| segment.flags & flag.0 != 0;
        Segment {
            name: words::segment(file.header.machine, segment.kind),
            address: segment.address,
            virtual_size: segment.memory_size,
            offset: segment.offset,
            file_size: segment.file_size,
            permissions: Permissions {
                read: may(elf::PF_R),
                write: may(elf::PF_W),
                execute: may(elf::PF_X),
            },
        }
    });
    let segments = segments.collect();
    if outside > 1 {
        warnings.add(format!("{outside} segments end outside the file"));
    }
    segments
}

/// What lies behind the headers, all sections and all segments.
pub(super) fn overlay<H: FileHeader<Endian = Endianness>>(file: &File<'_, H>) -> Option<Range> {
    let header = file.header;
    let table = |offset: u64, count: usize, size: u64| {
        offset.saturating_add((count as u64).saturating_mul(size))
    };
    let tables = [
        header.size,
        table(
            header.segment_table,
            file.segments.len(),
            header.segment_entry_size,
        ),
        table(
            header.section_table,
            file.sections.len(),
            header.section_entry_size,
        ),
    ];
    let sections = file
        .sections
        .iter()
        .filter(|section| section.kind != elf::SHT_NOBITS.0 && section.kind != elf::SHT_NULL.0)
        .map(|section| section.offset.saturating_add(section.size));
    let segments = file
        .segments
        .iter()
        .map(|segment| segment.offset.saturating_add(segment.file_size));
    let end = tables.into_iter().chain(sections).chain(segments).max()?;
    let size = (file.data.len() as u64).checked_sub(end)?;
    (size > 0).then_some(Range { offset: end, size })
}
