//! What [`Walker`](super::Walker) says of x86 instructions, read from what
//! `iced-x86` decoded.

use std::hash::{Hash as _, Hasher};

use iced_x86::{FlowControl, Instruction, Mnemonic, OpAccess, OpKind, Register as Name};

use super::operation::{Access, Address, Operation, Register};

/// Immediates from here on may be addresses, which move.
const FIRST_ADDRESS: u64 = 0x1000;

/// `nop` in its lengths, and `int3`, with which compilers fill gaps.
pub(super) fn is_padding(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Nop | Mnemonic::Int3)
}

/// Whether the processor does not go on behind it, in a program.
pub(super) fn halts(instruction: &Instruction) -> bool {
    let mnemonic = instruction.mnemonic();
    let traps = matches!(
        mnemonic,
        Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2 | Mnemonic::Hlt | Mnemonic::Int3
    );
    // `__fastfail` of Windows.
    traps || (mnemonic == Mnemonic::Int && instruction.immediate8() == 0x29)
}

/// The last immediate operand.
pub(super) fn immediate(instruction: &Instruction) -> Option<u64> {
    let last = instruction.op_count().checked_sub(1)?;
    is_immediate(instruction.op_kind(last)).then(|| instruction.immediate(last))
}

fn is_immediate(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Immediate8
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}

fn has_memory(instruction: &Instruction) -> bool {
    // Memory is one of the first three operands.
    instruction.op0_kind() == OpKind::Memory
        || instruction.op1_kind() == OpKind::Memory
        || instruction.op2_kind() == OpKind::Memory
}

/// Whether memory is what it may write.
pub(super) fn memory_is_first(instruction: &Instruction) -> bool {
    instruction.op0_kind() == OpKind::Memory
}

/// The address of data that is addressed without a register other than the
/// instruction pointer, or else of a table that an index register runs over.
pub(super) fn fixed_memory(instruction: &Instruction) -> Option<u64> {
    if !has_memory(instruction) {
        return None;
    }
    if instruction.is_ip_rel_memory_operand() {
        return Some(instruction.ip_rel_memory_address());
    }
    // Offsets into the thread's block (`fs`, `gs`) are no addresses.
    if matches!(instruction.memory_segment(), Name::FS | Name::GS)
        || instruction.memory_base() != Name::None
    {
        return None;
    }
    let displacement = instruction.memory_displacement64();
    let table = instruction.memory_index() == Name::None || displacement >= FIRST_ADDRESS;
    table.then_some(displacement)
}

/// What is done with the first operand.
pub(super) fn access(access: OpAccess) -> Access {
    match access {
        OpAccess::Write | OpAccess::CondWrite => Access::Write,
        OpAccess::ReadWrite | OpAccess::ReadCondWrite => Access::ReadWrite,
        OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess => {
            Access::Read
        }
    }
}

fn register(name: Name) -> Option<Register> {
    if !name.is_gpr() {
        return None;
    }
    u8::try_from(name.full_register().number())
        .ok()
        .map(Register)
}

fn address(instruction: &Instruction) -> Address {
    Address {
        base: register(instruction.memory_base()),
        index: register(instruction.memory_index()),
        scale: u8::try_from(instruction.memory_index_scale()).unwrap_or(1),
        displacement: instruction.memory_displacement64(),
    }
}

/// What an instruction does to registers.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "iced's mnemonics are thousands"
)]
pub(super) fn operation(instruction: &Instruction) -> Operation {
    let first = register(instruction.op0_register()).filter(|_| is_register(instruction, 0));
    let second = register(instruction.op1_register()).filter(|_| is_register(instruction, 1));
    let value = immediate(instruction);
    let memory = has_memory(instruction);
    if instruction.flow_control() == FlowControl::IndirectBranch {
        return match first {
            Some(register) => Operation::JumpTo(register),
            None => load(instruction, None, false),
        };
    }
    let written = first.map_or(Operation::Other, Operation::Writes);
    match instruction.mnemonic() {
        Mnemonic::Lea => match (first, fixed_memory(instruction)) {
            (Some(to), Some(value)) => Operation::Set { to, value },
            (Some(to), None) => {
                let place = address(instruction);
                match (place.base, place.index) {
                    (Some(from), None) => Operation::Offset {
                        to,
                        from,
                        value: place.displacement,
                    },
                    (Some(base), Some(index)) if place.displacement == 0 && place.scale == 1 => {
                        if base == to {
                            Operation::Add { to, from: index }
                        } else if index == to {
                            Operation::Add { to, from: base }
                        } else {
                            written
                        }
                    }
                    _ => written,
                }
            }
            (None, _) => Operation::Other,
        },
        mnemonic @ (Mnemonic::Mov | Mnemonic::Movzx | Mnemonic::Movsx | Mnemonic::Movsxd) => {
            match (first, second, value) {
                (Some(to), Some(from), _) => Operation::Copy { to, from },
                (Some(to), None, Some(value)) => Operation::Set { to, value },
                (Some(to), None, None) if memory => {
                    let signed = matches!(mnemonic, Mnemonic::Movsx | Mnemonic::Movsxd);
                    load(instruction, Some(to), signed)
                }
                (None, ..) if memory => Operation::Store {
                    to: address(instruction),
                },
                _ => written,
            }
        }
        // Extends rax from eax.
        Mnemonic::Cdqe => Operation::Copy {
            to: Register(0),
            from: Register(0),
        },
        Mnemonic::Add => match (first, second, value) {
            (Some(to), Some(from), _) => Operation::Add { to, from },
            (Some(to), None, Some(value)) => Operation::Offset {
                to,
                from: to,
                value,
            },
            _ => written,
        },
        Mnemonic::Sub => match (first, value) {
            (Some(to), Some(value)) => Operation::Offset {
                to,
                from: to,
                value: value.wrapping_neg(),
            },
            _ => written,
        },
        Mnemonic::Cmp => match (first, value) {
            (Some(register), Some(value)) => Operation::Compare { register, value },
            _ => Operation::Other,
        },
        Mnemonic::And => match (first, value) {
            (Some(register), Some(mask)) => Operation::Mask { register, mask },
            _ => written,
        },
        Mnemonic::Test | Mnemonic::Push => Operation::Other,
        _ => written,
    }
}

fn is_register(instruction: &Instruction, index: u32) -> bool {
    instruction.op_count() > index && instruction.op_kind(index) == OpKind::Register
}

fn load(instruction: &Instruction, to: Option<Register>, signed: bool) -> Operation {
    let mut from = address(instruction);
    if instruction.is_ip_rel_memory_operand() {
        from.displacement = instruction.ip_rel_memory_address();
    }
    Operation::Load {
        to,
        from,
        size: u8::try_from(instruction.memory_size().size()).unwrap_or(0),
        signed,
    }
}

/// See [`Walker::fingerprint`](super::Walker::fingerprint).
pub(super) fn fingerprint(instruction: &Instruction, hash: &mut impl Hasher) {
    let mut key = u64::from(instruction.code() as u16);
    let registers = [
        instruction.op0_register(),
        instruction.op1_register(),
        instruction.op2_register(),
    ];
    for register in registers {
        key = key << 8 | u64::from(register as u8);
    }
    if has_memory(instruction) {
        for register in [instruction.memory_base(), instruction.memory_index()] {
            key = key << 8 | u64::from(register as u8);
        }
        if fixed_memory(instruction).is_none() {
            let scale = u64::from(instruction.memory_index_scale()) << 32;
            (instruction.memory_displacement64() ^ scale).hash(hash);
        }
    }
    key.hash(hash);
}
