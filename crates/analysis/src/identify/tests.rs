//! The boundary: bytes in, kind and hints out. Real files of the machine and
//! small built ones.

use reversecore_testkit::Random;

use super::*;
use crate::binary::{ParseOptions, parse};

fn real(path: &str) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

fn kind(data: &[u8]) -> String {
    identify(data, None).kind
}

fn hint_names(identity: &Identity, category: HintCategory) -> Vec<&str> {
    let of_category = |hint: &&Hint| hint.category == category;
    let hints = identity.hints.iter().filter(of_category);
    hints.map(|hint| hint.name.as_str()).collect()
}

/// Bytes at an offset, zeros before.
fn at(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut data = vec![0; offset];
    data.extend(bytes);
    data
}

/// A ZIP archive of empty, stored members, with a directory.
fn zip_of(names: &[(&str, &str)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in names {
        let place = data.len() as u32;
        let lengths = |bytes: &mut Vec<u8>| {
            for size in [0, content.len() as u32, content.len() as u32] {
                bytes.extend(size.to_le_bytes());
            }
            bytes.extend((name.len() as u16).to_le_bytes());
            bytes.extend([0, 0]);
        };
        data.extend(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0");
        lengths(&mut data);
        data.extend(name.as_bytes());
        data.extend(content.as_bytes());
        directory.extend(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0");
        lengths(&mut directory);
        directory.extend([0; 10]);
        directory.extend(place.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = data.len() as u32;
    let count = (names.len() as u16).to_le_bytes();
    data.extend(&directory);
    data.extend(b"PK\x05\x06\0\0\0\0");
    data.extend(count);
    data.extend(count);
    data.extend((directory.len() as u32).to_le_bytes());
    data.extend(start.to_le_bytes());
    data.extend([0, 0]);
    data
}

/// A PE file of headers only, as small as one that is recognised.
fn pe(machine: u16) -> Vec<u8> {
    let mut data = vec![0; 0x40];
    data[..2].copy_from_slice(b"MZ");
    data[0x18] = 0x40;
    data[0x3c] = 0x40;
    data.extend(b"PE\0\0");
    data.extend(machine.to_le_bytes());
    data.extend([1, 0]);
    data.resize(0x40 + 20, 0);
    data.extend([0xf0, 0, 0x22, 0, 0x0b, 0x02]);
    data.resize(0x40 + 24 + 240 + 40, 0);
    data[0x40 + 24 + 68] = 3;
    data
}

#[test]
fn programs_of_this_machine_are_known() {
    let data = real("/bin/ls");
    let report = parse(&data, &ParseOptions::default());
    let identity = identify(&data, Some(&report));
    assert_eq!(identity.kind, "elf");
    assert_eq!(identity.mime, "application/x-pie-executable");
    let facts = identity.executable.unwrap();
    assert_eq!(facts.bits, 64);
    assert_eq!(facts.linkage.as_deref(), Some("dynamic"));
    assert_eq!(facts.stripped, Some(true));
    assert_eq!(facts.architecture, report.images[0].architecture);
    assert_eq!(identity.packing.unwrap().verdict, PackingVerdict::NotPacked);
}

#[test]
fn the_header_alone_is_enough_for_a_kind() {
    let data = real("/bin/ls");
    for length in [4, 5, 18, 20, 64, 500] {
        assert_eq!(kind(&data[..length]), "elf", "{length} bytes");
    }
    assert_eq!(kind(&pe(0x8664)), "pe");
    assert_eq!(
        identify(&pe(0xaa64), None).executable.unwrap().architecture,
        "aarch64"
    );
}

#[test]
fn constants_make_kinds() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "empty"),
        (b"\x1f\x8b\x08\0\0\0\0\0\x02\x03", "gzip"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\0\0\x04", "xz"),
        (b"\x28\xb5\x2f\xfd\x20\x05", "zstd"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "7z"),
        (b"Rar!\x1a\x07\x01\0", "rar"),
        (b"!<arch>\n", "ar"),
        (b"0707010000", "cpio"),
        (
            b"]\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x01\x02\x03\x04",
            "lzma",
        ),
        (b"\xca\xfe\xba\xbe\0\0\0\x34\0\x10", "java-class"),
        (b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07", "macho-universal"),
        (b"\0asm\x01\0\0\0", "wasm"),
        (b"\xa7\x0d\r\n\0\0\0\0", "python-bytecode"),
        (b"%PDF-1.7\n", "pdf"),
        (b"{\\rtf1\\ansi}", "rtf"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"SQLite format 3\0", "sqlite"),
        (b"dex\n035\0", "dex"),
    ];
    for (data, expected) in cases {
        assert_eq!(&kind(data), expected, "{}", data.escape_ascii());
    }
    assert_eq!(kind(&at(257, b"ustar\x0000")), "tar");
    assert_eq!(kind(&at(0x8001, b"CD001\x01")), "iso9660");
}

#[test]
fn a_magic_without_sense_behind_it_is_data() {
    let mut data = b"hsqs".to_vec();
    data.extend([0x9d, 1, 0xfe, 3].repeat(50));
    assert_eq!(kind(&data), "data");
    let mut data = b"\x27\x05\x19\x56".to_vec();
    data.extend([0x9d, 1, 0xfe, 3].repeat(50));
    assert_eq!(kind(&data), "data");
}

#[test]
fn random_data_is_data() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut others = Vec::new();
    for _ in 0..20_000 {
        let mut data = Vec::new();
        for _ in 0..16 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            data.extend(state.to_le_bytes());
        }
        let kind = kind(&data);
        if kind != "data" {
            others.push(kind);
        }
    }
    assert!(others.len() <= 4, "{others:?}");
}

#[test]
fn members_say_what_a_zip_is() {
    let cases = [
        ("a.txt", "zip"),
        ("META-INF/MANIFEST.MF", "jar"),
        ("AndroidManifest.xml", "apk"),
        ("__main__.py", "pyz"),
    ];
    for (name, expected) in cases {
        assert_eq!(kind(&zip_of(&[(name, "x")])), expected);
    }
    let docx = zip_of(&[("[Content_Types].xml", ""), ("word/vbaProject.bin", "x")]);
    let identity = identify(&docx, None);
    assert_eq!(identity.kind, "docx");
    assert_eq!(
        hint_names(&identity, HintCategory::Container),
        ["VBA macros"]
    );
    let odt = zip_of(&[("mimetype", "application/vnd.oasis.opendocument.text")]);
    assert_eq!(kind(&odt), "odt");
    let epub = zip_of(&[("mimetype", "application/epub+zip")]);
    assert_eq!(identify(&epub, None).mime, "application/epub+zip");
}

#[test]
fn scripts_are_known_by_first_line_and_by_tokens() {
    let cases = [
        ("#!/bin/sh\necho 1\n", "shell-script"),
        ("#!/usr/bin/env -S python3.11 -u\nx = 1\n", "python-script"),
        ("#!/usr/bin/env node\n1\n", "javascript"),
        ("powershell -NoP -EncodedCommand VwByAGkA\r\n", "powershell"),
        (
            "$a = New-Object Net.WebClient\nWrite-Host $a\n",
            "powershell",
        ),
        (
            "Set s=CreateObject(\"WScript.Shell\")\r\nMsgBox 1\r\n",
            "vbscript",
        ),
        ("@echo off\r\nset A=1\r\n", "dos-batch"),
        (
            "var x=[1];eval(String.fromCharCode.apply(null,x));\n",
            "javascript",
        ),
        ("import os\ndef main():\n    return os\n", "python-script"),
        ("<?php echo 1; ?>\n", "php-script"),
        ("{\"a\": [1, 2]}\n", "json"),
        ("<?xml version=\"1.0\"?>\n<a/>\n", "xml"),
        ("<!DOCTYPE html>\n<html></html>\n", "html"),
        ("a,b\n1,2\n3,4\n", "csv"),
        (
            "#include <stdio.h>\nint main(void) { return 0; }\n",
            "c-source",
        ),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n", "certificate"),
        (
            "Let us set the function of this document, and return.\n",
            "text",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(kind(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn text_has_an_encoding_and_line_ends() {
    let check = |data: &[u8], charset: &str, words: &str| {
        let identity = identify(data, None);
        assert_eq!(identity.charset.as_deref(), Some(charset));
        assert_eq!(identity.description, words);
    };
    check(b"hi\n", "us-ascii", "ASCII text");
    check(
        b"hi\r\n",
        "us-ascii",
        "ASCII text, with CRLF line terminators",
    );
    check(b"hi", "us-ascii", "ASCII text, with no line terminators");
    check("hä\n".as_bytes(), "utf-8", "Unicode text, UTF-8 text");
    check(b"h\xe4\n", "iso-8859-1", "ISO-8859 text");
    check(b"h\x81\n", "unknown-8bit", "Non-ISO extended-ASCII text");
    check(
        b"\xff\xfeh\0i\0\n\0",
        "utf-16le",
        "Unicode text, UTF-16, little-endian text",
    );
    // A character that the window cuts in two is no other encoding.
    let long = format!("ä{}ä\n", "a".repeat((64 << 10) - 3));
    assert_eq!(
        identify(long.as_bytes(), None).charset.as_deref(),
        Some("utf-8")
    );
}

#[test]
fn a_second_format_is_a_hint_with_its_offset() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    let both = [png.clone(), zip_of(&[("a", "x")])].concat();
    let identity = identify(&both, None);
    assert_eq!(identity.kind, "png");
    let hint = &identity.hints[0];
    assert_eq!(
        (hint.name.as_str(), hint.offset),
        ("ZIP", Some(png.len() as u64))
    );

    let gif = identify(b"GIF89a/*\0\0\xf7\0\0*/=1;alert(1)", None);
    assert_eq!(hint_names(&gif, HintCategory::Polyglot), ["javascript"]);
    let shell = identify(b"#!/bin/sh\nexit\n\x7fELF\x02\x01\x01\0\0", None);
    assert_eq!(shell.kind, "shell-script");
    assert_eq!(hint_names(&shell, HintCategory::Polyglot), ["elf"]);
}

#[test]
fn active_content_of_a_pdf_is_a_hint() {
    let identity = identify(b"%PDF-1.7\n1 0 obj<</OpenAction 2 0 R/JS(x)/URI2 0>>", None);
    assert_eq!(
        hint_names(&identity, HintCategory::Container),
        ["PDF JavaScript", "PDF action when opened"]
    );
}

#[test]
fn packing_needs_a_packer_or_several_signs() {
    let data = pe(0x8664);
    let mut report: BinaryReport = parse(&data, &ParseOptions::default());
    let image = &mut report.images[0];
    let section = crate::binary::Section {
        name: ".text".to_owned(),
        address: 0x1000,
        virtual_size: 0x9000,
        offset: 0,
        file_size: 0,
        permissions: crate::binary::Permissions {
            read: true,
            write: true,
            execute: true,
        },
        flags: String::new(),
        entropy: None,
    };
    image.sections = vec![
        section.clone(),
        crate::binary::Section {
            name: "x".to_owned(),
            address: 0xa000,
            file_size: 0x8000,
            entropy: Some(7.9),
            ..section
        },
    ];
    image.entry_point = Some(crate::binary::Location {
        address: 0xa010,
        offset: None,
    });
    let verdict = |report: &BinaryReport| identify(&data, Some(report)).packing.unwrap().verdict;
    assert_eq!(verdict(&report), PackingVerdict::Packed);
    report.images[0].sections.remove(0);
    assert_eq!(verdict(&report), PackingVerdict::Suspected);
    report.images[0].sections[0].name = "UPX1".to_owned();
    assert_eq!(verdict(&report), PackingVerdict::Packed);
    report.images[0].sections.clear();
    assert_eq!(verdict(&report), PackingVerdict::NotPacked);
}

#[test]
fn a_large_sparse_input_is_fine() {
    assert_eq!(kind(&vec![0; 32 << 20]), "data");
}

#[test]
fn damage_never_panics() {
    let samples = [
        real("/bin/ls")[..4096].to_vec(),
        pe(0x8664),
        zip_of(&[("mimetype", "application/epub+zip"), ("word/a", "x")]),
        [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), vec![9; 1500]].concat(),
        b"hsqs\x01\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\x01\0\x11\0\0\0\0\0\x04\0\0\0".repeat(3),
        at(257, b"ustar\x0000"),
        b"\xcf\xfa\xed\xfe\x07\0\0\x01\x03\0\0\0\x02\0\0\0\xff\xff".repeat(4),
        b"%PDF-1.7 /JS /OpenAction %%EOF {\"a\": [1]} #!/bin/sh".to_vec(),
    ];
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    let mut below = |limit| random.below(limit);
    for round in 0..4000 {
        let mut data = samples[round % samples.len()].clone();
        for _ in 0..=below(6) {
            let place = below(data.len());
            // Half of the damage hits the headers.
            let place = if below(2) == 0 {
                place % 128.min(data.len())
            } else {
                place
            };
            match below(4) {
                0 => data[place] ^= 1 << below(8),
                1 => data[place] = 0xff,
                2 => data[place..]
                    .iter_mut()
                    .take(8)
                    .for_each(|byte| *byte = 0xff),
                _ if place > 0 && below(6) == 0 => data.truncate(place),
                _ => data[place] = 0,
            }
        }
        let report = parse(&data, &ParseOptions::default());
        let identity = identify(&data, Some(&report));
        assert!(!identity.kind.is_empty());
        let json = serde_json::to_string(&identity).unwrap();
        assert_eq!(serde_json::from_str::<Identity>(&json).unwrap(), identity);
    }
}
