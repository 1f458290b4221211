//! Symbol tables of an ELF file. The dynamic table is found by its section, or
//! by the dynamic segment when the sections are gone or lie outside the file.

use object::Endianness;
use object::elf::{self, SymbolType};
use object::endian::U32;
use object::pod;
use object::read::elf::{FileHeader, Sym};

use super::dynamic::Dynamic;
use super::file::{File, RawSection, table_in};
use crate::Warnings;
use crate::binary::text::{self, Text};
use crate::binary::{Binding, Symbol, SymbolKind};

/// A symbol table and the names in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SymbolTable<'d, S> {
    pub(super) symbols: &'d [S],
    pub(super) strings: &'d [u8],
}

impl<S> Default for SymbolTable<'_, S> {
    fn default() -> Self {
        Self {
            symbols: &[],
            strings: &[],
        }
    }
}

/// A symbol as plain numbers, with its name borrowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawSymbol<'d> {
    /// Its place in its table.
    pub(super) index: usize,
    pub(super) name: &'d [u8],
    pub(super) value: u64,
    pub(super) size: u64,
    pub(super) kind: SymbolType,
    pub(super) binding: elf::SymbolBind,
    pub(super) visibility: elf::SymbolVisibility,
    pub(super) section: u16,
}

impl RawSymbol<'_> {
    pub(super) fn is_undefined(&self) -> bool {
        self.section == elf::SHN_UNDEF.0
    }

    pub(super) fn is_local(&self) -> bool {
        self.binding == elf::STB_LOCAL
    }
}

impl<'d, S: Sym<Endian = Endianness>> SymbolTable<'d, S> {
    /// The table with so many entries at most, which is said when it had more.
    pub(super) fn first(self, most: usize, what: &str, warnings: &mut Warnings) -> Self {
        let Some(symbols) = self
            .symbols
            .get(..most)
            .filter(|kept| kept.len() < self.symbols.len())
        else {
            return self;
        };
        warnings.add(format!("{what} end after {most} of {}", self.symbols.len()));
        Self { symbols, ..self }
    }

    /// All symbols but the first, which is empty by definition.
    pub(super) fn iter(
        &self,
        endian: Endianness,
    ) -> impl Iterator<Item = RawSymbol<'d>> + use<'d, S> {
        let strings = self.strings;
        let all = self.symbols.iter().enumerate().skip(1);
        all.map(move |(index, symbol)| RawSymbol {
            index,
            name: text::name_at(strings, symbol.st_name(endian).into()).unwrap_or_default(),
            value: symbol.st_value(endian).into(),
            size: symbol.st_size(endian).into(),
            kind: symbol.st_type(),
            binding: symbol.st_bind(),
            visibility: symbol.st_visibility(),
            section: symbol.st_shndx(endian).0,
        })
    }
}

/// The symbol table of a section type, with what is wrong with it said.
pub(super) fn by_section<'d, H: FileHeader<Endian = Endianness>>(
    file: &File<'d, H>,
    kind: elf::SectionType,
    warnings: &mut Warnings,
) -> SymbolTable<'d, H::Sym> {
    let Some(section) = file.section_of_kind(kind) else {
        return SymbolTable::default();
    };
    let symbols = file.table::<H::Sym>(section.offset, section.size);
    let claimed = section.size / size_of::<H::Sym>() as u64;
    if symbols.len() as u64 != claimed {
        warnings.add(format!(
            "symbol table at 0x{:x} claims {claimed} entries, the file has {}",
            section.offset,
            symbols.len()
        ));
    }
    let strings = file.sections.get(section.link as usize);
    SymbolTable {
        symbols,
        strings: strings.map_or(&[], |strings: &RawSection| file.section_bytes(strings)),
    }
}

/// The dynamic symbol table.
pub(super) fn dynamic<'d, H: FileHeader<Endian = Endianness>>(
    file: &File<'d, H>,
    dynamic: &Dynamic<'d>,
    warnings: &mut Warnings,
) -> SymbolTable<'d, H::Sym> {
    let table = by_section(file, elf::SHT_DYNSYM, warnings);
    if !table.symbols.is_empty() {
        return table;
    }
    let Some(address) = dynamic.symbols else {
        return table;
    };
    let Some(bytes) = file.bytes_from(address) else {
        warnings.add(format!(
            "dynamic symbol table at address 0x{address:x} is not in the file"
        ));
        return table;
    };
    let symbols = table_in::<H::Sym>(bytes);
    let claimed = count(file, dynamic, address).unwrap_or(0);
    if claimed > symbols.len() {
        warnings.add(format!(
            "hash table claims {claimed} dynamic symbols, the file has room for {}",
            symbols.len()
        ));
    }
    SymbolTable {
        symbols: symbols.get(..claimed).unwrap_or(symbols),
        strings: dynamic.strings,
    }
}

/// How many dynamic symbols there are, which nothing says directly: the hash
/// tables have as many chains, or the string table begins behind them.
fn count<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    dynamic: &Dynamic<'_>,
    symbols: u64,
) -> Option<usize> {
    let by_hash = dynamic.hash.and_then(|address| {
        let table = table_in::<U32<Endianness>>(file.bytes_from(address)?);
        Some(table.get(1)?.get(file.endian) as usize)
    });
    let by_gnu_hash = || {
        let bytes = file.bytes_from(dynamic.gnu_hash?)?;
        gnu_hash_length(bytes, file.word_size(), file.endian)
    };
    let by_strings = || {
        let distance = dynamic.string_table?.checked_sub(symbols)?;
        usize::try_from(distance / size_of::<H::Sym>() as u64).ok()
    };
    by_hash
        .or_else(by_gnu_hash)
        // A table without defined symbols has no chains to follow.
        .filter(|&count| count > 1)
        .or_else(by_strings)
}

/// Number of symbols by a GNU hash table: the chain of the highest bucket is
/// the last, and the lowest bit of its last value is set.
fn gnu_hash_length(bytes: &[u8], word_size: u64, endian: Endianness) -> Option<usize> {
    let (header, rest) = pod::from_bytes::<elf::GnuHashHeader<Endianness>>(bytes).ok()?;
    let bloom = u64::from(header.bloom_count.get(endian)).checked_mul(word_size)?;
    let rest = rest.get(usize::try_from(bloom).ok()?..)?;
    let bucket_count = header.bucket_count.get(endian) as usize;
    let (buckets, values) = pod::slice_from_bytes::<U32<Endianness>>(rest, bucket_count).ok()?;
    let last = buckets.iter().map(|bucket| bucket.get(endian)).max()?;
    let first_hashed = header.symbol_base.get(endian);
    let Some(skipped) = last.checked_sub(first_hashed).filter(|_| last > 0) else {
        return Some(first_hashed as usize);
    };
    let values = table_in::<U32<Endianness>>(values);
    let chain = values.get(skipped as usize..)?;
    let length = chain.iter().position(|value| value.get(endian) & 1 == 1)?;
    (last as usize).checked_add(length)?.checked_add(1)
}

/// A symbol for the report.
pub(super) fn report<H: FileHeader<Endian = Endianness>>(
    file: &File<'_, H>,
    symbol: &RawSymbol<'_>,
    dynamic: bool,
    text: &mut Text,
) -> Symbol {
    let mut name = symbol.name;
    if name.is_empty() && symbol.kind == elf::STT_SECTION {
        // Section symbols have no name but that of their section.
        let section = file.sections.get(usize::from(symbol.section));
        name = section.map_or(&[], |section| file.section_name(section));
    }
    Symbol {
        name: text.own(name),
        address: symbol.value,
        size: symbol.size,
        kind: kind(symbol.kind),
        binding: match symbol.binding {
            elf::STB_LOCAL => Binding::Local,
            elf::STB_GLOBAL | elf::STB_GNU_UNIQUE => Binding::Global,
            elf::STB_WEAK => Binding::Weak,
            _ => Binding::Other,
        },
        undefined: symbol.is_undefined(),
        dynamic,
    }
}

fn kind(kind: SymbolType) -> SymbolKind {
    match kind {
        elf::STT_FUNC | elf::STT_GNU_IFUNC => SymbolKind::Function,
        elf::STT_OBJECT | elf::STT_COMMON => SymbolKind::Object,
        elf::STT_SECTION => SymbolKind::Section,
        elf::STT_FILE => SymbolKind::File,
        elf::STT_TLS => SymbolKind::Tls,
        _ => SymbolKind::Other,
    }
}
