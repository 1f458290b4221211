//! A second format that the same bytes also are. Formats that may begin
//! anywhere (ZIP is read from its end, PDF within its first kilobyte) are
//! looked for behind any other; what is expected in a format is not one.

use crate::binary::Image;

use super::{Hints, overlay};
use crate::identify::bytes::{at, find, from, index, is, le16, le32, tail};
use crate::identify::found::Found;
use crate::identify::identity::Category;
use crate::identify::identity::Confidence::{High, Low, Medium};
use crate::identify::identity::HintCategory::Polyglot;
use crate::identify::signatures;

pub(super) fn collect(hints: &mut Hints<'_>, found: &Found, image: Option<&Image>) {
    let data = hints.data;
    // An object in the middle of firmware or a disk image is embedded in it, not
    // a second format of the file.
    let holds_anything = matches!(
        found.category,
        Category::Data | Category::Firmware | Category::Filesystem
    );
    if !data.starts_with(b"PK")
        && found.kind != "crx"
        && !holds_anything
        && let Some(place) = zip_start(data)
    {
        hints.add(
            Polyglot,
            "ZIP",
            None,
            High,
            "end record and directory of a ZIP archive",
            Some(place),
        );
    }
    if found.kind != "pdf"
        && !holds_anything
        && found.category != Category::Text
        && let Some(place) = find(data, 1024, b"%PDF-")
        && memchr::memmem::rfind(tail(data, 1024).1, b"%%EOF").is_some()
    {
        hints.add(
            Polyglot,
            "PDF",
            None,
            Medium,
            "header `%PDF-` in the first kilobyte and end `%%EOF`",
            Some(place),
        );
    }
    match found.kind {
        "gif" | "bmp" | "wav" | "jpeg" => comment(hints),
        "shell-script" => executable_behind(hints),
        "pe" | "elf" | "macho" | "dos" => {
            if let Some((offset, bytes)) = overlay(data, image)
                && let Some(second) = signatures::container(bytes)
            {
                hints.add(
                    Polyglot,
                    second.kind,
                    None,
                    High,
                    format!("behind the image: {}", second.description),
                    Some(offset),
                );
            }
        }
        "java-class" if le16(data, 4).is_some_and(|minor| minor != 0) => {
            let words = "the magic is that of a universal Mach-O file as well";
            hints.add(Polyglot, "macho-universal", None, Low, words, Some(0));
        }
        _ => {}
    }
    if found.kind != "html"
        && matches!(
            found.category,
            Category::Image | Category::Media | Category::Document
        )
        && let Some(place) = find(data, 64 << 10, b"<script")
    {
        hints.add(Polyglot, "html", None, Low, "`<script`", Some(place));
    }
}

/// Where a ZIP archive begins whose end is that of the file: both its end
/// record and its directory have to be there.
fn zip_start(data: &[u8]) -> Option<usize> {
    let (start, end) = tail(data, 66_000);
    let found = memchr::memmem::rfind(end, b"PK\x05\x06")?;
    let record = from(end, found);
    let entries = le16(record, 10)?;
    let (size, claimed) = (index(le32(record, 12)?), index(le32(record, 16)?));
    let comment = usize::from(le16(record, 20)?);
    let place = start.checked_add(found)?;
    // A record that is followed by more than its comment and some zeros is that
    // of an embedded archive.
    let rest = data.get(place.checked_add(22)?.checked_add(comment)?..)?;
    if entries == 0 || rest.len() > 4096 || rest.iter().any(|byte| *byte != 0) {
        return None;
    }
    let directory = place.checked_sub(size)?;
    if is(data, directory, b"PK\x01\x02") {
        let before = directory.checked_sub(claimed)?;
        let first = index(le32(data, directory.checked_add(42)?)?);
        return Some(before.saturating_add(first));
    }
    is(data, claimed, b"PK\x01\x02").then_some(claimed)
}

/// A picture whose size is also the start of a comment is a script as well.
fn comment(hints: &mut Hints<'_>) {
    let data = hints.data;
    if matches!(at(data, 6, 2), Some(b"/*"))
        || matches!(at(data, 2, 2), Some(b"/*") | Some(b"//"))
        || matches!(at(data, 4, 2), Some(b"/*"))
    {
        let end = find(data, 1 << 20, b"*/");
        let confidence = if end.is_some() { High } else { Low };
        hints.add(
            Polyglot,
            "javascript",
            None,
            confidence,
            "a field of the header opens a comment, `*/` closes it",
            end,
        );
    }
}

fn executable_behind(hints: &mut Hints<'_>) {
    let data = hints.data;
    for (magic, name) in [
        (&b"\x7fELF"[..], "elf"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
    ] {
        if let Some(place) = find(data, 1 << 20, magic) {
            let words = format!("magic `{}` behind the script", magic.escape_ascii());
            hints.add(Polyglot, name, None, Medium, words, Some(place));
        }
    }
}
