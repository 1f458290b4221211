//! Whole files: built ones with everything in them, damaged ones, and hostile
//! ones that would run for ever.

use super::builder::{BASE, Builder, HEADER, IMAGE_BASE, RAW};
use super::*;
use crate::binary::mutate::{Random, mutate};
use crate::binary::{Binding, SymbolKind};

fn check(file: &[u8]) -> (Image, Vec<String>) {
    let mut warnings = Warnings::default();
    let image = parse(file, &ParseOptions::default(), &mut warnings);
    (image.expect("a PE file"), warnings.into_messages())
}

fn details(image: &Image) -> &PeDetails {
    match &image.details {
        Details::Pe(details) => details,
        Details::Elf(_) | Details::MachO(_) => panic!("no PE file"),
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A node of a version resource.
fn node(key: &str, value: &[u8], value_length: u16, children: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend_from_slice(&value_length.to_le_bytes());
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend(utf16(key));
    bytes.extend_from_slice(&[0, 0]);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend_from_slice(value);
    for child in children {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(child);
    }
    let length = bytes.len() as u16;
    bytes[..2].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Type, name and language of one leaf each, as one tree.
fn resources(builder: &mut Builder, leaves: &[(u32, &[u8])]) {
    // Directories, entries, then the leaves' records; 16 + 8 bytes a level.
    let count = leaves.len() as u32;
    let root = 16 + 8 * count;
    let mut tree = vec![0, 0, 0, count << 16];
    let data: Vec<(u32, u32)> = leaves
        .iter()
        .map(|(_, data)| (builder.put(data), data.len() as u32))
        .collect();
    for (index, (kind, _)) in (0..).zip(leaves) {
        tree.extend_from_slice(&[*kind, 0x8000_0000 | (root + index * 64)]);
    }
    for (index, (rva, size)) in (0..).zip(data) {
        let at = root + index * 64;
        tree.extend_from_slice(&[0, 0, 0, 1 << 16, 7, 0x8000_0000 | (at + 24)]);
        tree.extend_from_slice(&[0, 0, 0, 1 << 16, 1033, at + 48]);
        tree.extend_from_slice(&[rva, size, 1252, 0]);
    }
    let rva = builder.words(&tree);
    builder.directories[2] = (rva, tree.len() as u32 * 4);
}

/// A file with something in every directory that is read.
pub(crate) fn rich_file(wide: bool) -> Vec<u8> {
    rich(wide).build()
}

/// Its builder.
fn rich(wide: bool) -> Builder {
    let mut builder = Builder::new(wide);
    builder.imports(&[
        ("KERNEL32.dll", &[Ok("ExitProcess"), Ok("Sleep")]),
        ("WSOCK32.dll", &[Err(115), Err(10)]),
        ("MFC42.dll", &[Err(1168)]),
    ]);
    // Exports: two functions, one a forwarder, one without a name.
    let directory = builder.put(&[0; 40]);
    let own = builder.text("own.dll");
    let forward = builder.text("NTDLL.RtlAllocateHeap");
    let name = builder.text("alloc");
    let functions = builder.words(&[forward, 0, BASE + 8]);
    let names = builder.words(&[name]);
    let ordinals = builder.put(&[0, 0]);
    let at = (directory - BASE) as usize;
    for (index, value) in [0, 0, 0, own, 5, 3, 1, functions, names, ordinals]
        .into_iter()
        .enumerate()
    {
        builder.content[at + index * 4..][..4].copy_from_slice(&u32::to_le_bytes(value));
    }
    builder.directories[0] = (directory, forward + 22 - directory);
    // Delayed imports.
    let library = builder.text("VERSION.dll");
    let lookup = builder.lookup(&[Ok("VerQueryValueW")]);
    let delayed = builder.words(&[1, library, 0, BASE, lookup, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    builder.directories[13] = (delayed, 64);
    // Thread-local storage with two callbacks.
    let callbacks = builder.addresses(&[IMAGE_BASE + 0x1000, IMAGE_BASE + 0x1008, 0]);
    let tls = builder.addresses(&[0, 0, 0, IMAGE_BASE + u64::from(callbacks), 0, 0]);
    builder.directories[9] = (tls, 40);
    // Debug: a PDB, and shadow stacks.
    let pdb = [b"RSDS", &[0x11; 16][..], &[3, 0, 0, 0], b"C:\\a.pdb\0"].concat();
    let size = pdb.len() as u32;
    let pdb = builder.put(&pdb);
    let cet = builder.words(&[1]);
    let debug = builder.words(&[
        0, 0, 0, 2, size, pdb, 0, //
        0, 0, 0, 20, 4, cet, 0,
    ]);
    builder.directories[6] = (debug, 56);
    let relocations = builder.words(&[0x1000, 12, 0x0000_a004]);
    builder.directories[5] = (relocations, 12);
    let table = node(
        "040904b0",
        b"",
        0,
        &[node("CompanyName", &utf16("Ours\0"), 5, &[])],
    );
    let mut fixed = vec![0; 52];
    fixed[..4].copy_from_slice(&0xfeef_04bd_u32.to_le_bytes());
    fixed[8..12].copy_from_slice(&0x0001_0002_u32.to_le_bytes());
    fixed[12..16].copy_from_slice(&0x0003_0004_u32.to_le_bytes());
    let version = node(
        "VS_VERSION_INFO",
        &fixed,
        52,
        &[node("StringFileInfo", b"", 0, &[table])],
    );
    let manifest = b"<requestedExecutionLevel level='requireAdministrator' uiAccess=\"true\"/>";
    resources(&mut builder, &[(16, &version), (24, manifest)]);
    builder
}

#[test]
fn everything_is_found() {
    for wide in [false, true] {
        let file = rich(wide).build();
        let (image, warnings) = check(&file);
        assert_eq!(warnings, Vec::<String>::new());
        let pe = details(&image);
        assert_eq!(image.bits, if wide { 64 } else { 32 });
        assert_eq!(image.kind, "executable");
        assert_eq!(image.image_base, IMAGE_BASE);
        let entry = image.entry_point.expect("an entry point");
        assert_eq!(entry.address, IMAGE_BASE + 0x1004);
        assert_eq!(entry.offset, Some(RAW as u64 + 4));
        assert_eq!(image.sections[0].name, ".data");
        assert_eq!(image.sections[0].address, IMAGE_BASE + 0x1000);
        assert!(image.sections[0].permissions.execute);
        let named: Vec<_> = image
            .imports
            .iter()
            .map(|one| (one.library.as_deref(), one.name.as_deref(), one.ordinal))
            .collect();
        assert_eq!(
            named,
            [
                (Some("KERNEL32.dll"), Some("ExitProcess"), None),
                (Some("KERNEL32.dll"), Some("Sleep"), None),
                (Some("WSOCK32.dll"), Some("WSAStartup"), Some(115)),
                (Some("WSOCK32.dll"), Some("inet_addr"), Some(10)),
                (Some("MFC42.dll"), None, Some(1168)),
                (Some("VERSION.dll"), Some("VerQueryValueW"), None),
            ]
        );
        assert!(image.imports[5].delayed);
        assert_eq!(image.imports[5].address, Some(IMAGE_BASE + 0x1000));
        assert_eq!(
            image.libraries,
            ["KERNEL32.dll", "WSOCK32.dll", "MFC42.dll"]
        );
        let text = "kernel32.exitprocess,kernel32.sleep,wsock32.wsastartup,\
                    wsock32.ioctlsocket,mfc42.ord1168";
        assert_eq!(pe.imphash, Some(checksum::md5(text.as_bytes())));
        assert_eq!(image.exports.len(), 2);
        assert_eq!(image.exports[0].name.as_deref(), Some("alloc"));
        assert_eq!(
            image.exports[0].forward.as_deref(),
            Some("NTDLL.RtlAllocateHeap")
        );
        assert_eq!(image.exports[1].name, None);
        assert_eq!(image.exports[1].ordinal, Some(7));
        assert_eq!(pe.export_name.as_deref(), Some("own.dll"));
        assert_eq!(image.early_code.len(), 2);
        assert_eq!(image.early_code[1].address, IMAGE_BASE + 0x1008);
        let codeview = pe.debug[0].codeview.as_ref().expect("a PDB");
        assert_eq!(codeview.path, "C:\\a.pdb");
        assert_eq!(codeview.signature, "11111111-1111-1111-1111-111111111111");
        assert_eq!(codeview.age, 3);
        assert_eq!(image.security.control_flow_protection, Some(true));
        assert_eq!(image.security.nx, Some(true));
        assert_eq!(image.security.cfg, Some(false));
        assert_eq!(image.security.safe_seh, (!wide).then_some(false));
        assert_eq!(image.relocations, 1);
        assert_eq!(pe.resources.len(), 2);
        assert_eq!(pe.resources[0].kind, "RT_VERSION");
        assert_eq!(pe.resources[0].id, Some(7));
        assert_eq!(pe.resources[0].language, 1033);
        let version = pe.version.as_ref().expect("a version");
        assert_eq!(version.file_version.as_deref(), Some("1.2.3.4"));
        assert_eq!(version.strings[0].key, "CompanyName");
        assert_eq!(version.strings[0].value, "Ours");
        assert_eq!(version.strings[0].table, "040904b0");
        let manifest = pe.manifest.as_ref().expect("a manifest");
        assert_eq!(
            manifest.execution_level.as_deref(),
            Some("requireAdministrator")
        );
        assert!(manifest.ui_access);
        assert_eq!(image.overlay, None);
    }
}

#[test]
fn symbols_and_long_section_names() {
    let mut builder = Builder::new(true);
    builder.symbols = 3;
    // `main` in section 1, a file with its name in an entry of its own, and
    // strings behind them.
    builder.tail = b"main\0\0\0\0\x08\0\0\0\x01\0\x20\0\x02\0".to_vec();
    builder
        .tail
        .extend(b".file\0\0\0\0\0\0\0\xfe\xff\0\0\x67\x01");
    builder.tail.extend(b"own.c\0\0\0\0\0\0\0\0\0\0\0\0\0");
    builder.tail.extend(b"\x10\0\0\0.debug_info\0");
    let mut file = builder.build();
    let header = HEADER + 24 + 240;
    file[header..header + 8].copy_from_slice(b"/4\0\0\0\0\0\0");
    let (image, warnings) = check(&file);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(image.sections[0].name, ".debug_info");
    assert_eq!(details(&image).sections[0].short_name, "/4");
    assert_eq!(image.symbols.len(), 2);
    assert_eq!(image.symbols[0].name, "main");
    assert_eq!(image.symbols[0].address, IMAGE_BASE + 0x1008);
    assert_eq!(image.symbols[0].kind, SymbolKind::Function);
    assert_eq!(image.symbols[0].binding, Binding::Global);
    assert_eq!(image.symbols[1].name, "own.c");
    assert_eq!(image.symbols[1].kind, SymbolKind::File);
    assert_eq!(image.overlay.map(|range| range.size), Some(70));
}

#[test]
fn kinds() {
    let kind_of = |change: &dyn Fn(&mut Builder)| {
        let mut builder = Builder::new(true);
        change(&mut builder);
        check(&builder.build()).0.kind
    };
    assert_eq!(kind_of(&|_| {}), "executable");
    assert_eq!(
        kind_of(&|file| file.characteristics |= 0x2000),
        "dynamic library"
    );
    assert_eq!(kind_of(&|file| file.subsystem = 10), "efi application");
    assert_eq!(
        kind_of(&|file| file.imports(&[("NTOSKRNL.exe", &[Ok("IoCreateDevice")])])),
        "driver"
    );
}

#[test]
fn what_is_no_pe_file_says_so() {
    let mut dos = vec![0; 64];
    dos[..2].copy_from_slice(b"MZ");
    let mut wild = dos.clone();
    wild[0x3c..].fill(0xff);
    for (file, word) in [
        (&b"MZ"[..], "cut off"),
        (&dos, "DOS program"),
        (&wild, "0xffffffff"),
    ] {
        let mut warnings = Warnings::default();
        assert!(parse(file, &ParseOptions::default(), &mut warnings).is_none());
        assert!(warnings.messages()[0].contains(word), "{warnings:?}");
    }
}

#[test]
fn a_resource_tree_that_contains_itself_ends() {
    let mut builder = Builder::new(false);
    // Entries that lead to the root, to a sibling that leads back, and so on.
    let mut tree = vec![0, 0, 0, 200 << 16];
    for index in 0..200 {
        tree.extend_from_slice(&[index, 0x8000_0000 | (index % 3 * 8)]);
    }
    let rva = builder.words(&tree);
    builder.directories[2] = (rva, 16);
    let mut warnings = Warnings::default();
    let options = ParseOptions {
        most_items: 1000,
        ..ParseOptions::default()
    };
    let image = parse(&builder.build(), &options, &mut warnings).expect("a PE file");
    assert!(details(&image).resources.len() <= 1000);
    let said = warnings.messages().join("\n");
    assert!(said.contains("contains itself"), "{said}");
}

#[test]
fn imports_without_end_are_bounded() {
    let mut builder = Builder::new(true);
    // Every descriptor names the same library and the same long table, and
    // neither list has an end before the file's.
    let name = builder.text("a.dll");
    let function = builder.put(b"\0\0f\0");
    let slots = builder.addresses(&vec![u64::from(function); 5000]);
    let table: Vec<u32> = (0..5000).flat_map(|_| [slots, 0, 0, name, slots]).collect();
    let table = builder.words(&table);
    builder.directories[1] = (table, 20);
    let mut warnings = Warnings::default();
    let options = ParseOptions {
        most_items: 20_000,
        ..ParseOptions::default()
    };
    let image = parse(&builder.build(), &options, &mut warnings).expect("a PE file");
    assert_eq!(image.imports.len(), 20_000);
    let said = warnings.messages().join("\n");
    assert!(said.contains("imports were cut after 20000"), "{said}");
}

#[test]
fn an_import_directory_that_is_not_there_leaves_the_rest() {
    let mut builder = rich(false);
    builder.directories[1] = (0xffff_fff0, 20);
    let (image, warnings) = check(&builder.build());
    assert!(image.imports.iter().all(|import| import.delayed));
    assert_eq!(image.exports.len(), 2);
    assert!(warnings[0].contains("import directory at RVA 0xfffffff0"));
}

#[test]
fn more_sections_than_the_file_has_room_for() {
    let mut file = rich(false).build();
    file[HEADER + 6..HEADER + 8].fill(0xff);
    let (image, warnings) = check(&file);
    assert!(image.sections.len() < 65_535);
    assert_eq!(image.sections[0].name, ".data");
    let table = format!("section table at 0x{:x} claims 65535", HEADER + 24 + 224);
    assert!(warnings[0].starts_with(&table), "{warnings:?}");
}

#[test]
fn damaged_files_never_panic() {
    let mut random = Random::new(0x5eed);
    for wide in [false, true] {
        let sample = rich(wide).build();
        let mut hot: Vec<usize> = (HEADER..RAW).step_by(32).collect();
        hot.extend((RAW..sample.len()).step_by(64));
        let mut parsed = 0;
        for _ in 0..3000 {
            let file = mutate(&sample, &hot, &mut random);
            let mut warnings = Warnings::default();
            let image = parse(&file, &ParseOptions::default(), &mut warnings);
            parsed += usize::from(image.is_some());
        }
        // The rest lost its signature.
        assert!(parsed > 1500, "{parsed}");
    }
}

#[test]
fn every_truncation_has_an_answer() {
    let sample = rich(true).build();
    for length in 0..sample.len() {
        let mut warnings = Warnings::default();
        let image = parse(&sample[..length], &ParseOptions::default(), &mut warnings);
        assert_eq!(image.is_some(), length >= HEADER + 24, "{length}");
        assert!(!warnings.is_empty(), "{length}");
    }
}
