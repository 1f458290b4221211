//! A hundred thousand damaged files through every engine: none may panic, hang
//! or report more than its bounds. The damage is the same in every run.
//!
//! The engines' own tests look at what they say of damage; this one only at
//! that they always say something.

use crate::binary::mutate::{Random, mutate};
use crate::binary::{self, ParseOptions};
use crate::carve::{CarveOptions, carve};
use crate::disassemble::{Architecture, Request, Start, disassemble};
use crate::entropy::profile;
use crate::excerpt;
use crate::hashes::{Algorithm, HashReport, hash};
use crate::identify::identify;
use crate::iocs::{IocOptions, extract};
use crate::similarity::{Side, compare};
use crate::strings::{Encoding, Options, scan};

/// Damaged files of each test; there are four.
const FILES: usize = 25_000;

/// One file through all engines.
fn examine(data: &[u8]) {
    let options = ParseOptions {
        most_items: 500,
        entropy: true,
    };
    let parsed = binary::parse(data, &options);
    let identity = identify(data, Some(&parsed));
    assert!(!identity.kind.is_empty());
    for image in &parsed.images {
        for list in [
            image.sections.len(),
            image.imports.len(),
            image.symbols.len(),
        ] {
            assert!(list <= 2 * options.most_items, "{list}");
        }
    }
    let request = |at| Request {
        at,
        count: 16,
        bytes: None,
        architecture: None,
    };
    let image = parsed.images.first();
    if let Ok(listing) = disassemble(data, image, &request(Start::Entry)) {
        assert!(listing.instructions.len() <= 16);
    }
    let raw = Request {
        architecture: Some(Architecture::x86(64)),
        ..request(Start::Offset(0))
    };
    disassemble(data, None, &raw).ok();
    for at in [
        excerpt::At::Offset(0),
        excerpt::At::Address(image.map_or(0, |image| image.image_base)),
    ] {
        let request = excerpt::Request {
            at,
            length: 64,
            skip: 8,
            steps: Vec::new(),
        };
        let found = excerpt::read(data, &parsed, &request);
        assert!(found.is_err() || found.is_ok_and(|found| found.bytes.len() <= 64));
    }
    let reversed: Vec<u8> = data.iter().rev().copied().collect();
    let unhashed = HashReport::default();
    let side = |bytes| Side {
        bytes,
        hashes: &unhashed,
        binary: &parsed,
    };
    // The second is not what its headers say.
    let found = compare(side(data), side(&reversed), &mut |_| true);
    assert!(found.same_start + found.same_end <= data.len() as u64);
    let carved = carve(data, &CarveOptions::default());
    assert!(
        carved
            .objects
            .iter()
            .all(|object| object.offset < data.len() as u64)
    );
    let found = extract(data, &IocOptions::default());
    assert!(found.items.iter().all(|ioc| ioc.offset < data.len() as u64));
    let options = Options {
        encodings: vec![
            Encoding::Ascii,
            Encoding::Utf8,
            Encoding::Utf16Le,
            Encoding::Utf16Be,
        ],
        ..Options::default()
    };
    scan(data, &options, |string| {
        assert!(string.offset + string.length <= data.len() as u64);
    });
    let entropy = profile(data);
    assert!((0.0..=8.0).contains(&entropy.file));
    hash(data, &[Algorithm::Ssdeep, Algorithm::Tlsh]);
}

fn damage(seed: u64, samples: &[Vec<u8>]) {
    let mut random = Random::new(seed);
    // Headers are at the beginning, of whatever format.
    let hot: Vec<usize> = (0..1024).step_by(16).collect();
    for number in 0..FILES {
        examine(&mutate(&samples[number % samples.len()], &hot, &mut random));
    }
}

#[test]
fn damaged_executables() {
    let mut program = std::fs::read("/bin/true").unwrap();
    program.truncate(6 << 10);
    damage(1, &[crate::binary::elf::tests::small_big_endian(), program]);
}

#[test]
fn damaged_windows_programs() {
    use crate::binary::pe::tests::rich_file;
    damage(2, &[rich_file(false), rich_file(true)]);
}

#[test]
fn damaged_macos_programs() {
    use crate::binary::macho::tests::{program, universal};
    let thin = program();
    let fat = universal(0xcafe_babe, &[&thin, &thin]);
    damage(3, &[thin, fat]);
}

#[test]
fn damaged_images_and_texts() {
    let (mut image, _) = crate::carve::tests::image();
    image.truncate(16 << 10);
    let text = b"GET hxxp://evil[.]example/a?b=c 10.0.0.1:80 \
        HKEY_LOCAL_MACHINE\\Software\\Run C:\\Users\\x\\a.exe \
        bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 CVE-2024-3094 Global\\mutex_1 \
        <script>eval(unescape('%41'))</script> #!/bin/sh\n"
        .repeat(4);
    damage(4, &[image, text]);
}
