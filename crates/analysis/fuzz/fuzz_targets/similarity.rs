//! Fuzzes the comparison of two files: the first byte says where one ends and the other begins. Any bytes, no panic, no hang.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reversecore_analysis::binary::{ParseOptions, parse};
use reversecore_analysis::hashes::{Algorithm, hash};
use reversecore_analysis::similarity::{Side, compare};

fuzz_target!(|data: &[u8]| {
    let Some((share, files)) = data.split_first() else {
        return;
    };
    let sides = files.split_at(files.len() * usize::from(*share) / 256);
    let [one, other] = <[&[u8]; 2]>::from(sides).map(|bytes| {
        let hashes = hash(bytes, &[Algorithm::Ssdeep, Algorithm::Tlsh]);
        (bytes, hashes, parse(bytes, &ParseOptions::default()))
    });
    let side = |(bytes, hashes, binary)| Side {
        bytes,
        hashes,
        binary,
    };
    let one = (one.0, &one.1, &one.2);
    let other = (other.0, &other.1, &other.2);
    compare(side(one), side(other), &mut |_| true);
});
