//! PE and DOS programs, after Microsoft's "PE Format". Only the headers are
//! read here.

use crate::binary::Image;

use super::super::bytes::{at, index, is, le16, le32};
use super::super::found::{Found, OCTETS};
use super::super::identity::{Category, Executable};
use super::{architecture, endian};

/// Offset of the PE, NE, LE or LX header that a DOS header points to.
pub(in super::super) fn new_header(data: &[u8]) -> Option<usize> {
    if !is(data, 0, b"MZ") {
        return None;
    }
    Some(index(le32(data, 0x3c)?))
}

pub(super) fn recognise(data: &[u8], image: Option<&Image>) -> Option<Found> {
    if !is(data, 0, b"MZ") {
        return None;
    }
    // Two letters alone are text, and what is shorter than the fixed part of
    // the DOS header can't be told from chance.
    let relocations = le16(data, 0x18)?;
    let header = new_header(data).unwrap_or(usize::MAX);
    if is(data, header, b"PE\0\0") {
        return Some(portable(data, header, image));
    }
    // Two letters are no proof: the bytes of the last page of 512 are fewer.
    if le16(data, 2)? >= 512 {
        return None;
    }
    let dos = |kind, description: &str| {
        Found::new(
            kind,
            Category::Executable,
            "application/x-dosexec",
            description,
        )
    };
    Some(match at(data, header, 2) {
        Some(b"NE") => dos("ne", "MS-DOS executable, NE for MS Windows or OS/2 1.x"),
        Some(b"LE") => dos(
            "le",
            "MS-DOS executable, LE (virtual device driver or extender)",
        ),
        Some(b"LX") => dos("lx", "MS-DOS executable, LX for OS/2"),
        _ if relocations < 0x40 => dos("dos", "MS-DOS executable, MZ for MS-DOS"),
        _ => Found::new("dos", Category::Executable, OCTETS, "MS-DOS executable"),
    })
}

fn portable(data: &[u8], header: usize, image: Option<&Image>) -> Found {
    let word = |offset: usize| le16(data, header.saturating_add(offset));
    let machine = word(4).unwrap_or(0);
    let flags = word(22).unwrap_or(0);
    let (format, bits, directories) = match word(24) {
        Some(0x10b) => ("PE32", 32, 24 + 96),
        Some(0x20b) => ("PE32+", 64, 24 + 112),
        Some(0x107) => ("PE ROM", 32, usize::MAX),
        _ => (
            "PE",
            if matches!(machine, 0x8664 | 0xaa64) {
                64
            } else {
                32
            },
            usize::MAX,
        ),
    };
    let architecture = architecture(image, &machine_name(machine));
    let subsystem = word(24 + 68).and_then(subsystem_name);
    let mut description = format!("{format} executable");
    if flags & 0x2000 != 0 {
        description.push_str(" (DLL)");
    }
    if let Some(subsystem) = subsystem {
        description.push_str(&format!(" ({subsystem})"));
    }
    description.push_str(&format!(" {architecture}"));
    // Directory 14 is the CLR header; the count before the list says whether
    // there is one.
    let count = directories
        .checked_sub(4)
        .and_then(|offset| le32(data, header.saturating_add(offset)));
    let clr = directories.saturating_add(14 * 8);
    if count > Some(14)
        && le32(data, header.saturating_add(clr)).is_some_and(|address| address != 0)
    {
        description.push_str(" Mono/.Net assembly");
    }
    // COFF symbols are rare in images. Without them it is as stripped as they
    // get; the flag says that debug information went into a file of its own.
    let stripped = le32(data, header.saturating_add(12)).map(|symbols| symbols == 0);
    if flags & 0x0200 != 0 {
        description.push_str(" (stripped to external PDB)");
    }
    description.push_str(&format!(
        ", for MS Windows, {} sections",
        word(6).unwrap_or(0)
    ));
    let mut found = Found::new(
        "pe",
        Category::Executable,
        "application/vnd.microsoft.portable-executable",
        description,
    );
    found.executable = Some(Executable {
        architectures: vec![architecture.clone()],
        architecture,
        bits,
        endian: endian(false),
        abi: subsystem.map(str::to_lowercase),
        linkage: image.map(|image| {
            if image.imports.is_empty() && image.libraries.is_empty() {
                "static".to_owned()
            } else {
                "dynamic".to_owned()
            }
        }),
        stripped,
        interpreter: None,
    });
    found
}

fn subsystem_name(number: u16) -> Option<&'static str> {
    Some(match number {
        1 => "native",
        2 => "GUI",
        3 => "console",
        5 => "OS/2",
        7 => "POSIX",
        9 => "Windows CE",
        10 => "EFI application",
        11 => "EFI boot service driver",
        12 => "EFI runtime driver",
        13 => "EFI ROM",
        14 => "XBOX",
        16 => "Windows boot application",
        _ => return None,
    })
}

fn machine_name(machine: u16) -> String {
    match machine {
        0x14c => "x86",
        0x8664 => "x86-64",
        0x1c0 | 0x1c2 | 0x1c4 => "arm",
        0xaa64 | 0xa641 | 0xa64e => "aarch64",
        0x200 => "ia64",
        0x166 | 0x169 | 0x266 | 0x366 | 0x466 => "mips",
        0x1f0 | 0x1f1 => "powerpc",
        0x184 => "alpha",
        0x1a2 | 0x1a3 | 0x1a6 | 0x1a8 => "sh",
        0xebc => "ebc",
        0x5032 => "riscv32",
        0x5064 => "riscv64",
        0x6232 => "loongarch32",
        0x6264 => "loongarch64",
        other => return format!("unknown (0x{other:x})"),
    }
    .to_owned()
}
