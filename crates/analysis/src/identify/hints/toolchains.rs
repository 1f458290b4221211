//! Compilers, languages and runtimes of executables: what compilers write into
//! `.comment`, the Rich header, build information, names of sections.

use crate::binary::{Details, Image};

use super::{Hints, Marker};
use crate::identify::bytes::{HEAD, at, find, from, head, index, is, le16, le32, text, u8_at};
use crate::identify::executable::new_header;
use crate::identify::found::Found;
use crate::identify::identity::Confidence::{High, Low, Medium};
use crate::identify::identity::HintCategory::{Compiler, Framework, Language};

const MARKERS: &[Marker] = &[
    Marker {
        bytes: b"/rustc/",
        category: Language,
        name: "Rust",
        confidence: High,
    },
    Marker {
        bytes: b"rust_begin_unwind",
        category: Language,
        name: "Rust",
        confidence: Medium,
    },
    Marker {
        bytes: b"Mingw-w64 runtime failure",
        category: Compiler,
        name: "MinGW-w64",
        confidence: High,
    },
    Marker {
        bytes: b"SOFTWARE\\Borland\\Delphi",
        category: Language,
        name: "Delphi",
        confidence: High,
    },
    Marker {
        bytes: b"Software\\Embarcadero",
        category: Language,
        name: "Delphi",
        confidence: Medium,
    },
    Marker {
        bytes: b"Embarcadero RAD Studio",
        category: Language,
        name: "Delphi",
        confidence: Medium,
    },
    Marker {
        bytes: b"FPC 3.",
        category: Compiler,
        name: "Free Pascal",
        confidence: Medium,
    },
    Marker {
        bytes: b"NimMain",
        category: Language,
        name: "Nim",
        confidence: Medium,
    },
    Marker {
        bytes: b"MSVBVM60.DLL",
        category: Language,
        name: "Visual Basic 6",
        confidence: High,
    },
    Marker {
        bytes: b"MSVBVM50.DLL",
        category: Language,
        name: "Visual Basic 5",
        confidence: High,
    },
    Marker {
        bytes: b"_CorExeMain",
        category: Framework,
        name: ".NET",
        confidence: Medium,
    },
    Marker {
        bytes: b"_CorDllMain",
        category: Framework,
        name: ".NET",
        confidence: Medium,
    },
    Marker {
        bytes: b"__swift5_",
        category: Language,
        name: "Swift",
        confidence: Medium,
    },
    Marker {
        bytes: b"__objc_classlist",
        category: Language,
        name: "Objective-C",
        confidence: Medium,
    },
    Marker {
        bytes: b"_ZNSt",
        category: Language,
        name: "C++",
        confidence: Medium,
    },
    Marker {
        bytes: b".?AV",
        category: Language,
        name: "C++",
        confidence: Medium,
    },
];

/// Comments of compilers that are looked at.
const MOST_COMMENTS: usize = 16;

pub(super) fn collect(hints: &mut Hints<'_>, found: &Found, image: Option<&Image>) {
    if let Some(image) = image {
        comments(hints, image);
    }
    go(hints, image);
    if found.kind == "pe" {
        rich(hints);
        clr(hints);
        linker(hints);
    }
    hints.add_texts(MARKERS);
}

fn comments(hints: &mut Hints<'_>, image: &Image) {
    let Details::Elf(details) = &image.details else {
        return;
    };
    let section = image
        .sections
        .iter()
        .find(|section| section.name == ".comment");
    let offset = section.map(|section| index(section.offset));
    for comment in details.compilers.iter().take(MOST_COMMENTS) {
        let (name, version) = if let Some(rest) = comment.strip_prefix("GCC: ") {
            (
                "GCC",
                rest.rsplit(' ')
                    .find(|word| word.starts_with(|c: char| c.is_ascii_digit())),
            )
        } else if let Some((_, rest)) = comment.split_once("clang version ") {
            ("Clang", rest.split(' ').next())
        } else if let Some((_, rest)) = comment.split_once("rustc version ") {
            hints.add(
                Language,
                "Rust",
                None,
                High,
                format!("comment `{comment}`"),
                offset,
            );
            ("rustc", rest.split(' ').next())
        } else if comment.starts_with("Linker: LLD") {
            ("LLD", comment.split(' ').nth(2))
        } else if comment.starts_with("mold ") {
            ("mold", comment.split(' ').nth(1))
        } else {
            continue;
        };
        hints.add(
            Compiler,
            name,
            version.map(str::to_owned),
            High,
            format!("comment `{comment}`"),
            offset,
        );
    }
}

/// Go's `debug/buildinfo`: the magic, then for Go 1.18 and later the version
/// as a string with a length before it.
fn go(hints: &mut Hints<'_>, image: Option<&Image>) {
    let data = hints.data;
    let section = image
        .into_iter()
        .flat_map(|image| &image.sections)
        .find(|section| {
            section.name == ".go.buildinfo" || section.name.ends_with("__go_buildinfo")
        });
    let place = section
        .map(|section| index(section.offset))
        .filter(|place| is(data, *place, b"\xff Go buildinf:"))
        .or_else(|| find(data, HEAD, b"\xff Go buildinf:"));
    if let Some(place) = place {
        let info = from(data, place);
        let version = u8_at(info, 15)
            .filter(|flags| flags & 2 != 0)
            .and_then(|_| u8_at(info, 32))
            .and_then(|length| text(info, 33, usize::from(length)))
            .filter(|version| version.starts_with("go"));
        hints.add(
            Language,
            "Go",
            version.clone(),
            High,
            "build information `\\xff Go buildinf:`",
            Some(place),
        );
        hints.add(
            Compiler,
            "Go",
            version,
            High,
            "build information",
            Some(place),
        );
        return;
    }
    if let Some(image) = image
        && let Some(section) = image
            .sections
            .iter()
            .find(|section| matches!(section.name.as_str(), ".gopclntab" | ".note.go.buildid"))
    {
        let words = format!("section name `{}`", section.name);
        hints.add(
            Language,
            "Go",
            None,
            High,
            words,
            Some(index(section.offset)),
        );
    }
}

/// Microsoft's linker leaves a list of tools between the DOS stub and the
/// header, XORed with a checksum that stands behind `Rich`.
fn rich(hints: &mut Hints<'_>) {
    let data = hints.data;
    let limit = new_header(data).unwrap_or(0).min(0x1000);
    let stub = head(data, limit);
    let Some(end) = memchr::memmem::rfind(stub, b"Rich") else {
        return;
    };
    let Some(key) = le32(stub, end.saturating_add(4)) else {
        return;
    };
    let begins = |place: &usize| le32(stub, *place).is_some_and(|word| word ^ key == 0x536e_6144);
    let Some(start) = (0..end)
        .step_by(4)
        .map(|place| place.saturating_add(end % 4))
        .find(begins)
    else {
        return;
    };
    // The highest build number of a tool is that of the linker or compiler.
    let build = (start.saturating_add(16)..end)
        .step_by(8)
        .filter_map(|place| le32(stub, place))
        .map(|word| (word ^ key) & 0xffff)
        .max();
    let words = format!("Rich header from {start:#x} to {end:#x}");
    let version = build.map(|build| format!("build {build}"));
    hints.add(Compiler, "MSVC", version, High, words, Some(start));
}

fn clr(hints: &mut Hints<'_>) {
    let data = hints.data;
    let Some(header) = new_header(data) else {
        return;
    };
    let directories = if le16(data, header.saturating_add(24)) == Some(0x20b) {
        136
    } else {
        120
    };
    let entry = header.saturating_add(directories + 14 * 8);
    let counted =
        le32(data, header.saturating_add(directories - 4)).is_some_and(|count| count > 14);
    if !counted || le32(data, entry).is_none_or(|address| address == 0) {
        return;
    }
    let metadata = find(data, HEAD, b"BSJB\x01\0\x01\0");
    let version = metadata.and_then(|place| text(data, place.saturating_add(16), 32));
    let evidence = match metadata {
        Some(_) => "CLR header and metadata `BSJB`",
        None => "CLR header",
    };
    hints.add(
        Framework,
        ".NET",
        version,
        High,
        evidence,
        Some(metadata.unwrap_or(entry)),
    );
}

/// The linker's version is Microsoft's from 6 to 14, GNU's when it is 2.
fn linker(hints: &mut Hints<'_>) {
    let data = hints.data;
    let Some(place) = new_header(data).map(|header| header.saturating_add(26)) else {
        return;
    };
    let Some(&[major, minor]) = at(data, place, 2) else {
        return;
    };
    let version = Some(format!("{major}.{minor}"));
    let words = "linker version of the optional header";
    match (major, minor) {
        (6..=14, _) => hints.add(
            Compiler,
            "Microsoft linker",
            version,
            Low,
            words,
            Some(place),
        ),
        (2, 20..=60) => hints.add(Compiler, "GNU ld", version, Medium, words, Some(place)),
        (3, 0) => hints.add(Compiler, "Go", None, Low, words, Some(place)),
        _ => {}
    }
}
