//! A few instructions of each processor, in the smallest file that has them: the
//! right variant is chosen, and addresses are found that the model has not.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

mod common;

use common::{Subject, in_worker};

/// Where the file is loaded.
const BASE: u32 = 0x2_0000;
/// Offset of the text in the file.
const TEXT: u32 = 0x200;
/// Where it is then.
const TEXT_ADDRESS: u32 = BASE + TEXT;

/// What an ELF file says of its processor.
#[derive(Clone, Copy)]
struct Processor {
    name: &'static str,
    machine: u16,
    wide: bool,
    big: bool,
    /// Code of this mode has odd addresses.
    thumb: bool,
}

impl Processor {
    const fn new(name: &'static str, machine: u16, wide: bool, big: bool) -> Self {
        Self {
            name,
            machine,
            wide,
            big,
            thumb: false,
        }
    }
}

const X86: Processor = Processor::new("x86", 3, false, false);
const X86_64: Processor = Processor::new("x86-64", 62, true, false);
const MIPS: Processor = Processor::new("mips", 8, false, true);
const MIPSEL: Processor = Processor::new("mipsel", 8, false, false);
const POWERPC: Processor = Processor::new("powerpc", 20, false, true);
const ARM: Processor = Processor::new("arm", 40, false, false);
const AARCH64: Processor = Processor::new("aarch64", 183, true, false);
const RISCV32: Processor = Processor::new("riscv32", 243, false, false);
const RISCV64: Processor = Processor::new("riscv64", 243, true, false);
const THUMB: Processor = Processor {
    name: "thumb",
    thumb: true,
    ..ARM
};

/// Numbers in the order of bytes of a file.
struct Writer {
    bytes: Vec<u8>,
    processor: Processor,
}

impl Writer {
    fn put(&mut self, value: u64, size: usize) {
        let bytes = value.to_le_bytes();
        let bytes = &bytes[..size];
        if self.processor.big {
            self.bytes.extend(bytes.iter().rev());
        } else {
            self.bytes.extend(bytes);
        }
    }

    fn address(&mut self, value: u32) {
        self.put(value.into(), if self.processor.wide { 8 } else { 4 });
    }
}

/// A program of one segment: a header, code, and a text.
fn program(processor: Processor, code: &[u8]) -> Vec<u8> {
    let (header, entry) = if processor.wide { (64, 56) } else { (52, 32) };
    let start = header + entry;
    let size = TEXT + 0x20;
    let mut out = Writer {
        bytes: Vec::new(),
        processor,
    };
    out.bytes.extend(b"\x7fELF");
    let class = if processor.wide { 2 } else { 1 };
    let order = if processor.big { 2 } else { 1 };
    out.bytes
        .extend([class, order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.put(2, 2);
    out.put(processor.machine.into(), 2);
    out.put(1, 4);
    out.address(BASE + start + u32::from(processor.thumb));
    out.address(header);
    out.address(0);
    // Version 5 of the ARM conventions.
    out.put(
        if processor.machine == 40 {
            0x0500_0000
        } else {
            0
        },
        4,
    );
    for field in [header, entry, 1, 0, 0, 0] {
        out.put(field.into(), 2);
    }
    out.put(1, 4);
    if processor.wide {
        out.put(5, 4);
    }
    for field in [0, BASE, BASE, size, size] {
        out.address(field);
    }
    if !processor.wide {
        out.put(5, 4);
    }
    out.address(0x1000);
    out.bytes.extend(code);
    out.bytes.resize(TEXT as usize, 0);
    out.bytes.extend(b"a needle");
    out.bytes.resize(size as usize, 0);
    out.bytes
}

fn words(processor: Processor, words: &[u32]) -> Vec<u8> {
    let mut out = Writer {
        bytes: Vec::new(),
        processor,
    };
    for &word in words {
        out.put(word.into(), 4);
    }
    out.bytes
}

#[track_caller]
fn text(processor: Processor, code: &[u8]) -> String {
    let mut subject = Subject::of(&program(processor, code)).unwrap();
    let found = subject.decompile("entry0");
    found
        .unwrap_or_else(|error| panic!("{}: {error}", processor.name))
        .text
}

#[test]
fn sums_are_sums() {
    in_worker(|| {
        let sums = [
            // mov eax, [esp+4]; add eax, [esp+8]; ret
            (X86, vec![0x8b, 0x44, 0x24, 4, 3, 0x44, 0x24, 8, 0xc3]),
            // lea eax, [rdi+rsi]; ret
            (X86_64, vec![0x8d, 0x04, 0x37, 0xc3]),
            // jr ra; addu v0, a0, a1
            (MIPS, words(MIPS, &[0x03e0_0008, 0x0085_1021])),
            (MIPSEL, words(MIPSEL, &[0x03e0_0008, 0x0085_1021])),
            // add r3, r3, r4; blr
            (POWERPC, words(POWERPC, &[0x7c63_2214, 0x4e80_0020])),
            // add r0, r0, r1; bx lr
            (ARM, words(ARM, &[0xe080_0001, 0xe12f_ff1e])),
            // adds r0, r0, r1; bx lr
            (THUMB, vec![0x40, 0x18, 0x70, 0x47]),
            // add w0, w0, w1; ret
            (AARCH64, words(AARCH64, &[0x0b01_0000, 0xd65f_03c0])),
            // add a0, a0, a1; ret
            (RISCV32, words(RISCV32, &[0x00b5_0533, 0x0000_8067])),
            (RISCV64, words(RISCV64, &[0x00b5_0533, 0x0000_8067])),
        ];
        for (processor, code) in sums {
            let text = text(processor, &code);
            let sum = ["param_1 + param_2", "param_2 + param_1"];
            assert!(
                sum.iter().any(|sum| text.contains(sum)),
                "{}: {text}",
                processor.name
            );
        }
    });
}

/// The functions return the address of the text.
#[test]
fn texts_are_found_where_the_model_has_no_reference() {
    in_worker(|| {
        let (high, low) = (TEXT_ADDRESS >> 16, TEXT_ADDRESS & 0xffff);
        let start = BASE + 0x34 + 0x20;
        // call .+5; pop eax; add eax, text - .; ret
        let away = TEXT_ADDRESS - (start + 5);
        let mut x86 = vec![0xe8, 0, 0, 0, 0, 0x58, 5];
        x86.extend(away.to_le_bytes());
        x86.push(0xc3);
        let texts = [
            (X86, x86),
            // lui v0, high; jr ra; addiu v0, v0, low
            (
                MIPS,
                words(MIPS, &[0x3c02_0000 | high, 0x03e0_0008, 0x2442_0000 | low]),
            ),
            // lis r3, high; addi r3, r3, low; blr
            (
                POWERPC,
                words(
                    POWERPC,
                    &[0x3c60_0000 | high, 0x3863_0000 | low, 0x4e80_0020],
                ),
            ),
            // ldr r0, [pc]; bx lr; the address
            (ARM, words(ARM, &[0xe59f_0000, 0xe12f_ff1e, TEXT_ADDRESS])),
            // lui a0, high; addi a0, a0, low; ret
            (
                RISCV32,
                words(
                    RISCV32,
                    &[
                        0x0000_0537 | (TEXT_ADDRESS & 0xffff_f000),
                        0x0005_0513 | (TEXT_ADDRESS & 0xfff) << 20,
                        0x0000_8067,
                    ],
                ),
            ),
        ];
        for (processor, code) in texts {
            let text = text(processor, &code);
            assert!(text.contains("\"a needle\""), "{}: {text}", processor.name);
        }
    });
}
