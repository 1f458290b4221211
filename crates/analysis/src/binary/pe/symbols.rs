//! The COFF symbol table and its strings, which MinGW and Go leave in images.
//! Called by [`parse`](super::parse); CodeView symbols are not read.

use object::{LittleEndian as LE, pe, pod};

use super::headers::Headers;
use super::layout::{Layout, bytes, u32_at};
use crate::Warnings;
use crate::binary::text::{Text, name_at, until_nul};
use crate::binary::{Binding, ParseOptions, Symbol, SymbolKind};

/// The symbols.
pub(super) fn read(
    layout: &Layout<'_>,
    headers: &Headers,
    options: &ParseOptions,
    text: &mut Text,
    warnings: &mut Warnings,
) -> Vec<Symbol> {
    let offset = headers.symbols_offset;
    if offset == 0 || headers.symbols_count == 0 {
        return Vec::new();
    }
    let table = bytes(layout.data, offset.into(), u64::MAX).unwrap_or_default();
    let room = table.len() / pe::IMAGE_SIZEOF_SYMBOL;
    let claimed = usize::try_from(headers.symbols_count).unwrap_or(usize::MAX);
    if claimed > room {
        warnings.add(format!(
            "symbol table at 0x{offset:x} claims {claimed} entries, the file has room for {room}"
        ));
    }
    let count = claimed.min(room);
    let entries: &[pe::ImageSymbolBytes] =
        pod::slice_from_bytes(table, count).map_or(&[], |(entries, _)| entries);
    let mut symbols = Vec::new();
    let mut index = 0;
    while let Some(entry) = entries.get(index) {
        let Ok((symbol, _)) = pod::from_bytes::<pe::ImageSymbol>(&entry.0) else {
            break;
        };
        let auxiliary = usize::from(symbol.number_of_aux_symbols);
        if symbols.len() >= options.most_items {
            warnings.add(format!(
                "symbol table at 0x{offset:x} has {count} entries, {} are listed",
                symbols.len()
            ));
            break;
        }
        let first = index.saturating_add(1);
        let rest = entries.get(first..first.saturating_add(auxiliary));
        symbols.push(one(layout, headers, symbol, rest.unwrap_or_default(), text));
        index = first.saturating_add(auxiliary);
    }
    symbols
}

/// One symbol with the entries that belong to it.
fn one(
    layout: &Layout<'_>,
    headers: &Headers,
    symbol: &pe::ImageSymbol,
    auxiliary: &[pe::ImageSymbolBytes],
    text: &mut Text,
) -> Symbol {
    let value = symbol.value.get(LE);
    let section = symbol.section_number.get(LE);
    let class = symbol.storage_class;
    let home = usize::from(section)
        .checked_sub(1)
        .and_then(|index| headers.sections.get(index));
    let external = class == pe::IMAGE_SYM_CLASS_EXTERNAL;
    let weak = class == pe::IMAGE_SYM_CLASS_WEAK_EXTERNAL;
    let function = (symbol.typ.get(LE).0 >> 4) & 3 == 2;
    let name = if class == pe::IMAGE_SYM_CLASS_FILE && !auxiliary.is_empty() {
        // The entries that follow are the file's name, padded with NUL.
        let path: Vec<u8> = auxiliary.iter().flat_map(|entry| entry.0).collect();
        text.own(until_nul(&path))
    } else {
        text.own(symbol_name(layout.data, headers, &symbol.name))
    };
    let kind = if class == pe::IMAGE_SYM_CLASS_FILE {
        SymbolKind::File
    } else if function {
        SymbolKind::Function
    } else if class == pe::IMAGE_SYM_CLASS_SECTION
        || class == pe::IMAGE_SYM_CLASS_STATIC && value == 0 && !auxiliary.is_empty()
    {
        SymbolKind::Section
    } else if home.is_some_and(|header| !is_code(header)) {
        // What is no function within code is a label.
        SymbolKind::Object
    } else {
        SymbolKind::Other
    };
    Symbol {
        name,
        address: home.map_or(u64::from(value), |header| {
            layout.address(header.virtual_address.get(LE).wrapping_add(value))
        }),
        size: 0,
        kind,
        binding: if external {
            Binding::Global
        } else if weak {
            Binding::Weak
        } else {
            Binding::Local
        },
        undefined: section == 0 && (external && value == 0 || weak),
        dynamic: false,
    }
}

/// Whether a section has code.
fn is_code(header: &pe::ImageSectionHeader) -> bool {
    header.characteristics.get(LE).0 & pe::IMAGE_SCN_MEM_EXECUTE.0 != 0
}

/// The string table behind the symbols.
fn strings<'a>(data: &'a [u8], headers: &Headers) -> &'a [u8] {
    if headers.symbols_offset == 0 {
        return &[];
    }
    let symbols = u64::from(headers.symbols_count) * pe::IMAGE_SIZEOF_SYMBOL as u64;
    let offset = u64::from(headers.symbols_offset).saturating_add(symbols);
    let table = bytes(data, offset, u64::MAX).unwrap_or_default();
    // Its size stands first and counts itself.
    let size = u32_at(table, 0).unwrap_or(0);
    bytes(table, 0, size.into()).unwrap_or_default()
}

/// A name of the string table.
fn string<'a>(data: &'a [u8], headers: &Headers, offset: u32) -> Option<&'a [u8]> {
    // Before it stands the table's size.
    (offset >= 4).then(|| name_at(strings(data, headers), offset.into()))?
}

/// The name of a symbol: eight bytes, or four zeros and an offset.
fn symbol_name<'a>(data: &'a [u8], headers: &Headers, name: &'a [u8; 8]) -> &'a [u8] {
    if u32_at(name, 0) == Some(0) {
        let offset = u32_at(name, 4).unwrap_or(0);
        string(data, headers, offset).unwrap_or_default()
    } else {
        until_nul(name)
    }
}

/// The long name of a section whose short one is `/` and a decimal offset.
pub(super) fn string_table_name<'a>(
    data: &'a [u8],
    headers: &Headers,
    name: &[u8; 8],
) -> Option<&'a [u8]> {
    let digits = until_nul(name).strip_prefix(b"/")?;
    let offset = std::str::from_utf8(digits).ok()?.parse().ok()?;
    string(data, headers, offset).filter(|name| !name.is_empty())
}
