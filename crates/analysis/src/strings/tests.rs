//! Against GNU `strings` itself, against a slow model of it, and against other
//! ways to cut the same file into chunks.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{Encoding, Found, Options, Scanner, scan};

const GNU: [(Encoding, &str); 4] = [
    (Encoding::Ascii, "s"),
    (Encoding::EightBit, "S"),
    (Encoding::Utf16Le, "l"),
    (Encoding::Utf16Be, "b"),
];

/// Offset, encoding, bytes, whole length.
type Owned = (u64, Encoding, Vec<u8>, u64);

fn owned(found: Found<'_>) -> Owned {
    let bytes = found.bytes.to_vec();
    (found.offset, found.encoding, bytes, found.length)
}

fn options(encodings: &[Encoding], min_length: usize) -> Options {
    Options {
        encodings: encodings.to_vec(),
        min_length,
        longest: usize::MAX,
    }
}

fn whole(bytes: &[u8], options: &Options) -> Vec<Owned> {
    let mut all = Vec::new();
    scan(bytes, options, |found| all.push(owned(found)));
    all
}

/// A small generator with a fixed seed, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    /// Bytes that often are characters of some encoding, or nearly so.
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        const PALETTES: [&[u8]; 6] = [
            b"a\0",
            b"aA~ \t\0\0\0\0\x7f\x01",
            b"ab\0\n",
            b"aaaaaaaaaaaaaaaaaaaaaaa\n",
            &[
                b'x', 0xc3, 0xa9, 0xc2, 0x80, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0xed, 0xef, 0xa4,
                0xe0,
            ],
            &[0, 0xff, b'z', 0x80],
        ];
        let mut bytes = Vec::with_capacity(length + 64);
        while bytes.len() < length {
            let palette = PALETTES[self.below(PALETTES.len())];
            for _ in 0..self.below(64) {
                bytes.push(palette[self.below(palette.len())]);
            }
            for text in ["äöü€😀 text", "wide"] {
                match self.below(8) {
                    0 => bytes.extend_from_slice(text.as_bytes()),
                    1 => bytes.extend(text.bytes().flat_map(|byte| [byte, 0])),
                    2 => bytes.extend(text.bytes().flat_map(|byte| [0, byte])),
                    _ => {}
                }
            }
        }
        bytes.truncate(length);
        bytes
    }
}

/// What GNU does, as slowly as it is said: after a character that isn't
/// printable it starts again one byte further.
fn model(bytes: &[u8], encoding: Encoding, min_length: usize) -> Vec<(u64, u64)> {
    let width = match encoding {
        Encoding::Utf16Le | Encoding::Utf16Be => 2,
        Encoding::Ascii | Encoding::EightBit | Encoding::Utf8 => 1,
    };
    let printable = |at: usize| {
        let character = bytes.get(at..at + width)?;
        let (byte, rest) = match encoding {
            Encoding::Utf16Be => (character[1], character[0]),
            Encoding::Utf16Le => (character[0], character[1]),
            Encoding::Ascii | Encoding::EightBit | Encoding::Utf8 => (character[0], 0),
        };
        let high = encoding == Encoding::EightBit && byte > 127;
        Some(rest == 0 && (matches!(byte, b'\t' | b' '..=b'~') || high))
    };
    let mut found = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let mut at = start;
        while printable(at) == Some(true) {
            at += width;
        }
        if at - start >= min_length * width {
            found.push((start as u64, (at - start) as u64));
        }
        start = at + 1;
    }
    found
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test compares with the program"
)]
fn gnu(bytes: &[u8], encoding: &str, min_length: usize) -> Vec<u8> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let minimum = min_length.to_string();
    let output = Command::new("strings")
        .args(["-a", "-t", "d", "-n", &minimum, "-e", encoding])
        .arg(file.path())
        .env("LC_ALL", "C")
        .stderr(Stdio::inherit())
        .output()
        .expect("GNU strings is installed by scripts/setup-tools");
    assert!(output.status.success());
    output.stdout
}

/// The same lines as `strings -t d` writes.
fn lines(found: &[Owned]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (offset, encoding, bytes, _) in found {
        write!(lines, "{offset:7} ").unwrap();
        let text = match encoding {
            Encoding::Utf16Le => bytes.iter().copied().step_by(2).collect(),
            Encoding::Utf16Be => bytes.iter().copied().skip(1).step_by(2).collect(),
            Encoding::Ascii | Encoding::EightBit | Encoding::Utf8 => bytes.clone(),
        };
        lines.extend_from_slice(&text);
        lines.push(b'\n');
    }
    lines
}

#[test]
fn equal_to_gnu_strings() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut inputs: Vec<Vec<u8>> = (0..24).map(|round| random.bytes(700 * round)).collect();
    inputs.push(std::fs::read("/bin/ls").unwrap());
    for (round, bytes) in inputs.iter().enumerate() {
        for (encoding, name) in GNU {
            for min_length in [1 + round % 12, 4] {
                let ours = lines(&whole(bytes, &options(&[encoding], min_length)));
                let theirs = gnu(bytes, name, min_length);
                assert!(ours == theirs, "input {round}, {name}, {min_length}");
            }
        }
    }
}

#[test]
fn equal_to_the_model() {
    let mut random = Random(0xdead_beef_0bad_cafe);
    for round in 0..1500 {
        let length = random.below(900);
        let bytes = random.bytes(length);
        for (encoding, _) in GNU {
            let min_length = 1 + random.below(if round % 10 == 0 { 90 } else { 10 });
            let found = whole(&bytes, &options(&[encoding], min_length));
            let ours: Vec<_> = found
                .iter()
                .map(|(at, _, _, length)| (*at, *length))
                .collect();
            let expected = model(&bytes, encoding, min_length);
            assert_eq!(ours, expected, "{encoding:?} {min_length} {bytes:x?}");
            for (at, _, text, length) in found {
                assert_eq!(text, bytes[at as usize..(at + length) as usize]);
            }
        }
    }
}

/// Runs of printable characters with at least one that is not ASCII, or with
/// none, as `char` and `str` see them.
fn utf8_model(bytes: &[u8], min_length: usize) -> Vec<(u64, u64, bool)> {
    let mut found = Vec::new();
    let (mut start, mut at, mut characters, mut mixed) = (0, 0, 0, false);
    while at <= bytes.len() {
        let rest = &bytes[at..];
        let width = (1..=4.min(rest.len())).find(|width| {
            std::str::from_utf8(&rest[..*width]).is_ok_and(|text| {
                matches!(
                    text.chars().next(),
                    Some('\t' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{f900}'..='\u{3ffff}')
                )
            })
        });
        if let Some(width) = width {
            at += width;
            characters += 1;
            mixed |= width > 1;
        } else {
            if characters >= min_length {
                found.push((start as u64, (at - start) as u64, mixed));
            }
            at += 1;
            (start, characters, mixed) = (at, 0, false);
        }
    }
    found
}

#[test]
fn utf8_is_what_the_library_says() {
    let mut random = Random(0x0123_4567_89ab_cdef);
    for _ in 0..3000 {
        let length = random.below(1200);
        let bytes = random.bytes(length);
        let min_length = 1 + random.below(9);
        let found = whole(&bytes, &options(&[Encoding::Utf8], min_length));
        let ours: Vec<_> = found
            .iter()
            .map(|(at, encoding, _, length)| (*at, *length, *encoding == Encoding::Utf8))
            .collect();
        assert_eq!(
            ours,
            utf8_model(&bytes, min_length),
            "{min_length} {bytes:x?}"
        );
    }
}

#[test]
fn ascii_is_not_reported_twice() {
    let text = "plain text\0größer\0".as_bytes();
    let both = whole(text, &options(&[Encoding::Ascii, Encoding::Utf8], 4));
    let both: Vec<_> = both.iter().map(|found| (found.0, found.1)).collect();
    assert_eq!(both, [(0, Encoding::Ascii), (11, Encoding::Utf8)]);
    let one = whole(text, &options(&[Encoding::Utf8, Encoding::Utf8], 4));
    assert_eq!(one.len(), 2);
    assert_eq!(one[0].1, Encoding::Ascii);
}

#[test]
fn borders_of_chunks_make_no_difference() {
    let all: Vec<Encoding> = GNU
        .iter()
        .map(|(encoding, _)| *encoding)
        .chain([Encoding::Utf8])
        .collect();
    let mut random = Random(0xfeed_face_cafe_beef);
    for round in 0..400 {
        let length = random.below(3000) + if round % 40 == 0 { 40_000 } else { 0 };
        let bytes = random.bytes(length);
        let mut options = options(&all, 1 + random.below(10));
        if round % 2 == 0 {
            options.longest = random.below(100);
        }
        let mut expected = whole(&bytes, &options);
        let mut scanner = Scanner::new(&options);
        let mut found = Vec::new();
        let mut rest = bytes.as_slice();
        let most = [2, 70, 300, 5000][round % 4];
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at(random.below(most).min(rest.len()));
            scanner.feed(chunk, |string| found.push(owned(string)));
            rest = behind;
        }
        scanner.finish(|string| found.push(owned(string)));
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_long_string_is_cut_between_characters() {
    let mut bytes = vec![b'a'; 10_000];
    bytes.push(b'\n');
    bytes.extend("€".repeat(100).bytes());
    bytes.push(b'\n');
    bytes.extend(b"w\0".repeat(100));
    let mut options = options(&[Encoding::Ascii, Encoding::Utf8, Encoding::Utf16Le], 4);
    options.longest = 101;
    let found = whole(&bytes, &options);
    let lengths: Vec<_> = found.iter().map(|found| (found.2.len(), found.3)).collect();
    assert_eq!(lengths, [(101, 10_000), (99, 300), (100, 200)]);
}

#[test]
fn nothing_in_nothing() {
    assert_eq!(whole(b"", &Options::default()), []);
    assert_eq!(whole(b"abc", &options(&[Encoding::Ascii], usize::MAX)), []);
    assert_eq!(whole(b"abc", &options(&[], 1)), []);
    assert_eq!(whole(b"abc\xff", &options(&[Encoding::Ascii], 0)).len(), 1);
}

#[test]
fn text_is_decoded() {
    let text = |bytes: &[u8], encoding| {
        let mut all = Vec::new();
        scan(bytes, &options(&[encoding], 2), |found| {
            all.push(found.text());
        });
        all
    };
    assert_eq!(text(b"w\0i\0d\0e\0", Encoding::Utf16Le), ["wide"]);
    assert_eq!(text(b"\0w\0i\0d\0e", Encoding::Utf16Be), ["wide"]);
    assert_eq!(text(b"caf\xe9", Encoding::EightBit), ["café"]);
    assert_eq!(text("café".as_bytes(), Encoding::Utf8), ["café"]);
}
