//! Archives as programs of the system make them, bombs, and what is damaged.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const LIMITS: Limits = Limits {
    files: 1000,
    bytes: 64 << 20,
    ratio: 200,
    answer: 4096,
};

/// A name, and what the file holds.
type OneFile = (String, Vec<u8>);

/// All files, put together from their pieces; what was said; whether it is a bomb.
fn all(bytes: &[u8], limits: &Limits) -> (Vec<OneFile>, Vec<String>, bool) {
    let mut files: Vec<(u64, String, Vec<u8>)> = Vec::new();
    let (mut from, mut notes, mut bomb) = (Cursor::default(), Vec::new(), false);
    loop {
        let unpacked = unpack(bytes, from, limits);
        let held: usize = unpacked.pieces.iter().map(|piece| piece.data.len()).sum();
        assert!(held <= limits.answer, "{held}");
        for piece in unpacked.pieces {
            match files.last_mut() {
                Some((entry, _, data)) if *entry == piece.entry => data.extend(piece.data),
                _ => files.push((
                    piece.entry,
                    String::from_utf8_lossy(&piece.name).into_owned(),
                    piece.data,
                )),
            }
        }
        notes.extend(unpacked.notes);
        bomb |= unpacked.bomb;
        match unpacked.next {
            Some(next) => {
                assert!((next.entry, next.offset) > (from.entry, from.offset));
                from = next;
            }
            None => break,
        }
    }
    let files = files.into_iter().map(|(_, name, data)| (name, data));
    (files.collect(), notes, bomb)
}

fn content(length: usize, seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect()
}

fn gzipped(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn tarred(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, name, *data).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, data) in files {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(*name, options).unwrap();
        writer.write_all(data).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// `newc`, as `cpio -H newc` writes it.
fn cpioed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, data) in files.iter().copied().chain([("TRAILER!!!", &[][..])]) {
        let mode = 0o100_644;
        let mut fields = [0_usize; 13];
        (fields[1], fields[6], fields[11]) = (mode, data.len(), name.len() + 1);
        out.extend(b"070701");
        for field in fields {
            out.extend(format!("{field:08x}").bytes());
        }
        out.extend(name.bytes().chain([0]));
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(data);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

fn arred(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, data) in files {
        out.extend(
            format!(
                "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
                0,
                0,
                0,
                644,
                data.len()
            )
            .bytes(),
        );
        out.extend(*data);
        out.resize(out.len().next_multiple_of(2), b'\n');
    }
    out
}

#[test]
fn what_goes_in_comes_out_in_pieces() {
    let (one, two, three) = (content(10_000, 1), content(3, 2), content(9000, 3));
    let files: [(&str, &[u8]); 4] = [
        ("a/one", &one),
        ("two", &two),
        ("empty", &[]),
        ("three", &three),
    ];
    let expected: Vec<(String, Vec<u8>)> = files
        .iter()
        .map(|(name, data)| ((*name).to_owned(), data.to_vec()))
        .collect();
    for (kind, archive) in [
        ("tar", tarred(&files)),
        ("zip", zipped(&files)),
        ("cpio", cpioed(&files)),
        ("ar", arred(&files)),
    ] {
        assert_eq!(super::kind(&archive), Some(kind));
        let (found, notes, bomb) = all(&archive, &LIMITS);
        assert_eq!(found, expected, "{kind}: {notes:?}");
        assert!(notes.is_empty() && !bomb, "{kind}: {notes:?}");
    }
    let (found, notes, _) = all(&gzipped(&one), &LIMITS);
    assert_eq!(found, [("content".to_owned(), one)], "{notes:?}");
}

#[test]
fn a_bomb_is_stopped_and_said_to_be_one() {
    let zeros = vec![0; 40 << 20];
    for archive in [gzipped(&zeros), zipped(&[("zeros", &zeros)])] {
        let limits = Limits {
            answer: 8 << 20,
            ..LIMITS
        };
        let (files, notes, bomb) = all(&archive, &limits);
        let size: usize = files.iter().map(|(_, data)| data.len()).sum();
        assert!(bomb && size < zeros.len(), "{size}: {notes:?}");
        assert!(notes[0].contains("200 times"), "{notes:?}");
        let limits = Limits {
            bytes: 1 << 20,
            ..limits
        };
        let (_, notes, bomb) = all(&archive, &limits);
        assert!(bomb && notes[0].contains("budget"), "{notes:?}");
    }
    let many: Vec<String> = (0..50).map(|index| index.to_string()).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    let limits = Limits { files: 7, ..LIMITS };
    let (files, notes, _) = all(&tarred(&many), &limits);
    assert_eq!(files.len(), 7);
    assert!(notes[0].contains("more files"), "{notes:?}");
}

#[test]
fn damaged_archives_end() {
    let data = content(5000, 9);
    let files: [(&str, &[u8]); 2] = [("one", &data), ("two", &data)];
    let sound = [
        tarred(&files),
        zipped(&files),
        cpioed(&files),
        arred(&files),
        gzipped(&data),
    ];
    for archive in sound {
        for step in 0..400_usize {
            let mut damaged = archive.clone();
            let at = step * 7919 % damaged.len();
            damaged[at] =
                damaged[at].wrapping_add(content(1, u8::try_from(step % 256).unwrap())[0] | 1);
            if step % 3 == 0 {
                damaged.truncate(at);
            }
            let (files, ..) = all(&damaged, &LIMITS);
            let size: usize = files.iter().map(|(_, data)| data.len()).sum();
            assert!(size <= 64 << 20);
        }
    }
    for magic in [
        &b"7z\xbc\xaf\x27\x1c"[..],
        b"MSCF\0\0\0\0",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"\x5d\0\0",
    ] {
        let mut rubbish = magic.to_vec();
        rubbish.extend(content(4000, 5));
        all(&rubbish, &LIMITS);
    }
    let mut disc = vec![0x41; 0x9000];
    disc[0x8001..0x8006].copy_from_slice(b"CD001");
    all(&disc, &LIMITS);
    assert_eq!(
        unpack(b"no archive", Cursor::default(), &LIMITS),
        Unpacked::default()
    );
}
