//! An ELF file's headers: the file header, sections and segments as plain
//! numbers, and where in the file an address is. Whole tables are taken as far
//! as the file has them. What the entries point to is read by the siblings.

use std::marker::PhantomData;

use object::Endianness;
use object::pod::{self, Pod};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

use crate::Warnings;
use crate::binary::text;

/// The file header.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Header {
    pub(super) os_abi: u8,
    pub(super) abi_version: u8,
    pub(super) file_type: u16,
    pub(super) machine: u16,
    pub(super) flags: u32,
    pub(super) entry: u64,
    pub(super) segment_table: u64,
    pub(super) segment_count: u64,
    pub(super) segment_entry_size: u64,
    pub(super) section_table: u64,
    pub(super) section_count: u64,
    pub(super) section_entry_size: u64,
    pub(super) names_index: u64,
    pub(super) size: u64,
}

/// A section header.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RawSection {
    pub(super) name: u32,
    pub(super) kind: u32,
    pub(super) flags: u64,
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) link: u32,
    pub(super) alignment: u64,
}

/// A program header.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RawSegment {
    pub(super) kind: u32,
    pub(super) flags: u32,
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) file_size: u64,
    pub(super) memory_size: u64,
    pub(super) alignment: u64,
}

/// An ELF file of a class (`H`), with its headers read.
#[derive(Debug)]
pub(super) struct File<'d, H> {
    pub(super) data: &'d [u8],
    pub(super) endian: Endianness,
    pub(super) header: Header,
    pub(super) sections: Vec<RawSection>,
    pub(super) segments: Vec<RawSegment>,
    section_names: &'d [u8],
    /// Loaded segments that have bytes in the file, by address.
    loaded: Vec<RawSegment>,
    class: PhantomData<H>,
}

impl<'d, H: FileHeader<Endian = Endianness>> File<'d, H> {
    /// Reads the headers. `whole` has the file header, padded with zeroes when
    /// the file is too short for it.
    pub(super) fn read(
        data: &'d [u8],
        whole: &[u8],
        endian: Endianness,
        most_items: usize,
        warnings: &mut Warnings,
    ) -> Option<Self> {
        let (header, _) = pod::from_bytes::<H>(whole).ok()?;
        let mut file = Self {
            data,
            endian,
            header: Header {
                os_abi: header.e_ident().os_abi.0,
                abi_version: header.e_ident().abi_version,
                file_type: header.e_type(endian).0,
                machine: header.e_machine(endian).0,
                flags: header.e_flags(endian).0,
                entry: header.e_entry(endian).into(),
                segment_table: header.e_phoff(endian).into(),
                segment_count: header.e_phnum(endian).into(),
                segment_entry_size: header.e_phentsize(endian).into(),
                section_table: header.e_shoff(endian).into(),
                section_count: header.e_shnum(endian).into(),
                section_entry_size: header.e_shentsize(endian).into(),
                names_index: header.e_shstrndx(endian).0.into(),
                size: size_of::<H>() as u64,
            },
            sections: Vec::new(),
            segments: Vec::new(),
            section_names: &[],
            loaded: Vec::new(),
            class: PhantomData,
        };
        file.resolve_escapes();
        file.read_sections(most_items, warnings);
        file.read_segments(most_items, warnings);
        Some(file)
    }

    /// Whether addresses have 64 bits.
    pub(super) fn is_64(&self) -> bool {
        H::is_type_64_sized()
    }

    /// Size of an address in bytes.
    pub(super) fn word_size(&self) -> u64 {
        if self.is_64() { 8 } else { 4 }
    }

    /// Counts that do not fit in the header are in the first section header.
    fn resolve_escapes(&mut self) {
        let header = &mut self.header;
        if header.section_table == 0 {
            return;
        }
        let first = bytes_at(
            self.data,
            header.section_table,
            size_of::<H::SectionHeader>() as u64,
        );
        let Ok((first, _)) = pod::from_bytes::<H::SectionHeader>(first) else {
            return;
        };
        if header.section_count == 0 {
            header.section_count = first.sh_size(self.endian).into();
        }
        if header.segment_count == 0xffff {
            header.segment_count = first.sh_info(self.endian).into();
        }
        if header.names_index == 0xffff {
            header.names_index = first.sh_link(self.endian).into();
        }
    }

    fn read_sections(&mut self, most_items: usize, warnings: &mut Warnings) {
        let header = self.header;
        if header.section_table == 0 && header.section_count == 0 {
            return;
        }
        let claim = Claim {
            what: "section",
            offset: header.section_table,
            count: header.section_count,
            entry_size: header.section_entry_size,
        };
        let endian = self.endian;
        self.sections = claim
            .entries::<H::SectionHeader>(self.data, most_items, warnings)
            .map(|section| RawSection {
                name: section.sh_name(endian),
                kind: section.sh_type(endian).0,
                flags: section.sh_flags(endian).0,
                address: section.sh_addr(endian).into(),
                offset: section.sh_offset(endian).into(),
                size: section.sh_size(endian).into(),
                link: section.sh_link(endian),
                alignment: section.sh_addralign(endian).into(),
            })
            .collect();
        let index = usize::try_from(header.names_index).unwrap_or(usize::MAX);
        match self.sections.get(index).copied() {
            Some(section) => self.section_names = self.section_bytes(&section),
            None if self.sections.is_empty() => {}
            None => warnings.add(format!(
                "ELF header at 0x0 names section {index} as that of the section names, which is not there"
            )),
        }
    }

    fn read_segments(&mut self, most_items: usize, warnings: &mut Warnings) {
        let header = self.header;
        if header.segment_count == 0 {
            return;
        }
        let claim = Claim {
            what: "program header",
            offset: header.segment_table,
            count: header.segment_count,
            entry_size: header.segment_entry_size,
        };
        let endian = self.endian;
        self.segments = claim
            .entries::<H::ProgramHeader>(self.data, most_items, warnings)
            .map(|segment| RawSegment {
                kind: segment.p_type(endian).0,
                flags: segment.p_flags(endian).0,
                offset: segment.p_offset(endian).into(),
                address: segment.p_vaddr(endian).into(),
                file_size: segment.p_filesz(endian).into(),
                memory_size: segment.p_memsz(endian).into(),
                alignment: segment.p_align(endian).into(),
            })
            .collect();
        self.loaded = self
            .segments
            .iter()
            .filter(|segment| segment.kind == object::elf::PT_LOAD.0 && segment.file_size > 0)
            .copied()
            .collect();
        self.loaded.sort_by_key(|segment| segment.address);
    }

    /// The bytes of a range, as far as the file has them.
    pub(super) fn bytes(&self, offset: u64, size: u64) -> &'d [u8] {
        bytes_at(self.data, offset, size)
    }

    /// The bytes of a section, as far as the file has them.
    pub(super) fn section_bytes(&self, section: &RawSection) -> &'d [u8] {
        if matches!(
            object::elf::SectionType(section.kind),
            object::elf::SHT_NOBITS | object::elf::SHT_NULL
        ) {
            return &[];
        }
        self.bytes(section.offset, section.size)
    }

    /// A section's name.
    pub(super) fn section_name(&self, section: &RawSection) -> &'d [u8] {
        text::name_at(self.section_names, section.name.into()).unwrap_or_default()
    }

    /// The first section of a type.
    pub(super) fn section_of_kind(&self, kind: object::elf::SectionType) -> Option<&RawSection> {
        self.sections.iter().find(|section| section.kind == kind.0)
    }

    /// The whole entries of a table, as far as the file has them.
    pub(super) fn table<T: Pod>(&self, offset: u64, size: u64) -> &'d [T] {
        table_in(self.bytes(offset, size))
    }

    /// Where the byte of an address is in the file, by the segments that a
    /// loader maps. When segments overlap, which no linker makes them, it is
    /// the one that begins last.
    pub(super) fn offset_of(&self, address: u64) -> Option<u64> {
        let behind = self
            .loaded
            .partition_point(|segment| segment.address <= address);
        let segment = self.loaded.get(behind.checked_sub(1)?)?;
        let distance = address.checked_sub(segment.address)?;
        let offset = segment.offset.checked_add(distance)?;
        (distance < segment.file_size && offset < self.data.len() as u64).then_some(offset)
    }

    /// The bytes from an address to the end of its segment's bytes.
    pub(super) fn bytes_from(&self, address: u64) -> Option<&'d [u8]> {
        let behind = self
            .loaded
            .partition_point(|segment| segment.address <= address);
        let segment = self.loaded.get(behind.checked_sub(1)?)?;
        let distance = address.checked_sub(segment.address)?;
        let left = segment.file_size.checked_sub(distance)?;
        let bytes = self.bytes(segment.offset.checked_add(distance)?, left);
        (!bytes.is_empty()).then_some(bytes)
    }

    /// An address at the start of bytes.
    pub(super) fn word(&self, bytes: &[u8]) -> Option<u64> {
        use object::Endian as _;
        if self.is_64() {
            let bytes = bytes.first_chunk::<8>()?;
            Some(self.endian.read_u64(*bytes))
        } else {
            let bytes = bytes.first_chunk::<4>()?;
            Some(self.endian.read_u32(*bytes).into())
        }
    }
}

/// A table as a header claims it.
struct Claim {
    what: &'static str,
    offset: u64,
    count: u64,
    entry_size: u64,
}

impl Claim {
    /// Its entries, as many as the file has and the report may have.
    fn entries<'d, T: Pod>(
        &self,
        data: &'d [u8],
        most_items: usize,
        warnings: &mut Warnings,
    ) -> impl Iterator<Item = &'d T> + use<'d, T> {
        let size = size_of::<T>();
        let Self {
            what,
            offset,
            count,
            ..
        } = *self;
        let mut stride = usize::try_from(self.entry_size).unwrap_or(usize::MAX);
        if stride != size {
            warnings.add(format!(
                "{what} table at 0x{offset:x} claims entries of {stride} bytes instead of {size}"
            ));
            // Longer entries would be an extension; shorter ones are an error.
            stride = stride.max(size);
        }
        let bytes = bytes_at(data, offset, u64::MAX);
        let room = bytes.len().saturating_sub(size) / stride + usize::from(bytes.len() >= size);
        let mut number = usize::try_from(count).unwrap_or(usize::MAX);
        if number > room {
            warnings.add(format!(
                "{what} table at 0x{offset:x} claims {count} entries, the file has room for {room}"
            ));
            number = room;
        }
        if number > most_items {
            warnings.add(format!(
                "{what} table at 0x{offset:x} has {number} entries, of which {most_items} were read"
            ));
            number = most_items;
        }
        bytes
            .chunks(stride)
            .take(number)
            .filter_map(|entry| pod::from_bytes::<T>(entry).ok())
            .map(|(entry, _)| entry)
    }
}

/// The bytes of a range, as far as there are some.
fn bytes_at(data: &[u8], offset: u64, size: u64) -> &[u8] {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let rest = data.get(start..).unwrap_or_default();
    rest.get(..size).unwrap_or(rest)
}

/// The whole entries at the start of bytes.
pub(super) fn table_in<T: Pod>(bytes: &[u8]) -> &[T] {
    pod::slice_from_bytes(bytes, bytes.len() / size_of::<T>())
        .map(|(entries, _)| entries)
        .unwrap_or_default()
}
