//! The symbols of an ELF file as the report has them: all, those that come from
//! other files, and those for other files.

use object::Endianness;
use object::elf;
use object::read::elf::FileHeader;

use super::file::File;
use super::relocations::Relocations;
use super::security::Signs;
use super::symbols::{self, RawSymbol, SymbolTable};
use super::versions::Versions;
use crate::binary::text::Text;
use crate::binary::{Export, Import, Symbol};

/// The lists of the report that come from symbols.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) imports: Vec<Import>,
    pub(super) exports: Vec<Export>,
    pub(super) symbols: Vec<Symbol>,
    pub(super) signs: Signs,
}

impl Lists {
    /// The table for the dynamic linker.
    pub(super) fn dynamic<H: FileHeader<Endian = Endianness>>(
        &mut self,
        file: &File<'_, H>,
        table: &SymbolTable<'_, H::Sym>,
        versions: &Versions<'_>,
        relocations: &Relocations,
        text: &mut Text,
    ) {
        for symbol in table.iter(file.endian) {
            self.add(file, &symbol, true, text);
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
        }
    }

    /// The table for everyone else.
    pub(super) fn rest<H: FileHeader<Endian = Endianness>>(
        &mut self,
        file: &File<'_, H>,
        table: &SymbolTable<'_, H::Sym>,
        text: &mut Text,
    ) {
        for symbol in table.iter(file.endian) {
            self.add(file, &symbol, false, text);
        }
    }

    fn add<H: FileHeader<Endian = Endianness>>(
        &mut self,
        file: &File<'_, H>,
        symbol: &RawSymbol<'_>,
        dynamic: bool,
        text: &mut Text,
    ) {
        self.signs.look(symbol.name, symbol.is_undefined());
        self.symbols
            .push(symbols::report(file, symbol, dynamic, text));
    }
}

/// Whether other files can use a symbol that is defined here.
fn is_exported(symbol: &RawSymbol<'_>) -> bool {
    // The type says nothing: `_DYNAMIC_LINKING` of MIPS is a global section.
    !matches!(symbol.visibility, elf::STV_HIDDEN | elf::STV_INTERNAL)
}
