//! Fuzzes the search for indicators: any bytes, no panic, no hang.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reversecore_analysis::iocs::{IocOptions, extract};

fuzz_target!(|data: &[u8]| {
    extract(data, &IocOptions::default());
});
