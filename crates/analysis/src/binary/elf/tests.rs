//! ELF files: a program of the machine, small ones built here, and damage.

use super::*;
use crate::binary::mutate::{Random, mutate};
use crate::binary::{BinaryReport, Binding, SymbolKind, parse as parse_any};

/// A small dynamically linked program that every machine has.
fn program() -> Vec<u8> {
    std::fs::read("/bin/true").expect("every machine has it")
}

fn check(data: &[u8]) -> (Image, Vec<String>) {
    let report = parse_any(data, &ParseOptions::default());
    let image = report.images.into_iter().next().expect("an image");
    (image, report.warnings.into_messages())
}

fn details_of(image: &Image) -> &ElfDetails {
    match &image.details {
        Details::Elf(details) => details,
        Details::Pe(_) | Details::MachO(_) => panic!("not ELF"),
    }
}

/// A big-endian file of 32 bits for MIPS: a header, one program header, and
/// three section headers, the last of which has their names.
pub(crate) fn small_big_endian() -> Vec<u8> {
    let mut file = b"\x7fELF\x01\x02\x01\0".to_vec();
    file.resize(16, 0);
    let short = |file: &mut Vec<u8>, value: u16| file.extend(value.to_be_bytes());
    let long = |file: &mut Vec<u8>, value: u32| file.extend(value.to_be_bytes());
    short(&mut file, 2);
    short(&mut file, 8);
    for value in [1, 0x40_0010, 52, 100, 0x7000_0000] {
        long(&mut file, value);
    }
    for value in [52, 32, 1, 40, 3, 2] {
        short(&mut file, value);
    }
    // A loaded segment: all of the file, readable and executable.
    for value in [1, 0, 0x40_0000, 0x40_0000, 0x100, 0x200, 5, 0x1000] {
        long(&mut file, value);
    }
    file.resize(100, 0);
    file.resize(140, 0);
    // `.text`: bits of the program, loaded and executable.
    for value in [1, 1, 6, 0x40_0010, 16, 20, 0, 0, 4, 0] {
        long(&mut file, value);
    }
    for value in [7, 3, 0, 0, 220, 17, 0, 0, 1, 0] {
        long(&mut file, value);
    }
    file.extend(b"\0.text\0.shstrtab\0");
    file.resize(256, 0);
    file
}

#[test]
fn a_program_of_this_machine() {
    let (image, warnings) = check(&program());
    assert_eq!(warnings, [""; 0]);
    assert_eq!(image.bits, 64);
    assert!(image.kind.ends_with("executable"), "{}", image.kind);
    assert!(image.libraries.iter().any(|name| name == "libc.so.6"));
    assert_eq!(
        image.sections.len() as u64,
        details_of(&image).section_count
    );
    let start = image
        .imports
        .iter()
        .find(|import| import.name.as_deref() == Some("__libc_start_main"))
        .expect("the start of every program");
    assert_eq!(start.library.as_deref(), Some("libc.so.6"));
    assert!(
        start
            .version
            .as_deref()
            .is_some_and(|version| version.starts_with("GLIBC_"))
    );
    assert!(start.address.is_some());
    let entry = image.entry_point.expect("an entry point");
    let text = image
        .sections
        .iter()
        .find(|section| section.name == ".text")
        .expect("code");
    assert!(
        (text.offset..text.offset + text.file_size).contains(&entry.offset.expect("in the file"))
    );
    assert!(text.permissions.execute && text.entropy.is_some_and(|entropy| entropy > 4.0));
    assert!(!image.early_code.is_empty());
    assert_eq!(image.overlay, None);
    assert_eq!(details_of(&image).linkage, Some(Linkage::Dynamic));
    assert!(details_of(&image).interpreter.is_some());
    assert!(
        details_of(&image)
            .build_id
            .as_ref()
            .is_some_and(|id| id.len() == 40)
    );
}

#[test]
fn without_section_headers_the_dynamic_segment_says_the_same() {
    let whole = program();
    let (with, _) = check(&whole);
    let mut bare = whole.clone();
    bare[40..48].fill(0); // e_shoff
    bare[58..64].fill(0); // e_shentsize, e_shnum, e_shstrndx
    let (without, warnings) = check(&bare);
    assert_eq!(warnings, [""; 0]);
    assert!(without.sections.is_empty());
    assert_eq!(without.imports, with.imports);
    assert_eq!(without.exports, with.exports);
    assert_eq!(without.libraries, with.libraries);
    assert_eq!(without.relocations, with.relocations);
    assert_eq!(without.early_code, with.early_code);
    assert_eq!(without.security, with.security);
    assert_eq!(details_of(&without).build_id, details_of(&with).build_id);
}

#[test]
fn bytes_behind_everything_are_an_overlay() {
    let mut data = program();
    let end = data.len() as u64;
    data.extend([7; 100]);
    let (image, _) = check(&data);
    let expected = crate::binary::Range {
        offset: end,
        size: 100,
    };
    assert_eq!(image.overlay, Some(expected));
}

#[test]
fn big_endian_and_32_bits() {
    let (image, warnings) = check(&small_big_endian());
    assert_eq!(warnings, [""; 0]);
    assert_eq!(
        (image.architecture.as_str(), image.bits, image.endian),
        ("mips", 32, Endian::Big)
    );
    assert_eq!(image.kind, "executable");
    assert_eq!(image.image_base, 0x40_0000);
    let entry = image.entry_point.expect("an entry point");
    assert_eq!((entry.address, entry.offset), (0x40_0010, Some(0x10)));
    let names: Vec<&str> = image
        .sections
        .iter()
        .map(|section| section.name.as_str())
        .collect();
    assert_eq!(names, ["", ".text", ".shstrtab"]);
    assert_eq!(image.sections[1].flags, "PROGBITS ALLOC|EXECINSTR");
    assert_eq!(image.segments[0].virtual_size, 0x200);
    assert_eq!(details_of(&image).flag_names, ["MIPS_ARCH_32R2"]);
    assert_eq!(image.security.nx, Some(false));
    assert_eq!(details_of(&image).linkage, Some(Linkage::Static));
}

#[test]
fn counts_that_do_not_fit_are_claims() {
    // The number of sections is 0 in the header, and in the first section's
    // size the largest there is.
    let mut data = small_big_endian();
    data[48..50].fill(0);
    data[100 + 20..100 + 24].fill(0xff);
    let (image, warnings) = check(&data);
    assert_eq!(details_of(&image).section_count, 0xffff_ffff);
    assert_eq!(image.sections.len(), (256 - 100) / 40);
    assert!(
        warnings.contains(
            &"section table at 0x64 claims 4294967295 entries, the file has room for 3".to_owned()
        ),
        "{warnings:?}"
    );
}

#[test]
fn lists_end_at_the_bound() {
    let options = ParseOptions {
        most_items: 5,
        ..ParseOptions::default()
    };
    let report = parse_any(&program(), &options);
    let image = &report.images[0];
    assert!(image.symbols.len() <= 5 && image.sections.len() == 5 && image.imports.len() <= 5);
    assert!(!report.warnings.is_empty());
}

#[test]
fn a_header_that_is_cut() {
    let whole = small_big_endian();
    for length in 4..52 {
        let report = parse_any(&whole[..length], &ParseOptions::default());
        assert_eq!(
            report.images.len(),
            usize::from(length >= LEAST_HEADER),
            "{length}"
        );
        assert!(report.warnings.messages()[0].contains("ELF header at 0x0"));
    }
}

#[test]
fn a_bad_class_is_guessed() {
    let mut data = program();
    data[4] = 7;
    let (image, warnings) = check(&data);
    assert_eq!(image.bits, 64);
    assert_eq!(warnings, ["ELF header at 0x0 has class 7, read as 64 bits"]);
    assert!(!image.sections.is_empty());
}

#[test]
fn sections_that_all_cover_the_file_are_not_all_measured() {
    let mut data = small_big_endian();
    let table = data.len() as u32;
    data[32..36].copy_from_slice(&table.to_be_bytes());
    data[48..50].copy_from_slice(&0xff00_u16.to_be_bytes());
    for _ in 0..0xff00 {
        for value in [1_u32, 1, 2, 0, 0, 0x7fff_ffff, 0, 0, 0, 0] {
            data.extend(value.to_be_bytes());
        }
    }
    let (image, warnings) = check(&data);
    assert_eq!(image.sections.len(), 0xff00);
    let measured = image
        .sections
        .iter()
        .filter(|section| section.entropy.is_some());
    assert_eq!(measured.count(), 4);
    assert!(warnings.iter().any(|warning| warning.contains("entropy")));
}

#[test]
fn symbols_have_kinds_and_bindings() {
    // Symbols of the test itself, which is not stripped.
    let own = std::env::current_exe().expect("a path");
    let (image, _) = check(&std::fs::read(own).expect("readable"));
    assert!(!details_of(&image).stripped);
    let main = image
        .symbols
        .iter()
        .find(|symbol| symbol.name == "main" && !symbol.dynamic)
        .expect("main");
    assert_eq!((main.kind, main.undefined), (SymbolKind::Function, false));
    assert_eq!(main.binding, Binding::Global);
    let undefined = image
        .symbols
        .iter()
        .filter(|symbol| symbol.undefined && symbol.dynamic);
    assert!(undefined.count() >= image.imports.len());
}

#[test]
fn the_report_survives_json() {
    let report = parse_any(&program(), &ParseOptions::default());
    let json = serde_json::to_string(&report).expect("plain data");
    let again: BinaryReport = serde_json::from_str(&json).expect("the same types");
    assert_eq!(again.images[0].details, report.images[0].details);
    assert_eq!(again.images[0].symbols, report.images[0].symbols);
}

#[test]
fn damage_never_panics() {
    let samples = [program(), small_big_endian()];
    let mut random = Random::new(0x5eed);
    let mut images = 0;
    for (sample, rounds) in samples.iter().zip([800, 3000]) {
        let (image, _) = check(sample);
        let word =
            |offset: usize| usize::from(sample[offset]) | usize::from(sample[offset + 1]) << 8;
        let table = if image.bits == 64 {
            word(40) | word(42) << 16
        } else {
            100
        };
        let mut hot = vec![0, 0, 32, 64, table, table + 64];
        hot.extend(image.segments.iter().map(|segment| segment.offset as usize));
        hot.extend(image.sections.iter().map(|section| section.offset as usize));
        for round in 0..rounds {
            let options = ParseOptions {
                entropy: round % 64 == 0,
                ..ParseOptions::default()
            };
            let damaged = mutate(sample, &hot, &mut random);
            images += parse_any(&damaged, &options).images.len();
        }
    }
    assert!(images > 1000, "damage must leave files to parse: {images}");
}
