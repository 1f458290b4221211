//! What devices boot from: U-Boot images, device trees, option ROMs, UEFI
//! volumes, Android images, vendors' containers.

use super::super::bytes::{at, be16, be32, from, head, is, le16, le32, le64, text, u8_at};
use super::super::found::OCTETS;
use super::super::identity::Category::{Firmware, Text};
use super::Signature;

pub(super) const SIGNATURES: &[Signature] = &[
    Signature::new(
        b"\x27\x05\x19\x56",
        "uimage",
        Firmware,
        OCTETS,
        "u-boot legacy uImage",
    )
    .describe(uimage),
    Signature::new(
        b"\xd0\x0d\xfe\xed",
        "dtb",
        Firmware,
        OCTETS,
        "Device Tree Blob",
    )
    .describe(dtb),
    Signature::new(
        b"\xd7\xb7\xab\x1e",
        "dtbo",
        Firmware,
        OCTETS,
        "Android DTB/DTBO image",
    ),
    Signature::new(
        b"\x55\xaa",
        "option-rom",
        Firmware,
        "application/x-ibm-rom",
        "BIOS (ia32) ROM Ext.",
    )
    .describe(option_rom),
    Signature::new(
        b"_FVH",
        "uefi-volume",
        Firmware,
        OCTETS,
        "UEFI firmware volume",
    )
    .offset(40)
    .describe(firmware_volume),
    Signature::new(
        b"\xbd\x86\x66\x3b\x76\x0d\x30\x40",
        "uefi-capsule",
        Firmware,
        OCTETS,
        "UEFI firmware capsule",
    ),
    Signature::new(
        b"\x5a\xa5\xf0\x0f",
        "intel-flash",
        Firmware,
        OCTETS,
        "Intel serial flash for PCH ROM",
    )
    .offset(16),
    Signature::new(b"VZ", "te", Firmware, OCTETS, "UEFI Terse Executable").check(|data| {
        matches!(le16(data, 2), Some(0x14c | 0x8664 | 0xaa64 | 0x1c2))
            && u8_at(data, 4).is_some_and(|n| (1..=16).contains(&n))
    }),
    Signature::new(
        b"ANDROID!",
        "android-boot",
        Firmware,
        OCTETS,
        "Android bootimg",
    ),
    Signature::new(
        b"VNDRBOOT",
        "android-vendor-boot",
        Firmware,
        OCTETS,
        "Android vendor boot image",
    ),
    Signature::new(
        b"\x3a\xff\x26\xed",
        "android-sparse",
        Firmware,
        OCTETS,
        "Android sparse image",
    ),
    Signature::new(
        b"AVB0",
        "android-vbmeta",
        Firmware,
        OCTETS,
        "Android verified boot metadata",
    ),
    Signature::new(b"HDR0", "trx", Firmware, OCTETS, "TRX firmware image").check(|data| {
        le32(data, 4).is_some_and(|size| size >= 28) && matches!(le16(data, 14), Some(1 | 2))
    }),
    Signature::new(b"BIMG", "bimg", Firmware, OCTETS, "BIMG firmware image"),
    Signature::new(
        b"DfuSe\x01",
        "dfuse",
        Firmware,
        OCTETS,
        "STM32 DfuSe firmware image",
    ),
    Signature::new(
        b"UF2\n\x57\x51\x5d\x9e",
        "uf2",
        Firmware,
        OCTETS,
        "UF2 firmware image",
    ),
    Signature::new(
        b"HdrS",
        "linux-kernel",
        Firmware,
        OCTETS,
        "Linux kernel x86 boot executable bzImage",
    )
    .offset(0x202),
    Signature::new(
        b"ARM\x64",
        "linux-kernel",
        Firmware,
        OCTETS,
        "Linux kernel ARM64 boot executable Image",
    )
    .offset(56),
    Signature::new(
        b"RSC\x05",
        "linux-kernel",
        Firmware,
        OCTETS,
        "Linux kernel RISC-V boot executable Image",
    )
    .offset(56),
    Signature::new(
        b"\x18\x28\x6f\x01",
        "linux-kernel",
        Firmware,
        OCTETS,
        "Linux kernel ARM boot executable zImage",
    )
    .offset(0x24),
    Signature::new(b"\xe9", "esp32", Firmware, OCTETS, "ESP32 firmware image").check(esp),
    Signature::new(
        b":",
        "intel-hex",
        Firmware,
        "text/plain",
        "Intel HEX, ASCII text",
    )
    .check(intel_hex),
    Signature::new(
        b"S0",
        "srec",
        Text,
        "text/plain",
        "Motorola S-Record; binary data in text format",
    )
    .check(|data| at(data, 2, 8).is_some_and(|field| field.iter().all(u8::is_ascii_hexdigit))),
    Signature::new(
        b"",
        "bios",
        Firmware,
        OCTETS,
        "BIOS image (ia32 reset vector at its end)",
    )
    .check(bios),
];

fn uimage(data: &[u8]) -> Option<String> {
    let byte = |offset| u8_at(data, offset);
    let system = byte(28)?;
    let machine = byte(29)?;
    let kind = byte(30)?;
    let packing = byte(31)?;
    if kind > 50 || packing > 10 || machine > 40 {
        return None;
    }
    let system = name(
        &["", "OpenBSD", "NetBSD", "FreeBSD", "4.4BSD", "Linux"],
        system,
    );
    let machine = name(
        &[
            "",
            "Alpha",
            "ARM",
            "Intel x86",
            "IA64",
            "MIPS",
            "MIPS 64-bit",
            "PowerPC",
            "IBM S390",
            "SuperH",
            "Sparc",
            "Sparc 64-bit",
            "M68K",
            "NIOS-32",
            "MicroBlaze",
            "NIOS-II",
            "Blackfin",
            "AVR32",
            "STMicroelectronics ST200",
            "Sandbox",
            "NDS32",
            "OpenRISC",
            "AArch64",
            "ARC",
            "Intel x86-64",
            "Xtensa",
            "RISC-V",
        ],
        machine,
    );
    let kind = name(
        &[
            "",
            "Standalone Program",
            "OS Kernel Image",
            "RAMDisk Image",
            "Multi-File Image",
            "Firmware Image",
            "Script File",
            "Filesystem Image",
            "Flat Device Tree Blob",
        ],
        kind,
    );
    let packing = name(
        &[
            "Not compressed",
            "gzip",
            "bzip2",
            "lzma",
            "lzo",
            "lz4",
            "zstd",
        ],
        packing,
    );
    let title = text(data, 32, 32).unwrap_or_default();
    Some(format!(
        ", {title}, {system}/{machine}, {kind} ({packing}), {} bytes, Load Address: {:#010X}, Entry Point: {:#010X}",
        be32(data, 12)?,
        be32(data, 16)?,
        be32(data, 20)?
    ))
}

fn name(names: &[&str], number: u8) -> String {
    match names.get(usize::from(number)) {
        Some(name) if !name.is_empty() => (*name).to_owned(),
        Some(_) | None => format!("unknown ({number})"),
    }
}

fn dtb(data: &[u8]) -> Option<String> {
    let size = be32(data, 4)?;
    let version = be32(data, 20).filter(|version| (1..=32).contains(version))?;
    Some(format!(
        " version {version}, size={size}, boot CPU={}",
        be32(data, 28)?
    ))
}

/// PCI Firmware Specification: length in blocks of 512 bytes, a jump, and for
/// PCI a pointer to `PCIR`.
fn option_rom(data: &[u8]) -> Option<String> {
    let blocks = u8_at(data, 2).filter(|blocks| *blocks > 0)?;
    let pci = le16(data, 0x18).map_or(usize::MAX, usize::from);
    let is_pci = is(data, pci, b"PCIR");
    if !is_pci && !matches!(u8_at(data, 3)?, 0xe9 | 0xeb | 0xe8 | 0xcb) {
        return None;
    }
    let mut words = format!(" ({blocks}*512)");
    if is_pci {
        let vendor = le16(data, pci.saturating_add(4)).unwrap_or(0);
        let device = le16(data, pci.saturating_add(6)).unwrap_or(0);
        words.push_str(&format!(" PCI vendor={vendor:#06x} device={device:#06x}"));
        if u8_at(data, pci.saturating_add(0x14)) == Some(3) {
            words.push_str(" EFI image");
        }
    }
    Some(words)
}

/// Platform Initialization Specification, volume 3: the words of the header
/// add up to 0.
fn firmware_volume(data: &[u8]) -> Option<String> {
    let length = le64(data, 32)?;
    let header = usize::from(le16(data, 48)?);
    let revision = u8_at(data, 55)?;
    let sum = at(data, 0, header)?
        .chunks_exact(2)
        .filter_map(|pair| le16(pair, 0))
        .fold(0_u16, u16::wrapping_add);
    (sum == 0 && header >= 56).then(|| format!(", revision {revision}, {length} bytes"))
}

/// Magic, few segments, and a flash mode: one byte would be no proof.
fn esp(data: &[u8]) -> bool {
    u8_at(data, 1).is_some_and(|segments| (1..=16).contains(&segments))
        && u8_at(data, 2).is_some_and(|mode| mode <= 5)
        && u8_at(data, 23).is_some_and(|hashed| hashed <= 1)
        && le32(data, 4).is_some_and(|entry| (0x4000_0000..0x4200_0000).contains(&entry))
}

fn intel_hex(data: &[u8]) -> bool {
    let line = head(data, 600)
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next();
    let digits = line.map(|line| from(line, 1)).unwrap_or_default();
    let value = |place: usize| {
        let pair = at(digits, place * 2, 2)?;
        u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
    };
    let count = digits.len() / 2;
    let Some(length) = value(0) else { return false };
    let sum: Option<u8> =
        (0..count).try_fold(0_u8, |sum, place| Some(sum.wrapping_add(value(place)?)));
    count == usize::from(length) + 5 && sum == Some(0)
}

/// A PC firmware ends with a far or near jump at the reset vector, 16 bytes
/// before its end, and is a multiple of 64 KiB. SeaBIOS and OVMF alike.
fn bios(data: &[u8]) -> bool {
    let size = data.len();
    if size < 1 << 16 || !size.is_multiple_of(1 << 16) || size > 64 << 20 {
        return false;
    }
    let vector = from(data, size.saturating_sub(16));
    let far = is(vector, 0, b"\xea") && be16(vector, 3) == Some(0x00f0);
    let near = is(vector, 0, b"\x90\x90\xe9")
        || is(vector, 0, b"\x0f\x09\xe9")
        || is(vector, 0, b"\xfa\xfc\xe9");
    let dated =
        at(vector, 5, 8).is_some_and(|date| date.iter().filter(|b| **b == b'/').count() == 2);
    (far && dated) || near
}
