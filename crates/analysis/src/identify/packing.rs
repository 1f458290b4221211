//! Whether an executable hides its code: known packers by name, others by
//! their shape. Code that is unpacked at run time has to be somewhere
//! (entropy), needs room (sections without bytes in the file), needs to be
//! written (writable code) and looks up its imports itself (few of them).

use crate::entropy::bits_per_byte;

use crate::binary::{BinaryReport, Details, Format, Image, Section};

use super::bytes::{at, head, index};
use super::found::Found;
use super::identity::{Category, Confidence, Hint, HintCategory, Packing, PackingVerdict};

/// Compiled code stays below this; compressed or encrypted is above.
const HIGH_ENTROPY: f64 = 7.2;
/// Dense code (RISC-V's compressed instructions) can pass that; this it can't.
const VERY_HIGH_ENTROPY: f64 = 7.6;
/// Entropy of less is meaningless.
const LEAST_BYTES: u64 = 1024;
/// So much of a segment is measured.
const SAMPLE: usize = 256 << 10;
/// Sections looked at.
const MOST_SECTIONS: usize = 96;
/// The sum of signs for a verdict; one alone is never enough.
const SUSPECTED: u32 = 3;
const PACKED: u32 = 5;

/// Judges an executable.
pub(super) fn judge(
    data: &[u8],
    found: &Found,
    binary: Option<&BinaryReport>,
    hints: &[Hint],
) -> Option<Packing> {
    if found.category != Category::Executable {
        return None;
    }
    let mut reasons = Vec::new();
    let mut known = false;
    for hint in hints {
        let named = matches!(
            hint.category,
            HintCategory::Packer | HintCategory::Protector
        );
        if named {
            known |= hint.confidence != Confidence::Low;
            reasons.push(format!("{}: {}", hint.name, hint.evidence));
        }
    }
    let mut sum = 0;
    if let Some(image) = binary.and_then(|report| report.images.first()) {
        for (weight, reason) in signs(data, image) {
            sum += weight;
            reasons.push(reason);
        }
    }
    let verdict = if known || sum >= PACKED {
        PackingVerdict::Packed
    } else if sum >= SUSPECTED {
        PackingVerdict::Suspected
    } else {
        PackingVerdict::NotPacked
    };
    Some(Packing { verdict, reasons })
}

fn signs(data: &[u8], image: &Image) -> Vec<(u32, String)> {
    let mut signs = Vec::new();
    let pe = matches!(image.format, Format::Pe);
    let sections: Vec<&Section> = image.sections.iter().take(MOST_SECTIONS).collect();
    let mut dense = false;
    let mut hollow = false;
    for section in &sections {
        let measured = section.entropy.filter(|_| section.file_size >= LEAST_BYTES);
        if let Some(entropy) = measured.filter(|entropy| *entropy > HIGH_ENTROPY)
            && section.permissions.execute
        {
            let weight = match (dense, entropy > VERY_HIGH_ENTROPY) {
                (true, _) => 0,
                (false, true) => 2,
                (false, false) => 1,
            };
            dense = true;
            signs.push((
                weight,
                format!(
                    "executable section `{}` has an entropy of {entropy:.2}",
                    section.name
                ),
            ));
        }
        if pe
            && section.permissions.execute
            && section.file_size == 0
            && section.virtual_size >= 0x1000
        {
            let weight = if hollow { 0 } else { 2 };
            hollow = true;
            signs.push((
                weight,
                format!(
                    "executable section `{}` has {} bytes in memory and none in the file",
                    section.name, section.virtual_size
                ),
            ));
        }
    }
    if let Some(entry) = image.entry_point.filter(|entry| entry.address != 0) {
        let holds = |section: &&&Section| {
            section.address != 0
                && entry.address >= section.address
                && entry.address - section.address < section.virtual_size.max(section.file_size)
        };
        let home = sections.iter().find(holds);
        if let Some(section) = home {
            if section.permissions.write && section.permissions.execute {
                signs.push((
                    1,
                    format!(
                        "the entry point is in section `{}`, which is writable",
                        section.name
                    ),
                ));
            }
            let last = sections
                .last()
                .is_some_and(|last| std::ptr::eq(*last, *section));
            if pe && last && sections.len() > 2 {
                signs.push((
                    1,
                    format!("the entry point is in the last section, `{}`", section.name),
                ));
            }
        } else if pe && !sections.is_empty() && image.kind != "relocatable object" {
            signs.push((1, "the entry point is in no section".to_owned()));
        }
    }
    // Drivers, UEFI programs and managed code import little by nature; only
    // with a dense or hollow section does it mean anything.
    if pe && (dense || hollow) && image.imports.len() < 12 {
        signs.push((1, format!("only {} imports", image.imports.len())));
    }
    if let Details::Elf(_) = image.details
        && sections.is_empty()
    {
        elf_segments(data, image, &mut signs);
    }
    signs
}

/// Without sections, code is what the executable segments have.
fn elf_segments(data: &[u8], image: &Image, signs: &mut Vec<(u32, String)>) {
    for segment in image.segments.iter().take(16) {
        if !segment.permissions.execute || segment.file_size < LEAST_BYTES || segment.name != "LOAD"
        {
            continue;
        }
        let size = index(segment.file_size).min(SAMPLE);
        let Some(bytes) = at(data, index(segment.offset), size) else {
            continue;
        };
        let entropy = bits_per_byte(head(bytes, SAMPLE));
        if entropy > HIGH_ENTROPY {
            signs.push((
                3,
                format!("no sections, and an executable segment with an entropy of {entropy:.2}"),
            ));
            return;
        }
    }
}
