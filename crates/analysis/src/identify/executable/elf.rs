//! ELF files, after the System V ABI (gabi). Only the header, the program
//! headers and the dynamic flags are read here; symbols and notes come from
//! the report.

use crate::binary::{Details, Image};

use super::super::bytes::{from, index, is, text, u8_at, u16_at, u32_at, u64_at};
use super::super::found::{Found, OCTETS};
use super::super::identity::{Category, Executable};
use super::{architecture, endian};

/// Program headers and dynamic entries beyond this number are not looked at.
const MOST_ENTRIES: usize = 4096;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_1_PIE: u64 = 0x0800_0000;

/// What the program headers tell.
#[derive(Default)]
struct Loading {
    /// All of them are in the file.
    whole: bool,
    dynamic: bool,
    pie: bool,
    interpreter: Option<String>,
}

pub(super) fn recognise(data: &[u8], image: Option<&Image>) -> Option<Found> {
    if !is(data, 0, b"\x7fELF") {
        return None;
    }
    let class = u8_at(data, 4);
    let (bits, big) = match (class, u8_at(data, 5)) {
        (Some(1), Some(order @ 1..=2)) => (32, order == 2),
        (Some(2), Some(order @ 1..=2)) => (64, order == 2),
        _ => return Some(damaged("ELF, damaged or cut header")),
    };
    let (Some(file_type), Some(machine)) = (u16_at(data, 16, big), u16_at(data, 18, big)) else {
        return Some(damaged(&format!(
            "ELF {bits}-bit {}, cut header",
            order(big)
        )));
    };
    let wide = bits == 64;
    let loading = loading(data, wide, big);
    let architecture = architecture(image, &machine_name(machine, wide));
    let (kind_words, mime) = match file_type {
        1 => ("relocatable", "application/x-object"),
        2 => ("executable", "application/x-executable"),
        // Only the flag tells a program from a library: libc has an
        // interpreter as well.
        3 if loading.pie => ("pie executable", "application/x-pie-executable"),
        3 => ("shared object", "application/x-sharedlib"),
        4 => ("core file", "application/x-coredump"),
        _ => ("unknown type", OCTETS),
    };
    let details = image.and_then(|image| match &image.details {
        Details::Elf(details) => Some(details),
        Details::Pe(_) | Details::MachO(_) => None,
    });
    // Where a symbol table would be is beyond the end of a cut file.
    let sections_there = section_table_is_whole(data, wide, big);
    let stripped = details
        .filter(|_| sections_there == Some(true))
        .map(|details| details.stripped)
        .or((sections_there.is_none() && file_type != 4).then_some(true));
    let interpreter = loading.interpreter.clone();
    let linkage = match (loading.whole, file_type) {
        (true, 2 | 3) if loading.dynamic && loading.pie && interpreter.is_none() => {
            Some("static-pie")
        }
        (true, 2 | 3) if loading.dynamic || interpreter.is_some() => Some("dynamic"),
        (true, 2 | 3) => Some("static"),
        _ => None,
    };
    let abi = abi_name(u8_at(data, 7).unwrap_or(0));
    let mut description = format!(
        "ELF {bits}-bit {} {kind_words}, {architecture}, version 1 ({abi})",
        order(big)
    );
    if let Some(linkage) = linkage {
        description.push_str(match linkage {
            "static" => ", statically linked",
            "static-pie" => ", static-pie linked",
            _ => ", dynamically linked",
        });
    }
    if let Some(path) = &interpreter {
        description.push_str(&format!(", interpreter {path}"));
    }
    if let Some(id) = details.and_then(|details| details.build_id.as_ref()) {
        description.push_str(&format!(", BuildID={id}"));
    }
    if let Some(image) = image
        && image
            .sections
            .iter()
            .any(|section| section.name == ".debug_info")
    {
        description.push_str(", with debug_info");
    }
    match stripped {
        Some(true) => description.push_str(", stripped"),
        Some(false) => description.push_str(", not stripped"),
        None if sections_there == Some(false) => {
            description.push_str(", section headers are beyond the end of the file");
        }
        None => {}
    }
    let mut found = Found::new("elf", Category::Executable, mime, description);
    found.executable = Some(Executable {
        architectures: vec![architecture.clone()],
        architecture,
        bits,
        endian: endian(big),
        abi: Some(abi),
        linkage: linkage.map(str::to_owned),
        stripped,
        interpreter,
    });
    Some(found)
}

fn damaged(description: &str) -> Found {
    Found::new("elf", Category::Executable, OCTETS, description)
}

fn order(big: bool) -> &'static str {
    if big { "MSB" } else { "LSB" }
}

fn loading(data: &[u8], wide: bool, big: bool) -> Loading {
    let word = |offset: usize| match wide {
        true => u64_at(data, offset, big).map(index),
        false => u32_at(data, offset, big).map(index),
    };
    let field = |narrow: usize, broad: usize| if wide { broad } else { narrow };
    let mut loading = Loading::default();
    let (Some(table), Some(size), Some(count)) = (
        word(field(28, 32)),
        u16_at(data, field(42, 54), big),
        u16_at(data, field(44, 56), big),
    ) else {
        return loading;
    };
    // file(1) reads no table of entries that are too small for their format.
    let needed = field(32, 56);
    if count > 0 && usize::from(size) < needed {
        return loading;
    }
    for number in 0..usize::from(count).min(MOST_ENTRIES) {
        let start = table.saturating_add(number.saturating_mul(usize::from(size)));
        let header = from(data, start);
        if header.len() < needed {
            return loading;
        }
        let offset = word(start.saturating_add(field(4, 8))).unwrap_or(usize::MAX);
        let length = word(start.saturating_add(field(16, 32))).unwrap_or(0);
        match u32_at(header, 0, big) {
            Some(PT_INTERP) => loading.interpreter = text(data, offset, length.min(256)),
            Some(PT_DYNAMIC) => {
                loading.dynamic = true;
                loading.pie |= dynamic_flags(data, offset, length, wide, big) & DF_1_PIE != 0;
            }
            _ => {}
        }
    }
    loading.whole = true;
    loading
}

fn dynamic_flags(data: &[u8], start: usize, length: usize, wide: bool, big: bool) -> u64 {
    let entry = if wide { 16 } else { 8 };
    for number in 0..(length / entry).min(MOST_ENTRIES) {
        let place = start.saturating_add(number.saturating_mul(entry));
        let pair = match wide {
            true => u64_at(data, place, big).zip(u64_at(data, place.saturating_add(8), big)),
            false => u32_at(data, place, big)
                .zip(u32_at(data, place.saturating_add(4), big))
                .map(|(tag, value)| (tag.into(), value.into())),
        };
        match pair {
            Some((DT_FLAGS_1, value)) => return value,
            Some((0, _)) | None => return 0,
            Some(_) => {}
        }
    }
    0
}

/// Whether the section headers are in the file; `None` when there are none.
fn section_table_is_whole(data: &[u8], wide: bool, big: bool) -> Option<bool> {
    let (table, size, count) = if wide {
        (
            index(u64_at(data, 40, big)?),
            u16_at(data, 58, big)?,
            u16_at(data, 60, big)?,
        )
    } else {
        (
            index(u32_at(data, 32, big)?),
            u16_at(data, 46, big)?,
            u16_at(data, 48, big)?,
        )
    };
    if table == 0 || count == 0 {
        return None;
    }
    let length = usize::from(size).saturating_mul(count.into());
    Some(table.saturating_add(length) <= data.len())
}

/// Of `EI_OSABI`.
fn abi_name(number: u8) -> String {
    match number {
        0 => "SYSV",
        1 => "HP-UX",
        2 => "NetBSD",
        3 => "GNU/Linux",
        6 => "Solaris",
        7 => "AIX",
        8 => "IRIX",
        9 => "FreeBSD",
        12 => "OpenBSD",
        64 => "ARM EABI",
        97 => "ARM",
        255 => "embedded",
        other => return format!("0x{other:x}"),
    }
    .to_owned()
}

/// Of `e_machine`, in the words of the report, for callers without one.
fn machine_name(machine: u16, wide: bool) -> String {
    match machine {
        3 => "x86",
        62 => "x86-64",
        40 => "arm",
        183 => "aarch64",
        8 | 10 if wide => "mips64",
        8 | 10 => "mips",
        20 => "powerpc",
        21 => "powerpc64",
        243 if wide => "riscv64",
        243 => "riscv32",
        22 if wide => "s390x",
        22 => "s390",
        4 => "m68k",
        2 | 18 => "sparc",
        43 => "sparc64",
        42 => "sh",
        50 => "ia64",
        15 => "hppa",
        0x9026 => "alpha",
        258 if wide => "loongarch64",
        258 => "loongarch32",
        83 => "avr",
        94 => "xtensa",
        247 => "bpf",
        other => return format!("unknown (0x{other:x})"),
    }
    .to_owned()
}
