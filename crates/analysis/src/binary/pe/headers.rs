//! DOS header, COFF header, optional header, section table, as far as the file
//! has them. Called first by [`parse`](super::parse); says what is cut off.

use object::pod::{self, Pod};
use object::{LittleEndian as LE, pe};

use super::details::{DataDirectory, OptionalHeader};
use super::layout::{Directory, bytes, u16_at, u32_at};
use super::{checksum, words};
use crate::Warnings;
use crate::binary::ParseOptions;

/// Offset of the field `e_lfanew` in the DOS header.
const LFANEW: usize = 0x3c;
/// More data directories than this no loader reads.
const MOST_DIRECTORIES: u32 = 16;

/// The headers of a file.
#[derive(Debug)]
pub(super) struct Headers {
    /// Offset of the signature `PE\0\0`.
    pub(super) offset: u64,
    pub(super) machine: u16,
    pub(super) timestamp: u32,
    pub(super) characteristics: pe::FileFlags,
    /// Offset of the COFF symbol table.
    pub(super) symbols_offset: u32,
    pub(super) symbols_count: u32,
    pub(super) optional: Option<Optional>,
    pub(super) sections: Vec<pe::ImageSectionHeader>,
    /// Offset of the section table.
    pub(super) sections_offset: u64,
}

/// The optional header.
#[derive(Debug)]
pub(super) struct Optional {
    /// PE32+, with addresses of 64 bits.
    pub(super) wide: bool,
    pub(super) image_base: u64,
    pub(super) subsystem: pe::Subsystem,
    pub(super) dll_characteristics: pe::DllFlags,
    pub(super) directories: Vec<Directory>,
    /// What is reported of it.
    pub(super) report: OptionalHeader,
}

impl Headers {
    /// Reads the headers; `None`, with a warning, when this is no PE file.
    pub(super) fn read(
        data: &[u8],
        options: &ParseOptions,
        warnings: &mut Warnings,
    ) -> Option<Self> {
        let Some(lfanew) = u32_at(data, LFANEW) else {
            warnings.add(format!(
                "DOS header at 0x0 is cut off: the file has {} bytes",
                data.len()
            ));
            return None;
        };
        let offset = u64::from(lfanew);
        let header = bytes(data, offset, u64::MAX).unwrap_or_default();
        if header.is_empty() {
            warnings.add(format!(
                "PE header at 0x{offset:x}, which the DOS header names, lies outside of the file"
            ));
            return None;
        }
        if !header.starts_with(b"PE\0\0") {
            warnings.add(not_pe(header, offset));
            return None;
        }
        let Some(coff) = after::<pe::ImageFileHeader>(header, 4) else {
            warnings.add(format!("COFF header at 0x{:x} is cut off", offset + 4));
            return None;
        };
        let optional_offset = offset + 24;
        let optional_size = coff.size_of_optional_header.get(LE);
        let optional = if optional_size == 0 {
            warnings.add(format!(
                "optional header at 0x{optional_offset:x} is missing"
            ));
            None
        } else {
            Optional::read(data, optional_offset, warnings)
        };
        let sections_offset = optional_offset + u64::from(optional_size);
        let sections = section_table(
            data,
            sections_offset,
            coff.number_of_sections.get(LE),
            options,
            warnings,
        );
        Some(Self {
            offset,
            machine: coff.machine.get(LE).0,
            timestamp: coff.time_date_stamp.get(LE),
            characteristics: coff.characteristics.get(LE),
            symbols_offset: coff.pointer_to_symbol_table.get(LE),
            symbols_count: coff.number_of_symbols.get(LE),
            optional,
            sections,
            sections_offset,
        })
    }

    /// The data directory at `index`, unless it is empty.
    pub(super) fn directory(&self, index: usize) -> Option<Directory> {
        let directories = &self.optional.as_ref()?.directories;
        Directory::of(directories, index)
    }

    /// The data directories that are not empty, with their names.
    pub(super) fn directories(&self) -> Vec<DataDirectory> {
        let directories = self.optional.as_ref().map(|header| &header.directories);
        directories
            .into_iter()
            .flatten()
            .enumerate()
            .filter(|(_, directory)| directory.rva != 0 || directory.size != 0)
            .map(|(index, directory)| DataDirectory {
                name: directory_name(index),
                rva: directory.rva,
                size: directory.size,
            })
            .collect()
    }
}

impl Optional {
    /// Reads the optional header. The loader reads its fields wherever the
    /// claimed size ends; so do we, and what lies behind the file's end is 0.
    fn read(data: &[u8], offset: u64, warnings: &mut Warnings) -> Option<Self> {
        let header = bytes(data, offset, u64::MAX).unwrap_or_default();
        let Some(magic) = u16_at(header, 0) else {
            warnings.add(format!("optional header at 0x{offset:x} is cut off"));
            return None;
        };
        let wide = magic == pe::IMAGE_NT_OPTIONAL_HDR64_MAGIC;
        if !wide && magic != pe::IMAGE_NT_OPTIONAL_HDR32_MAGIC {
            warnings.add(format!(
                "optional header at 0x{offset:x} has the unknown magic 0x{magic:x}"
            ));
        }
        let size = if wide {
            size_of::<pe::ImageOptionalHeader64>()
        } else {
            size_of::<pe::ImageOptionalHeader32>()
        };
        if header.len() < size {
            warnings.add(format!(
                "optional header at 0x{offset:x} is cut off: {} of {size} bytes",
                header.len()
            ));
        }
        let padded = padded::<{ size_of::<pe::ImageOptionalHeader64>() }>(header);
        // Both kinds agree in most fields, which a macro reads once.
        macro_rules! read {
            ($kind:ty) => {{
                let header: &$kind = pod::from_bytes(&padded).ok()?.0;
                let subsystem = header.subsystem.get(LE);
                let dll_characteristics = header.dll_characteristics.get(LE);
                let version = |major: u16, minor: u16| format!("{major}.{minor}");
                let report = OptionalHeader {
                    magic,
                    linker_version: version(
                        header.major_linker_version.into(),
                        header.minor_linker_version.into(),
                    ),
                    system_version: version(
                        header.major_operating_system_version.get(LE),
                        header.minor_operating_system_version.get(LE),
                    ),
                    image_version: version(
                        header.major_image_version.get(LE),
                        header.minor_image_version.get(LE),
                    ),
                    subsystem_version: version(
                        header.major_subsystem_version.get(LE),
                        header.minor_subsystem_version.get(LE),
                    ),
                    entry_rva: header.address_of_entry_point.get(LE),
                    subsystem: subsystem.0,
                    subsystem_name: words::constant(subsystem, "IMAGE_SUBSYSTEM_"),
                    dll_characteristics: dll_characteristics.0,
                    dll_characteristic_names: words::flags(
                        dll_characteristics,
                        "IMAGE_DLLCHARACTERISTICS_",
                    ),
                    checksum: header.check_sum.get(LE),
                    checksum_computed: checksum::pe_checksum(data, offset.saturating_add(64)),
                    image_size: header.size_of_image.get(LE),
                    headers_size: header.size_of_headers.get(LE),
                    code_size: header.size_of_code.get(LE),
                    section_alignment: header.section_alignment.get(LE),
                    file_alignment: header.file_alignment.get(LE),
                };
                Self {
                    wide,
                    image_base: header.image_base.get(LE).into(),
                    subsystem,
                    dll_characteristics,
                    directories: directory_table(
                        data,
                        offset.saturating_add(size as u64),
                        header.number_of_rva_and_sizes.get(LE),
                        warnings,
                    ),
                    report,
                }
            }};
        }
        Some(if wide {
            read!(pe::ImageOptionalHeader64)
        } else {
            read!(pe::ImageOptionalHeader32)
        })
    }
}

/// What stands where a PE header is expected.
fn not_pe(header: &[u8], offset: u64) -> String {
    match header.get(..2) {
        Some(b"NE" | b"LE" | b"LX") => {
            "a 16-bit Windows, OS/2 or VxD program, which is not taken apart".to_owned()
        }
        _ => format!("no PE header at 0x{offset:x}: a DOS program, which is not taken apart"),
    }
}

/// A record `skip` bytes into the data.
fn after<T: Pod>(data: &[u8], skip: usize) -> Option<&T> {
    pod::from_bytes(data.get(skip..)?)
        .ok()
        .map(|(record, _)| record)
}

/// The first `N` bytes, with zeros for what is missing.
pub(super) fn padded<const N: usize>(data: &[u8]) -> [u8; N] {
    let mut padded = [0; N];
    for (to, from) in padded.iter_mut().zip(data) {
        *to = *from;
    }
    padded
}

/// The table of data directories behind the optional header.
fn directory_table(
    data: &[u8],
    offset: u64,
    count: u32,
    warnings: &mut Warnings,
) -> Vec<Directory> {
    if count > MOST_DIRECTORIES {
        warnings.add(format!(
            "data directories at 0x{offset:x} are said to be {count}; {MOST_DIRECTORIES} were read"
        ));
    }
    let count = count.min(MOST_DIRECTORIES);
    let table = bytes(data, offset, u64::from(count) * 8).unwrap_or_default();
    if (table.len() as u64) < u64::from(count) * 8 {
        warnings.add(format!("data directories at 0x{offset:x} are cut off"));
    }
    table
        .chunks_exact(8)
        .map(|entry| Directory {
            rva: u32_at(entry, 0).unwrap_or(0),
            size: u32_at(entry, 4).unwrap_or(0),
        })
        .collect()
}

/// The section headers that the file has.
fn section_table(
    data: &[u8],
    offset: u64,
    count: u16,
    options: &ParseOptions,
    warnings: &mut Warnings,
) -> Vec<pe::ImageSectionHeader> {
    let table = bytes(data, offset, u64::MAX).unwrap_or_default();
    let room = table.len() / size_of::<pe::ImageSectionHeader>();
    if usize::from(count) > room {
        warnings.add(format!(
            "section table at 0x{offset:x} claims {count} entries, the file has room for {room}"
        ));
    }
    let mut readable = usize::from(count).min(room);
    if readable > options.most_items {
        warnings.add(format!(
            "section table at 0x{offset:x} has {readable} entries, {} are listed",
            options.most_items
        ));
        readable = options.most_items;
    }
    pod::slice_from_bytes(table, readable)
        .map(|(sections, _)| sections.to_vec())
        .unwrap_or_default()
}

/// The name of a data directory.
fn directory_name(index: usize) -> String {
    pe::NAMES_DIRECTORY_ENTRY.name(index).map_or_else(
        || index.to_string(),
        |name| {
            name.strip_prefix("IMAGE_DIRECTORY_ENTRY_")
                .unwrap_or(name)
                .to_owned()
        },
    )
}
