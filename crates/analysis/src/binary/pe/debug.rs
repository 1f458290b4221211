//! The debug directory: where the PDB was, and what the linker notes of how it
//! linked. Called by [`parse`](super::parse); debug information itself is not
//! read.

use object::{LittleEndian as LE, pe, pod};

use super::details::{CodeView, DebugEntry};
use super::headers::Headers;
use super::layout::{Layout, bytes, lossy, u16_at, u32_at};
use super::words;
use crate::Warnings;
use crate::binary::ParseOptions;
use crate::binary::text::{Text, until_nul};
use crate::hex::hexadecimal;

/// The entries, and the extended DLL characteristics among them.
pub(super) fn read(
    layout: &Layout<'_>,
    headers: &Headers,
    options: &ParseOptions,
    text: &mut Text,
    warnings: &mut Warnings,
) -> (Vec<DebugEntry>, Option<u32>) {
    let Some(directory) = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_DEBUG) else {
        return (Vec::new(), None);
    };
    let table = layout.tail(directory.rva);
    let size = size_of::<pe::ImageDebugDirectory>();
    let claimed = usize::try_from(directory.size).unwrap_or(usize::MAX) / size;
    let room = table.len() / size;
    if claimed > room {
        warnings.add(format!(
            "debug directory at RVA 0x{:x} claims {claimed} entries, the file has room for {room}",
            directory.rva
        ));
    }
    let count = claimed.min(room);
    if count > options.most_items {
        warnings.add(format!(
            "debug directory at RVA 0x{:x} has {count} entries, {} are listed",
            directory.rva, options.most_items
        ));
    }
    let entries: &[pe::ImageDebugDirectory] =
        pod::slice_from_bytes(table, count.min(options.most_items))
            .map_or(&[], |(entries, _)| entries);
    let mut extended = None;
    let entries = entries
        .iter()
        .map(|entry| {
            let content = content(layout, entry);
            let kind = entry.typ.get(LE);
            if kind == pe::IMAGE_DEBUG_TYPE_EX_DLLCHARACTERISTICS {
                extended = u32_at(content, 0).or(extended);
            }
            let codeview = (kind == pe::IMAGE_DEBUG_TYPE_CODEVIEW)
                .then(|| codeview(content, text))
                .flatten();
            DebugEntry {
                kind: words::debug_type(kind),
                timestamp: entry.time_date_stamp.get(LE),
                rva: entry.address_of_raw_data.get(LE),
                offset: entry.pointer_to_raw_data.get(LE),
                size: entry.size_of_data.get(LE),
                codeview,
            }
        })
        .collect();
    (entries, extended)
}

/// The bytes of an entry: by offset, or by RVA where there is none.
fn content<'a>(layout: &Layout<'a>, entry: &pe::ImageDebugDirectory) -> &'a [u8] {
    let size = u64::from(entry.size_of_data.get(LE));
    let offset = entry.pointer_to_raw_data.get(LE);
    let found = if offset == 0 {
        bytes(layout.tail(entry.address_of_raw_data.get(LE)), 0, size)
    } else {
        bytes(layout.data, offset.into(), size)
    };
    found.unwrap_or_default()
}

/// The link to a PDB: `RSDS`, GUID, age, path, or `NB10`, 0, time, age, path.
fn codeview(data: &[u8], text: &mut Text) -> Option<CodeView> {
    let (signature, age, path) = match data.get(..4)? {
        b"RSDS" => (guid(data.get(4..20)?)?, u32_at(data, 20)?, data.get(24..)?),
        b"NB10" => {
            let time = u32_at(data, 8)?;
            (format!("{time:08x}"), u32_at(data, 12)?, data.get(16..)?)
        }
        _ => return None,
    };
    Some(CodeView {
        format: lossy(data.get(..4)?),
        signature,
        age,
        path: text.own(until_nul(path)),
    })
}

/// A GUID in its usual form, in lowercase: three little-endian numbers, then
/// bytes.
fn guid(data: &[u8]) -> Option<String> {
    let (first, second, third) = (u32_at(data, 0)?, u16_at(data, 4)?, u16_at(data, 6)?);
    let rest = hexadecimal(data.get(8..16)?);
    let (fourth, fifth) = rest.split_at_checked(4)?;
    Some(format!(
        "{first:08x}-{second:04x}-{third:04x}-{fourth}-{fifth}"
    ))
}
