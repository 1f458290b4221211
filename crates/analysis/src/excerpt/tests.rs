//! Against what other programs encoded, and against damage.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use reversecore_testkit::Random;

use super::*;
use crate::binary::{self, ParseOptions};

fn steps(names: &[&str]) -> Vec<Step> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn request(at: At, length: usize, names: &[&str]) -> Request {
    Request {
        at,
        length,
        skip: 0,
        steps: steps(names),
    }
}

/// The whole of some data, decoded.
fn decoded(data: &[u8], names: &[&str]) -> Excerpt {
    let request = request(At::Offset(0), MOST_BYTES, names);
    read(data, &BinaryReport::default(), &request).unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_stretch_is_what_lies_there_and_says_whether_more_follows() {
    let data: Vec<u8> = (0..=255).collect();
    let none = BinaryReport::default();
    let found = read(&data, &none, &request(At::Offset(16), 4, &[])).unwrap();
    assert_eq!(found.bytes, [16, 17, 18, 19]);
    assert_eq!((found.start.offset, found.mapped), (Some(16), false));
    assert_eq!(found.end, None);
    let rest = read(&data, &none, &request(At::Offset(250), 6, &[])).unwrap();
    assert_eq!((rest.bytes.len(), rest.end), (6, Some(End::File)));
    let skipping = Request {
        skip: 100,
        ..request(At::Offset(250), 6, &[])
    };
    let behind = read(&data, &none, &skipping).unwrap();
    assert_eq!((behind.skipped, behind.bytes.len()), (6, 0));
    assert_eq!(behind.end, Some(End::File));
}

#[test]
fn what_is_not_there_is_refused_with_what_is_near() {
    let none = BinaryReport::default();
    let error = read(b"MZ", &none, &request(At::Offset(3), 1, &[])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "0x3 is outside the file (it has 0x2 bytes)"
    );
    let error = read(b"MZ", &none, &request(At::Address(2), 1, &[])).unwrap_err();
    assert_eq!(error, ExcerptError::NoAddresses);
    let data = std::fs::read("/bin/true").unwrap();
    let parsed = binary::parse(&data, &ParseOptions::default());
    let far = request(At::Address(0xffff_0000_0000), 1, &[]);
    let error = read(&data, &parsed, &far).unwrap_err().to_string();
    assert!(error.contains("(the nearest bytes are 0x"), "{error}");
}

#[test]
fn an_address_and_its_offset_show_the_same_bytes() {
    let data = std::fs::read("/bin/true").unwrap();
    let parsed = binary::parse(&data, &ParseOptions::default());
    let mut seen = 0;
    for section in &parsed.images[0].sections {
        if section.address == 0 || section.file_size == 0 || section.flags.contains("NOBITS") {
            continue;
        }
        let by_address = request(At::Address(section.address), MOST_BYTES, &[]);
        let by_address = read(&data, &parsed, &by_address).unwrap();
        let by_offset = request(At::Offset(section.offset), by_address.bytes.len(), &[]);
        let by_offset = read(&data, &parsed, &by_offset).unwrap();
        assert_eq!(by_address.bytes, by_offset.bytes, "{section:?}");
        assert_eq!(by_address.start, by_offset.start, "{section:?}");
        assert_eq!(by_address.section.as_ref(), Some(&section.name));
        if section.file_size < MOST_BYTES as u64 {
            // The addresses behind are another section's.
            assert_eq!(by_address.bytes.len() as u64, section.file_size);
            assert_eq!(by_address.end, Some(End::Section));
        }
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn text_is_decoded_up_to_what_does_not_belong_to_it() {
    for (given, name, expected) in [
        ("aGVsbG8gd29ybGQ=", "base64", "hello world"),
        ("aGVs\r\n bG8g\td29y bGQ\0more", "base64", "hello world"),
        ("-_8\"", "base64", "\u{fb}\u{ff}"),
        ("68656C6c6f!", "hex", "hello"),
        ("0x68, 0x65,0x6c", "hex", "hel"),
        ("\\x68\\x65\\x6c\";", "hex", "hel"),
        ("68 65\n6c zz", "hex", "hel"),
        ("", "hex", ""),
        ("!", "base64", ""),
    ] {
        let found = decoded(given.as_bytes(), &[name]);
        let expected: Vec<u8> = expected.chars().map(|c| c as u8).collect();
        assert_eq!(found.bytes, expected, "{given}");
        assert_eq!(found.end, Some(End::Decoded), "{given}");
    }
}

#[test]
fn what_was_wrapped_is_unwrapped_in_order() {
    let text = b"the command and control server is example.org ".repeat(100);
    let key = [0x5a, 0x00, 0xff];
    let mut wrapped = zlib(&text);
    for (at, byte) in wrapped.iter_mut().enumerate() {
        *byte ^= key[at % key.len()];
    }
    let hex = crate::hex::hexadecimal(&wrapped);
    let found = decoded(hex.as_bytes(), &["hex", "xor:5a00ff", "zlib"]);
    assert_eq!(found.bytes, text[..MOST_BYTES]);
    assert_eq!(found.end, None);
    let rest = Request {
        skip: MOST_BYTES as u64,
        ..request(At::Offset(0), MOST_BYTES, &["hex", "xor:0x5A00fF", "zlib"])
    };
    let rest = read(hex.as_bytes(), &BinaryReport::default(), &rest).unwrap();
    assert_eq!(rest.bytes, text[MOST_BYTES..]);
    assert_eq!(rest.end, Some(End::Decoded));
    assert!(rest.warnings.is_empty());
}

#[test]
fn all_kinds_of_deflate_are_known_and_what_follows_is_left() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(b"some words").unwrap();
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
    raw.write_all(b"some words").unwrap();
    for (name, mut data) in [
        ("zlib", zlib(b"some words")),
        ("gzip", gzip.finish().unwrap()),
        ("deflate", raw.finish().unwrap()),
    ] {
        let found = decoded(&data, &[name]);
        assert_eq!(
            (found.bytes.as_slice(), found.end),
            (b"some words".as_slice(), Some(End::Decoded)),
            "{name}"
        );
        // A stream in the middle of a file is the usual case.
        let cut = data.len() / 2;
        let damaged = decoded(&data[..cut], &[name]);
        assert_eq!(damaged.end, Some(End::Damaged), "{name}: {damaged:?}");
        let said = damaged.warnings.messages()[0].clone();
        assert!(said.starts_with(name), "{said}");
        data.extend([0; 100]);
        let found = decoded(&data, &[name]);
        assert_eq!(found.bytes, b"some words", "{name}");
    }
}

#[test]
fn a_damage_is_said_with_its_step_and_what_came_before_is_kept() {
    let found = decoded(b"48656c6c6f7", &["hex", "xor:00"]);
    assert_eq!(found.bytes, b"Hello");
    assert_eq!(found.end, Some(End::Damaged));
    assert_eq!(
        found.warnings.messages(),
        ["hex: it can't go on after 5 decoded bytes: the text ends in the middle of a byte"]
    );
}

#[test]
fn steps_are_read_as_they_are_written() {
    for name in [
        "xor:5a",
        "xor:00ff10",
        "base64",
        "hex",
        "zlib",
        "gzip",
        "deflate",
    ] {
        assert_eq!(name.parse::<Step>().unwrap().to_string(), name);
    }
    for bad in ["", "rot13", "xor", "XOR:5a", "Base64"] {
        assert_eq!(bad.parse::<Step>(), Err(BadStep::Name), "{bad}");
    }
    let long = format!("xor:{}", "5a".repeat(65));
    for bad in ["xor:", "xor:5", "xor:zz", "xor:0x", &long] {
        assert_eq!(bad.parse::<Step>(), Err(BadStep::Key), "{bad}");
    }
}

/// Each step may be a bomb for the next: blanks are nothing to a reader of
/// digits, and deflate makes a thousand of one byte.
#[test]
fn bombs_end() {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let blanks = vec![b' '; 1 << 20];
    for _ in 0..80 {
        encoder.write_all(&blanks).unwrap();
    }
    let once = encoder.finish().unwrap();
    assert!(once.len() < 100 << 10);
    let found = decoded(&once, &["zlib", "hex"]);
    assert_eq!((found.bytes.len(), found.end), (0, Some(End::Damaged)));
    let said = &found.warnings.messages()[0];
    assert!(said.contains("more than 64 MiB"), "{said}");
    // Only what is asked for is made of a bomb.
    let found = decoded(&zlib(&once), &["zlib", "zlib"]);
    assert_eq!((found.bytes.len(), found.end), (MOST_BYTES, None));
}

#[test]
fn damaged_wrappings_always_have_an_answer() {
    let text = b"GET /gate.php?id=%s&os=%d HTTP/1.1\r\n".repeat(20);
    let base = "eJwDAAAAAAE=".repeat(30);
    let samples = [
        (zlib(&text), vec!["zlib"]),
        (zlib(&zlib(&text)), vec!["zlib", "zlib", "hex"]),
        (base.into_bytes(), vec!["base64", "zlib"]),
        (
            b"0x4d, 0x5a \\x90".repeat(20),
            vec!["hex", "xor:00", "gzip"],
        ),
        (text.clone(), vec!["deflate", "base64"]),
    ];
    let mut random = Random::new(0x51e9_0001);
    for round in 0..20_000 {
        let (sample, names) = &samples[round % samples.len()];
        let data = crate::binary::mutate::mutate(sample, &[], &mut random);
        let found = decoded(&data, names);
        assert!(found.bytes.len() <= MOST_BYTES);
        assert!(found.end != Some(End::Damaged) || !found.warnings.is_empty());
    }
}
