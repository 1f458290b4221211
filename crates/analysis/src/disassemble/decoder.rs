//! Instructions one after the other: where each ends, what it does to the flow
//! of control and where it points. The base of the listing in the module
//! above, of function discovery and of cross-references.
//!
//! x86 is decoded by `iced-x86`, in Rust and without text; all else by
//! capstone, which makes its text in any case and whose flow of control is
//! read from it (see [`flow`](super::flow)).

use capstone::{Arch, Capstone, DisasmIter, ExtraMode, Mode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::architecture::{Architecture, Family};
use super::{flow, x86};
use crate::binary::Endian;

/// What an instruction does to the flow of control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// A call, direct or indirect.
    Call,
    /// A jump that is always taken.
    Jump,
    /// A jump, or a return, that depends on a condition.
    ConditionalJump,
    /// A return to the caller.
    Return,
    /// A system call, trap or breakpoint.
    Interrupt,
    /// Goes on to the next instruction.
    Other,
}

impl Flow {
    /// Whether it is a call or a jump.
    pub const fn transfers(self) -> bool {
        match self {
            Self::Call | Self::Jump | Self::ConditionalJump => true,
            Self::Return | Self::Interrupt | Self::Other => false,
        }
    }

    /// Whether the instruction behind it is only reached from elsewhere.
    pub const fn ends_a_run(self) -> bool {
        match self {
            Self::Jump | Self::Return => true,
            Self::Call | Self::ConditionalJump | Self::Interrupt | Self::Other => false,
        }
    }
}

/// One decoded instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded {
    /// Its address.
    pub address: u64,
    /// Its size in bytes; that of a unit where nothing could be decoded.
    pub length: usize,
    /// Whether it could be decoded.
    pub valid: bool,
    /// What it does to the flow of control.
    pub flow: Flow,
    /// Where a direct call or jump goes, or the data at a fixed address that
    /// it refers to.
    pub target: Option<u64>,
}

/// An architecture whose bits, endianness and family do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no decoder for `{name}` with {bits} bits", name = .0.name(), bits = .0.bits)]
pub struct Unsupported(pub Architecture);

/// A decoder for one architecture. Making one costs a few microseconds, so
/// keep it for as long as the architecture stays the same.
#[derive(Debug)]
pub struct Decoder {
    pub(super) architecture: Architecture,
    pub(super) engine: Engine,
}

#[derive(Debug)]
pub(super) enum Engine {
    X86(u32),
    Capstone(Capstone),
}

impl Decoder {
    /// A decoder, if the architecture is one that exists.
    pub fn new(architecture: Architecture) -> Result<Self, Unsupported> {
        let engine = match (architecture.family, architecture.bits) {
            (Family::X86, bits @ (16 | 32 | 64)) => Engine::X86(u32::from(bits)),
            (Family::X86, _) => return Err(Unsupported(architecture)),
            _ => Engine::Capstone(open(architecture)?),
        };
        Ok(Self {
            architecture,
            engine,
        })
    }

    /// Every instruction from the first byte on. Never ends before the last
    /// byte: what cannot be decoded is skipped by one unit, and said.
    pub fn decode<'a>(&'a self, bytes: &'a [u8], address: u64) -> Decode<'a> {
        let source = match &self.engine {
            Engine::X86(bits) => Source::X86(Box::new(x86::decoder(*bits, bytes, address))),
            // Fails when memory is out only; everything is undecodable then.
            Engine::Capstone(capstone) => {
                Source::Capstone(capstone.disasm_iter(bytes, address).ok())
            }
        };
        Decode {
            unit: self.architecture.unit(),
            family: self.architecture.family,
            bytes,
            position: 0,
            address,
            source,
        }
    }
}

/// Opens capstone for an architecture.
fn open(architecture: Architecture) -> Result<Capstone, Unsupported> {
    let Architecture {
        family,
        bits,
        endian,
        thumb,
    } = architecture;
    let (arch, mode) = match (family, bits) {
        (Family::Arm, 32) if thumb => (Arch::ARM, Mode::Thumb),
        (Family::Arm, 32) => (Arch::ARM, Mode::Arm),
        (Family::Aarch64, 64) => (Arch::ARM64, Mode::Arm),
        // ILP32: addresses of 32 bits, the same instructions.
        (Family::Aarch64, 32) => (Arch::ARM64, Mode::Arm),
        (Family::Mips, 32) => (Arch::MIPS, Mode::Mips32),
        (Family::Mips, 64) => (Arch::MIPS, Mode::Mips64),
        (Family::Powerpc, 32) => (Arch::PPC, Mode::Mode32),
        (Family::Powerpc, 64) => (Arch::PPC, Mode::Mode64),
        (Family::Riscv, 32) => (Arch::RISCV, Mode::RiscV32),
        (Family::Riscv, 64) => (Arch::RISCV, Mode::RiscV64),
        (Family::S390x, 64) => (Arch::SYSZ, Mode::Default),
        (Family::M68k, 32) => (Arch::M68K, Mode::M68k040),
        (Family::Sparc, 32) => (Arch::SPARC, Mode::Default),
        (Family::Sparc, 64) => (Arch::SPARC, Mode::V9),
        _ => return Err(Unsupported(architecture)),
    };
    let extra = (family == Family::Riscv).then_some(ExtraMode::RiscVC);
    let endian = match endian {
        Endian::Little => capstone::Endian::Little,
        Endian::Big => capstone::Endian::Big,
    };
    Capstone::new_raw(arch, mode, extra.into_iter(), Some(endian))
        .map_err(|_| Unsupported(architecture))
}

/// The iterator of [`Decoder::decode`].
#[expect(missing_debug_implementations, reason = "the decoders have none")]
pub struct Decode<'a> {
    unit: usize,
    family: Family,
    bytes: &'a [u8],
    position: usize,
    address: u64,
    source: Source<'a>,
}

enum Source<'a> {
    // An order of magnitude larger than the other.
    X86(Box<iced_x86::Decoder<'a>>),
    Capstone(Option<DisasmIter<'a, 'a>>),
}

/// The text of an instruction.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) mnemonic: String,
    pub(super) operands: String,
}

impl Iterator for Decode<'_> {
    type Item = Decoded;

    fn next(&mut self) -> Option<Decoded> {
        self.step(None)
    }
}

impl Decode<'_> {
    /// The next instruction with its text, which is left alone where nothing
    /// could be decoded.
    pub(super) fn next_with_text(
        &mut self,
        printer: &mut x86::Printer,
        text: &mut Text,
    ) -> Option<Decoded> {
        self.step(Some((printer, text)))
    }

    fn step(&mut self, text: Option<(&mut x86::Printer, &mut Text)>) -> Option<Decoded> {
        let rest = self
            .bytes
            .get(self.position..)
            .filter(|rest| !rest.is_empty())?;
        let address = self.address;
        let found = match &mut self.source {
            Source::X86(decoder) => {
                let instruction = x86::step(decoder);
                if let (Some(instruction), Some((printer, text))) = (&instruction, text) {
                    printer.print(instruction, text);
                }
                instruction.map(|instruction| {
                    (
                        instruction.len(),
                        x86::flow(&instruction),
                        x86::target(&instruction),
                    )
                })
            }
            Source::Capstone(iterator) => {
                let family = self.family;
                iterator
                    .as_mut()
                    .and_then(DisasmIter::next)
                    .map(|instruction| {
                        let mnemonic = instruction.mnemonic().unwrap_or_default();
                        let operands = instruction.op_str().unwrap_or_default();
                        if let Some((_, text)) = text {
                            mnemonic.clone_into(&mut text.mnemonic);
                            operands.clone_into(&mut text.operands);
                        }
                        let flow = flow::classify(family, mnemonic, operands);
                        let target = flow::target(family, flow, mnemonic, operands, address);
                        (instruction.len(), flow, target)
                    })
            }
        };
        let (length, valid, flow, target) = match found {
            // A length of 0 would never end.
            Some((length, flow, target)) if length > 0 => (length, true, flow, target),
            _ => (self.unit, false, Flow::Other, None),
        };
        let length = length.min(rest.len());
        self.position = self.position.saturating_add(length);
        self.address = self.address.wrapping_add(length as u64);
        if !valid {
            self.resume();
        }
        Some(Decoded {
            address,
            length,
            valid,
            flow,
            target,
        })
    }

    /// Sets the engine behind what it could not decode.
    fn resume(&mut self) {
        match &mut self.source {
            Source::X86(decoder) => x86::seek(decoder, self.position, self.address),
            Source::Capstone(Some(iterator)) => {
                iterator.reset(
                    self.bytes.get(self.position..).unwrap_or_default(),
                    self.address,
                );
            }
            Source::Capstone(None) => {}
        }
    }
}
