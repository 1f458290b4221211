//! Fuzzes the search for embedded files: any bytes, no panic, no hang.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reversecore_analysis::carve::{CarveOptions, carve};

fuzz_target!(|data: &[u8]| {
    carve(data, &CarveOptions::default());
});
