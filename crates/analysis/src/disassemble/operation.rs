//! What [`Walker`](super::Walker) says of an instruction: plain numbers, the
//! same for all families.

use super::decoder::Flow;

/// What an instruction does with the data at a fixed address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// It names none.
    #[default]
    None,
    /// Reads it; so does a call or jump through it.
    Read,
    /// Writes it.
    Write,
    /// Reads and writes it.
    ReadWrite,
    /// Takes its address.
    Address,
}

/// One instruction, as far as a program model needs it for every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// Its size in bytes; that of a unit where nothing could be decoded.
    pub length: u8,
    /// Whether it could be decoded.
    pub valid: bool,
    /// What it does to the flow of control.
    pub flow: Flow,
    /// Nothing but filling: `nop` in its lengths, `int3`.
    pub padding: bool,
    /// Control does not go on behind it: `ud2`, `hlt`, `int3`, …
    pub halts: bool,
    /// What is done with `memory`.
    pub access: Access,
    /// Where a direct call or jump goes.
    pub direct: Option<u64>,
    /// The fixed address of the data that it names.
    pub memory: Option<u64>,
    /// Its last immediate operand, extended as the processor does it.
    pub immediate: Option<u64>,
}

impl Fact {
    pub(super) fn plain(length: usize, flow: Flow) -> Self {
        Self {
            // No instruction is longer than 15 bytes.
            length: u8::try_from(length).unwrap_or(u8::MAX),
            valid: true,
            flow,
            padding: false,
            halts: false,
            access: Access::None,
            direct: None,
            memory: None,
            immediate: None,
        }
    }

    pub(super) fn invalid(length: usize) -> Self {
        Self {
            valid: false,
            ..Self::plain(length, Flow::Other)
        }
    }
}

/// A register by its number in the family, whatever the part of it that is
/// used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Register(pub u8);

/// What an instruction does to registers, where that is one of the few things
/// from which switches and addresses are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Operation {
    /// Something else, which may write this register.
    #[default]
    Other,
    /// Something else that writes a register.
    Writes(Register),
    /// `to = from`, perhaps extended.
    Copy {
        /// The register that is written.
        to: Register,
        /// The one that is read.
        from: Register,
    },
    /// `to = value`: a fixed address, or a constant.
    Set {
        /// The register that is written.
        to: Register,
        /// What it has then.
        value: u64,
    },
    /// `to = [base + index * scale + displacement]`
    Load {
        /// The register that is written; `None`: the program counter.
        to: Option<Register>,
        /// What is read.
        from: Address,
        /// Size of what is read, in bytes.
        size: u8,
        /// It is extended with its sign.
        signed: bool,
    },
    /// `[address] = register`
    Store {
        /// What is written.
        to: Address,
    },
    /// `to = to + from`
    Add {
        /// The register that is written.
        to: Register,
        /// The one that is added.
        from: Register,
    },
    /// `to = from + value`
    Offset {
        /// The register that is written.
        to: Register,
        /// The register that is read.
        from: Register,
        /// What is added.
        value: u64,
    },
    /// Compares a register with a number.
    Compare {
        /// The register.
        register: Register,
        /// The number.
        value: u64,
    },
    /// `to = to & mask`
    Mask {
        /// The register.
        register: Register,
        /// The mask.
        mask: u64,
    },
    /// A jump to what a register has.
    JumpTo(Register),
}

/// An address made of registers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Address {
    /// The register that is taken as it is.
    pub base: Option<Register>,
    /// The register that is multiplied.
    pub index: Option<Register>,
    /// By how much.
    pub scale: u8,
    /// What is added.
    pub displacement: u64,
}
