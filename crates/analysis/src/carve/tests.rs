//! Objects of several kinds planted in noise, what must not be found, and
//! hostile variations.

use std::io::Write;

use super::{CarveOptions, CarveReport, Confidence, carve};

/// xorshift64: the same noise every time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, size: usize) -> Vec<u8> {
        (0..size).map(|_| (self.next() >> 32) as u8).collect()
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// RFC 8878: a single segment of one raw block.
fn zstd(data: &[u8]) -> Vec<u8> {
    let size = u8::try_from(data.len()).unwrap();
    let mut frame = b"\x28\xb5\x2f\xfd\x20".to_vec();
    frame.push(size);
    let block = u32::from(size) << 3 | 1;
    frame.extend(&block.to_le_bytes()[..3]);
    frame.extend(data);
    frame
}

fn tar(name: &str, data: &[u8]) -> Vec<u8> {
    let mut header = vec![0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
    header[148..156].copy_from_slice(b"        ");
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend(data);
    header.resize(header.len().next_multiple_of(512) + 1024, 0);
    header
}

fn zip(name: &str, data: &[u8]) -> Vec<u8> {
    let (size, length) = (
        u32::try_from(data.len()).unwrap(),
        u16::try_from(name.len()).unwrap(),
    );
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    common.extend(crc32fast::hash(data).to_le_bytes());
    common.extend(size.to_le_bytes());
    common.extend(size.to_le_bytes());
    common.extend(length.to_le_bytes());
    common.extend([0, 0]);
    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(&common);
    archive.extend(name.as_bytes());
    archive.extend(data);
    let directory = u32::try_from(archive.len()).unwrap();
    archive.extend(b"PK\x01\x02\x14\0");
    archive.extend(&common);
    archive.extend([0; 14]);
    archive.extend(name.as_bytes());
    let directory_size = u32::try_from(archive.len()).unwrap() - directory;
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend(directory_size.to_le_bytes());
    archive.extend(directory.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

fn uimage(data: &[u8]) -> Vec<u8> {
    let mut header = vec![0_u8; 64];
    header[..4].copy_from_slice(b"\x27\x05\x19\x56");
    header[12..16].copy_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
    header[32..36].copy_from_slice(b"test");
    let crc = crc32fast::hash(&header);
    header[4..8].copy_from_slice(&crc.to_be_bytes());
    header.extend(data);
    header
}

/// The planted objects and the image that holds them, noise between them.
pub(crate) fn image() -> (Vec<u8>, Vec<(u64, u64, &'static str)>) {
    let mut noise = Noise(7);
    let text = b"the quick brown fox jumps over the lazy dog ".repeat(40);
    let parts = [
        ("gzip", gzip(&text)),
        ("zstd", zstd(&text[..200])),
        ("tar", tar("etc/passwd", &text)),
        ("zip", zip("a.txt", &text)),
        ("uimage", uimage(&gzip(&text))),
        ("elf", std::fs::read("/bin/ls").unwrap()),
    ];
    let mut image = Vec::new();
    let mut planted = Vec::new();
    for (kind, part) in parts {
        image.extend(noise.bytes(777));
        planted.push((image.len() as u64, part.len() as u64, kind));
        image.extend(part);
    }
    image.extend(noise.bytes(777));
    (image, planted)
}

fn found(report: &CarveReport) -> Vec<(u64, &str)> {
    report
        .objects
        .iter()
        .map(|object| (object.offset, object.kind.as_str()))
        .collect()
}

#[test]
fn planted_objects_are_found_where_they_are() {
    let (image, planted) = image();
    let report = carve(&image, &CarveOptions::default());
    for (offset, size, kind) in planted {
        let object = report
            .objects
            .iter()
            .find(|object| object.offset == offset && object.kind == kind)
            .unwrap_or_else(|| panic!("{kind} at {offset}: {:?}", found(&report)));
        assert_eq!(object.confidence, Confidence::High, "{kind}");
        if kind != "elf" {
            assert_eq!(object.size, Some(size), "{kind}");
        }
    }
}

#[test]
fn members_of_containers_are_not_reported() {
    let inner = gzip(b"inner");
    for outer in [zip("a.gz", &inner), tar("a.gz", &inner), uimage(&inner)] {
        assert_eq!(carve(&outer, &CarveOptions::default()).objects.len(), 1);
    }
}

#[test]
fn what_is_embedded_in_an_executable_is_reported() {
    let mut file = std::fs::read("/bin/ls").unwrap();
    let middle = file.len() / 2;
    let part = gzip(b"a dropped payload");
    file[middle..middle + part.len()].copy_from_slice(&part);
    let report = carve(&file, &CarveOptions::default());
    assert!(found(&report).contains(&(0, "elf")));
    assert!(found(&report).contains(&(middle as u64, "gzip")));
}

#[test]
fn magic_numbers_in_noise_are_nothing() {
    let mut noise = Noise(11);
    let mut data = Vec::new();
    for _ in 0..40 {
        for signature in super::signatures::SIGNATURES {
            data.extend(noise.bytes(61));
            data.extend(signature.magic);
        }
    }
    let report = carve(&data, &CarveOptions::default());
    // A stream that opens with a valid header may be cut: "low" is for those.
    let sure = CarveOptions {
        min_confidence: Confidence::Medium,
        ..CarveOptions::default()
    };
    assert_eq!(found(&carve(&data, &sure)), [], "{:?}", found(&report));
}

#[test]
fn empty_files_and_bounds() {
    let report = carve(&[], &CarveOptions::default());
    assert!(report.objects.is_empty() && report.warnings.is_empty());
    let many = gzip(b"x").repeat(20);
    let options = CarveOptions {
        max_objects: 5,
        ..CarveOptions::default()
    };
    let report = carve(&many, &options);
    assert_eq!(report.objects.len(), 5);
    assert!(!report.warnings.is_empty());
}

#[test]
fn mutations_do_not_panic() {
    let (image, _) = image();
    let image = &image[..image.len().min(20 << 10)];
    let mut noise = Noise(42);
    for _ in 0..800 {
        let mut data = image.to_vec();
        for _ in 0..1 + noise.next() % 24 {
            let at = noise.next() as usize % data.len();
            data[at] = [0, 0xff, 0x7f, noise.next() as u8][noise.next() as usize % 4];
        }
        data.truncate(noise.next() as usize % (data.len() + 1));
        let report = carve(&data, &CarveOptions::default());
        assert!(
            report
                .objects
                .iter()
                .all(|object| object.offset < data.len() as u64)
        );
    }
}

#[test]
fn every_check_survives_noise_after_its_magic() {
    let mut noise = Noise(99);
    for _ in 0..200 {
        for signature in super::signatures::SIGNATURES {
            let mut data = noise.bytes(900);
            for byte in &mut data {
                if noise.next().is_multiple_of(3) {
                    *byte = [0, 1, 0xff, 0x7f][noise.next() as usize % 4];
                }
            }
            let at = signature.at as usize;
            data.resize(data.len().max(at + 300), 0xff);
            data[at..at + signature.magic.len()].copy_from_slice(signature.magic);
            let mut budget = super::bytes::Budget::for_size(data.len());
            let found = (signature.check)(&data, &mut budget);
            assert!(found.is_none_or(|found| !found.description.is_empty()));
        }
    }
}
