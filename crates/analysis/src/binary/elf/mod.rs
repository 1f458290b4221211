//! ELF files: 32 and 64 bits, both orders of bytes, any machine.
//!
//! Formats and numbers are those of the System V ABI (gABI) and its processor
//! supplements, by way of the crate `object`, whose structures are laid over
//! the bytes. Its higher layers are not used: they refuse a file for one bad
//! field, and here everything else is still to be reported.
//!
//! Nothing is disassembled, decompressed or relocated.

mod arrays;
mod details;
mod dynamic;
mod file;
mod layout;
mod lists;
mod notes;
mod relocations;
mod security;
mod symbols;
mod versions;
mod words;

#[cfg(test)]
pub(crate) mod tests;

use object::Endianness;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::FileHeader;

use self::arrays::Arrays;
use self::dynamic::Dynamic;
use self::file::File;
use self::lists::Lists;
use self::relocations::Relocations;
use self::versions::Versions;
use super::text::{self, Text};
use super::{Details, Endian, Format, Image, ParseOptions};
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
    let most = options.most_items;
    let dynamic_table = dynamic_table.first(most, "dynamic symbols", warnings);
    let table = table.first(
        most.saturating_sub(dynamic_table.symbols.len()),
        "symbols",
        warnings,
    );

    let arrays = Arrays::find(&file, &dynamic);
    let relocations = Relocations::read(&file, &dynamic, dynamic_table.symbols, &arrays.all());
    let versions = Versions::read(&file, &dynamic, warnings);
    let defined = versions.defined.iter().take(options.most_items);
    details.defined_versions = defined.map(|name| text.own(name)).collect();
    let mut lists = Lists::default();
    lists.dynamic(&file, &dynamic_table, &versions, &relocations, &mut text);
    lists.rest(&file, &table, &mut text);

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
        image_base: layout::image_base(&file),
        entry_point: layout::entry_point(&file),
        sections: layout::sections(&file, options, &mut text, warnings),
        segments: layout::segments(&file, warnings),
        imports: lists.imports,
        exports: lists.exports,
        symbols: lists.symbols,
        relocations: relocations.count,
        libraries: dynamic.needed.iter().map(|name| text.own(name)).collect(),
        early_code: early,
        security: security::examine(&file, &dynamic, &details, lists.signs),
        overlay: layout::overlay(&file),
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
