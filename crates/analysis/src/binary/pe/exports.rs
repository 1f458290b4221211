//! Exports: names, numbers, forwarders. Called by [`parse`](super::parse).
//!
//! Those with a name come first, in the order of the table of names (which the
//! linker sorts), then those with a number only.

use object::{LittleEndian as LE, pe};

use super::headers::Headers;
use super::layout::{Layout, lossy, u16_at, u32_at};
use super::symbols::ALL_NAMES;
use crate::Warnings;
use crate::binary::{Export, ParseOptions};

/// Longer names are cut. C++ and Rust come nowhere near it.
const LONGEST_NAME: usize = 4096;

/// The exports and the name that the file gives itself.
pub(super) fn read(
    layout: &Layout<'_>,
    headers: &Headers,
    options: &ParseOptions,
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
    let functions = array(
        table.address_of_functions.get(LE),
        table.number_of_functions.get(LE),
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
    let export = |index: u32, name: Option<String>| {
        let place = usize::try_from(index).ok()?.checked_mul(4)?;
        let address = u32_at(functions, place).filter(|address| *address != 0)?;
        // An address within the directory is that of a text: a forwarder.
        let forward = (rva <= address && u64::from(address) < end)
            .then(|| layout.text(address, LONGEST_NAME).map(lossy))
            .flatten();
        Some(Export {
            name,
            ordinal: Some(base.wrapping_add(index)),
            address: layout.address(address),
            forward,
        })
    };
    let mut exports = Vec::new();
    let mut bytes = 0;
    let mut named = vec![false; functions.len() / 4];
    let mut cut = false;
    for (name, index) in names.chunks_exact(4).zip(indexes.chunks_exact(2)) {
        let index = u16_at(index, 0).unwrap_or(0);
        let name = u32_at(name, 0)
            .and_then(|name| layout.text(name, LONGEST_NAME))
            .map(lossy);
        if exports.len() >= options.most_items || bytes > ALL_NAMES {
            cut = true;
            break;
        }
        if let Some(found) = export(index.into(), name) {
            bytes += found.name.as_ref().map_or(0, String::len);
            bytes += found.forward.as_ref().map_or(0, String::len);
            exports.push(found);
        }
        if let Some(named) = named.get_mut(usize::from(index)) {
            *named = true;
        }
    }
    for (index, _) in (0_u32..).zip(&named).filter(|(_, named)| !**named) {
        if exports.len() >= options.most_items || bytes > ALL_NAMES {
            cut = true;
            break;
        }
        if let Some(found) = export(index, None) {
            bytes += found.forward.as_ref().map_or(0, String::len);
            exports.push(found);
        }
    }
    if cut {
        warnings.add(format!(
            "exports at RVA 0x{rva:x} were cut after {}",
            exports.len()
        ));
    }
    let own = layout.text(table.name.get(LE), LONGEST_NAME);
    let own = own.filter(|name| table.name.get(LE) != 0 && !name.is_empty());
    (exports, own.map(lossy))
}
