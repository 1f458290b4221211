//! Fuzzes hashes and entropy: any bytes, no panic, no hang.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reversecore_analysis::entropy::profile;
use reversecore_analysis::hashes::{Algorithm, hash};

fuzz_target!(|data: &[u8]| {
    hash(data, &Algorithm::ALL);
    profile(data);
});
