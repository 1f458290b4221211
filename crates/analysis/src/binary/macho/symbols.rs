//! The symbol table of a Mach-O image, and the lists of imports and exports,
//! which it shares with the opcodes, chains and the trie of the dynamic linker.

use std::collections::{HashMap, HashSet};

use object::Endianness;
use object::macho;
use object::pod;
use object::read::macho::{MachHeader, Nlist};

use super::commands::Commands;
use super::details::Dylib;
use super::links::Bound;
use super::trie::Exported;
use crate::Warnings;
use crate::binary::text::{self, Text};
use crate::binary::{Binding, Export, Import, Symbol, SymbolKind};

/// A symbol as plain numbers, with its name borrowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawSymbol<'d> {
    pub(super) name: &'d [u8],
    pub(super) value: u64,
    pub(super) flags: macho::SymbolFlags,
    section: u8,
    description: u16,
    /// It is among the undefined or exported ones of `LC_DYSYMTAB`.
    dynamic: bool,
}

impl RawSymbol<'_> {
    fn is_undefined(&self) -> bool {
        let kind = self.flags.typ();
        !self.flags.is_stab()
            && (kind == macho::N_PBUD || (kind == macho::N_UNDF && self.value == 0))
    }

    fn is_external(&self) -> bool {
        !self.flags.is_stab() && self.flags.contains(macho::N_EXT)
    }

    fn is_private(&self) -> bool {
        self.flags.contains(macho::N_PEXT)
    }

    /// Ordinal of the library it comes from, in a two-level namespace.
    fn ordinal(&self) -> macho::BindDylib {
        // 255 is the program itself, 254 any library: negative as an `i8`.
        match (self.description >> 8).to_le_bytes() {
            [byte @ 0xfe..=0xff, _] => macho::BindDylib(byte.cast_signed().into()),
            [byte, _] => macho::BindDylib(byte.into()),
        }
    }
}

/// Reads the symbol table.
pub(super) fn read<'d, M: MachHeader<Endian = Endianness>>(
    data: &'d [u8],
    base: u64,
    endian: Endianness,
    commands: &Commands<'d>,
    most: usize,
    warnings: &mut Warnings,
) -> Vec<RawSymbol<'d>> {
    let Some(table) = &commands.symbols else {
        return Vec::new();
    };
    let offset = table.symoff.get(endian);
    let claimed = table.nsyms.get(endian) as usize;
    let bytes = super::bytes_at(data, offset.into(), u64::MAX);
    let room = bytes.len() / size_of::<M::Nlist>();
    if claimed > room {
        warnings.add(format!(
            "symbol table at 0x{:x} claims {claimed} entries, the image has room for {room}",
            base.saturating_add(offset.into())
        ));
    }
    let mut count = claimed.min(room);
    if count > most {
        warnings.add(format!("symbols end after {most} of {count}"));
        count = most;
    }
    let Ok((entries, _)) = pod::slice_from_bytes::<M::Nlist>(bytes, count) else {
        return Vec::new();
    };
    let (string_offset, string_size) = (table.stroff.get(endian), table.strsize.get(endian));
    let strings = super::bytes_at(data, string_offset.into(), string_size.into());
    if strings.len() < string_size as usize {
        warnings.add(format!(
            "string table at 0x{:x} claims {string_size} bytes, the image has {}",
            base.saturating_add(string_offset.into()),
            strings.len()
        ));
    }
    let dynamic = dynamic_ranges(commands, endian);
    entries
        .iter()
        .enumerate()
        .map(|(index, entry)| RawSymbol {
            name: text::name_at(strings, entry.n_strx(endian).into()).unwrap_or_default(),
            value: entry.n_value(endian).into(),
            flags: entry.n_type(),
            section: entry.n_sect(),
            description: entry.n_desc(endian).0,
            dynamic: dynamic.iter().any(|range| range.contains(&(index as u64))),
        })
        .collect()
}

/// The defined and the undefined symbols that the dynamic linker sees.
fn dynamic_ranges(commands: &Commands<'_>, endian: Endianness) -> Vec<std::ops::Range<u64>> {
    let Some(table) = &commands.dynamic_symbols else {
        return Vec::new();
    };
    [
        (&table.iextdefsym, &table.nextdefsym),
        (&table.iundefsym, &table.nundefsym),
    ]
    .into_iter()
    .map(|(first, count)| {
        let first = u64::from(first.get(endian));
        first..first + u64::from(count.get(endian))
    })
    .collect()
}

/// The symbols for the report; entries for debuggers (`N_STAB`) are left out,
/// but for those of source files.
pub(super) fn list(
    symbols: &[RawSymbol<'_>],
    commands: &Commands<'_>,
    text: &mut Text,
) -> Vec<Symbol> {
    let wanted = symbols
        .iter()
        .filter(|symbol| !symbol.flags.is_stab() || is_source_file(symbol));
    wanted
        .map(|symbol| Symbol {
            name: text.own(symbol.name),
            address: symbol.value,
            size: 0,
            kind: kind(symbol, commands),
            binding: binding(symbol),
            undefined: symbol.is_undefined(),
            dynamic: symbol.dynamic,
        })
        .collect()
}

fn is_source_file(symbol: &RawSymbol<'_>) -> bool {
    symbol.flags.stab() == Some(macho::N_SO) && !symbol.name.is_empty()
}

fn binding(symbol: &RawSymbol<'_>) -> Binding {
    const WEAK: u16 = 0x40 | 0x80; // N_WEAK_REF, N_WEAK_DEF
    if !symbol.is_external() || symbol.is_private() {
        Binding::Local
    } else if symbol.description & WEAK != 0 {
        Binding::Weak
    } else {
        Binding::Global
    }
}

fn kind(symbol: &RawSymbol<'_>, commands: &Commands<'_>) -> SymbolKind {
    if symbol.flags.is_stab() {
        return SymbolKind::File;
    }
    if symbol.flags.typ() != macho::N_SECT {
        return SymbolKind::Other;
    }
    let index = usize::from(symbol.section).checked_sub(1);
    let Some(section) = index.and_then(|index| commands.sections.get(index)) else {
        return SymbolKind::Other;
    };
    let code = macho::S_ATTR_PURE_INSTRUCTIONS.0 | macho::S_ATTR_SOME_INSTRUCTIONS.0;
    if section.flags.0 & code != 0 {
        return SymbolKind::Function;
    }
    match section.flags.typ() {
        macho::S_THREAD_LOCAL_REGULAR
        | macho::S_THREAD_LOCAL_ZEROFILL
        | macho::S_THREAD_LOCAL_VARIABLES => SymbolKind::Tls,
        _ => SymbolKind::Object,
    }
}

/// Imports: undefined symbols first, then what is only bound.
pub(super) fn imports<'d>(
    symbols: &[RawSymbol<'d>],
    bound: &[Bound<'d>],
    dylibs: &[Dylib],
    two_level: bool,
    most: usize,
    text: &mut Text,
    warnings: &mut Warnings,
) -> Vec<Import> {
    // The first slot of each name; lazy slots are those that calls go through.
    let mut slots: HashMap<&[u8], &Bound<'_>> = HashMap::new();
    for bind in bound {
        let known = slots.entry(bind.name).or_insert(bind);
        if bind.lazy && !known.lazy {
            *known = bind;
        }
    }
    let library = |ordinal: macho::BindDylib, text: &mut Text| {
        let index = ordinal.index()?.checked_sub(1)?;
        let dylib = dylibs.get(index as usize)?;
        Some(text.own(dylib.name.as_bytes()))
    };
    let mut seen = HashSet::new();
    let mut imports = Vec::new();
    let undefined = symbols
        .iter()
        .filter(|symbol| symbol.is_undefined() && symbol.is_external())
        .map(|symbol| (symbol.name, two_level.then(|| symbol.ordinal())));
    let only_bound = bound.iter().map(|bind| (bind.name, Some(bind.library)));
    for (name, ordinal) in undefined.chain(only_bound) {
        if name.is_empty() || !seen.insert(name) {
            continue;
        }
        if imports.len() >= most {
            warnings.add(format!("imports end after {most}"));
            break;
        }
        let bind = slots.get(name);
        let ordinal = bind.map(|bind| bind.library).or(ordinal);
        imports.push(Import {
            library: ordinal.and_then(|ordinal| library(ordinal, text)),
            name: Some(text.own(name)),
            ordinal: None,
            version: None,
            address: bind.and_then(|bind| bind.slot),
            delayed: false,
        });
    }
    imports
}

/// Exports: those of the trie first, then symbols that only the table has.
pub(super) fn exports(
    trie: Vec<Exported<'_>>,
    symbols: &[RawSymbol<'_>],
    base_address: u64,
    dylibs: &[Dylib],
    most: usize,
    text: &mut Text,
    warnings: &mut Warnings,
) -> Vec<Export> {
    let known: HashSet<&[u8]> = trie.iter().map(|export| &export.name[..]).collect();
    let by_table: Vec<_> = symbols
        .iter()
        .filter(|symbol| {
            symbol.is_external()
                && !symbol.is_private()
                && !symbol.is_undefined()
                && !symbol.name.is_empty()
                && !known.contains(symbol.name)
        })
        .collect();
    let mut exports = Vec::new();
    for export in &trie {
        let forward = export.reexport.map(|(ordinal, name)| {
            let index = usize::try_from(ordinal)
                .ok()
                .and_then(|ordinal| ordinal.checked_sub(1));
            let dylib = index.and_then(|index| dylibs.get(index));
            let library = dylib.map_or("?", |dylib| dylib.name.as_str());
            // An empty name says that it has the same there.
            let name = if name.is_empty() { &export.name } else { name };
            text.own(format!("{library}.{}", String::from_utf8_lossy(name)).as_bytes())
        });
        exports.push(Export {
            name: Some(text.own(&export.name)),
            ordinal: None,
            address: if export.absolute || forward.is_some() {
                export.address
            } else {
                base_address.wrapping_add(export.address)
            },
            forward,
        });
    }
    for symbol in by_table {
        if exports.len() >= most {
            warnings.add(format!("exports end after {most}"));
            break;
        }
        exports.push(Export {
            name: Some(text.own(symbol.name)),
            ordinal: None,
            address: symbol.value,
            forward: None,
        });
    }
    exports
}
