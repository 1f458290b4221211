//! Fuzzes identification: any bytes, no panic, no hang.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reversecore_analysis::binary::{ParseOptions, parse};
use reversecore_analysis::identify::identify;

fuzz_target!(|data: &[u8]| {
    let parsed = parse(data, &ParseOptions::default());
    identify(data, Some(&parsed));
});
