//! x86 by `iced-x86`: decoding, the flow of control, and text in the Intel
//! syntax as capstone prints it, which is what analysts and other tools know.
//!
//! Where iced's names differ from capstone's, [`Printer`] has the mapping; the
//! test beside it compares both over real code.

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Formatter, Instruction, IntelFormatter,
    MemorySizeOptions, Mnemonic, OpKind, Register,
};

use super::decoder::{Flow, Text};

/// A decoder over bytes.
pub(super) fn decoder(bits: u32, bytes: &[u8], address: u64) -> Decoder<'_> {
    Decoder::with_ip(bits, bytes, address, DecoderOptions::NONE)
}

/// The next instruction, unless it is none.
pub(super) fn step(decoder: &mut Decoder<'_>) -> Option<Instruction> {
    let instruction = decoder.decode();
    (!instruction.is_invalid()).then_some(instruction)
}

/// Goes on at a position.
pub(super) fn seek(decoder: &mut Decoder<'_>, position: usize, address: u64) {
    // Fails behind the end only, where there is nothing left to decode.
    if decoder.set_position(position).is_ok() {
        decoder.set_ip(address);
    }
}

/// What an instruction does to the flow of control.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "iced's mnemonics are thousands"
)]
pub(super) fn flow(instruction: &Instruction) -> Flow {
    match instruction.flow_control() {
        FlowControl::Next => Flow::Other,
        FlowControl::UnconditionalBranch | FlowControl::IndirectBranch => Flow::Jump,
        FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend => {
            match instruction.mnemonic() {
                Mnemonic::Xend | Mnemonic::Xabort => Flow::Other,
                _ => Flow::ConditionalJump,
            }
        }
        FlowControl::Return => Flow::Return,
        // For iced every change of privilege is a call.
        FlowControl::Call | FlowControl::IndirectCall => match instruction.mnemonic() {
            Mnemonic::Call => Flow::Call,
            _ => Flow::Interrupt,
        },
        FlowControl::Interrupt | FlowControl::Exception => Flow::Interrupt,
    }
}

/// Where a direct branch goes, or the address of the data that is addressed
/// without a register other than the instruction pointer.
pub(super) fn target(instruction: &Instruction) -> Option<u64> {
    match instruction.op0_kind() {
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => {
            return Some(instruction.near_branch_target());
        }
        _ => {}
    }
    if instruction.is_ip_rel_memory_operand() {
        return Some(instruction.ip_rel_memory_address());
    }
    // Offsets into the thread's block (`fs`, `gs`) are no addresses.
    let absolute = (0..instruction.op_count())
        .any(|index| instruction.op_kind(index) == OpKind::Memory)
        && instruction.memory_base() == Register::None
        && instruction.memory_index() == Register::None
        && !matches!(instruction.memory_segment(), Register::FS | Register::GS);
    absolute.then(|| instruction.memory_displacement64())
}

/// Text of instructions.
pub(super) struct Printer {
    formatter: IntelFormatter,
}

impl Printer {
    pub(super) fn new() -> Self {
        let mut formatter = IntelFormatter::new();
        let options = formatter.options_mut();
        options.set_hex_prefix("0x");
        options.set_hex_suffix("");
        options.set_uppercase_hex(false);
        options.set_space_after_operand_separator(true);
        options.set_space_between_memory_add_operators(true);
        options.set_memory_size_options(MemorySizeOptions::Always);
        options.set_rip_relative_addresses(true);
        options.set_branch_leading_zeros(false);
        options.set_show_branch_size(false);
        Self { formatter }
    }

    /// Prints an instruction.
    pub(super) fn print(&mut self, instruction: &Instruction, text: &mut Text) {
        let Text { mnemonic, operands } = text;
        mnemonic.clear();
        operands.clear();
        self.formatter.format_mnemonic(instruction, mnemonic);
        self.formatter.format_all_operands(instruction, operands);
    }
}
