//! ELF files: 32 and 64 bits, both orders of bytes, any machine.
//!
//! Formats and numbers are those of the System V ABI (gABI) and its processor
//! supplements, by way of the crate `object`, whose structures are laid over
//! the bytes. Its higher layers are not used: they refuse a file for one bad
//! field, and here everything else is still to be reported.
//!
//! Nothing is disassembled, decompressed or relocated.

mod details;
mod dynamic;
mod file;
mod notes;
mod relocations;
mod security;
mod symbols;
mod versions;
mod words;

#[cfg(test)]
mod tests;

use object::Endianness;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::FileHeader;

use self::dynamic::{Dynamic, Table};
use self::file::{File, RawSection};
use self::relocations::Relocations;
use self::security::Signs;
use self::symbols::{RawSymbol, SymbolTable};
use self::versions::Versions;
use super::density::Density;
use super::text::{self, Text};
use super::{
    Details, Endian, Export, Format, Image, Import, Location, ParseOptions, Permissions, Range,
    Section, Segment,
};
use crate::Warnings;

pub use self::details::{DebugLink, ElfDetails, Linkage, Note};

/// More functions than this are not taken from an array of initialisers.
const MOST_FUNCTIONS: usize = 1 << 16;
/// The longest file header, that of 64 bits.
const HEADER_SIZE: usize = 64;
/// A header that is cut before its machine says nothing worth an image.
const LEAST_HEADER: usize = 20;

/// Takes an ELF file apart.
///
/// `None` when the file ends before the header says which machine it is for.
pub fn parse(data: &[u8], options: &ParseOptions, warnings: &mut Warnings) -> Option<Image> {
    if data.len() < LEAST_HEADER {
        warnings.add(format!("ELF header at 0x0 ends after {} bytes", data.len()));
        return None;
    }
    let mut header = [0; HEADER_SIZE];
    for (to, from) in header.iter_mut().zip(data) {
        *to = *from;
    }
    let byte = |index: usize| header.get(index).copied().unwrap_or_default();
    let is_64 = match byte(4) {
        1 => false,
        2 => true,
        other => {
            // The header's own size betrays the class: 52 or 64 bytes.
            let guess = byte(52) == 64 || byte(53) == 64;
            let bits = if guess { 64 } else { 32 };
            warnings.add(format!(
                "ELF header at 0x0 has class {other}, read as {bits} bits"
            ));
            guess
        }
    };
    let endian = match byte(5) {
        1 => Endianness::Little,
        2 => Endianness::Big,
        other => {
            // The version is 1, as a number of four bytes.
            let big = byte(23) == 1;
            let order = if big { "big" } else { "little" };
            warnings.add(format!(
                "ELF header at 0x0 has data encoding {other}, read as {order} endian"
            ));
            if big {
                Endianness::Big
            } else {
                Endianness::Little
            }
        }
    };
    if is_64 {
        image::<FileHeader64<Endianness>>(data, &header, endian, options, warnings)
    } else {
        image::<FileHeader32<Endianness>>(data, &header, endian, options, warnings)
    }
}

fn image<H: FileHeader<Endian = Endianness>>(
    data: &[u8],
    header: &[u8],
    endian: Endianness,
    options: &ParseOptions,
    warnings: &mut Warnings,
) -> Option<Image> {
    if data.len() < size_of::<H>() {
        warnings.add(format!(
            "ELF header at 0x0 ends after {} of {} bytes",
            data.len(),
            size_of::<H>()
        ));
    }
    let file = File::<H>::read(data, header, endian, options.most_items, warnings)?;
    let mut text = Text::new(data.len());
    let dynamic = Dynamic::read(&file, warnings);
    let mut details = details(&file, &dynamic, &mut text);
    notes::read(&file, &mut details, &mut text, warnings);

    let table = symbols::by_section(&file, elf::SHT_SYMTAB, warnings);
    let dynamic_table = symbols::dynamic(&file, &dynamic, warnings);
    details.stripped = table.symbols.is_empty();
    details.symbol_table_entries = table.symbols.len() as u64;
    details.dynamic_symbol_table_entries = dynamic_table.symbols.len() as u64;

    let arrays = Arrays::find(&file, &dynamic);
    let relocations = Relocations::read(&file, &dynamic, dynamic_table.symbols, &arrays.all());
    let versions = Versions::read(&file, &dynamic, warnings);
    let defined = versions.defined.iter().take(options.most_items);
    details.defined_versions = defined.map(|name| text.own(name)).collect();
    let mut lists = Lists::default();
    lists.dynamic(
        &file,
        &dynamic_table,
        &versions,
        &relocations,
        options,
        &mut text,
    );
    lists.rest(&file, &table, options, &mut text);
    lists.complain(options.most_items, warnings);

    let (early, late) = arrays.functions(&file, &dynamic, &relocations);
    details.late_code = late;
    let header = file.header;
    let image = Image {
        format: Format::Elf,
        architecture: words::architecture(header.machine, file.is_64()),
        bits: if file.is_64() { 64 } else { 32 },
        endian: match endian {
            Endianness::Little => Endian::Little,
            Endianness::Big => Endian::Big,
        },
        kind: kind(&file, &dynamic),
        offset: 0,
        size: data.len() as u64,
        image_base: image_base(&file),
        entry_point: entry_point(&file),
        sections: sections(&file, options, &mut text, warnings),
        segments: segments(&file, warnings),
        imports: lists.imports,
        exports: lists.exports,
        symbols: lists.symbols,
        relocations: relocations.count,
        libraries: dynamic.needed.iter().map(|name| text.own(name)).collect(),
        early_code: early,
        security: security::examine(&file, &dynamic, &details, lists.signs),
        overlay: overlay(&file),
        details: Details::Elf(Box::new(details)),
    };
    text.finish(warnings);
    Some(image)
}

/// The details that come from headers and the dynamic segment.
fn details<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    dynamic: &Dynamic<'_>,
    text: &mut Text,
) -> ElfDetails {
    let header = file.header;
    let interpreter = file
        .segments
        .iter()
        .find(|segment| segment.kind == elf::PT_INTERP.0)
        .map(|segment| text::until_nul(file.bytes(segment.offset, segment.file_size)));
    let linkage = match elf::FileType(header.file_type) {
        elf::ET_REL | elf::ET_CORE => None,
        _ if interpreter.is_some() || !dynamic.needed.is_empty() => Some(Linkage::Dynamic),
        elf::ET_DYN if !dynamic.says_pie() => Some(Linkage::Dynamic),
        _ => Some(Linkage::Static),
    };
    let mut paths = |path: Option<&[u8]>| -> Vec<String> {
        let parts = path
            .into_iter()
            .flat_map(|path| path.split(|&byte| byte == b':'));
        let parts = parts.filter(|part| !part.is_empty()).take(256);
        parts.map(|part| text.own(part)).collect()
    };
    ElfDetails {
        rpath: paths(dynamic.rpath),
        runpath: paths(dynamic.runpath),
        file_type: words::file_type(header.file_type),
        machine: words::machine(header.machine),
        machine_number: header.machine,
        os_abi: words::os_abi(header.os_abi),
        abi_version: header.abi_version,
        flags: header.flags,
        flag_names: words::file_flags(header.machine, header.flags),
        section_count: header.section_count,
        segment_count: header.segment_count,
        linkage,
        interpreter: interpreter.map(|name| text.own(name)),
        soname: dynamic.soname.map(|name| text.own(name)),
        ..ElfDetails::default()
    }
}

fn kind<H: FileHeader<Endian = Endianness>>(file: &File<'_, H>, dynamic: &Dynamic<'_>) -> String {
    let kind = match elf::FileType(file.header.file_type) {
        elf::ET_REL => "relocatable object",
        elf::ET_EXEC => "executable",
        elf::ET_DYN if security::is_pie(file, dynamic) => "pie executable",
        elf::ET_DYN => "shared library",
        elf::ET_CORE => "core dump",
        elf::FileType(other) => return format!("unknown (0x{other:x})"),
    };
    kind.to_owned()
}

/// The lowest address that is loaded, down to the start of its page.
fn image_base<H: FileHeader<Endian = Endianness>>(file: &File<'_, H>) -> u64 {
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
fn entry_point<H: FileHeader<Endian = Endianness>>(file: &File<'_, H>) -> Option<Location> {
    let entry = file.header.entry;
    (entry != 0).then(|| location(file, entry))
}

/// The place of code.
fn location<H: FileHeader<Endian = Endianness>>(file: &File<'_, H>, address: u64) -> Location {
    let thumb = file.header.machine == elf::EM_ARM.0;
    Location {
        address,
        offset: file.offset_of(if thumb { address & !1 } else { address }),
    }
}

fn sections<H: FileHeader<Endian = Endianness>>(
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

fn segments<H: FileHeader<Endian = Endianness>>(
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
fn overlay<H: FileHeader<Endian = Endianness>>(file: &File<'_, H>) -> Option<Range> {
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

/// The lists of the report that come from symbols.
#[derive(Debug, Default)]
struct Lists {
    imports: Vec<Import>,
    exports: Vec<Export>,
    symbols: Vec<super::Symbol>,
    left_out: usize,
    signs: Signs,
}

impl Lists {
    /// The table for the dynamic linker.
    fn dynamic<H: FileHeader<Endian = Endianness>>(
        &mut self,
        file: &File<'_, H>,
        table: &SymbolTable<'_, H::Sym>,
        versions: &Versions<'_>,
        relocations: &Relocations,
        options: &ParseOptions,
        text: &mut Text,
    ) {
        for symbol in table.iter(file.endian) {
            self.add(file, &symbol, true, options, text);
            if symbol.is_local() || symbol.name.is_empty() {
                continue;
            }
            if symbol.is_undefined() {
                let version = versions.of(symbol.index);
                let library = version.map(|version| version.library);
                self.imports.push(Import {
                    library: library
                        .filter(|name| !name.is_empty())
                        .map(|name| text.own(name)),
                    name: Some(text.own(symbol.name)),
                    ordinal: None,
                    version: version.map(|version| text.own(version.name)),
                    address: relocations.slot(symbol.index),
                    delayed: false,
                });
            } else if is_exported(&symbol) {
                self.exports.push(Export {
                    name: Some(text.own(symbol.name)),
                    ordinal: None,
                    address: symbol.value,
                    forward: None,
                });
            }
            if self.symbols.len() >= options.most_items {
                break;
            }
        }
    }

    /// The table for everyone else.
    fn rest<H: FileHeader<Endian = Endianness>>(
        &mut self,
        file: &File<'_, H>,
        table: &SymbolTable<'_, H::Sym>,
        options: &ParseOptions,
        text: &mut Text,
    ) {
        for symbol in table.iter(file.endian) {
            self.add(file, &symbol, false, options, text);
        }
    }

    fn add<H: FileHeader<Endian = Endianness>>(
        &mut self,
        file: &File<'_, H>,
        symbol: &RawSymbol<'_>,
        dynamic: bool,
        options: &ParseOptions,
        text: &mut Text,
    ) {
        self.signs.look(symbol.name, symbol.is_undefined());
        if self.symbols.len() < options.most_items {
            self.symbols
                .push(symbols::report(file, symbol, dynamic, text));
        } else {
            self.left_out += 1;
        }
    }

    fn complain(&self, most_items: usize, warnings: &mut Warnings) {
        if self.left_out > 0 {
            warnings.add(format!(
                "symbols end after {most_items}, {} more were left out",
                self.left_out
            ));
        }
    }
}

/// Whether other files can use a symbol that is defined here.
fn is_exported(symbol: &RawSymbol<'_>) -> bool {
    // The type says nothing: `_DYNAMIC_LINKING` of MIPS is a global section.
    !matches!(symbol.visibility, elf::STV_HIDDEN | elf::STV_INTERNAL)
}

/// Arrays of functions that run before and after the program.
#[derive(Debug, Clone, Copy, Default)]
struct Arrays {
    preinit: Table,
    init: Table,
    fini: Table,
}

impl Arrays {
    /// By the dynamic segment, or by the sections of a static file.
    fn find<H: FileHeader<Endian = Endianness>>(file: &File<'_, H>, dynamic: &Dynamic<'_>) -> Self {
        if dynamic.present {
            return Self {
                preinit: dynamic.preinit_array,
                init: dynamic.init_array,
                fini: dynamic.fini_array,
            };
        }
        let array = |kind: elf::SectionType| {
            let section: Option<&RawSection> = file.section_of_kind(kind);
            section.map_or(Table::default(), |section| Table {
                address: section.address,
                size: section.size,
            })
        };
        Self {
            preinit: array(elf::SHT_PREINIT_ARRAY),
            init: array(elf::SHT_INIT_ARRAY),
            fini: array(elf::SHT_FINI_ARRAY),
        }
    }

    fn all(&self) -> [Table; 3] {
        [self.preinit, self.init, self.fini]
    }

    /// Functions that run early, and those that run late, in order.
    fn functions<H: FileHeader<Endian = Endianness>>(
        &self,
        file: &File<'_, H>,
        dynamic: &Dynamic<'_>,
        relocations: &Relocations,
    ) -> (Vec<Location>, Vec<Location>) {
        let mut early = Vec::new();
        let mut late = Vec::new();
        self.read(file, self.preinit, relocations, &mut early);
        early.extend(dynamic.init.map(|address| location(file, address)));
        self.read(file, self.init, relocations, &mut early);
        self.read(file, self.fini, relocations, &mut late);
        late.reverse();
        late.extend(dynamic.fini.map(|address| location(file, address)));
        (early, late)
    }

    fn read<H: FileHeader<Endian = Endianness>>(
        &self,
        file: &File<'_, H>,
        array: Table,
        relocations: &Relocations,
        functions: &mut Vec<Location>,
    ) {
        let word_size = file.word_size();
        let bytes = file.bytes_from(array.address).unwrap_or_default();
        let size = usize::try_from(array.size).unwrap_or(usize::MAX);
        let bytes = bytes.get(..size).unwrap_or(bytes);
        // 0 and -1 are fillers in arrays of old start files.
        let minus_one = if file.is_64() {
            u64::MAX
        } else {
            u32::MAX.into()
        };
        let words = bytes.chunks_exact(word_size as usize).take(MOST_FUNCTIONS);
        for (index, word) in words.enumerate() {
            let at = array.address.wrapping_add(index as u64 * word_size);
            let stored = file.word(word).unwrap_or_default();
            let address = relocations.value(at).unwrap_or(stored);
            if address != 0 && address != minus_one {
                functions.push(location(file, address));
            }
        }
    }
}
