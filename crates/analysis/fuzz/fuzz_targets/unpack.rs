//! Fuzzes the archives: any bytes, in small answers; no panic, no hang, no step back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reversecore_analysis::unpack::{Cursor, Limits, unpack};

fuzz_target!(|data: &[u8]| {
    let limits = Limits {
        files: 100,
        bytes: 1 << 20,
        ratio: 100,
        answer: 4096,
    };
    let mut from = Cursor::default();
    for _ in 0..1000 {
        let Some(next) = unpack(data, from, &limits).next else {
            return;
        };
        assert!((next.entry, next.offset) > (from.entry, from.offset));
        from = next;
    }
});
