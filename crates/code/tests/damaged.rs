//! Thousands of damaged programs: none may panic, and whatever was found must
//! keep its promises. The damage is the same in every run.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

mod common;

use common::model;
use reversecore_code::{
    CallGraphOptions, Language, Options, Pattern, Program, Query, SearchOptions, diff,
};
use reversecore_testkit::Random;

/// Damaged files of each test.
const FILES: usize = 3000;

fn damage(sample: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for _ in 0..=random.below(12) {
        // Half of it hits the headers.
        let room = if random.below(2) == 0 {
            bytes.len().min(1024)
        } else {
            bytes.len()
        };
        let at = random.below(room);
        match random.below(8) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = 0xff,
            2 => bytes[at] = 0,
            // Jumps to themselves and to nearby, calls of the next
            // instruction.
            3 => bytes[at] = 0xeb,
            4 => bytes[at] = 0xe8,
            5 => {
                let end = bytes.len().min(at + 1 + random.below(64));
                let value = random.below(256) as u8;
                bytes[at..end].fill(value);
            }
            6 => {
                let from = random.below(bytes.len());
                let length = random.below(64).min(bytes.len() - at.max(from));
                bytes.copy_within(from..from + length, at);
            }
            _ => {
                if random.below(8) == 0 && at > 64 {
                    bytes.truncate(at);
                }
            }
        }
    }
    bytes
}

fn check(program: &Program, data: &[u8]) {
    let options = Options::default();
    assert!(program.functions().len() <= options.most_functions);
    let coverage = program.coverage();
    let parts = coverage.functions + coverage.tables + coverage.padding + coverage.unknown;
    assert_eq!(parts, coverage.executable);
    let mut last = None;
    for function in program.functions() {
        assert!(last < Some(function.address));
        last = Some(function.address);
        assert!(function.block_count() > 0 && function.size > 0);
        let blocks = program.blocks(function);
        assert!(blocks.is_sorted_by_key(|block| block.start));
        let graph = program.flow_graph(function, 50);
        assert!(graph.blocks.len() <= 50);
    }
    let graph = program.call_graph(program.functions().first(), &CallGraphOptions::default());
    assert!(graph.render(Language::Dot).ends_with("}\n"));
    let query = Query::Instructions(Pattern::parse("call *; mov").unwrap());
    program.search(data, &query, &SearchOptions::default(), &mut |_| true);
}

fn run(sample: &[u8], seed: u64) {
    let original = model(sample, &Options::default()).expect("a program");
    let mut random = Random::new(seed);
    let mut models = 0;
    for number in 0..FILES {
        let data = damage(sample, &mut random);
        let options = Options {
            most_instructions: 200_000,
            ..Options::default()
        };
        let Some(program) = model(&data, &options) else {
            continue;
        };
        models += 1;
        check(&program, &data);
        if number % 16 == 0 {
            let found = diff(&original, &program, 10, &mut |_| true);
            assert!((0.0..=1.0).contains(&found.similarity));
            assert!(found.changed.len() <= 10);
        }
    }
    assert!(models > FILES / 2, "{models}");
}

#[test]
fn damaged_programs() {
    run(&std::fs::read("/bin/true").unwrap(), 1);
}

/// Everything at address 0 claimed to be code of other processors.
#[test]
fn programs_of_the_wrong_architecture() {
    let mut data = std::fs::read("/bin/true").unwrap();
    // AArch64, MIPS, PowerPC64, RISC-V, s390x; ARM has no 64 bits, and 99 no decoder.
    for machine in [183_u8, 8, 21, 243, 22, 40, 99] {
        data[18] = machine;
        let program = model(&data, &Options::default());
        assert_eq!(program.is_none(), matches!(machine, 40 | 99), "{machine}");
        if let Some(program) = program {
            check(&program, &data);
        }
    }
}
