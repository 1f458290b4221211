//! Fuzzes the scanner of strings, and that the borders of chunks don't matter: any bytes, no panic, no hang.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reversecore_analysis::strings::{Encoding, Options, Scanner, scan};

fuzz_target!(|data: &[u8]| {
    let options = Options {
        encodings: vec![
            Encoding::Ascii,
            Encoding::Utf8,
            Encoding::Utf16Le,
            Encoding::Utf16Be,
        ],
        ..Options::default()
    };
    let mut whole = Vec::new();
    scan(data, &options, |found| {
        whole.push((found.offset, found.encoding, found.length))
    });
    let mut pieces = Vec::new();
    let mut scanner = Scanner::new(&options);
    for piece in data.chunks(usize::from(data.first().copied().unwrap_or(0)) + 1) {
        scanner.feed(piece, |found| {
            pieces.push((found.offset, found.encoding, found.length))
        });
    }
    scanner.finish(|found| pieces.push((found.offset, found.encoding, found.length)));
    whole.sort_unstable();
    pieces.sort_unstable();
    assert_eq!(whole, pieces);
});
