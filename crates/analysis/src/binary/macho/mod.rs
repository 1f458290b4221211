//! Mach-O files: thin ones, and universal ones with an image per architecture.
//!
//! Formats and numbers are those of Apple's headers `mach-o/loader.h`,
//! `mach-o/nlist.h`, `mach-o/fat.h` and `mach-o/fixup-chains.h`, by way of the
//! crate `object`, whose structures are laid over the bytes.
//!
//! Signatures are found, not verified; nothing is decrypted.

mod commands;
mod details;
mod fat;
mod layout;
mod links;
mod symbols;
mod trie;
mod words;

#[cfg(test)]
pub(crate) mod tests;

use object::Endianness;
use object::macho::{self, MachHeader32, MachHeader64};
use object::pod;
use object::read::macho::MachHeader;

use self::commands::{Commands, Reader};
use super::text::Text;
use super::{Details, Endian, Format, Image, ParseOptions, Range, Security};
use crate::Warnings;

pub use self::details::{Dylib, Encryption, LoadCommand, MachODetails};

/// More functions than this are not taken from the initialisers.
const MOST_FUNCTIONS: usize = 1 << 16;

/// No more than this is read of a table of unknown length, in bytes.
const MOST_LINKED: u64 = 64 << 20;

/// Whether a file begins like a thin or a universal Mach-O file. A Java class
/// file, whose first bytes are the same as a universal file's, does not.
pub fn is_macho(data: &[u8]) -> bool {
    thin_kind(data).is_some() || fat::is_universal(data)
}

/// Takes a Mach-O file apart: all its images, in file order.
pub fn parse(data: &[u8], options: &ParseOptions, warnings: &mut Warnings) -> Vec<Image> {
    if !fat::is_universal(data) {
        return image(data, 0, options, warnings).into_iter().collect();
    }
    fat::slices(data, warnings)
        .into_iter()
        .filter_map(|slice| {
            let bytes = bytes_at(data, slice.offset, slice.size);
            image(bytes, slice.offset, options, warnings)
        })
        .collect()
}

/// Whether it has 64 bits, and its order of bytes.
fn thin_kind(data: &[u8]) -> Option<(bool, Endianness)> {
    match data.first_chunk::<4>()? {
        [0xfe, 0xed, 0xfa, 0xce] => Some((false, Endianness::Big)),
        [0xce, 0xfa, 0xed, 0xfe] => Some((false, Endianness::Little)),
        [0xfe, 0xed, 0xfa, 0xcf] => Some((true, Endianness::Big)),
        [0xcf, 0xfa, 0xed, 0xfe] => Some((true, Endianness::Little)),
        _ => None,
    }
}

/// The bytes of a range, as far as there are some.
fn bytes_at(data: &[u8], offset: u64, size: u64) -> &[u8] {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let rest = data.get(start..).unwrap_or_default();
    rest.get(..size).unwrap_or(rest)
}

/// Takes one image apart; `base` is its offset in the file.
fn image(data: &[u8], base: u64, options: &ParseOptions, warnings: &mut Warnings) -> Option<Image> {
    let Some((is_64, endian)) = thin_kind(data) else {
        warnings.add(format!("slice at 0x{base:x} is no Mach-O image"));
        return None;
    };
    if is_64 {
        read::<MachHeader64<Endianness>>(data, base, endian, options, warnings)
    } else {
        read::<MachHeader32<Endianness>>(data, base, endian, options, warnings)
    }
}

fn read<M: MachHeader<Endian = Endianness>>(
    data: &[u8],
    base: u64,
    endian: Endianness,
    options: &ParseOptions,
    warnings: &mut Warnings,
) -> Option<Image> {
    let Ok((header, _)) = pod::from_bytes::<M>(data) else {
        warnings.add(format!(
            "Mach-O header at 0x{base:x} ends after {} of {} bytes",
            data.len(),
            size_of::<M>()
        ));
        return None;
    };
    let cpu = header.cputype(endian);
    let kind = header.filetype(endian);
    let flags = header.flags(endian).0;
    let has = |flag: macho::FileFlags| flags & flag.0 != 0;
    let mut text = Text::new(data.len());
    let mut details = MachODetails {
        file_type: words::file_type(kind),
        cpu: words::cpu(cpu),
        cpu_subtype: header.cpusubtype(endian).0,
        flags,
        flag_names: words::file_flags(flags),
        command_count: header.ncmds(endian),
        ..MachODetails::default()
    };
    let mut commands = Reader {
        data,
        base,
        endian,
        options,
        details: &mut details,
        text: &mut text,
        warnings,
    }
    .read(header);

    let most = options.most_items;
    let base_address = layout::base_address(&commands);
    let raw = symbols::read::<M>(data, base, endian, &commands, most, warnings);
    let table = commands.symbols.as_ref();
    details.symbol_table_entries = table.map_or(0, |table| table.nsyms.get(endian).into());
    let mut links = links::read::<M>(data, endian, base_address, &commands, most, warnings);
    let static_relocations = commands
        .sections
        .iter()
        .map(|section| u64::from(section.relocations));
    links.relocations = static_relocations.fold(links.relocations, u64::saturating_add);
    let trie = trie::walk(export_trie(data, endian, &commands), most, warnings);
    let two_level = has(macho::MH_TWOLEVEL);
    let imports = symbols::imports(
        &raw,
        &links.bound,
        &details.dylibs,
        two_level,
        most,
        &mut text,
        warnings,
    );
    let exports = symbols::exports(
        trie,
        &raw,
        base_address,
        &details.dylibs,
        most,
        &mut text,
        warnings,
    );
    details.function_starts = function_starts(data, &commands);

    let imported = |wanted: &[&str]| {
        imports
            .iter()
            .filter_map(|import| import.name.as_deref())
            .any(|name| wanted.contains(&name))
    };
    let canary = imported(&["___stack_chk_fail", "___stack_chk_guard"]);
    let fortify = imports
        .iter()
        .filter_map(|import| import.name.as_deref())
        .any(|name| name.starts_with("___") && name.ends_with("_chk"));
    details.automatic_reference_counting = imported(&["_objc_release", "_objc_storeStrong"]);
    let pie = has(macho::MH_PIE);
    let is_program = kind == macho::MH_EXECUTE;
    let security = Security {
        // Stacks are never executable but where a program asks for it; heaps
        // of 32 bits may be, unless it asks for the opposite.
        nx: is_program.then_some(!has(macho::MH_ALLOW_STACK_EXECUTION)),
        pie: is_program.then_some(pie),
        canary: Some(canary),
        fortify: Some(fortify),
        // arm64e signs return addresses and pointers.
        control_flow_protection: (cpu == macho::CPU_TYPE_ARM64)
            .then_some(details.cpu_subtype & 0x00ff_ffff == 2),
        run_paths: std::mem::take(&mut commands.run_paths),
        signed: Some(details.code_signature.is_some()),
        ..Security::default()
    };
    let image = Image {
        format: Format::MachO,
        architecture: words::architecture(cpu),
        bits: if size_of::<M::Word>() == 8 { 64 } else { 32 },
        endian: match endian {
            Endianness::Little => Endian::Little,
            Endianness::Big => Endian::Big,
        },
        kind: words::kind(kind, pie),
        offset: base,
        size: data.len() as u64,
        image_base: base_address,
        entry_point: layout::entry_point(&commands, base, base_address),
        sections: layout::sections(data, base, &commands, options, &mut text, warnings),
        segments: layout::segments(base, &commands, &mut text),
        symbols: symbols::list(&raw, &commands, &mut text),
        imports,
        exports,
        relocations: links.relocations,
        libraries: details
            .dylibs
            .iter()
            .map(|dylib| dylib.name.clone())
            .collect(),
        early_code: layout::early_code::<M>(data, base, base_address, endian, &commands),
        security,
        overlay: layout::overlay(data, base, endian, &commands),
        details: Details::MachO(Box::new(details)),
    };
    text.finish(warnings);
    Some(image)
}

fn export_trie<'d>(data: &'d [u8], endian: Endianness, commands: &Commands<'d>) -> &'d [u8] {
    let range = commands.exports_trie.or_else(|| {
        let info = commands.dyld_info.as_ref()?;
        Some(Range {
            offset: info.export_off.get(endian).into(),
            size: info.export_size.get(endian).into(),
        })
    });
    range.map_or(&[], |range| bytes_at(data, range.offset, range.size))
}

/// How many functions are listed: distances, one LEB128 number each, up to 0.
fn function_starts(data: &[u8], commands: &Commands<'_>) -> u64 {
    let Some(range) = commands.function_starts else {
        return 0;
    };
    let mut bytes = bytes_at(data, range.offset, range.size.min(MOST_LINKED));
    let mut count = 0;
    while trie::leb128(&mut bytes).is_some_and(|distance| distance != 0) {
        count += 1;
    }
    count
}
