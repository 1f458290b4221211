//! Fuzzes the decoding of excerpts: the first bytes choose the steps, the rest is the file. Any bytes, no panic, no hang.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reversecore_analysis::binary::{ParseOptions, parse};
use reversecore_analysis::excerpt::{At, Request, Step, read};

fuzz_target!(|data: &[u8]| {
    let Some((choice, file)) = data.split_at_checked(4) else {
        return;
    };
    let step = |byte: &u8| match byte % 8 {
        0 => Some(Step::Xor(vec![*byte, 0x5a])),
        1 => Some(Step::Base64),
        2 => Some(Step::Hex),
        3 => Some(Step::Zlib),
        4 => Some(Step::Gzip),
        5 => Some(Step::Deflate),
        _ => None,
    };
    let request = |at| Request {
        at,
        length: 256,
        skip: u64::from(choice[3]),
        steps: choice[..3].iter().filter_map(step).collect(),
    };
    let parsed = parse(file, &ParseOptions::default());
    read(file, &parsed, &request(At::Offset(0))).ok();
    for image in &parsed.images {
        read(file, &parsed, &request(At::Address(image.image_base))).ok();
    }
});
