//! ZIP archives and the formats that are one, by the names of the first
//! members (APPNOTE.TXT 4.3.7 and 4.3.12). The central directory is not
//! needed for that, and may be a lie; it is read for what local headers with
//! sizes behind the data do not reach. Nothing is unpacked.

use memchr::memmem;

use super::bytes::{at, from, index, is, le16, le32, tail};
use super::found::Found;
use super::identity::Category;

/// So many members are looked at.
const MOST_MEMBERS: usize = 512;

/// A member's name, and where its bytes are when they are stored as they are.
pub(super) struct Member<'a> {
    pub(super) name: &'a [u8],
    pub(super) stored: Option<&'a [u8]>,
}

pub(super) fn recognise(data: &[u8]) -> Option<Found> {
    if is(data, 0, b"PK\x05\x06") {
        return Some(zip("Zip archive data (empty)".to_owned()));
    }
    if is(data, 0, b"PK\x07\x08PK\x03\x04") || is(data, 0, b"PK00PK\x03\x04") {
        return Some(zip("Zip archive data, part of several volumes".to_owned()));
    }
    if !is(data, 0, b"PK\x03\x04") {
        return None;
    }
    let members = members(data);
    Some(special(&members).unwrap_or_else(|| {
        let needed = le16(data, 4).unwrap_or(0) & 0xff;
        let method = le16(data, 8).map_or("unknown", method_name);
        let encrypted = le16(data, 6).is_some_and(|flags| flags & 1 != 0);
        let mut text = format!(
            "Zip archive data, at least v{}.{} to extract, compression method={method}",
            needed / 10,
            needed % 10
        );
        if encrypted {
            text.push_str(", encrypted");
        }
        zip(text)
    }))
}

fn zip(description: String) -> Found {
    Found::new("zip", Category::Archive, "application/zip", description)
}

/// The members, by the central directory where the file's end has one and by
/// local headers.
pub(super) fn members(data: &[u8]) -> Vec<Member<'_>> {
    let mut members = local(data);
    central(data, &mut members);
    members
}

fn local(data: &[u8]) -> Vec<Member<'_>> {
    let mut members = Vec::new();
    let mut place = 0_usize;
    while members.len() < MOST_MEMBERS && is(data, place, b"PK\x03\x04") {
        let header = from(data, place);
        let (Some(flags), Some(method), Some(packed), Some(name), Some(extra)) = (
            le16(header, 6),
            le16(header, 8),
            le32(header, 18),
            le16(header, 26),
            le16(header, 28),
        ) else {
            break;
        };
        let name_length = usize::from(name);
        let Some(name) = at(header, 30, name_length) else {
            break;
        };
        let start = 30 + name_length + usize::from(extra);
        let stored = (method == 0 && flags & 1 == 0)
            .then(|| at(header, start, index(packed)))
            .flatten();
        members.push(Member { name, stored });
        // Its size stands behind the data, so the next one can't be found.
        if flags & 8 != 0 && packed == 0 {
            break;
        }
        place = place.saturating_add(start).saturating_add(index(packed));
    }
    members
}

fn central<'a>(data: &'a [u8], members: &mut Vec<Member<'a>>) {
    let (start, end) = tail(data, 66_000);
    let Some(found) = memmem::rfind(end, b"PK\x05\x06") else {
        return;
    };
    let record = from(end, found);
    let (Some(size), Some(claimed)) = (le32(record, 12), le32(record, 16)) else {
        return;
    };
    // Data before the archive moves it; the directory ends at this record.
    let before = start.saturating_add(found).saturating_sub(index(size));
    let mut place = if is(data, before, b"PK\x01\x02") {
        before
    } else {
        index(claimed)
    };
    let mut seen = 0;
    while seen < MOST_MEMBERS && is(data, place, b"PK\x01\x02") {
        let header = from(data, place);
        let lengths = [28, 30, 32].map(|offset| usize::from(le16(header, offset).unwrap_or(0)));
        let [name, extra, comment] = lengths;
        let Some(name_bytes) = at(header, 46, name) else {
            return;
        };
        members.push(Member {
            name: name_bytes,
            stored: None,
        });
        place = place.saturating_add(46 + name + extra + comment);
        seen += 1;
    }
}

fn special(members: &[Member<'_>]) -> Option<Found> {
    let has = |name: &[u8]| members.iter().any(|member| member.name == name);
    let under = |prefix: &[u8]| members.iter().any(|member| member.name.starts_with(prefix));
    let document =
        |kind, mime: &str, text: &str| Some(Found::new(kind, Category::Document, mime, text));
    let first = members.first()?;
    if first.name == b"mimetype"
        && let Some(stored) = first.stored
    {
        return by_mimetype(stored);
    }
    if has(b"[Content_Types].xml") || has(b"_rels/.rels") {
        const OOXML: &str = "application/vnd.openxmlformats-officedocument.";
        if under(b"word/") {
            let mime = format!("{OOXML}wordprocessingml.document");
            return document("docx", &mime, "Microsoft Word 2007+");
        }
        if under(b"xl/") {
            let mime = format!("{OOXML}spreadsheetml.sheet");
            return document("xlsx", &mime, "Microsoft Excel 2007+");
        }
        if under(b"ppt/") {
            let mime = format!("{OOXML}presentationml.presentation");
            return document("pptx", &mime, "Microsoft PowerPoint 2007+");
        }
        if under(b"visio/") {
            return document(
                "vsdx",
                "application/vnd.ms-visio.drawing.main+xml",
                "Microsoft Visio 2013+",
            );
        }
        if members
            .iter()
            .any(|member| member.name.ends_with(b".nuspec"))
        {
            return archive("nupkg", "application/zip", "NuGet package");
        }
        if has(b"extension.vsixmanifest") {
            return archive("vsix", "application/zip", "Visual Studio extension (VSIX)");
        }
        if has(b"AppxManifest.xml") || has(b"AppxBlockMap.xml") {
            return archive("appx", "application/zip", "Windows app package (APPX)");
        }
        return document("ooxml", "application/octet-stream", "Microsoft OOXML");
    }
    if has(b"AndroidManifest.xml") {
        if has(b"classes.jar") {
            return archive("aar", "application/zip", "Android library (AAR)");
        }
        return archive(
            "apk",
            "application/vnd.android.package-archive",
            "Android package (APK)",
        );
    }
    if has(b"BundleConfig.pb") {
        return archive("aab", "application/zip", "Android app bundle (AAB)");
    }
    if members.iter().any(|member| {
        member.name.starts_with(b"Payload/") && memmem::find(member.name, b".app/").is_some()
    }) {
        return archive("ipa", "application/x-ios-app", "iOS app (IPA)");
    }
    if has(b"META-INF/MANIFEST.MF") || members.iter().any(|m| m.name.ends_with(b".class")) {
        let kind = if under(b"WEB-INF/") { "war" } else { "jar" };
        return archive(kind, "application/java-archive", "Java archive data (JAR)");
    }
    if has(b"META-INF/mozilla.rsa") || (has(b"manifest.json") && under(b"META-INF/")) {
        return archive("xpi", "application/zip", "Firefox extension (XPI)");
    }
    if members
        .iter()
        .any(|member| member.name.ends_with(b".dist-info/WHEEL"))
    {
        return archive("wheel", "application/zip", "Python wheel");
    }
    if has(b"__main__.py") || has(b"__main__.pyc") {
        return archive("pyz", "application/zip", "Python zip application");
    }
    if has(b"doc.kml") {
        return archive(
            "kmz",
            "application/vnd.google-earth.kmz",
            "Google Earth KMZ",
        );
    }
    None
}

fn archive(kind: &'static str, mime: &str, text: &str) -> Option<Found> {
    Some(Found::new(kind, Category::Archive, mime, text))
}

/// OpenDocument and EPUB say what they are in a first, stored member.
fn by_mimetype(stored: &[u8]) -> Option<Found> {
    let mime = std::str::from_utf8(stored).ok()?.trim();
    const ODF: &str = "application/vnd.oasis.opendocument.";
    let (kind, text) = if mime == "application/epub+zip" {
        ("epub", "EPUB document")
    } else {
        match mime.strip_prefix(ODF)? {
            "text" => ("odt", "OpenDocument Text"),
            "spreadsheet" => ("ods", "OpenDocument Spreadsheet"),
            "presentation" => ("odp", "OpenDocument Presentation"),
            "graphics" => ("odg", "OpenDocument Drawing"),
            _ => ("opendocument", "OpenDocument"),
        }
    };
    // A claim of the file, so only what a media type is made of.
    let clean = mime.len() < 100
        && mime
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-./".contains(&byte));
    clean.then(|| Found::new(kind, Category::Document, mime, text))
}

fn method_name(method: u16) -> &'static str {
    match method {
        0 => "store",
        8 => "deflate",
        9 => "deflate64",
        12 => "bzip2",
        14 => "lzma",
        93 => "zstd",
        95 => "xz",
        98 => "ppmd",
        99 => "AES encrypted",
        _ => "unknown",
    }
}
