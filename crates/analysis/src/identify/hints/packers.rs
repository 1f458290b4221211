//! Packers and protectors, by the names they give to sections and by their
//! magic. A name is easily changed; `packing` looks at the shape as well.

use crate::binary::{Format, Image};

use super::Hints;
use crate::identify::bytes::{at, find, index, is, tail};
use crate::identify::identity::Confidence::{High, Medium};
use crate::identify::identity::HintCategory::{self, Packer, Protector};

/// UPX puts its magic behind the headers.
const UPX_WINDOW: usize = 0x1000;
/// And, for ELF, at the very end.
const UPX_TAIL: usize = 64;

/// Beginnings of section names, lower case.
const SECTIONS: &[(&str, HintCategory, &str)] = &[
    (".aspack", Packer, "ASPack"),
    (".adata", Packer, "ASPack"),
    (".mpress", Packer, "MPRESS"),
    (".petite", Packer, "Petite"),
    ("petite", Packer, "Petite"),
    ("pebundle", Packer, "PEBundle"),
    ("pec1", Packer, "PECompact"),
    ("pec2", Packer, "PECompact"),
    ("pecompact", Packer, "PECompact"),
    (".nsp", Packer, "NsPack"),
    ("nsp0", Packer, "NsPack"),
    ("nsp1", Packer, "NsPack"),
    ("fsg!", Packer, "FSG"),
    ("mew", Packer, "MEW"),
    (".packed", Packer, "RLPack"),
    (".rlpack", Packer, "RLPack"),
    ("kkrunchy", Packer, "kkrunchy"),
    (".upack", Packer, "Upack"),
    (".byde", Packer, "Upack"),
    ("bitarts", Packer, "Crunch"),
    (".wwpack", Packer, "WWPack"),
    ("wwp32", Packer, "WWPack"),
    (".neolite", Packer, "NeoLite"),
    (".shrink", Packer, "Shrinker"),
    (".boom", Packer, "The Boomerang List Builder"),
    (".ccg", Packer, "CCG"),
    (".themida", Protector, "Themida"),
    (".winlice", Protector, "WinLicense"),
    (".vmp0", Protector, "VMProtect"),
    (".vmp1", Protector, "VMProtect"),
    (".vmp2", Protector, "VMProtect"),
    (".enigma", Protector, "Enigma"),
    (".svkp", Protector, "SVKP"),
    (".yp", Protector, "Y0da"),
    (".yoda", Protector, "Y0da"),
    ("yoda", Protector, "Y0da"),
    (".perplex", Protector, "Perplex"),
    (".taz", Protector, "PESpin"),
    (".spack", Protector, "Simple Pack"),
    (".seau", Protector, "SeauSFX"),
    (".tsustub", Protector, "TSULoader"),
    (".arch", Protector, "Alienyze"),
    (".edata2", Protector, "Obsidium"),
    ("obsidium", Protector, "Obsidium"),
    (".sforce", Protector, "StarForce"),
    (".protect", Protector, "StarForce"),
    (".pelock", Protector, "PELock"),
    ("pelock", Protector, "PELock"),
    ("!epack", Packer, "Epack"),
    (".cfsafe", Protector, "SafeNet"),
];

pub(super) fn collect(hints: &mut Hints<'_>, image: Option<&Image>) {
    upx(hints, image);
    for section in image.iter().flat_map(|image| &image.sections).take(96) {
        let lower = section.name.to_ascii_lowercase();
        // `.arch` and `.protect` and others are whole names, and Microsoft has
        // sections with longer ones.
        let entry = SECTIONS.iter().find(|(name, ..)| {
            lower
                .strip_prefix(name)
                .is_some_and(|rest| rest.len() <= 2 && rest.bytes().all(|b| b.is_ascii_digit()))
        });
        if let Some((_, category, name)) = entry {
            let words = format!("section name `{}`", section.name);
            hints.add(
                *category,
                name,
                None,
                Medium,
                words,
                Some(index(section.offset)),
            );
        }
    }
}

fn upx(hints: &mut Hints<'_>, image: Option<&Image>) {
    let data = hints.data;
    let named = image
        .into_iter()
        .flat_map(|image| &image.sections)
        .find(|section| {
            matches!(
                section.name.as_str(),
                "UPX0" | "UPX1" | "UPX2" | ".UPX0" | ".UPX1"
            )
        });
    let magic = find(data, UPX_WINDOW, b"UPX!");
    let version = magic.and_then(|place| {
        let text = at(data, place.checked_sub(5)?, 4)?;
        let plain = text
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.');
        plain.then(|| String::from_utf8_lossy(text).into_owned())
    });
    let (start, end) = tail(data, UPX_TAIL);
    let at_end = memchr::memmem::find(end, b"UPX!").map(|place| start.saturating_add(place));
    let bare = image.is_none_or(|image| image.sections.is_empty());
    match (named, magic) {
        (Some(section), Some(place)) => {
            let words = format!("section name `{}` and magic `UPX!`", section.name);
            hints.add(Packer, "UPX", version, High, words, Some(place));
        }
        (Some(section), None) => {
            let words = format!(
                "section name `{}`, the magic `UPX!` was removed",
                section.name
            );
            hints.add(Packer, "UPX (modified)", None, High, words, None);
        }
        (None, Some(place)) => {
            let pe = image.is_some_and(|image| matches!(image.format, Format::Pe));
            if pe {
                let words = "magic `UPX!` behind the headers, section names were changed";
                hints.add(
                    Packer,
                    "UPX (modified)",
                    version,
                    Medium,
                    words,
                    Some(place),
                );
            } else if bare || at_end.is_some() {
                hints.add(
                    Packer,
                    "UPX",
                    version,
                    High,
                    "magic `UPX!` behind the headers",
                    Some(place),
                );
            }
        }
        (None, None) => {
            if let Some(place) = at_end.filter(|_| bare && is(data, 0, b"\x7fELF")) {
                let words = "magic `UPX!` at the end of an ELF file without sections";
                hints.add(Packer, "UPX (modified)", None, Medium, words, Some(place));
            }
        }
    }
}
