//! Listings of a real program, of images built by hand that lie, and of noise.

use capstone::arch::x86::ArchMode;
use capstone::prelude::*;

use super::*;
use crate::binary::{self, Format, ParseOptions, Permissions, Section, Segment};

const ALL: [Architecture; 20] = {
    use Endian::{Big, Little};
    let thumb = Architecture {
        thumb: true,
        ..Architecture::new(Family::Arm, 32, Little)
    };
    [
        Architecture::x86(16),
        Architecture::x86(32),
        Architecture::x86(64),
        Architecture::new(Family::Arm, 32, Little),
        Architecture::new(Family::Arm, 32, Big),
        thumb,
        Architecture::new(Family::Aarch64, 64, Little),
        Architecture::new(Family::Mips, 32, Little),
        Architecture::new(Family::Mips, 32, Big),
        Architecture::new(Family::Mips, 64, Little),
        Architecture::new(Family::Mips, 64, Big),
        Architecture::new(Family::Powerpc, 32, Little),
        Architecture::new(Family::Powerpc, 32, Big),
        Architecture::new(Family::Powerpc, 64, Little),
        Architecture::new(Family::Powerpc, 64, Big),
        Architecture::new(Family::Riscv, 32, Little),
        Architecture::new(Family::Riscv, 64, Little),
        Architecture::new(Family::S390x, 64, Big),
        Architecture::new(Family::M68k, 32, Big),
        Architecture::new(Family::Sparc, 64, Big),
    ]
};

fn request(at: Start, architecture: Option<Architecture>) -> Request {
    Request {
        at,
        count: 64,
        bytes: None,
        architecture,
    }
}

/// xorshift64*; the seed makes a failure repeatable.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
        })
        .collect()
}

fn ls() -> (Vec<u8>, Image) {
    let data = std::fs::read("/bin/ls").unwrap();
    let image = binary::parse(&data, &ParseOptions::default())
        .images
        .remove(0);
    (data, image)
}

/// `/bin/ls` with other sections and segments.
fn image(architecture: &str, sections: Vec<Section>, segments: Vec<Segment>) -> Image {
    let (_, mut image) = ls();
    architecture.clone_into(&mut image.architecture);
    image.sections = sections;
    image.segments = segments;
    image.symbols = Vec::new();
    image.exports = Vec::new();
    image.imports = Vec::new();
    image.entry_point = None;
    image.kind = "executable".to_owned();
    image.format = Format::Elf;
    image
}

fn section(name: &str, address: u64, offset: u64, size: u64) -> Section {
    Section {
        name: name.to_owned(),
        address,
        virtual_size: size,
        offset,
        file_size: size,
        permissions: Permissions {
            read: true,
            write: false,
            execute: true,
        },
        flags: "PROGBITS".to_owned(),
        entropy: None,
    }
}

fn segment(address: u64, offset: u64, size: u64) -> Segment {
    Segment {
        name: "LOAD".to_owned(),
        address,
        virtual_size: size,
        offset,
        file_size: size,
        permissions: Permissions {
            read: true,
            write: false,
            execute: true,
        },
    }
}

#[test]
fn noise_is_listed_to_its_end_on_every_architecture() {
    for architecture in ALL {
        for seed in 1..20 {
            let data = noise(seed, 1021);
            let mut wanted = request(Start::Offset(0), Some(architecture));
            wanted.count = MOST_INSTRUCTIONS;
            let listing = disassemble(&data, None, &wanted).unwrap();
            assert_eq!(listing.stopped, Stopped::EndOfFile, "{architecture:?}");
            assert_eq!(listing.next, None);
            let bytes: String = listing
                .instructions
                .iter()
                .map(|item| item.bytes.as_str())
                .collect();
            let expected: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(bytes, expected, "{architecture:?}");
            // The iterator without text sees the same.
            let decoder = Decoder::new(architecture).unwrap();
            let lengths: Vec<_> = decoder
                .decode(&data, 0)
                .map(|decoded| decoded.length * 2)
                .collect();
            let listed: Vec<_> = listing
                .instructions
                .iter()
                .map(|item| item.bytes.len())
                .collect();
            assert_eq!(lengths, listed, "{architecture:?}");
        }
    }
}

#[test]
fn undecodable_bytes_are_items_with_a_warning() {
    let data = [0x06, 0xc3];
    let listing = disassemble(
        &data,
        None,
        &request(Start::Offset(0), Some(Architecture::x86(64))),
    )
    .unwrap();
    let names: Vec<_> = listing
        .instructions
        .iter()
        .map(|item| item.mnemonic.as_str())
        .collect();
    assert_eq!(names, [".byte", "ret"]);
    assert_eq!(listing.instructions[0].operands, "0x06");
    assert!(listing.warnings.messages()[0].contains("undecodable bytes at 0x0"));
}

#[test]
fn counts_and_bytes_are_bounds_and_a_listing_goes_on() {
    let data = [0x90; 20_000];
    let mut wanted = request(Start::Offset(4), Some(Architecture::x86(64)));
    wanted.count = u32::MAX;
    let listing = disassemble(&data, None, &wanted).unwrap();
    assert_eq!(listing.instructions.len(), 10_000);
    assert_eq!(listing.stopped, Stopped::Count);
    assert_eq!(listing.next.unwrap().offset, Some(10_004));
    wanted.bytes = Some(3);
    let listing = disassemble(&data, None, &wanted).unwrap();
    assert_eq!(
        (listing.instructions.len(), listing.stopped),
        (3, Stopped::Bytes)
    );
    wanted.count = 0;
    assert_eq!(
        disassemble(&data, None, &wanted)
            .unwrap()
            .instructions
            .len(),
        1
    );
}

#[test]
fn a_start_that_is_not_there_says_what_is_near() {
    let x86 = Some(Architecture::x86(64));
    for at in [
        Start::Offset(2),
        Start::Address(u64::MAX),
        Start::Offset(u64::MAX),
    ] {
        let error = disassemble(&[0x90; 2], None, &request(at, x86)).unwrap_err();
        assert!(
            matches!(error, StartError::OffsetOutsideFile { size: 2, .. }),
            "{error}"
        );
    }
    assert!(disassemble(&[], None, &request(Start::Entry, x86)).is_err());
    let error = disassemble(&[0x90], None, &request(Start::Entry, None)).unwrap_err();
    assert_eq!(error, StartError::NoArchitecture);
    let wrong = Architecture::new(Family::Aarch64, 16, Endian::Little);
    assert!(disassemble(&[0x90], None, &request(Start::Entry, Some(wrong))).is_err());

    let (data, mut image) = ls();
    image.exports.push(binary::Export {
        name: Some("reverse_core".to_owned()),
        ordinal: None,
        address: image.entry_point.unwrap().address,
        forward: None,
    });
    let ask = |at| disassemble(&data, Some(&image), &request(at, None));
    match ask(Start::Symbol("Reverse".to_owned())) {
        Err(StartError::NoSuchSymbol { similar, .. }) => assert_eq!(similar, ["reverse_core"]),
        other => panic!("{other:?}"),
    }
    let listing = ask(Start::Symbol("reverse_core".to_owned())).unwrap();
    assert_eq!(listing.symbol.as_deref(), Some("reverse_core"));
    match ask(Start::Address(u64::MAX)) {
        Err(StartError::AddressNotInFile {
            nearest: Some((first, last)),
            ..
        }) => assert!(first < last),
        other => panic!("{other:?}"),
    }
}

#[test]
fn addresses_and_offsets_of_a_real_program_agree() {
    let (data, image) = ls();
    let entry = disassemble(&data, Some(&image), &request(Start::Entry, None)).unwrap();
    assert_eq!(entry.stopped, Stopped::Count);
    assert_eq!(entry.instructions.len(), 64);
    let by_address = request(Start::Address(entry.start.address), None);
    assert_eq!(
        disassemble(&data, Some(&image), &by_address).unwrap(),
        entry
    );
    let by_offset = request(Start::Offset(entry.start.offset.unwrap()), None);
    assert_eq!(disassemble(&data, Some(&image), &by_offset).unwrap(), entry);
}

#[test]
fn thumb_is_the_lowest_bit_and_mapping_symbols_switch() {
    // Thumb `bx lr; nop`, then a word, then A32 `bx lr`.
    let data = [
        0x70, 0x47, 0x00, 0xbf, 0x78, 0x56, 0x34, 0x12, 0x1e, 0xff, 0x2f, 0xe1,
    ];
    let mut image = image("arm", vec![section(".text", 0x1000, 0, 12)], Vec::new());
    image.bits = 32;
    let listing = disassemble(&data, Some(&image), &request(Start::Address(0x1001), None)).unwrap();
    assert_eq!(
        (listing.mode.as_str(), listing.start.address),
        ("thumb", 0x1000)
    );
    assert_eq!(listing.instructions[0].kind, Flow::Return);
    for (address, name) in [(0x1000, "$t"), (0x1004, "$d.1"), (0x1008, "$a")] {
        image.symbols.push(binary::Symbol {
            name: name.to_owned(),
            address,
            size: 0,
            kind: binary::SymbolKind::Other,
            binding: binary::Binding::Local,
            undefined: false,
            dynamic: false,
        });
    }
    let listing = disassemble(&data, Some(&image), &request(Start::Entry, None)).unwrap();
    let names: Vec<_> = listing
        .instructions
        .iter()
        .map(|item| item.mnemonic.as_str())
        .collect();
    assert_eq!(names, ["bx", "nop", ".word", "bx"]);
    assert_eq!(listing.instructions[2].operands, "0x12345678");
    assert_eq!(listing.stopped, Stopped::EndOfFile);
}

#[test]
fn sections_that_lie_are_followed_no_further_than_the_file() {
    let data = [0x90; 64];
    let huge = vec![
        section(".text", u64::MAX - 8, 60, u64::MAX),
        section(".b", 0x1000, u64::MAX, u64::MAX),
    ];
    let image = image(
        "x86-64",
        huge,
        vec![segment(0x2000, 16, 8), segment(0x2000, 0, u64::MAX)],
    );
    for address in [0, 0x1000, 0x1001, 0x2000, 0x2fff, u64::MAX - 8, u64::MAX] {
        // Any answer will do, as long as there is one.
        if let Ok(listing) =
            disassemble(&data, Some(&image), &request(Start::Address(address), None))
        {
            assert!(listing.instructions.len() <= 64);
        }
    }
    let listing = disassemble(&data, Some(&image), &request(Start::Entry, None)).unwrap();
    assert_eq!(listing.instructions.len(), 4);
    let listing = disassemble(&data, Some(&image), &request(Start::Address(0x2000), None)).unwrap();
    assert_eq!(
        (listing.instructions.len(), listing.stopped),
        (8, Stopped::EndOfSection)
    );
}

#[test]
fn segments_win_over_sections() {
    let mut data = vec![0xcc; 32];
    data.extend([0xc3; 32]);
    let image = image(
        "x86-64",
        vec![section(".text", 0x1000, 0, 16)],
        vec![segment(0x1000, 32, 16)],
    );
    let listing = disassemble(&data, Some(&image), &request(Start::Address(0x1000), None)).unwrap();
    assert_eq!(listing.instructions[0].mnemonic, "ret");
    assert!(listing.warnings.messages()[0].contains("disagree"));
}

#[test]
fn a_damaged_program_has_an_answer() {
    let (data, _) = ls();
    let random = noise(7, 8 * 150);
    for change in random.chunks_exact(8) {
        let mut data = data.clone();
        // The headers, and the section headers at the end.
        let near = usize::from(change[0]) % 128 + usize::from(change[1] & 1) * (data.len() - 2048);
        for byte in data.iter_mut().skip(near).take(usize::from(change[2]) % 9) {
            *byte = [0, 0xff, change[3]][usize::from(change[4]) % 3];
        }
        if change[5] & 7 == 0 {
            data.truncate(data.len() * usize::from(change[6]) / 256);
        }
        let report = binary::parse(&data, &ParseOptions::default());
        for at in [Start::Entry, Start::Offset(0x5000), Start::Address(0x6000)] {
            if let Ok(listing) = disassemble(&data, report.images.first(), &request(at, None)) {
                assert!(listing.instructions.len() <= 64);
            }
        }
    }
}

#[test]
fn iced_and_capstone_agree_over_real_code() {
    let (data, image) = ls();
    let text = image
        .sections
        .iter()
        .find(|section| section.name == ".text")
        .unwrap();
    let from = usize::try_from(text.offset).unwrap();
    let code = &data[from..from + usize::try_from(text.file_size).unwrap()];
    let bits = image.bits;
    if image.architecture != "x86-64" {
        return;
    }
    let capstone = Capstone::new()
        .x86()
        .mode(ArchMode::Mode64)
        .build()
        .unwrap();
    let mut wanted = request(Start::Offset(0), Some(Architecture::x86(bits)));
    wanted.count = MOST_INSTRUCTIONS;
    let listing = disassemble(code, None, &wanted).unwrap();
    assert_eq!(listing.instructions.len(), 10_000);
    let mut iterator = capstone.disasm_iter(code, 0).unwrap();
    for ours in &listing.instructions {
        let theirs = iterator.next().unwrap();
        let theirs = (theirs.address(), theirs.len(), theirs.mnemonic().unwrap());
        let ours = (ours.address, ours.bytes.len() / 2, ours.mnemonic.as_str());
        assert_eq!(ours, theirs);
    }
}

#[test]
fn images_of_noise_have_an_answer() {
    const EDGES: [u64; 8] = [0, 1, 16, 63, 64, 0x1000, u64::MAX - 1, u64::MAX];
    let template = image("x86-64", Vec::new(), Vec::new());
    for seed in 0..3000 {
        let random = noise(seed, 32);
        let pick = |index: usize| EDGES[usize::from(random[index]) % EDGES.len()];
        let mut image = template.clone();
        image.architecture = ["x86", "arm", "mips64", "m68k", "unknown (0x1)"]
            [usize::from(random[0]) % 5]
            .to_owned();
        image.format = [Format::Pe, Format::Elf, Format::MachO][usize::from(random[1]) % 3];
        image.image_base = pick(2);
        image.offset = pick(3);
        for index in 0..3 {
            let at = 4 + index * 3;
            let mut section = section(".text", pick(at), pick(at + 1), pick(at + 2));
            section.virtual_size = pick(at + 3);
            image.sections.push(section);
            image
                .segments
                .push(segment(pick(at + 9), pick(at + 10), pick(at + 11)));
        }
        for at in [
            Start::Entry,
            Start::Offset(pick(30)),
            Start::Address(pick(31)),
        ] {
            if let Ok(listing) = disassemble(&random, Some(&image), &request(at, None)) {
                assert!(!listing.instructions.is_empty() && listing.instructions.len() <= 32);
            }
        }
    }
}
