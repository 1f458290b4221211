//! Sections and the overlay behind them. Called by [`parse`](super::parse) with
//! the headers that the file has.

use object::{LittleEndian as LE, pe};

use super::checksum::md5;
use super::details::SectionDetails;
use super::headers::Headers;
use super::layout::{Layout, bytes, raw_offset};
use super::symbols::string_table_name;
use super::words;
use crate::Warnings;
use crate::binary::density::Density;
use crate::binary::text::{Text, until_nul};
use crate::binary::{ParseOptions, Permissions, Range, Section};

/// The sections in both reports' terms.
pub(super) fn read(
    layout: &Layout<'_>,
    headers: &Headers,
    options: &ParseOptions,
    budget: (&mut Density, &mut Text),
    warnings: &mut Warnings,
) -> (Vec<Section>, Vec<SectionDetails>) {
    let (density, text) = budget;
    let file_alignment = file_alignment(headers);
    let mut cut = 0_usize;
    let mut sections = Vec::with_capacity(headers.sections.len());
    let mut details = Vec::with_capacity(headers.sections.len());
    for (index, header) in headers.sections.iter().enumerate() {
        let raw_size = u64::from(header.size_of_raw_data.get(LE));
        let pointer = u64::from(header.pointer_to_raw_data.get(LE));
        let short_name = text.own(until_nul(&header.name));
        let name = string_table_name(layout.data, headers, &header.name)
            .map_or_else(|| short_name.clone(), |name| text.own(name));
        let offset = raw_offset(header, file_alignment);
        let content = bytes(layout.data, offset, raw_size).unwrap_or_default();
        if (content.len() as u64) < raw_size {
            if cut == 0 {
                let at = headers.sections_offset.saturating_add(index as u64 * 40);
                warnings.add(format!(
                    "section header at 0x{at:x} claims 0x{raw_size:x} bytes at 0x{pointer:x}, the file has 0x{:x}",
                    content.len()
                ));
            }
            cut += 1;
        }
        let entropy = density.of(content);
        // Hashing reads as much as the entropy does, so it shares the budget.
        let hashed = entropy.is_some() || options.entropy && content.is_empty();
        let characteristics = header.characteristics.get(LE);
        sections.push(Section {
            name,
            address: layout.address(header.virtual_address.get(LE)),
            virtual_size: header.virtual_size.get(LE).into(),
            offset: pointer,
            file_size: raw_size,
            permissions: permissions(characteristics),
            flags: words::flags(characteristics, "IMAGE_SCN_").join(" "),
            entropy,
        });
        details.push(SectionDetails {
            short_name,
            characteristics: characteristics.0,
            md5: hashed.then(|| md5(content)),
        });
    }
    if cut > 1 {
        warnings.add(format!("{cut} sections end outside of the file"));
    }
    (sections, details)
}

/// The alignment of raw data; 0 without an optional header.
pub(super) fn file_alignment(headers: &Headers) -> u32 {
    headers
        .optional
        .as_ref()
        .map_or(0, |optional| optional.report.file_alignment)
}

/// What the loader lets a section's memory be used for.
fn permissions(characteristics: pe::SectionFlags) -> Permissions {
    let has = |flag: pe::SectionFlags| characteristics.0 & flag.0 != 0;
    Permissions {
        read: has(pe::IMAGE_SCN_MEM_READ),
        write: has(pe::IMAGE_SCN_MEM_WRITE),
        execute: has(pe::IMAGE_SCN_MEM_EXECUTE),
    }
}

/// What lies behind the sections and the directories within them, certificates
/// included: nothing of it is loaded.
pub(super) fn overlay(layout: &Layout<'_>, headers: &Headers) -> Option<Range> {
    let file = layout.data.len() as u64;
    let alignment = file_alignment(headers);
    let optional_end = headers.offset.saturating_add(24);
    let section_ends = headers.sections.iter().filter_map(|header| {
        let size = u64::from(header.size_of_raw_data.get(LE));
        let end = raw_offset(header, alignment).saturating_add(size);
        // One that reaches behind the file's end says nothing of its end.
        (size > 0 && end <= file).then_some(end)
    });
    let directories = headers
        .optional
        .iter()
        .flat_map(|header| &header.directories);
    let directory_ends = directories.enumerate().filter_map(|(index, directory)| {
        if index == pe::IMAGE_DIRECTORY_ENTRY_SECURITY || directory.rva == 0 {
            return None;
        }
        let end = layout
            .offset(directory.rva)?
            .saturating_add(u64::from(directory.size));
        (end <= file).then_some(end)
    });
    let offset = section_ends.chain(directory_ends).max()?.max(optional_end);
    (offset < file).then(|| Range {
        offset,
        size: file - offset,
    })
}
