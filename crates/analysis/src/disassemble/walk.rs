//! Instructions at any place of a stretch of code, in any order, with what a
//! program model has to know of each: where it goes, which data it names, what
//! it does to registers. Called by the crate `code` for millions of
//! instructions, so nothing here allocates for one, and text is made only when
//! it is asked for.
//!
//! [`Decode`](super::Decode) is the simpler choice for a single linear walk.

use std::hash::{Hash as _, Hasher};

use capstone::DisasmIter;
use iced_x86::{InstructionInfoFactory, InstructionInfoOptions, Mnemonic};

use super::architecture::Family;
use super::decoder::{Decoder, Engine, Flow, Text};
use super::operation::{Access, Fact, Operation};
use super::{a64, flow, x86, x86_facts};

/// A walk over one stretch of code.
#[expect(missing_debug_implementations, reason = "the decoders have none")]
pub struct Walker<'a> {
    family: Family,
    unit: usize,
    bytes: &'a [u8],
    address: u64,
    /// Where the engine stands.
    next: usize,
    source: Source<'a>,
    text: Text,
    /// `text` is that of the last instruction.
    text_is_fresh: bool,
}

enum Source<'a> {
    X86(Box<X86<'a>>),
    Capstone {
        iterator: Option<DisasmIter<'a, 'a>>,
        pages: Box<a64::Pages>,
        operation: Operation,
    },
}

struct X86<'a> {
    decoder: iced_x86::Decoder<'a>,
    instruction: iced_x86::Instruction,
    factory: InstructionInfoFactory,
    printer: x86::Printer,
}

impl Decoder {
    /// A walk over code whose first byte has the given address.
    pub fn walk<'a>(&'a self, bytes: &'a [u8], address: u64) -> Walker<'a> {
        let source = match &self.engine {
            Engine::X86(bits) => Source::X86(Box::new(X86 {
                decoder: x86::decoder(*bits, bytes, address),
                instruction: iced_x86::Instruction::default(),
                factory: InstructionInfoFactory::new(),
                printer: x86::Printer::new(),
            })),
            // Fails when memory is out only; everything is undecodable then.
            Engine::Capstone(capstone) => Source::Capstone {
                iterator: capstone.disasm_iter(bytes, address).ok(),
                pages: Box::default(),
                operation: Operation::default(),
            },
        };
        Walker {
            family: self.architecture.family,
            unit: self.architecture.unit(),
            bytes,
            address,
            next: 0,
            source,
            text: Text::default(),
            text_is_fresh: false,
        }
    }
}

impl Walker<'_> {
    /// The instruction at a distance from the first byte; `None` behind the
    /// last one. One that cannot be decoded has `valid` unset and the length
    /// of a unit.
    pub fn at(&mut self, position: usize) -> Option<Fact> {
        let rest = self.bytes.get(position..).filter(|rest| !rest.is_empty())?;
        self.text_is_fresh = false;
        let address = self.address.wrapping_add(position as u64);
        let moved = position != self.next;
        let fact = match &mut self.source {
            Source::X86(x86) => {
                if moved {
                    x86::seek(&mut x86.decoder, position, address);
                }
                x86.decoder.decode_out(&mut x86.instruction);
                (!x86.instruction.is_invalid()).then(|| x86.fact())
            }
            Source::Capstone {
                iterator,
                pages,
                operation,
            } => {
                *operation = Operation::default();
                if moved {
                    pages.forget();
                    if let Some(iterator) = iterator {
                        iterator.reset(rest, address);
                    }
                }
                let family = self.family;
                let text = &mut self.text;
                let found = iterator.as_mut().and_then(DisasmIter::next);
                found.map(|instruction| {
                    let mnemonic = instruction.mnemonic().unwrap_or_default();
                    let operands = instruction.op_str().unwrap_or_default();
                    mnemonic.clone_into(&mut text.mnemonic);
                    operands.clone_into(&mut text.operands);
                    self.text_is_fresh = true;
                    let flow = flow::classify(family, mnemonic, operands);
                    let target = flow::target(family, flow, mnemonic, operands, address);
                    let mut fact = Fact::plain(instruction.len(), flow);
                    if flow.transfers() {
                        fact.direct = target;
                    } else {
                        fact.memory = target;
                        if target.is_some() {
                            fact.access = Access::Read;
                        }
                    }
                    fact.padding = matches!(mnemonic, "nop" | "nop.w" | "c.nop");
                    fact.halts = matches!(mnemonic, "udf" | "hlt" | "brk" | "unimp" | "trap");
                    if family == Family::Aarch64
                        && let Some(word) = rest.first_chunk()
                    {
                        *operation = a64::operation(u32::from_le_bytes(*word), address);
                        pages.follow(operation, &mut fact);
                    }
                    fact
                })
            }
        };
        let Some(fact) = fact.filter(|fact| fact.length > 0) else {
            // The engine does not stand where the next instruction begins.
            self.next = usize::MAX;
            return Some(Fact::invalid(self.unit.min(rest.len())));
        };
        self.next = position.saturating_add(usize::from(fact.length));
        Some(fact)
    }

    /// What the last instruction does to registers: enough to recognise the
    /// ways in which compilers write a switch or compute an address.
    pub fn operation(&self) -> Operation {
        match &self.source {
            Source::X86(x86) => x86_facts::operation(&x86.instruction),
            Source::Capstone { operation, .. } => *operation,
        }
    }

    /// Feeds what makes the last instruction what it is to a hash: its
    /// operation, registers and small displacements, but nothing that moves when
    /// code or data are moved. Immediates are left out; they are in its [`Fact`].
    pub fn fingerprint(&self, hash: &mut impl Hasher) {
        match &self.source {
            Source::X86(x86) => x86_facts::fingerprint(&x86.instruction, hash),
            Source::Capstone { .. } => {
                self.text.mnemonic.hash(hash);
                for operand in self.text.operands.split(',') {
                    let operand = operand.trim();
                    // Long numbers are addresses or parts of such.
                    if operand.len() <= 5 || !operand.contains("0x") {
                        operand.hash(hash);
                    }
                }
            }
        }
    }

    /// Name and operands of the last instruction, as in a listing.
    pub fn text(&mut self) -> (&str, &str) {
        if let Source::X86(x86) = &mut self.source
            && !self.text_is_fresh
        {
            x86.printer.print(&x86.instruction, &mut self.text);
            self.text_is_fresh = true;
        }
        (&self.text.mnemonic, &self.text.operands)
    }
}

impl X86<'_> {
    fn fact(&mut self) -> Fact {
        let instruction = &self.instruction;
        let flow = x86::flow(instruction);
        let mut fact = Fact::plain(instruction.len(), flow);
        if flow == Flow::Other || flow == Flow::Interrupt {
            fact.padding = x86_facts::is_padding(instruction);
            fact.halts = x86_facts::halts(instruction);
            fact.immediate = x86_facts::immediate(instruction);
        } else if x86::is_near_branch(instruction) {
            fact.direct = Some(instruction.near_branch_target());
            return fact;
        }
        fact.memory = x86_facts::fixed_memory(instruction);
        if fact.memory.is_some() {
            fact.access = if instruction.mnemonic() == Mnemonic::Lea {
                Access::Address
            } else if x86_facts::memory_is_first(instruction) && flow == Flow::Other {
                let options = InstructionInfoOptions::NO_REGISTER_USAGE
                    | InstructionInfoOptions::NO_MEMORY_USAGE;
                let info = self.factory.info_options(instruction, options);
                x86_facts::access(info.op0_access())
            } else {
                Access::Read
            };
        }
        fact
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disassemble::Architecture;

    #[test]
    fn facts_of_x86() {
        let decoder = Decoder::new(Architecture::x86(64)).unwrap();
        for (bytes, memory, access, immediate) in [
            (
                &b"\x48\x8d\x3d\x10\0\0\0"[..],
                Some(0x1017),
                Access::Address,
                None,
            ),
            (b"\x8b\x05\x10\0\0\0", Some(0x1016), Access::Read, None),
            (b"\x89\x05\x10\0\0\0", Some(0x1016), Access::Write, None),
            (
                b"\x83\x05\x10\0\0\0\x01",
                Some(0x1017),
                Access::ReadWrite,
                Some(1),
            ),
            (b"\x3b\x05\x10\0\0\0", Some(0x1016), Access::Read, None),
            (b"\x39\x05\x10\0\0\0", Some(0x1016), Access::Read, None),
            (b"\xbf\x10\x20\0\0", None, Access::None, Some(0x2010)),
            (b"\xff\x15\x10\0\0\0", Some(0x1016), Access::Read, None),
        ] {
            let fact = decoder.walk(bytes, 0x1000).at(0).unwrap();
            assert!(fact.valid);
            assert_eq!(
                (fact.memory, fact.access, fact.immediate),
                (memory, access, immediate),
                "{bytes:02x?}"
            );
        }
    }

    #[test]
    fn places_are_taken_in_any_order() {
        let code = b"\x90\xc3\xe8\0\0\0\0\x06";
        let decoder = Decoder::new(Architecture::x86(64)).unwrap();
        let mut walk = decoder.walk(code, 0x1000);
        assert_eq!(walk.at(2).unwrap().direct, Some(0x1007));
        assert!(!walk.at(7).unwrap().valid);
        assert!(walk.at(0).unwrap().padding);
        assert_eq!(walk.text(), ("nop", ""));
        assert_eq!(walk.at(1).unwrap().flow, Flow::Return);
        assert_eq!(walk.text(), ("ret", ""));
        assert!(walk.at(8).is_none());
    }

    #[test]
    fn pairs_of_aarch64_name_data() {
        use crate::binary::Endian;
        let architecture = Architecture::new(Family::Aarch64, 64, Endian::Little);
        let decoder = Decoder::new(architecture).unwrap();
        // adrp x0, 0x3000; add x0, x0, #0x10; adrp x1, 0x3000; ldr x2, [x1, #8];
        // str w2, [x1, #4]; br x2
        let words: [u32; 6] = [
            0xd000_0000,
            0x9100_4000,
            0xd000_0001,
            0xf940_0422,
            0xb900_0422,
            0xd61f_0040,
        ];
        let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut walk = decoder.walk(&code, 0x1000);
        let got: Vec<_> = (0..6)
            .map(|number| {
                let fact = walk.at(number * 4).unwrap();
                (fact.memory, fact.access)
            })
            .collect();
        assert_eq!(
            got,
            [
                (None, Access::None),
                (Some(0x3010), Access::Address),
                (None, Access::None),
                (Some(0x3008), Access::Read),
                (Some(0x3004), Access::Write),
                (None, Access::None),
            ]
        );
    }
}
