//! Markup, data formats, and text with a fixed first line.

use super::Script;
use crate::identify::identity::Category::{
    Archive, Certificate, Data, Document, Script as Code, Text,
};

/// How much is searched for a tag.
const WINDOW: usize = 4096;

/// First words, and the kind they make.
const BEGINNINGS: &[(&str, Script)] = &[
    (
        "<?php",
        Script::new("php-script", Code, "text/x-php", "PHP script"),
    ),
    (
        "windows registry editor version 5",
        Script::new(
            "registry-script",
            Code,
            "text/x-ms-regedit",
            "Windows Registry text (Win2K or above)",
        ),
    ),
    (
        "regedit4",
        Script::new(
            "registry-script",
            Code,
            "text/x-ms-regedit",
            "Windows Registry text (Win95 or above)",
        ),
    ),
    (
        "-----begin certificate request",
        Script::new(
            "certificate-request",
            Certificate,
            "text/plain",
            "PEM certificate request",
        ),
    ),
    (
        "-----begin certificate",
        Script::new("certificate", Certificate, "text/plain", "PEM certificate"),
    ),
    (
        "-----begin trusted certificate",
        Script::new("certificate", Certificate, "text/plain", "PEM certificate"),
    ),
    (
        "-----begin openssh private key",
        Script::new(
            "private-key",
            Certificate,
            "text/plain",
            "OpenSSH private key",
        ),
    ),
    (
        "-----begin rsa private key",
        Script::new(
            "private-key",
            Certificate,
            "text/plain",
            "PEM RSA private key",
        ),
    ),
    (
        "-----begin dsa private key",
        Script::new(
            "private-key",
            Certificate,
            "text/plain",
            "PEM DSA private key",
        ),
    ),
    (
        "-----begin ec private key",
        Script::new(
            "private-key",
            Certificate,
            "text/plain",
            "PEM EC private key",
        ),
    ),
    (
        "-----begin private key",
        Script::new("private-key", Certificate, "text/plain", "PEM private key"),
    ),
    (
        "-----begin encrypted private key",
        Script::new(
            "private-key",
            Certificate,
            "text/plain",
            "PEM encrypted private key",
        ),
    ),
    (
        "-----begin public key",
        Script::new("public-key", Certificate, "text/plain", "PEM public key"),
    ),
    (
        "-----begin rsa public key",
        Script::new(
            "public-key",
            Certificate,
            "text/plain",
            "PEM RSA public key",
        ),
    ),
    (
        "-----begin pgp public key",
        Script::new(
            "pgp-key",
            Certificate,
            "application/pgp-keys",
            "PGP public key block",
        ),
    ),
    (
        "-----begin pgp private key",
        Script::new(
            "pgp-key",
            Certificate,
            "application/pgp-keys",
            "PGP private key block",
        ),
    ),
    (
        "-----begin pgp message",
        Script::new(
            "pgp-message",
            Certificate,
            "application/pgp-encrypted",
            "PGP message",
        ),
    ),
    (
        "-----begin pgp sign",
        Script::new(
            "pgp-signature",
            Certificate,
            "application/pgp-signature",
            "PGP signature",
        ),
    ),
    (
        "-----begin pkcs7",
        Script::new("pkcs7", Certificate, "text/plain", "PEM PKCS#7 data"),
    ),
    (
        "ssh-rsa ",
        Script::new(
            "public-key",
            Certificate,
            "text/plain",
            "OpenSSH RSA public key",
        ),
    ),
    (
        "ssh-ed25519 ",
        Script::new(
            "public-key",
            Certificate,
            "text/plain",
            "OpenSSH ED25519 public key",
        ),
    ),
    (
        "ecdsa-sha2-",
        Script::new(
            "public-key",
            Certificate,
            "text/plain",
            "OpenSSH ECDSA public key",
        ),
    ),
    (
        "[internetshortcut]",
        Script::new(
            "url-shortcut",
            Data,
            "application/x-wine-extension-ini",
            "MS Windows 95 Internet shortcut text",
        ),
    ),
    (
        "[autorun]",
        Script::new(
            "autorun",
            Data,
            "application/x-wine-extension-ini",
            "Microsoft Windows Autorun file",
        ),
    ),
    (
        "begin 644 ",
        Script::new("uuencode", Archive, "text/plain", "uuencoded text"),
    ),
    (
        "diff --git",
        Script::new("diff", Text, "text/x-diff", "unified diff output"),
    ),
    (
        "return-path:",
        Script::new("mail", Document, "message/rfc822", "RFC 822 mail"),
    ),
    (
        "received:",
        Script::new("mail", Document, "message/rfc822", "RFC 822 mail"),
    ),
    (
        "delivered-to:",
        Script::new("mail", Document, "message/rfc822", "RFC 822 mail"),
    ),
    (
        "mime-version:",
        Script::new("mail", Document, "message/rfc822", "RFC 822 mail"),
    ),
    (".\\\"", TROFF),
    ("'\\\"", TROFF),
    (".th ", TROFF),
    (
        "\\documentclass",
        Script::new("tex", Document, "text/x-tex", "LaTeX document"),
    ),
    (
        "begin:vcard",
        Script::new("vcard", Data, "text/vcard", "vCard visiting card"),
    ),
    (
        "begin:vcalendar",
        Script::new(
            "icalendar",
            Data,
            "text/calendar",
            "vCalendar calendar file",
        ),
    ),
];

pub(super) fn recognise(text: &str) -> Option<Script> {
    let begin = text.trim_start();
    let lower: String = begin
        .chars()
        .take(WINDOW)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    if let Some((_, script)) = BEGINNINGS
        .iter()
        .find(|(start, _)| lower.starts_with(start))
    {
        return Some(*script);
    }
    if lower.starts_with("<hta:") || (lower.starts_with('<') && lower.contains("<hta:application"))
    {
        return Some(Script::new(
            "hta",
            Code,
            "text/html",
            "HTML application (HTA)",
        ));
    }
    if lower.starts_with("<?xml") {
        return Some(xml(&lower));
    }
    let html = [
        "<!doctype html",
        "<html",
        "<head",
        "<body",
        "<script",
        "<title",
        "<iframe",
        "<table",
    ];
    if html.iter().any(|tag| lower.starts_with(tag))
        || (lower.starts_with("<!--") && lower.contains("<html"))
    {
        return Some(Script::new("html", Document, "text/html", "HTML document"));
    }
    if lower.starts_with("<svg") {
        return Some(SVG);
    }
    if lower.starts_with("<job")
        || lower.starts_with("<package>")
        || lower.starts_with("<scriptlet")
    {
        return Some(Script::new(
            "windows-script-file",
            Code,
            "text/plain",
            "Windows Script File",
        ));
    }
    json(begin).or_else(|| comma_separated(text))
}

/// Comma-separated values: as many commas in each of the first lines, as
/// file(1) has it; a last line that the window may have cut is left out.
fn comma_separated(text: &str) -> Option<Script> {
    let mut counts = text
        .split_inclusive('\n')
        .take(10)
        .filter(|line| line.ends_with('\n'))
        .map(|line| {
            let mut quoted = false;
            line.bytes()
                .filter(|byte| {
                    quoted ^= *byte == b'"';
                    *byte == b',' && !quoted
                })
                .count()
        });
    let first = counts.next()?;
    let mut lines = 1;
    for count in counts {
        if count != first {
            return None;
        }
        lines += 1;
    }
    let words = Script::new("csv", Data, "text/csv", "CSV text");
    (first >= 1 && lines >= 3).then_some(words)
}

const TROFF: Script = Script::new(
    "troff",
    Document,
    "text/troff",
    "troff or preprocessor input",
);

const SVG: Script = Script::new(
    "svg",
    crate::identify::identity::Category::Image,
    "image/svg+xml",
    "SVG Scalable Vector Graphics image",
);

fn xml(lower: &str) -> Script {
    let with = |kind, category, mime, words| Script::new(kind, category, mime, words);
    if lower.contains("<svg") {
        return SVG;
    }
    if lower.contains("<html") {
        return with("html", Document, "text/html", "XHTML document");
    }
    if lower.contains("<!doctype plist") || lower.contains("<plist") {
        return with("plist", Data, "text/xml", "XML property list");
    }
    if lower.contains("<scriptlet") || lower.contains("<component") || lower.contains("<job") {
        return with(
            "windows-script-file",
            Code,
            "text/xml",
            "XML 1.0 document, Windows Script File",
        );
    }
    if lower.contains("schemas.microsoft.com/office") || lower.contains("mso-application") {
        return with(
            "office-xml",
            Document,
            "text/xml",
            "XML 1.0 document, Microsoft Office XML",
        );
    }
    with("xml", Document, "text/xml", "XML 1.0 document")
}

/// JSON, as far as it goes: balanced and well-formed to the end of the text or
/// of the window, with a key or several values.
fn json(text: &str) -> Option<Script> {
    let bytes = text.as_bytes();
    let open = *bytes.first()?;
    let second = bytes
        .iter()
        .skip(1)
        .find(|byte| !byte.is_ascii_whitespace())?;
    let plausible = match open {
        b'{' => *second == b'"',
        b'[' => matches!(second, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9'),
        _ => false,
    };
    if !plausible {
        return None;
    }
    let mut depth = 0_usize;
    let (mut inside, mut escaped, mut colon) = (false, false, false);
    let mut ends = 0_usize;
    for byte in bytes {
        if inside {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => inside = false,
                b'\n' => return None,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => inside = true,
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                ends += usize::from(depth == 0);
            }
            b':' => colon = true,
            b',' | b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E' => {}
            byte if byte.is_ascii_whitespace() => {}
            _ => return None,
        }
    }
    if open == b'{' && !colon {
        return None;
    }
    Some(if ends > 1 && depth == 0 {
        Script::new(
            "ndjson",
            Data,
            "application/x-ndjson",
            "New Line Delimited JSON text data",
        )
    } else {
        Script::new("json", Data, "application/json", "JSON text data")
    })
}
