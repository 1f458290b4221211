//! Mach-O files and universal binaries, after Apple's `mach-o/loader.h` and
//! `fat.h`. A Java class file has the universal binary's magic as well; see
//! [`is_universal`].

use crate::binary::{BinaryReport, Image};

use super::super::bytes::{be32, u32_at};
use super::super::found::Found;
use super::super::identity::{Category, Executable};
use super::{architecture, endian};

/// More architectures than this are listed by nobody.
const MOST_ARCHITECTURES: u32 = 16;
const MIME: &str = "application/x-mach-binary";

/// Whether the word after `0xcafebabe` is a number of architectures: a class
/// file has its version there, and the lowest one ever is 43.
pub(super) fn is_universal(data: &[u8]) -> bool {
    match be32(data, 0) {
        Some(0xcafe_babe) => be32(data, 4).is_some_and(|count| (1..43).contains(&count)),
        Some(0xcafe_babf) => true,
        _ => false,
    }
}

pub(super) fn recognise(data: &[u8], binary: Option<&BinaryReport>) -> Option<Found> {
    if is_universal(data) {
        return Some(universal(data, binary));
    }
    let image = binary.and_then(|report| report.images.first());
    let (description, executable) = thin(data, image)?;
    let mut found = Found::new("macho", Category::Executable, MIME, description);
    found.executable = Some(executable);
    Some(found)
}

fn universal(data: &[u8], binary: Option<&BinaryReport>) -> Found {
    let count = be32(data, 4).unwrap_or(0);
    let entry = if be32(data, 0) == Some(0xcafe_babf) {
        32
    } else {
        20
    };
    let mut names = Vec::new();
    for number in 0..count.min(MOST_ARCHITECTURES) {
        let place = 8_usize.saturating_add((number as usize).saturating_mul(entry));
        let Some(cpu) = be32(data, place) else { break };
        names.push(cpu_name(cpu));
    }
    let mut description = format!("Mach-O universal binary with {count} architectures");
    for (number, name) in names.iter().enumerate() {
        description.push_str(if number == 0 { ": " } else { ", " });
        description.push_str(name);
    }
    let first = binary.and_then(|report| report.images.first());
    let mut found = Found::new("macho-universal", Category::Executable, MIME, description);
    if let Some(name) = names.first().cloned() {
        found.executable = Some(Executable {
            architecture: architecture(first, &name),
            bits: first.map_or(if name.contains("64") { 64 } else { 32 }, |image| {
                image.bits
            }),
            endian: endian(name.starts_with("powerpc")),
            architectures: names,
            abi: None,
            linkage: None,
            stripped: first.map(is_stripped),
            interpreter: None,
        });
    }
    found
}

fn thin(data: &[u8], image: Option<&Image>) -> Option<(String, Executable)> {
    let (bits, big) = match be32(data, 0)? {
        0xfeed_face => (32, true),
        0xcefa_edfe => (32, false),
        0xfeed_facf => (64, true),
        0xcffa_edfe => (64, false),
        _ => return None,
    };
    let cpu = u32_at(data, 4, big)?;
    let kind = match u32_at(data, 12, big).unwrap_or(0) {
        1 => "object",
        2 => "executable",
        3 => "fixed virtual memory shared library",
        4 => "core",
        5 => "preload executable",
        6 => "dynamically linked shared library",
        7 => "dynamic linker",
        8 => "bundle",
        9 => "dynamically linked shared library stub",
        10 => "dSYM companion file",
        11 => "kext bundle",
        12 => "fileset",
        _ => "file of unknown type",
    };
    let architecture = architecture(image, &cpu_name(cpu));
    let flags = u32_at(data, 24, big).unwrap_or(0);
    let names: Vec<_> = [
        (1, "NOUNDEFS"),
        (4, "DYLDLINK"),
        (0x80, "TWOLEVEL"),
        (0x20_0000, "PIE"),
    ]
    .into_iter()
    .filter(|(bit, _)| flags & bit != 0)
    .map(|(_, name)| name)
    .collect();
    let mut description = format!("Mach-O {bits}-bit {architecture} {kind}");
    if !names.is_empty() {
        description.push_str(&format!(", flags:<{}>", names.join("|")));
    }
    let executable = Executable {
        architectures: vec![architecture.clone()],
        architecture,
        bits,
        endian: endian(big),
        abi: None,
        linkage: Some(if flags & 4 != 0 { "dynamic" } else { "static" }.to_owned()),
        stripped: image.map(is_stripped),
        interpreter: None,
    };
    Some((description, executable))
}

/// Whether it has only the symbols that loading needs.
fn is_stripped(image: &Image) -> bool {
    use crate::binary::Binding;
    !image
        .symbols
        .iter()
        .any(|symbol| !symbol.undefined && matches!(symbol.binding, Binding::Local))
}

fn cpu_name(cpu: u32) -> String {
    match cpu {
        7 => "x86",
        0x0100_0007 => "x86-64",
        12 => "arm",
        0x0100_000c => "aarch64",
        0x0200_000c => "aarch64-32",
        18 => "powerpc",
        0x0100_0012 => "powerpc64",
        6 => "m68k",
        other => return format!("unknown (0x{other:x})"),
    }
    .to_owned()
}
