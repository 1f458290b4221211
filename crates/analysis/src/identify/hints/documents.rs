//! What documents, archives and scripts hold that acts: macros, JavaScript and
//! actions of PDF, languages of class files, payloads of shell scripts. Looks
//! at names and plain bytes; compressed streams stay closed.

use super::Hints;
use crate::identify::bytes::{HEAD, at, find, head};
use crate::identify::found::Found;
use crate::identify::identity::Confidence::{High, Low, Medium};
use crate::identify::identity::HintCategory::{Container, Framework, Installer, Language};
use crate::identify::{ole, zip};

/// Names of PDF dictionaries with consequences.
const PDF_NAMES: &[(&[u8], &str)] = &[
    (b"/JavaScript", "JavaScript"),
    (b"/JS", "JavaScript"),
    (b"/OpenAction", "action when opened"),
    (b"/AA", "additional actions"),
    (b"/Launch", "launch of a program"),
    (b"/EmbeddedFile", "embedded file"),
    (b"/RichMedia", "rich media"),
    (b"/XFA", "XFA form"),
    (b"/SubmitForm", "form submission"),
    (b"/URI", "link"),
    (b"/Encrypt", "encryption"),
    (b"/ObjStm", "object streams (names may be hidden in them)"),
    (b"/JBIG2Decode", "JBIG2 stream"),
];

pub(super) fn collect(hints: &mut Hints<'_>, found: &Found) {
    match found.kind {
        "pdf" => pdf(hints),
        "rtf" => rtf(hints),
        "shell-script" => shell(hints),
        "java-class" => {
            if let Some(place) = find(hints.data, HEAD, b"Lkotlin/Metadata;") {
                hints.add(
                    Language,
                    "Kotlin",
                    None,
                    High,
                    "annotation `kotlin/Metadata`",
                    Some(place),
                );
            }
        }
        _ if found.mime.starts_with("application/vnd.oasis")
            || found.mime.starts_with("application/vnd.openxml")
            || matches!(found.category, crate::identify::identity::Category::Archive)
                && hints.data.starts_with(b"PK")
            || found.kind == "ooxml" =>
        {
            archive(hints);
        }
        _ if hints.data.starts_with(b"\xd0\xcf\x11\xe0") => compound(hints),
        _ => {}
    }
}

fn pdf(hints: &mut Hints<'_>) {
    let data = hints.data;
    for (name, meaning) in PDF_NAMES {
        let window = head(data, HEAD);
        // A longer name is another one: /JS and /JSON.
        let place = memchr::memmem::find_iter(window, name)
            .take(64)
            .find(|place| {
                let next = at(window, place.saturating_add(name.len()), 1).and_then(<[u8]>::first);
                next.is_none_or(|next| !next.is_ascii_alphanumeric() || *name == b"/EmbeddedFile")
            });
        if let Some(place) = place {
            let words = format!("name `{}`", name.escape_ascii());
            hints.add(
                Container,
                &format!("PDF {meaning}"),
                None,
                Medium,
                words,
                Some(place),
            );
        }
    }
}

fn rtf(hints: &mut Hints<'_>) {
    for (bytes, name) in [
        (&b"\\objdata"[..], "RTF embedded object"),
        (b"\\objupdate", "RTF object updated when opened"),
        (b"quation.3", "Equation Editor object"),
        (b"d0cf11e0", "RTF with an OLE file in hexadecimal"),
    ] {
        if let Some(place) = find(hints.data, HEAD, bytes) {
            let words = format!("text `{}`", bytes.escape_ascii());
            hints.add(Container, name, None, Medium, words, Some(place));
        }
    }
}

fn shell(hints: &mut Hints<'_>) {
    let data = hints.data;
    if let Some(place) = find(data, 4096, b"Makeself") {
        hints.add(
            Installer,
            "makeself",
            None,
            High,
            "text `Makeself` in the head",
            Some(place),
        );
        return;
    }
    for bytes in [
        &b"tail -n +"[..],
        b"tail -n+",
        b"tail +",
        b"__ARCHIVE_BELOW__",
        b"PAYLOAD:",
        b"sed -e '1,/^",
    ] {
        if let Some(place) = find(data, 4096, bytes) {
            let words = format!("text `{}`", bytes.escape_ascii());
            hints.add(
                Installer,
                "shell self-extractor",
                None,
                Medium,
                words,
                Some(place),
            );
            return;
        }
    }
}

fn archive(hints: &mut Hints<'_>) {
    let members = zip::members(hints.data);
    for member in &members {
        let name = member.name;
        let words = format!("member `{}`", head(name, 100).escape_ascii());
        if name.ends_with(b"vbaProject.bin") {
            hints.add(Container, "VBA macros", None, High, words, None);
        } else if name.ends_with(b".kotlin_module") || name.starts_with(b"kotlin/") {
            hints.add(Language, "Kotlin", None, High, words, None);
        } else if name.ends_with(b".class") {
            hints.add(Language, "Java", None, High, words, None);
        } else if name == b"classes.dex" {
            hints.add(Framework, "Android", None, High, words, None);
        } else if name.starts_with(b"word/embeddings/") || name.starts_with(b"xl/embeddings/") {
            hints.add(Container, "embedded object", None, High, words, None);
        } else if name.starts_with(b"xl/macrosheets/") {
            hints.add(Container, "Excel 4.0 macros", None, High, words, None);
        } else if name.starts_with(b"lib/") && name.ends_with(b".so") {
            hints.add(Container, "native library", None, High, words, None);
        } else if name.starts_with(b"../")
            || memchr::memmem::find(name, b"/../").is_some()
            || name.starts_with(b"/")
        {
            hints.add(
                Container,
                "path outside of the archive",
                None,
                High,
                words,
                None,
            );
        } else if name == b"BOOT-INF/classes/" {
            hints.add(Framework, "Spring Boot", None, High, words, None);
        }
    }
}

fn compound(hints: &mut Hints<'_>) {
    let directory = ole::directory(hints.data);
    let has = |name: &str| directory.names.contains(name);
    if has("VBA") || has("_VBA_PROJECT") || has("Macros") || has("_VBA_PROJECT_CUR") {
        let confidence = if has("_VBA_PROJECT") || has("VBA") {
            High
        } else {
            Low
        };
        hints.add(
            Container,
            "VBA macros",
            None,
            confidence,
            "storage `VBA` or `Macros`",
            None,
        );
    }
    if has("\u{1}Ole10Native") {
        hints.add(
            Container,
            "embedded object",
            None,
            High,
            "stream `Ole10Native`",
            None,
        );
    }
    if has("ObjectPool") {
        hints.add(
            Container,
            "embedded objects",
            None,
            Low,
            "storage `ObjectPool`",
            None,
        );
    }
    if has("EncryptedPackage") {
        hints.add(
            Container,
            "encryption",
            None,
            High,
            "stream `EncryptedPackage`",
            None,
        );
    }
}
