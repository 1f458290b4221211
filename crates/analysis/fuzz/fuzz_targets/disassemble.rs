//! Fuzzes the disassembler, at the entry point of whatever the bytes are: any bytes, no panic, no hang.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reversecore_analysis::binary::{ParseOptions, parse};
use reversecore_analysis::disassemble::{Request, Start, disassemble};

fuzz_target!(|data: &[u8]| {
    let parsed = parse(data, &ParseOptions::default());
    let request = Request {
        at: Start::Entry,
        count: 64,
        bytes: None,
        architecture: None,
    };
    disassemble(data, parsed.images.first(), &request).ok();
});
