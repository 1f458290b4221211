//! The dynamic segment of an ELF file: what the dynamic linker is told. It is
//! all there is when the section headers were removed.

use object::Endianness;
use object::elf::{self, DynamicTag};
use object::read::elf::{Dyn, FileHeader};

use super::file::File;
use crate::Warnings;
use crate::binary::text;

/// The dynamic segment, one field a tag. Addresses are virtual, sizes bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Dynamic<'d> {
    /// There is one, even if it is empty.
    pub(super) present: bool,
    pub(super) strings: &'d [u8],
    pub(super) needed: Vec<&'d [u8]>,
    pub(super) soname: Option<&'d [u8]>,
    pub(super) rpath: Option<&'d [u8]>,
    pub(super) runpath: Option<&'d [u8]>,
    pub(super) flags: u64,
    pub(super) flags_1: u64,
    pub(super) bind_now: bool,
    pub(super) symbols: Option<u64>,
    pub(super) string_table: Option<u64>,
    pub(super) hash: Option<u64>,
    pub(super) gnu_hash: Option<u64>,
    pub(super) version_indices: Option<u64>,
    pub(super) versions_needed: Option<u64>,
    pub(super) versions_defined: Option<u64>,
    pub(super) rel: Table,
    pub(super) rela: Table,
    pub(super) relr: Table,
    pub(super) plt: Table,
    pub(super) plt_is_rela: bool,
    pub(super) global_offset_table: Option<u64>,
    pub(super) init: Option<u64>,
    pub(super) fini: Option<u64>,
    pub(super) preinit_array: Table,
    pub(super) init_array: Table,
    pub(super) fini_array: Table,
    pub(super) mips_local_slots: u64,
    pub(super) mips_first_global: Option<u64>,
}

/// A table by its address and its size in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Table {
    pub(super) address: u64,
    pub(super) size: u64,
}

/// More tags than this are not read; files have about thirty.
const MOST_TAGS: usize = 4096;

impl<'d> Dynamic<'d> {
    /// Reads the dynamic segment, or the dynamic section where there is none.
    pub(super) fn read<H: FileHeader<Endian = Endianness>>(
        file: &File<'d, H>,
        warnings: &mut Warnings,
    ) -> Self {
        let mut dynamic = Self::default();
        let Some((offset, size)) = place(file) else {
            return dynamic;
        };
        dynamic.present = true;
        let entries = file.table::<H::Dyn>(offset, size);
        if size_of_val(entries) as u64 != size {
            warnings.add(format!(
                "dynamic segment at 0x{offset:x} claims {size} bytes, of which {} entries were read",
                entries.len()
            ));
        }
        let values = entries
            .iter()
            .take(MOST_TAGS)
            .map(|entry| (entry.tag(file.endian), entry.val(file.endian)))
            .take_while(|&(tag, _)| tag != elf::DT_NULL);
        let mut string_size = u64::MAX;
        // Names need the string table, which may come behind them.
        let mut names = Vec::new();
        for (tag, value) in values {
            match tag {
                elf::DT_NEEDED | elf::DT_SONAME | elf::DT_RPATH | elf::DT_RUNPATH => {
                    names.push((tag, value));
                }
                elf::DT_STRSZ => string_size = value,
                _ => dynamic.take(tag, value),
            }
        }
        dynamic.find_strings(file, string_size, warnings);
        for (tag, value) in names {
            dynamic.take_name(tag, value, warnings);
        }
        dynamic
    }

    fn take(&mut self, tag: DynamicTag, value: u64) {
        match tag {
            elf::DT_FLAGS => self.flags = value,
            elf::DT_FLAGS_1 => self.flags_1 = value,
            elf::DT_BIND_NOW => self.bind_now = true,
            elf::DT_SYMTAB => self.symbols = Some(value),
            elf::DT_STRTAB => self.string_table = Some(value),
            elf::DT_HASH => self.hash = Some(value),
            elf::DT_GNU_HASH => self.gnu_hash = Some(value),
            elf::DT_VERSYM => self.version_indices = Some(value),
            elf::DT_VERNEED => self.versions_needed = Some(value),
            elf::DT_VERDEF => self.versions_defined = Some(value),
            elf::DT_REL => self.rel.address = value,
            elf::DT_RELSZ => self.rel.size = value,
            elf::DT_RELA => self.rela.address = value,
            elf::DT_RELASZ => self.rela.size = value,
            elf::DT_RELR => self.relr.address = value,
            elf::DT_RELRSZ => self.relr.size = value,
            elf::DT_JMPREL => self.plt.address = value,
            elf::DT_PLTRELSZ => self.plt.size = value,
            elf::DT_PLTREL => self.plt_is_rela = value == elf::DT_RELA.0.unsigned_abs(),
            elf::DT_PLTGOT => self.global_offset_table = Some(value),
            elf::DT_INIT => self.init = Some(value),
            elf::DT_FINI => self.fini = Some(value),
            elf::DT_PREINIT_ARRAY => self.preinit_array.address = value,
            elf::DT_PREINIT_ARRAYSZ => self.preinit_array.size = value,
            elf::DT_INIT_ARRAY => self.init_array.address = value,
            elf::DT_INIT_ARRAYSZ => self.init_array.size = value,
            elf::DT_FINI_ARRAY => self.fini_array.address = value,
            elf::DT_FINI_ARRAYSZ => self.fini_array.size = value,
            elf::DT_MIPS_LOCAL_GOTNO => self.mips_local_slots = value,
            elf::DT_MIPS_GOTSYM => self.mips_first_global = Some(value),
            _ => {}
        }
    }

    fn find_strings<H: FileHeader<Endian = Endianness>>(
        &mut self,
        file: &File<'d, H>,
        size: u64,
        warnings: &mut Warnings,
    ) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if let Some(address) = self.string_table {
            match file.bytes_from(address) {
                Some(bytes) => self.strings = bytes.get(..size).unwrap_or(bytes),
                None => warnings.add(format!(
                    "dynamic string table at address 0x{address:x} is not in the file"
                )),
            }
        }
        // Without segments to map the address, the section is a second source.
        if self.strings.is_empty() {
            let section = file.section_of_kind(elf::SHT_DYNAMIC);
            let link = section.and_then(|section| file.sections.get(section.link as usize));
            self.strings = link.map_or(&[], |strings| file.section_bytes(strings));
        }
    }

    fn take_name(&mut self, tag: DynamicTag, offset: u64, warnings: &mut Warnings) {
        let Some(name) = text::name_at(self.strings, offset) else {
            if !self.strings.is_empty() {
                warnings.add(format!(
                    "dynamic tag {} names offset 0x{offset:x} of a string table of 0x{:x} bytes",
                    tag.0,
                    self.strings.len()
                ));
            }
            return;
        };
        match tag {
            elf::DT_NEEDED => self.needed.push(name),
            elf::DT_SONAME => self.soname = Some(name),
            elf::DT_RPATH => self.rpath = Some(name),
            _ => self.runpath = Some(name),
        }
    }

    /// Whether all symbols are resolved at the start.
    pub(super) fn binds_now(&self) -> bool {
        self.bind_now || self.flags & elf::DF_BIND_NOW.0 != 0 || self.flags_1 & elf::DF_1_NOW.0 != 0
    }

    /// Whether the linker says that it is a position-independent executable.
    pub(super) fn says_pie(&self) -> bool {
        self.flags_1 & elf::DF_1_PIE.0 != 0
    }
}

/// Offset and size of the dynamic segment.
fn place<H: FileHeader<Endian = Endianness>>(file: &File<'_, H>) -> Option<(u64, u64)> {
    let segment = file
        .segments
        .iter()
        .find(|segment| segment.kind == elf::PT_DYNAMIC.0);
    if let Some(segment) = segment {
        // Files with debugging information alone keep the program headers of
        // the program, but other bytes stand at their offsets.
        let absent = file.sections.iter().any(|section| {
            section.kind == elf::SHT_NOBITS.0
                && section.address == segment.address
                && section.size == segment.memory_size
                && section.size > 0
        });
        return (!absent).then_some((segment.offset, segment.file_size));
    }
    let section = file.section_of_kind(elf::SHT_DYNAMIC)?;
    Some((section.offset, section.size))
}
