//! Fuzzes the parsers of PE, ELF and Mach-O: any bytes, no panic, no hang.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reversecore_analysis::binary::{ParseOptions, parse};

fuzz_target!(|data: &[u8]| {
    parse(data, &ParseOptions::default());
});
