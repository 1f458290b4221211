//! Pictures, sound, video and fonts that files for analysis have often. The
//! long tail is `fallback`'s.

use super::super::bytes::{at, be16, be32, is, le16, le32, u8_at};
use super::super::found::OCTETS;
use super::super::identity::Category::{Font, Image, Media};
use super::Signature;

pub(super) const SIGNATURES: &[Signature] = &[
    Signature::new(
        b"\x89PNG\r\n\x1a\n",
        "png",
        Image,
        "image/png",
        "PNG image data",
    )
    .describe(png),
    Signature::new(
        b"GIF87a",
        "gif",
        Image,
        "image/gif",
        "GIF image data, version 87a",
    )
    .describe(gif),
    Signature::new(
        b"GIF89a",
        "gif",
        Image,
        "image/gif",
        "GIF image data, version 89a",
    )
    .describe(gif),
    Signature::new(
        b"\xff\xd8\xff",
        "jpeg",
        Image,
        "image/jpeg",
        "JPEG image data",
    ),
    Signature::new(b"BM", "bmp", Image, "image/bmp", "PC bitmap").check(bitmap),
    Signature::new(
        b"II*\0",
        "tiff",
        Image,
        "image/tiff",
        "TIFF image data, little-endian",
    ),
    Signature::new(
        b"MM\0*",
        "tiff",
        Image,
        "image/tiff",
        "TIFF image data, big-endian",
    ),
    Signature::new(
        b"\0\0\x01\0",
        "ico",
        Image,
        "image/vnd.microsoft.icon",
        "MS Windows icon resource",
    )
    .check(icon),
    Signature::new(
        b"\0\0\x02\0",
        "cur",
        Image,
        "image/x-win-bitmap",
        "MS Windows cursor resource",
    )
    .check(icon),
    Signature::new(
        b"WEBP",
        "webp",
        Image,
        "image/webp",
        "RIFF (little-endian) data, Web/P image",
    )
    .offset(8)
    .check(riff),
    Signature::new(
        b"WAVE",
        "wav",
        Media,
        "audio/x-wav",
        "RIFF (little-endian) data, WAVE audio",
    )
    .offset(8)
    .check(riff),
    Signature::new(
        b"AVI ",
        "avi",
        Media,
        "video/x-msvideo",
        "RIFF (little-endian) data, AVI",
    )
    .offset(8)
    .check(riff),
    Signature::new(b"RIFF", "riff", Media, OCTETS, "RIFF (little-endian) data"),
    Signature::new(
        b"8BPS",
        "psd",
        Image,
        "image/vnd.adobe.photoshop",
        "Adobe Photoshop Image",
    ),
    Signature::new(
        b"\x01\0\0\0",
        "emf",
        Image,
        "image/emf",
        "Windows Enhanced Metafile (EMF) image data",
    )
    .check(|data| is(data, 40, b" EMF")),
    Signature::new(
        b"\xd7\xcd\xc6\x9a\0\0",
        "wmf",
        Image,
        "image/wmf",
        "Windows metafile",
    ),
    Signature::new(b"icns", "icns", Image, "image/x-icns", "Mac OS X icon")
        .check(|data| be32(data, 4).is_some_and(|size| size >= 8)),
    Signature::new(b"ID3", "mp3", Media, "audio/mpeg", "Audio file with ID3")
        .check(|data| matches!(u8_at(data, 3), Some(2..=4))),
    Signature::new(b"OggS\0", "ogg", Media, "application/ogg", "Ogg data"),
    Signature::new(
        b"fLaC",
        "flac",
        Media,
        "audio/flac",
        "FLAC audio bitstream data",
    ),
    Signature::new(
        b"MThd\0\0\0\x06",
        "midi",
        Media,
        "audio/midi",
        "Standard MIDI data",
    ),
    Signature::new(
        b"\x1aE\xdf\xa3",
        "matroska",
        Media,
        "video/x-matroska",
        "Matroska or WebM data",
    ),
    Signature::new(
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
        "asf",
        Media,
        "video/x-ms-asf",
        "Microsoft ASF",
    ),
    Signature::new(
        b"FLV\x01",
        "flv",
        Media,
        "video/x-flv",
        "Macromedia Flash Video",
    ),
    Signature::new(b"wOFF", "woff", Font, "font/woff", "Web Open Font Format"),
    Signature::new(
        b"wOF2",
        "woff2",
        Font,
        "font/woff2",
        "Web Open Font Format (Version 2)",
    ),
    Signature::new(
        b"OTTO\0",
        "otf",
        Font,
        "application/vnd.ms-opentype",
        "OpenType font data",
    ),
    Signature::new(
        b"\0\x01\0\0\0",
        "ttf",
        Font,
        "font/sfnt",
        "TrueType Font data",
    )
    .check(true_type),
    Signature::new(
        b"ttcf\0",
        "ttc",
        Font,
        "font/collection",
        "TrueType font collection data",
    ),
];

fn png(data: &[u8]) -> Option<String> {
    let (Some(width), Some(height), Some(depth), Some(colour)) = (
        be32(data, 16),
        be32(data, 20),
        u8_at(data, 24),
        u8_at(data, 25),
    ) else {
        return Some(String::new());
    };
    let colour = match colour {
        0 => "grayscale",
        2 => "/color RGB",
        3 => " colormap",
        4 => "gray+alpha",
        6 => "/color RGBA",
        _ => "",
    };
    Some(format!(", {width} x {height}, {depth}-bit{colour}"))
}

fn gif(data: &[u8]) -> Option<String> {
    Some(match (le16(data, 6), le16(data, 8)) {
        (Some(width), Some(height)) => format!(", {width} x {height}"),
        _ => String::new(),
    })
}

/// The size of the second header is one of few.
fn bitmap(data: &[u8]) -> bool {
    matches!(le32(data, 14), Some(12 | 40 | 52 | 56 | 64 | 108 | 124))
        && le32(data, 10).is_some_and(|place| place < 1 << 20)
}

/// Some images, the first with a reserved byte of 0 and a place behind the
/// directory.
fn icon(data: &[u8]) -> bool {
    let count = le16(data, 4).unwrap_or(0);
    (1..=256).contains(&count)
        && u8_at(data, 9) == Some(0)
        && le32(data, 18).is_some_and(|place| place >= 6 + 16 * u32::from(count) && place < 1 << 24)
}

fn riff(data: &[u8]) -> bool {
    is(data, 0, b"RIFF")
}

fn true_type(data: &[u8]) -> bool {
    be16(data, 4).is_some_and(|tables| (4..=64).contains(&tables))
        && at(data, 12, 4).is_some_and(|tag| tag.iter().all(|b| b.is_ascii_graphic() || *b == b' '))
}
