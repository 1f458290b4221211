//! Mach-O files: small ones built here, and damage.

use super::*;
use crate::binary::mutate::{Random, mutate};
use crate::binary::parse as parse_any;

/// A program of 64 bits: two segments, a library, an entry point, a symbol
/// table of three, an export trie, bind opcodes and a signature.
pub(crate) fn program() -> Vec<u8> {
    build(false)
}

/// The same with chained fixups instead of opcodes, if so wanted.
fn build(chained: bool) -> Vec<u8> {
    let mut commands: Vec<Vec<u8>> = Vec::new();
    let name = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(16, 0);
        bytes
    };
    let words = |values: &[u32]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let longs = |values: &[u64]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let mut command = |kind: u32, body: Vec<u8>| {
        let mut bytes = words(&[kind, body.len() as u32 + 8]);
        bytes.extend(body);
        commands.push(bytes);
    };
    let section =
        |section: &str, segment: &str, address: u64, size: u64, offset: u32, flags: u32| {
            let mut bytes = name(section);
            bytes.extend(name(segment));
            bytes.extend(longs(&[address, size]));
            bytes.extend(words(&[offset, 2, 0, 0, flags, 0, 0, 0]));
            bytes
        };
    let mut text = name("__TEXT");
    text.extend(longs(&[0x1_0000_0000, 0x1000, 0, 0x800]));
    text.extend(words(&[5, 5, 1, 0]));
    text.extend(section(
        "__text",
        "__TEXT",
        0x1_0000_0600,
        0x40,
        0x600,
        0x8000_0400,
    ));
    command(0x19, text);
    let mut data = name("__DATA");
    data.extend(longs(&[0x1_0000_1000, 0x1000, 0x800, 0x400]));
    data.extend(words(&[3, 3, 1, 0]));
    data.extend(section(
        "__mod_init_func",
        "__DATA",
        0x1_0000_1000,
        8,
        0x800,
        9,
    ));
    command(0x19, data);
    let mut library = words(&[24, 2, 0x0001_0203, 0x0001_0000]);
    library.extend(b"/usr/lib/libSystem.B.dylib\0\0\0\0\0\0");
    command(0xc, library);
    command(0x8000_0028, longs(&[0x600, 0]));
    command(0x2, words(&[0xa00, 3, 0xa30, 0x30]));
    command(
        0xb,
        words(&[0, 0, 0, 2, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    );
    if chained {
        command(0x8000_0034, words(&[0x900, 83]));
        command(0x8000_0033, words(&[0xa80, 0x20]));
    } else {
        command(
            0x8000_0022,
            words(&[0, 0, 0xa60, 0x20, 0, 0, 0, 0, 0xa80, 0x20]),
        );
    }
    command(0x1b, (0..16).collect());
    command(
        0x32,
        words(&[1, 0x000d_0000, 0x000d_0100, 1, 3, 0x0001_0000]),
    );
    command(0x1d, words(&[0xb00, 0x100]));
    let mut file = words(&[0xfeed_facf, 0x0100_000c, 0, 2]);
    let sizes: usize = commands.iter().map(Vec::len).sum();
    file.extend(words(&[
        commands.len() as u32,
        sizes as u32,
        0x0020_0085,
        0,
    ]));
    file.extend(commands.concat());
    file.resize(0x800, 0);
    if chained {
        // An initialiser and, in a chain, `_puts` and an address.
        file.extend(longs(&[0x620, 1 << 63 | 2 << 51, 0x600]));
        file.resize(0x900, 0);
        file.extend(words(&[0, 32, 72, 76, 1, 1, 0, 0]));
        // Two segments; the second has a page whose chain begins at 8.
        file.extend(words(&[2, 0, 16, 0]));
        file.extend(words(&[24, 6 << 16 | 0x1000, 0x1000, 0, 0, 8 << 16 | 1]));
        // Library 1, and a name at 1.
        file.extend(words(&[1 | 1 << 9]));
        file.extend(b"\0_puts\0");
    } else {
        file.extend(longs(&[0x1_0000_0620]));
    }
    file.resize(0xa00, 0);
    // `_main` and `_helper` are defined in section 1, `_puts` is not.
    for (name, kind, section, description, value) in [
        (1_u32, 0xf_u8, 1_u8, 0_u16, 0x1_0000_0600_u64),
        (7, 0xe, 1, 0, 0x1_0000_0620),
        (15, 1, 0, 0x100, 0),
    ] {
        file.extend(name.to_le_bytes());
        file.extend([kind, section]);
        file.extend(description.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend(b"\0_main\0_helper\0_puts\0");
    file.resize(0xa60, 0);
    // Library 1, `_puts`, a pointer at 8 of segment 1, bind, done.
    file.extend(b"\x11\x40_puts\0\x51\x71\x08\x90\0");
    file.resize(0xa80, 0);
    // `_main` at 0x600.
    file.extend(b"\0\x01_main\0\x09\x03\0\x80\x0c\0");
    file.resize(0xc00, 0);
    file
}

pub(crate) fn universal(magic: u32, slices: &[&[u8]]) -> Vec<u8> {
    let mut file = magic.to_be_bytes().to_vec();
    file.extend((slices.len() as u32).to_be_bytes());
    let mut offset = 0x1000_u32;
    for slice in slices {
        for value in [0x0100_000c, 0, offset, slice.len() as u32, 12] {
            file.extend(value.to_be_bytes());
        }
        offset += (slice.len() as u32).next_multiple_of(0x1000);
    }
    for slice in slices {
        file.resize(file.len().next_multiple_of(0x1000), 0);
        file.extend_from_slice(slice);
    }
    file
}

fn check(data: &[u8]) -> (Vec<Image>, Vec<String>) {
    let report = parse_any(data, &ParseOptions::default());
    (report.images, report.warnings.into_messages())
}

fn details_of(image: &Image) -> &MachODetails {
    match &image.details {
        Details::MachO(details) => details,
        Details::Pe(_) | Details::Elf(_) => panic!("not Mach-O"),
    }
}

#[test]
fn a_program() {
    let (images, warnings) = check(&program());
    assert_eq!(warnings, [""; 0]);
    let [image] = &images[..] else {
        panic!("one image");
    };
    let details = details_of(image);
    assert_eq!(&image.architecture, "aarch64");
    assert_eq!(&image.kind, "pie executable");
    assert_eq!(image.image_base, 0x1_0000_0000);
    let entry = image.entry_point.expect("an entry point");
    assert_eq!((entry.address, entry.offset), (0x1_0000_0600, Some(0x600)));
    assert_eq!(image.sections[0].name, "__TEXT,__text");
    assert_eq!(
        image.sections[0].flags,
        "S_REGULAR|S_ATTR_PURE_INSTRUCTIONS|S_ATTR_SOME_INSTRUCTIONS"
    );
    assert_eq!(image.libraries, ["/usr/lib/libSystem.B.dylib"]);
    assert_eq!(details.dylibs[0].current_version, "1.2.3");
    let [import] = &image.imports[..] else {
        panic!("one import: {:?}", image.imports);
    };
    assert_eq!(import.name.as_deref(), Some("_puts"));
    assert_eq!(
        import.library.as_deref(),
        Some("/usr/lib/libSystem.B.dylib")
    );
    assert_eq!(import.address, Some(0x1_0000_1008));
    let [export] = &image.exports[..] else {
        panic!("one export: {:?}", image.exports);
    };
    assert_eq!(
        (export.name.as_deref(), export.address),
        (Some("_main"), 0x1_0000_0600)
    );
    let names: Vec<&str> = image
        .symbols
        .iter()
        .map(|symbol| symbol.name.as_str())
        .collect();
    assert_eq!(names, ["_main", "_helper", "_puts"]);
    assert!(image.symbols[2].undefined && image.symbols[2].dynamic);
    assert_eq!(image.early_code[0].offset, Some(0x620));
    assert_eq!(
        details.uuid.as_deref(),
        Some("000102030405060708090a0b0c0d0e0f")
    );
    assert_eq!(details.platform.as_deref(), Some("MACOS"));
    assert_eq!(details.tools, ["LD 1.0"]);
    assert_eq!(image.security.signed, Some(true));
    assert_eq!(image.security.pie, Some(true));
    assert_eq!(details.commands.len(), 10);
    assert_eq!(image.overlay, None);
}

#[test]
fn chained_fixups_say_the_same_as_opcodes() {
    let (old, _) = check(&build(false));
    let (new, warnings) = check(&build(true));
    assert_eq!(warnings, [""; 0]);
    assert_eq!(new[0].imports, old[0].imports);
    assert_eq!(new[0].exports, old[0].exports);
    assert_eq!(new[0].early_code, old[0].early_code);
    // The two links of the chain.
    assert_eq!(new[0].relocations, 2);
}

#[test]
fn universal_files_have_several_images() {
    let one = program();
    let (images, warnings) = check(&universal(0xcafe_babe, &[&one, &one]));
    assert_eq!(warnings, [""; 0]);
    let offsets: Vec<u64> = images.iter().map(|image| image.offset).collect();
    assert_eq!(offsets, [0x1000, 0x2000]);
    // Offsets count from the start of the file.
    assert_eq!(
        images[1].entry_point.and_then(|entry| entry.offset),
        Some(0x2600)
    );
    assert_eq!(images[1].sections[0].offset, 0x2600);
}

#[test]
fn class_files_are_not_universal() {
    // A class file of Java 8 with 256 constants.
    assert!(!is_macho(
        b"\xca\xfe\xba\xbe\0\0\0\x34\x01\x00\x0a\0\x06\0\x0f\x09"
    ));
    // One of Java 21 that uses previews, with 29 constants.
    assert!(!is_macho(
        b"\xca\xfe\xba\xbe\xff\xff\0\x41\0\x1d\x0a\0\x06\0\x0f\x09"
    ));
    assert!(!is_macho(b"\xca\xfe\xba\xbe"));
    assert!(is_macho(b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07"));
    assert!(is_macho(b"\xca\xfe\xba\xbe\xff\xff\xff\xff\0\0\0\0"));
}

#[test]
fn counts_are_claims() {
    let mut data = program();
    data[16..20].fill(0xff); // ncmds
    let (images, warnings) = check(&data);
    assert_eq!(details_of(&images[0]).commands.len(), 10);
    assert_eq!(
        warnings,
        ["Mach-O header at 0x0 claims 4294967295 load commands, there is room for 10"]
    );
    let (images, warnings) = check(b"\xca\xfe\xba\xbe\xff\xff\xff\xff\0\0\0\0\0\0\0\0");
    assert!(images.is_empty());
    assert_eq!(
        warnings,
        ["universal header at 0x0 claims 4294967295 images, the file has room for 0"]
    );
}

#[test]
fn a_cut_file_has_what_is_left() {
    let data = program();
    let (images, warnings) = check(&data[..0x900]);
    assert_eq!(images[0].sections.len(), 2);
    assert!(images[0].symbols.is_empty());
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("symbol table at 0xa00")),
        "{warnings:?}"
    );
    for length in 0..32 {
        let (images, warnings) = check(&data[..length]);
        assert!(images.is_empty());
        assert_eq!(warnings.is_empty(), length < 4);
    }
}

#[test]
fn damage_never_panics() {
    let one = program();
    let chained = build(true);
    let both = universal(0xcafe_babe, &[&one, &chained]);
    let mut random = Random::new(0xf00d);
    let mut images = 0;
    for (sample, hot, rounds) in [
        (
            &one,
            vec![0, 0x20, 0x100, 0x200, 0x300, 0xa00, 0xa60, 0xa80],
            3000,
        ),
        (
            &chained,
            vec![0, 0x20, 0x300, 0x800, 0x900, 0x920, 0x930],
            3000,
        ),
        (&both, vec![0, 8, 0x1000], 500),
    ] {
        for _ in 0..rounds {
            let damaged = mutate(sample, &hot, &mut random);
            images += parse_any(&damaged, &ParseOptions::default()).images.len();
        }
    }
    assert!(images > 3000, "damage must leave files to parse: {images}");
}
