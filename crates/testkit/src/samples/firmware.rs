//! A composite image like a router's firmware: padding and filler with a gzip
//! stream, a ZIP archive and a PNG at known offsets.

use std::io::Write;

use flate2::write::{GzEncoder, ZlibEncoder};
use flate2::{Compression, Crc};

/// An image and what is in it.
#[derive(Debug)]
pub struct Firmware {
    /// The whole image.
    pub image: Vec<u8>,
    /// The parts, in order of their offsets.
    pub parts: Vec<Part>,
}

/// One part of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// `gzip`, `zip` or `png`.
    pub kind: &'static str,
    /// Offset of its first byte.
    pub offset: usize,
    /// Its length.
    pub length: usize,
}

const GZIP_AT: usize = 0x400;
const ZIP_AT: usize = 0x3000;
const PNG_AT: usize = 0x6000;
const IMAGE_SIZE: usize = 0x8000;

/// The image. Between the parts lie erased flash (`0xff`) and zeros.
#[must_use]
pub fn firmware() -> Firmware {
    let mut image = vec![0xff; IMAGE_SIZE];
    image[ZIP_AT - 0x800..ZIP_AT].fill(0);
    let parts = [
        ("gzip", GZIP_AT, gzip(b"rootfs: the quick brown fox\n")),
        ("zip", ZIP_AT, zip("etc/config.txt", b"password=example\n")),
        ("png", PNG_AT, png()),
    ]
    .map(|(kind, offset, bytes)| {
        image[offset..offset + bytes.len()].copy_from_slice(&bytes);
        Part {
            kind,
            offset,
            length: bytes.len(),
        }
    });
    Firmware {
        image,
        parts: parts.to_vec(),
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(content)
        .and_then(|()| encoder.finish())
        .expect("writing to memory can't fail")
}

/// An archive with one stored (uncompressed) file.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(content);
    let size = u32::try_from(content.len()).expect("the sample is small");
    let name_length = u16::try_from(name.len()).expect("the name is short");

    // Version, flags, method, time, date, checksum, sizes and lengths stand in
    // both headers in the same order.
    let mut common = Vec::new();
    for field in [10_u16, 0, 0, 0, 0x21] {
        common.extend(field.to_le_bytes());
    }
    for field in [crc.sum(), size, size] {
        common.extend(field.to_le_bytes());
    }
    common.extend(name_length.to_le_bytes());
    common.extend(0_u16.to_le_bytes());

    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(&common);
    archive.extend(name.as_bytes());
    archive.extend(content);

    let directory_at = archive.len();
    archive.extend(b"PK\x01\x02\x14\x00");
    archive.extend(&common);
    archive.extend([0; 14]);
    archive.extend(name.as_bytes());
    let directory_size = archive.len() - directory_at;

    archive.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
    for field in [directory_size, directory_at] {
        archive.extend(
            u32::try_from(field)
                .expect("the sample is small")
                .to_le_bytes(),
        );
    }
    archive.extend(0_u16.to_le_bytes());
    archive
}

/// A grey image of one pixel.
fn png() -> Vec<u8> {
    let mut image = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = [1_u32.to_be_bytes(), 1_u32.to_be_bytes()].concat();
    header.extend([8, 0, 0, 0, 0]);
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::best());
    let pixels = pixels
        .write_all(&[0, 0x80])
        .and_then(|()| pixels.finish())
        .expect("writing to memory can't fail");
    for (name, content) in [
        (b"IHDR", header.as_slice()),
        (b"IDAT", pixels.as_slice()),
        (b"IEND", &[]),
    ] {
        let mut crc = Crc::new();
        crc.update(name);
        crc.update(content);
        let length = u32::try_from(content.len()).expect("the sample is small");
        image.extend(length.to_be_bytes());
        image.extend(name);
        image.extend(content);
        image.extend(crc.sum().to_be_bytes());
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_begins_with_its_magic() {
        let firmware = firmware();
        for part in &firmware.parts {
            let magic: &[u8] = match part.kind {
                "gzip" => b"\x1f\x8b\x08",
                "zip" => b"PK\x03\x04",
                "png" => b"\x89PNG",
                other => panic!("unknown part {other}"),
            };
            assert!(firmware.image[part.offset..].starts_with(magic), "{part:?}");
        }
    }
}
