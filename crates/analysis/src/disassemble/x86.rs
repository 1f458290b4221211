//! x86 by `iced-x86`: decoding, the flow of control, and text in the Intel
//! syntax as capstone prints it, which is what analysts and other tools know.
//!
//! Where iced's names differ from capstone's, [`Printer`] has the mapping; the
//! test beside it compares both over real code.

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Formatter, Instruction, IntelFormatter,
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
    if matches!(
        instruction.op0_kind(),
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
    ) {
        return Some(instruction.near_branch_target());
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

/// Whether it names its target itself.
pub(super) fn is_near_branch(instruction: &Instruction) -> bool {
    matches!(
        instruction.op0_kind(),
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
    )
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
        let own = instruction.mnemonic();
        let options = self.formatter.options_mut();
        // Capstone shows the sign of what the processor extends, except
        // where it is a mask of bits.
        let mask = matches!(own, Mnemonic::And | Mnemonic::Or | Mnemonic::Xor);
        let extended = (0..instruction.op_count()).any(|index| {
            matches!(
                instruction.op_kind(index),
                OpKind::Immediate8to16
                    | OpKind::Immediate8to32
                    | OpKind::Immediate8to64
                    | OpKind::Immediate32to64
            )
        });
        options.set_signed_immediate_operands(extended && !mask);
        // Comparisons get a name for each predicate, but not these.
        let spelled_out = matches!(
            own,
            Mnemonic::Imul | Mnemonic::Pclmulqdq | Mnemonic::Vpclmulqdq
        );
        options.set_use_pseudo_ops(!spelled_out);
        if matches!(instruction.code(), Code::Nopw | Code::Nopd | Code::Nopq) {
            mnemonic.push_str("nop");
            return;
        }
        self.formatter.format_mnemonic(instruction, mnemonic);
        self.formatter.format_all_operands(instruction, operands);
        drop_prefixes(mnemonic);
        rename(instruction, mnemonic);
        name_accumulator(own, operands);
        far_pointer(instruction, operands);
    }
}

/// Drops prefixes that change nothing that the operands do not show, which
/// capstone does not print.
fn drop_prefixes(mnemonic: &mut String) {
    const SILENT: [&str; 8] = [
        "data16 ",
        "data32 ",
        "data64 ",
        "addr16 ",
        "addr32 ",
        "addr64 ",
        "hint-taken ",
        "hint-not-taken ",
    ];
    if mnemonic.contains(' ') {
        for prefix in SILENT {
            if let Some(at) = mnemonic.find(prefix) {
                mnemonic.replace_range(at..at.saturating_add(prefix.len()), "");
            }
        }
    }
}

/// Gives capstone's name to an instruction where iced has another.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "iced's mnemonics are thousands"
)]
fn rename(instruction: &Instruction, mnemonic: &mut String) {
    let (from, to) = match instruction.mnemonic() {
        Mnemonic::Mov if has_long_immediate(instruction) => ("mov", "movabs"),
        Mnemonic::Fucomip => ("fucomip", "fucompi"),
        Mnemonic::Fcomip => ("fcomip", "fcompi"),
        Mnemonic::Wait => ("fwait", "wait"),
        Mnemonic::Xlatb => ("xlat", "xlatb"),
        Mnemonic::Sal => ("shl", "sal"),
        Mnemonic::Popad => ("popad", "popal"),
        Mnemonic::Pushad => ("pushad", "pushal"),
        Mnemonic::Popa => ("popa", "popaw"),
        Mnemonic::Pusha => ("pusha", "pushaw"),
        Mnemonic::Fnsetpm => ("fnsetpm", "fsetpm"),
        Mnemonic::Fneni => ("fneni", "feni8087_nop"),
        Mnemonic::Fndisi => ("fndisi", "fdisi8087_nop"),
        Mnemonic::Ret => ("rep ret", "repz ret"),
        Mnemonic::Retf => match instruction.code() {
            Code::Retfq | Code::Retfq_imm16 => ("ret far", "retfq"),
            _ => ("ret far", "retf"),
        },
        Mnemonic::Call => match instruction.code() {
            Code::Call_m1664 | Code::Call_ptr1616 | Code::Call_ptr1632 => ("call far", "lcall"),
            _ => ("call far", "call"),
        },
        Mnemonic::Jmp => match instruction.code() {
            Code::Jmp_m1664 | Code::Jmp_ptr1616 | Code::Jmp_ptr1632 => ("jmp far", "ljmp"),
            _ => ("jmp far", "jmp"),
        },
        _ => return,
    };
    // Prefixes stand before it.
    let Some(before) = mnemonic.strip_suffix(from).map(str::len) else {
        return;
    };
    mnemonic.truncate(before);
    mnemonic.push_str(to);
}

/// Whether a `mov` has a constant or an address of 64 bits: `movabs`.
#[expect(clippy::wildcard_enum_match_arm, reason = "iced's codes are thousands")]
fn has_long_immediate(instruction: &Instruction) -> bool {
    match instruction.code() {
        Code::Mov_r64_imm64 | Code::Mov_RAX_moffs64 | Code::Mov_moffs64_RAX => true,
        Code::Mov_AL_moffs8
        | Code::Mov_AX_moffs16
        | Code::Mov_EAX_moffs32
        | Code::Mov_moffs8_AL
        | Code::Mov_moffs16_AX
        | Code::Mov_moffs32_EAX => instruction.memory_displ_size() == 8,
        _ => false,
    }
}

/// Names the register that string instructions imply.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "iced's mnemonics are thousands"
)]
fn name_accumulator(mnemonic: Mnemonic, operands: &mut String) {
    let (register, first) = match mnemonic {
        Mnemonic::Stosb => ("al", false),
        Mnemonic::Stosw => ("ax", false),
        Mnemonic::Stosd => ("eax", false),
        Mnemonic::Stosq => ("rax", false),
        Mnemonic::Lodsb | Mnemonic::Scasb => ("al", true),
        Mnemonic::Lodsw | Mnemonic::Scasw => ("ax", true),
        Mnemonic::Lodsd | Mnemonic::Scasd => ("eax", true),
        Mnemonic::Lodsq | Mnemonic::Scasq => ("rax", true),
        _ => return,
    };
    if first {
        operands.insert_str(0, ", ");
        operands.insert_str(0, register);
    } else {
        operands.push_str(", ");
        operands.push_str(register);
    }
}

/// Writes a far pointer with the selector first, as manuals and everybody
/// else do.
fn far_pointer(instruction: &Instruction, operands: &mut String) {
    let kind = instruction.op0_kind();
    let offset = if kind == OpKind::FarBranch16 {
        u32::from(instruction.far_branch16())
    } else if kind == OpKind::FarBranch32 {
        instruction.far_branch32()
    } else {
        return;
    };
    *operands = format!("{:#x}:{offset:#x}", instruction.far_branch_selector());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(bits: u32, bytes: &[u8]) -> (String, String) {
        let mut text = Text::default();
        let instruction = step(&mut decoder(bits, bytes, 0x1000)).expect("an instruction");
        Printer::new().print(&instruction, &mut text);
        (text.mnemonic, text.operands)
    }

    #[test]
    fn names_are_those_that_capstone_prints() {
        for (bits, bytes, mnemonic, operands) in [
            (64, &b"\x66\x90"[..], "nop", ""),
            (64, b"\x48\xb8\x01\0\0\0\0\0\0\0", "movabs", "rax, 1"),
            (
                64,
                b"\xa1\0\x20\0\x80\x01\0\0\0",
                "movabs",
                "eax, dword ptr [0x180002000]",
            ),
            (
                32,
                b"\xa1\0\x20\0\x80",
                "mov",
                "eax, dword ptr [0x80002000]",
            ),
            (64, b"\x9b", "wait", ""),
            (64, b"\xf3\xc3", "repz ret", ""),
            (64, b"\xf2\xc3", "bnd ret", ""),
            (64, b"\xcb", "retf", ""),
            (64, b"\x48\xcb", "retfq", ""),
            (64, b"\xc0\xf0\x03", "sal", "al, 3"),
            (64, b"\xdf\xe9", "fucompi", "st, st(1)"),
            (32, b"\x60", "pushal", ""),
            (32, b"\x66\x61", "popaw", ""),
            (
                32,
                b"\x9a\x01\x02\x03\x04\x05\x06",
                "lcall",
                "0x605:0x4030201",
            ),
            (64, b"\x74\x02", "je", "0x1004"),
            (64, b"\xf3\x48\xab", "rep stosq", "qword ptr [rdi], rax"),
            (64, b"\xf3\x0f\x1e\xfa", "endbr64", ""),
            (64, b"\x3e\xff\xe0", "notrack jmp", "rax"),
            (
                64,
                b"\xf0\x0f\xb1\x0f",
                "lock cmpxchg",
                "dword ptr [rdi], ecx",
            ),
            (
                64,
                b"\x66\x0f\x3a\x44\xc1\x11",
                "pclmulqdq",
                "xmm0, xmm1, 0x11",
            ),
            (64, b"\x83\xf8\xff", "cmp", "eax, -1"),
            (64, b"\x48\x83\xe4\xf0", "and", "rsp, 0xfffffffffffffff0"),
            (64, b"\x48\x8d\x3d\x10\0\0\0", "lea", "rdi, [rip + 0x10]"),
            (64, b"\x3e\x74\x02", "je", "0x1005"),
        ] {
            let got = print(bits, bytes);
            assert_eq!(
                got,
                (mnemonic.to_owned(), operands.to_owned()),
                "{bytes:02x?}"
            );
        }
    }

    #[test]
    fn flow_and_targets() {
        for (bytes, expected, address) in [
            (&b"\xe8\0\0\0\0"[..], Flow::Call, Some(0x1005)),
            (b"\xeb\xfe", Flow::Jump, Some(0x1000)),
            (b"\x75\0", Flow::ConditionalJump, Some(0x1002)),
            (b"\xff\x25\x10\0\0\0", Flow::Jump, Some(0x1016)),
            (b"\xff\xd0", Flow::Call, None),
            (b"\xc3", Flow::Return, None),
            (b"\x0f\x05", Flow::Interrupt, None),
            (b"\xf4", Flow::Other, None),
            (b"\x64\x48\x8b\x04\x25\x28\0\0\0", Flow::Other, None),
        ] {
            let instruction = step(&mut decoder(64, bytes, 0x1000)).expect("an instruction");
            assert_eq!(
                (flow(&instruction), target(&instruction)),
                (expected, address),
                "{bytes:02x?}"
            );
        }
    }
}
