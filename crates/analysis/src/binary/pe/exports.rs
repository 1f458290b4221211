//! Exports: names, numbers, forwarders. Called by [`parse`](super::parse).
//!
//! Those with a name come first, in the order of the table of names (which the
//! linker sorts), then those with a number only.

use object::{LittleEndian as LE, pe};

use super::headers::Headers;
use super::layout::{Layout, u16_at, u32_at};
use crate::Warnings;
use crate::binary::text::Text;
use crate::binary::{Export, ParseOptions};

/// Numbers of exports have 16 bits.
const MOST_FUNCTIONS: u32 = 65_536;

/// The exports and the name that the file gives itself.
pub(super) fn read(
    layout: &Layout<'_>,
    headers: &Headers,
    options: &ParseOptions,
    text: &mut Text,
    warnings: &mut Warnings,
) -> (Vec<Export>, Option<String>) {
    let Some(directory) = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_EXPORT) else {
        return (Vec::new(), None);
    };
    let rva = directory.rva;
    let Some(table) = layout.record::<pe::ImageExportDirectory>(rva) else {
        warnings.add(format!(
            "export directory at RVA 0x{rva:x} lies outside of the file"
        ));
        return (Vec::new(), None);
    };
    let mut array = |rva: u32, count: u32, width: usize, what: &str| {
        let tail = layout.tail(rva);
        let room = tail.len() / width;
        let claimed = usize::try_from(count).unwrap_or(usize::MAX);
        if claimed > room {
            warnings.add(format!(
                "export {what} at RVA 0x{rva:x} claim {claimed} entries, the file has room for {room}"
            ));
        }
        tail.get(..claimed.min(room).saturating_mul(width))
            .unwrap_or_default()
    };
    let names_count = table.number_of_names.get(LE);
    let functions_count = table.number_of_functions.get(LE).min(MOST_FUNCTIONS);
    let functions = array(
        table.address_of_functions.get(LE),
        functions_count,
        4,
        "addresses",
    );
    let names = array(table.address_of_names.get(LE), names_count, 4, "names");
    let indexes = array(
        table.address_of_name_ordinals.get(LE),
        names_count,
        2,
        "ordinals",
    );
    let base = table.base.get(LE);
    let end = u64::from(rva) + u64::from(directory.size);
    let mut export = |index: u32, name: Option<u32>| {
        let place = usize::try_from(index).ok()?.checked_mul(4)?;
        let address = u32_at(functions, place).filter(|address| *address != 0)?;
        let mut own = |rva| layout.text(rva).map(|name| text.own(name));
        Some(Export {
            name: name.and_then(&mut own),
            ordinal: Some(base.wrapping_add(index)),
            address: layout.address(address),
            // An address within the directory is that of a text.
            forward: (rva <= address && u64::from(address) < end)
                .then(|| own(address))
                .flatten(),
        })
    };
    let mut exports = Vec::new();
    let mut named = vec![false; functions.len() / 4];
    let mut cut = names.len() / 4 > options.most_items;
    let entries = names.chunks_exact(4).zip(indexes.chunks_exact(2));
    for (name, index) in entries.take(options.most_items) {
        let index = u16_at(index, 0).unwrap_or(0);
        exports.extend(export(index.into(), u32_at(name, 0)));
        if let Some(named) = named.get_mut(usize::from(index)) {
            *named = true;
        }
    }
    for (index, _) in (0_u32..).zip(&named).filter(|(_, named)| !**named) {
        if exports.len() >= options.most_items {
            cut = true;
            break;
        }
        exports.extend(export(index, None));
    }
    if cut {
        warnings.add(format!(
            "exports at RVA 0x{rva:x} were cut after {}",
            exports.len()
        ));
    }
    let own = table.name.get(LE);
    let own = (own != 0).then(|| layout.text(own)).flatten();
    let own = own.filter(|name| !name.is_empty());
    (exports, own.map(|name| text.own(name)))
}
