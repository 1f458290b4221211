//! Fuzzes the compiler of rules: any bytes, no panic, no hang.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reversecore_analysis::yara::{CompileOptions, RuleSource, compile};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let source = RuleSource {
            namespace: "default".to_owned(),
            text: text.to_owned(),
            origin: String::new(),
        };
        compile(&[source], &CompileOptions::default()).ok();
    }
});
