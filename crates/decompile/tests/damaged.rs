//! Damaged programs, and code that is none: no panic gets out, the work is
//! bounded, and what has no text has a reason. The damage is the same in every
//! run.

#[expect(dead_code, reason = "other tests ask for functions by name")]
mod common;

use common::{Subject, in_worker, model};
use reversecore_decompile::{Decompiler, Failure, Options};
use reversecore_testkit::Random;

/// Damaged files.
const FILES: usize = 150;
/// Functions of each that are decompiled.
const FUNCTIONS: usize = 4;

/// What became of the functions.
#[derive(Debug, Default)]
struct Count {
    texts: usize,
    no_code: usize,
    out_of_time: usize,
    gave_up: usize,
    faults: usize,
}

impl Count {
    fn some_of(&mut self, subject: &mut Subject, random: &mut Random) {
        let all = subject.program.functions().len();
        for _ in 0..FUNCTIONS.min(all) {
            let function = &subject.program.functions()[random.below(all)];
            let options = Options {
                most_instructions: 2000,
                most_text: 1 << 20,
            };
            let result =
                subject
                    .decompiler
                    .decompile(&subject.program, function, &options, &mut |step| {
                        step < 3000
                    });
            match result {
                Ok(found) => {
                    assert!(found.text.len() <= options.most_text);
                    self.texts += 1;
                }
                Err(Failure::NoCode { .. }) => self.no_code += 1,
                Err(Failure::OutOfTime) => self.out_of_time += 1,
                Err(Failure::GaveUp { .. }) => self.gave_up += 1,
                Err(Failure::Fault { .. }) => self.faults += 1,
                Err(Failure::Unsupported(error)) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn damaged_programs() {
    in_worker(|| {
        let sample = std::fs::read("/bin/true").unwrap();
        let code = {
            let (_, program) = model(&sample).unwrap();
            let regions = program.memory_map().regions().iter();
            let code = regions.filter(|region| region.permissions.execute);
            code.map(|region| (region.offset as usize, region.size as usize))
                .max_by_key(|&(_, size)| size)
                .unwrap()
        };
        let mut random = Random::new(7);
        let mut count = Count::default();
        for _ in 0..FILES {
            let mut data = sample.clone();
            for _ in 0..=random.below(40) {
                // Most of it hits the code.
                let at = match random.below(4) {
                    0 => random.below(1024),
                    _ => code.0 + random.below(code.1),
                };
                data[at] = match random.below(3) {
                    0 => data[at] ^ (1 << random.below(8)),
                    1 => 0xe8,
                    _ => random.below(256) as u8,
                };
            }
            if let Some(mut subject) = Subject::of(&data) {
                count.some_of(&mut subject, &mut random);
            }
        }
        assert!(count.texts > FILES * FUNCTIONS / 2, "{count:?}");
        // Nothing is known to bring one out.
        assert_eq!((count.faults, count.out_of_time), (0, 0), "{count:?}");
    });
}

/// x86 code said to be that of other processors.
#[test]
fn programs_of_the_wrong_architecture() {
    in_worker(|| {
        let mut data = std::fs::read("/bin/true").unwrap();
        let mut random = Random::new(3);
        // AArch64, MIPS, PowerPC64, RISC-V; big-endian ones read as little.
        for machine in [183_u8, 8, 21, 243] {
            data[18] = machine;
            let mut subject = Subject::of(&data).unwrap();
            let mut count = Count::default();
            count.some_of(&mut subject, &mut random);
            assert_eq!(count.faults, 0, "{machine}: {count:?}");
        }
        // s390x can be disassembled, but not decompiled.
        data[18] = 22;
        let (image, program) = model(&data).unwrap();
        let error = Decompiler::new(&data, &image, &program).unwrap_err();
        assert!(error.to_string().contains("s390x"), "{error}");
    });
}

/// What a packer leaves of the code: bytes that mean nothing.
#[test]
fn bytes_that_are_no_code() {
    in_worker(|| {
        let mut data = std::fs::read("/bin/true").unwrap();
        let (image, program) = model(&data).unwrap();
        let entry = program.function_at(image.entry_point.unwrap().address);
        let entry = entry.unwrap().clone();
        let place = program.memory_map().offset(entry.address).unwrap() as usize;
        // Push of a segment that 64-bit code has not.
        data[place..place + 64].fill(0x06);
        let mut decompiler = Decompiler::new(&data, &image, &program).unwrap();
        let result = decompiler.decompile(&program, &entry, &Options::default(), &mut |_| true);
        let expected = Failure::NoCode {
            address: entry.address,
        };
        assert_eq!(result, Err(expected));
    });
}
