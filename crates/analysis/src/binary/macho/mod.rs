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
mod links;
mod symbols;
mod trie;
mod words;

#[cfg(test)]
mod tests;

use object::Endianness;
use object::macho::{self, MachHeader32, MachHeader64};
use object::pod;
use object::read::macho::MachHeader;

use self::commands::{Commands, Reader};
use super::density::Density;
use super::text::Text;
use super::{
    Details, Endian, Format, Image, Location, ParseOptions, Permissions, Range, Section, Security,
    Segment,
};
use crate::Warnings;

pub use self::details::{Dylib, Encryption, LoadCommand, MachODetails};

/// More functions than this are not taken from the initialisers.
const MOST_FUNCTIONS: usize = 1 << 16;

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
    let base_address = base_address(&commands);
    let raw = symbols::read::<M>(data, base, endian, &commands, warnings);
    details.symbol_table_entries = raw.len() as u64;
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
        entry_point: entry_point(&commands, base, base_address),
        sections: sections(data, base, &commands, options, &mut text, warnings),
        segments: segments(base, &commands, &mut text),
        symbols: symbols::list(&raw, &commands, most, &mut text, warnings),
        imports,
        exports,
        relocations: links.relocations,
        libraries: details
            .dylibs
            .iter()
            .map(|dylib| dylib.name.clone())
            .collect(),
        early_code: early_code::<M>(data, base, base_address, endian, &commands),
        security,
        overlay: overlay(data, base, endian, &commands),
        details: Details::MachO(Box::new(details)),
    };
    text.finish(warnings);
    Some(image)
}

/// Address of the segment that has the header.
fn base_address(commands: &Commands<'_>) -> u64 {
    let by_name = commands
        .segments
        .iter()
        .find(|segment| segment.name == b"__TEXT");
    by_name.map_or(0, |segment| segment.address)
}

/// Offset in the file of an address.
fn offset_of(commands: &Commands<'_>, base: u64, address: u64) -> Option<u64> {
    // Images have some segments; a hostile one of many is cut short here.
    commands.segments.iter().take(64).find_map(|segment| {
        let distance = address.checked_sub(segment.address)?;
        let inside = distance < segment.file_size;
        inside.then(|| base.checked_add(segment.offset)?.checked_add(distance))?
    })
}

fn entry_point(commands: &Commands<'_>, base: u64, base_address: u64) -> Option<Location> {
    if let Some(offset) = commands.main {
        // Offset from the header, which `__TEXT` begins with.
        return Some(Location {
            address: base_address.wrapping_add(offset),
            offset: base.checked_add(offset),
        });
    }
    commands.thread_entry.map(|address| Location {
        address,
        offset: offset_of(commands, base, address),
    })
}

fn permissions(protection: u32) -> Permissions {
    Permissions {
        read: protection & macho::VM_PROT_READ.0 != 0,
        write: protection & macho::VM_PROT_WRITE.0 != 0,
        execute: protection & macho::VM_PROT_EXECUTE.0 != 0,
    }
}

fn segments(base: u64, commands: &Commands<'_>, text: &mut Text) -> Vec<Segment> {
    let segments = commands.segments.iter().map(|segment| Segment {
        name: text.own(segment.name),
        address: segment.address,
        virtual_size: segment.memory_size,
        offset: base.saturating_add(segment.offset),
        file_size: segment.file_size,
        permissions: permissions(segment.protection),
    });
    segments.collect()
}

fn sections(
    data: &[u8],
    base: u64,
    commands: &Commands<'_>,
    options: &ParseOptions,
    text: &mut Text,
    warnings: &mut Warnings,
) -> Vec<Section> {
    let mut density = Density::new(data.len(), options.entropy);
    let mut outside = 0;
    let sections = commands.sections.iter().map(|section| {
        let is_empty = matches!(
            section.flags.typ(),
            macho::S_ZEROFILL | macho::S_GB_ZEROFILL | macho::S_THREAD_LOCAL_ZEROFILL
        );
        let file_size = if is_empty { 0 } else { section.size };
        let bytes = bytes_at(data, section.offset, file_size);
        if (bytes.len() as u64) < file_size {
            if outside == 0 {
                warnings.add(format!(
                    "section at 0x{:x} claims 0x{file_size:x} bytes, the image has 0x{:x}",
                    base.saturating_add(section.offset),
                    bytes.len()
                ));
            }
            outside += 1;
        }
        let mut name = text.own(section.segment_name);
        name.push(',');
        name.push_str(&text.own(section.name));
        Section {
            name,
            address: section.address,
            virtual_size: section.size,
            offset: base.saturating_add(section.offset),
            file_size,
            permissions: permissions(section.protection),
            flags: words::section(section.flags),
            entropy: density.of(bytes),
        }
    });
    let sections = sections.collect();
    if outside > 1 {
        warnings.add(format!(
            "{outside} sections lie outside the image, in whole or in part"
        ));
    }
    density.finish(warnings);
    sections
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
    let mut bytes = bytes_at(data, range.offset, range.size);
    let mut count = 0;
    while trie::leb128(&mut bytes).is_some_and(|distance| distance != 0) {
        count += 1;
    }
    count
}

/// Functions in sections of initialisers: pointers, or offsets from the base.
fn early_code<M: MachHeader<Endian = Endianness>>(
    data: &[u8],
    base: u64,
    base_address: u64,
    endian: Endianness,
    commands: &Commands<'_>,
) -> Vec<Location> {
    use object::Endian as _;
    let mut functions = Vec::new();
    for section in &commands.sections {
        let bytes = bytes_at(data, section.offset, section.size);
        let offsets = section.flags.typ() == macho::S_INIT_FUNC_OFFSETS;
        if !offsets && section.flags.typ() != macho::S_MOD_INIT_FUNC_POINTERS {
            continue;
        }
        let size = if offsets { 4 } else { size_of::<M::Word>() };
        for word in bytes.chunks_exact(size) {
            if functions.len() >= MOST_FUNCTIONS {
                return functions;
            }
            let word = match *word {
                [a, b, c, d] => endian.read_u32([a, b, c, d]).into(),
                [a, b, c, d, e, f, g, h] => endian.read_u64([a, b, c, d, e, f, g, h]),
                _ => 0,
            };
            let address = if offsets {
                base_address.wrapping_add(word)
            } else if commands.chained_fixups.is_some() && word < base_address {
                // A link of a chain: the target is in the low 36 bits.
                base_address.wrapping_add(word & 0xf_ffff_ffff)
            } else {
                word
            };
            functions.push(Location {
                address,
                offset: offset_of(commands, base, address),
            });
        }
    }
    functions
}

/// What lies behind all segments and all that the load commands point to.
fn overlay(data: &[u8], base: u64, endian: Endianness, commands: &Commands<'_>) -> Option<Range> {
    let mut end = commands.ends;
    if let Some(table) = &commands.symbols {
        // In relocatable objects nothing else covers the tables of symbols.
        let strings = u64::from(table.stroff.get(endian)) + u64::from(table.strsize.get(endian));
        end = end.max(strings).max(table.symoff.get(endian).into());
    }
    let size = (data.len() as u64).checked_sub(end)?;
    (size > 0).then_some(Range {
        offset: base.saturating_add(end),
        size,
    })
}
