//! Fuzzes the program model of whatever the bytes are: any bytes, no panic, no hang.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reversecore_analysis::binary::{ParseOptions, parse};
use reversecore_code::{Options, Program};

fuzz_target!(|data: &[u8]| {
    let parsed = parse(data, &ParseOptions::default());
    let options = Options {
        most_instructions: 100_000,
        ..Options::default()
    };
    for image in &parsed.images {
        if let Ok(program) = Program::analyze(data, image, &options, &mut |_| true) {
            for function in program.functions() {
                program.flow_graph(function, 100);
            }
        }
    }
});
