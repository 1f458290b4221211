//! The flow of control of instructions that capstone decoded, read from their
//! names. Capstone's own groups are missing for many instructions of the
//! smaller architectures, and asking for them costs more than this.

use super::architecture::Family;
use super::decoder::Flow;

/// What an instruction does to the flow of control.
pub(super) fn classify(family: Family, mnemonic: &str, operands: &str) -> Flow {
    match family {
        // x86 does not come here.
        Family::X86 => Flow::Other,
        Family::Arm => arm(mnemonic, operands),
        Family::Aarch64 => aarch64(mnemonic),
        Family::Mips => mips(mnemonic, operands),
        Family::Powerpc => powerpc(mnemonic),
        Family::Riscv => riscv(mnemonic, operands),
        Family::S390x => s390x(mnemonic, operands),
        Family::M68k => m68k(mnemonic),
        Family::Sparc => sparc(mnemonic),
    }
}

/// Where a direct branch goes, or the address of the data that a load relative
/// to the program counter names. The number is the last operand everywhere.
pub(super) fn target(
    family: Family,
    flow: Flow,
    mnemonic: &str,
    operands: &str,
    address: u64,
) -> Option<u64> {
    let last = operands.rsplit(',').next()?.trim();
    let data = family == Family::Aarch64 && matches!(mnemonic, "adr" | "ldr" | "ldrsw" | "prfm");
    let branch = match flow {
        Flow::Call | Flow::Jump | Flow::ConditionalJump => true,
        Flow::Return | Flow::Interrupt | Flow::Other => false,
    };
    if !(branch || data) {
        return None;
    }
    let number = number(last)?;
    match family {
        // Capstone prints the distance. That of `jalr` is from a register.
        Family::Riscv if mnemonic.ends_with("jalr") || mnemonic.ends_with("jr") => None,
        Family::Riscv => Some(address.wrapping_add(number)),
        Family::X86
        | Family::Arm
        | Family::Aarch64
        | Family::Mips
        | Family::Powerpc
        | Family::S390x
        | Family::M68k
        | Family::Sparc => Some(number),
    }
}

/// `0x12`, `#0x12`, `$12` (hexadecimal), `-0x12`, `12`; negative numbers wrap.
fn number(text: &str) -> Option<u64> {
    let text = text.strip_prefix('#').unwrap_or(text);
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let value = match text.strip_prefix("0x").or_else(|| text.strip_prefix('$')) {
        Some(digits) => u64::from_str_radix(digits, 16).ok()?,
        None => text.parse::<u64>().ok()?,
    };
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

const ARM_CONDITIONS: [&str; 17] = [
    "eq", "ne", "hs", "cs", "lo", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le",
    "al",
];

fn arm(mnemonic: &str, operands: &str) -> Flow {
    let name = mnemonic.split('.').next().unwrap_or(mnemonic);
    let plain = |base: &str| {
        name.strip_prefix(base)
            .is_some_and(|rest| rest.is_empty() || rest == "al")
    };
    let conditional = |base: &str| {
        name.strip_prefix(base)
            .is_some_and(|rest| ARM_CONDITIONS.contains(&rest))
    };
    if plain("bl") || plain("blx") || conditional("blx") {
        return Flow::Call;
    }
    // `bls`, `blt` and `ble` are conditional jumps, `bleq` is a call.
    if conditional("b") {
        return Flow::ConditionalJump;
    }
    if conditional("bl") {
        return Flow::Call;
    }
    if plain("bx") {
        return if operands == "lr" {
            Flow::Return
        } else {
            Flow::Jump
        };
    }
    if conditional("bx") || matches!(name, "cbz" | "cbnz") {
        return Flow::ConditionalJump;
    }
    if plain("b") || matches!(name, "tbb" | "tbh" | "bxj") {
        return Flow::Jump;
    }
    if ["svc", "bkpt", "udf", "hvc", "smc"]
        .iter()
        .any(|trap| name.starts_with(trap))
    {
        return Flow::Interrupt;
    }
    let list = operands.ends_with("pc}") || operands.ends_with("pc} ^");
    if list && (name.starts_with("pop") || name.starts_with("ldm")) {
        return if plain("pop")
            || !ARM_CONDITIONS
                .iter()
                .any(|condition| name.ends_with(condition))
        {
            Flow::Return
        } else {
            Flow::ConditionalJump
        };
    }
    match operands.strip_prefix("pc, ") {
        Some("lr") if plain("mov") || name == "movs" => Flow::Return,
        Some(rest) if plain("ldr") => {
            // `ldr pc, [sp], #4` is a pop.
            if rest.starts_with("[sp], ") {
                Flow::Return
            } else {
                Flow::Jump
            }
        }
        Some(_) if plain("mov") || plain("add") => Flow::Jump,
        Some("lr, #4") if name == "subs" => Flow::Return,
        Some(_) if ["ldr", "mov", "add"].iter().any(|base| conditional(base)) => {
            Flow::ConditionalJump
        }
        Some(_) | None => Flow::Other,
    }
}

fn aarch64(mnemonic: &str) -> Flow {
    match mnemonic {
        "bl" | "blr" | "blraa" | "blraaz" | "blrab" | "blrabz" => Flow::Call,
        "b" | "br" | "braa" | "braaz" | "brab" | "brabz" => Flow::Jump,
        "cbz" | "cbnz" | "tbz" | "tbnz" => Flow::ConditionalJump,
        "ret" | "retaa" | "retab" | "eret" | "eretaa" | "eretab" | "drps" => Flow::Return,
        "svc" | "hvc" | "smc" | "brk" | "hlt" | "udf" => Flow::Interrupt,
        _ if mnemonic.starts_with("b.") || mnemonic.starts_with("bc.") => Flow::ConditionalJump,
        _ => Flow::Other,
    }
}

fn mips(mnemonic: &str, operands: &str) -> Flow {
    match mnemonic {
        "jal" | "jalr" | "jalr.hb" | "jalx" | "bal" | "balc" | "jialc" | "bgezal" | "bltzal"
        | "bgezall" | "bltzall" => Flow::Call,
        "jr" | "jr.hb" | "jrc" => {
            if operands == "$ra" {
                Flow::Return
            } else {
                Flow::Jump
            }
        }
        "j" | "b" | "bc" | "jic" => Flow::Jump,
        "eret" | "deret" | "eretnc" => Flow::Return,
        "syscall" | "break" | "sdbbp" | "teq" | "tne" | "tge" | "tgeu" | "tlt" | "tltu" => {
            Flow::Interrupt
        }
        _ => {
            let branches = [
                "beq", "bne", "bgt", "bge", "blt", "ble", "bc1", "bc2", "bov", "bno",
            ];
            if branches.iter().any(|branch| mnemonic.starts_with(branch)) {
                Flow::ConditionalJump
            } else {
                Flow::Other
            }
        }
    }
}

fn powerpc(mnemonic: &str) -> Flow {
    let name = mnemonic.trim_end_matches(['+', '-']);
    match name {
        "bl" | "bla" | "bctrl" | "blrl" | "bcl" | "bcla" => Flow::Call,
        "b" | "ba" | "bctr" => Flow::Jump,
        "blr" | "rfi" | "rfid" | "rfci" | "hrfid" => Flow::Return,
        "sc" | "trap" | "tw" | "td" | "twi" | "tdi" => Flow::Interrupt,
        "brinc" | "bpermd" => Flow::Other,
        _ if name.starts_with('b') => Flow::ConditionalJump,
        _ => Flow::Other,
    }
}

fn riscv(mnemonic: &str, operands: &str) -> Flow {
    let name = mnemonic.strip_prefix("c.").unwrap_or(mnemonic);
    match name {
        "jal" | "jalr" if operands.starts_with("zero,") => {
            if operands.contains("ra") {
                Flow::Return
            } else {
                Flow::Jump
            }
        }
        "jal" | "jalr" => Flow::Call,
        "j" => Flow::Jump,
        "jr" if operands == "ra" => Flow::Return,
        "jr" => Flow::Jump,
        "ret" | "mret" | "sret" | "uret" => Flow::Return,
        "ecall" | "ebreak" | "unimp" => Flow::Interrupt,
        _ if name.starts_with('b') && operands.contains(',') => match name.get(..3) {
            Some("beq" | "bne" | "blt" | "bge" | "bgt" | "ble") => Flow::ConditionalJump,
            Some(_) | None => Flow::Other,
        },
        _ => Flow::Other,
    }
}

fn s390x(mnemonic: &str, operands: &str) -> Flow {
    match mnemonic {
        "bras" | "brasl" | "bas" | "basr" | "bal" | "balr" => Flow::Call,
        "br" if operands == "%r14" => Flow::Return,
        "br" | "b" | "j" | "jg" => Flow::Jump,
        "svc" | "mc" => Flow::Interrupt,
        "lpswe" | "lpsw" | "pr" => Flow::Return,
        _ => {
            let branches = ["bc", "bct", "brct", "brx", "bxh", "bxle"];
            let compares = [
                "crj", "cgrj", "cij", "cgij", "clrj", "clgrj", "clij", "clgij",
            ];
            let condition = mnemonic
                .strip_prefix("jg")
                .or_else(|| mnemonic.strip_prefix('j'))
                .or_else(|| mnemonic.strip_prefix('b'))
                .and_then(|rest| rest.strip_suffix('r').or(Some(rest)));
            let conditions = [
                "o", "h", "nle", "l", "nhe", "lh", "ne", "e", "nlh", "he", "nl", "le", "nh", "no",
            ];
            if condition.is_some_and(|condition| conditions.contains(&condition))
                || branches
                    .iter()
                    .chain(&compares)
                    .any(|branch| mnemonic.starts_with(branch))
            {
                Flow::ConditionalJump
            } else {
                Flow::Other
            }
        }
    }
}

fn m68k(mnemonic: &str) -> Flow {
    let name = mnemonic.split('.').next().unwrap_or(mnemonic);
    match name {
        "bsr" | "jsr" => Flow::Call,
        "bra" | "jmp" | "dbt" => Flow::Jump,
        "rts" | "rte" | "rtr" | "rtd" | "rtm" => Flow::Return,
        "trap" | "illegal" | "bkpt" => Flow::Interrupt,
        _ => {
            let conditions = [
                "hi", "ls", "cc", "cs", "ne", "eq", "vc", "vs", "pl", "mi", "ge", "lt", "gt", "le",
                "ra", "f",
            ];
            let condition = name.strip_prefix("db").or_else(|| name.strip_prefix('b'));
            if condition.is_some_and(|condition| conditions.contains(&condition))
                || name.starts_with("fb")
            {
                Flow::ConditionalJump
            } else {
                Flow::Other
            }
        }
    }
}

fn sparc(mnemonic: &str) -> Flow {
    let name = mnemonic.split(',').next().unwrap_or(mnemonic);
    match name {
        "call" => Flow::Call,
        "jmp" | "ba" | "b" | "jmpl" => Flow::Jump,
        "ret" | "retl" | "rett" | "return" | "done" | "retry" => Flow::Return,
        "ta" | "t" => Flow::Interrupt,
        "bmask" | "bshuffle" => Flow::Other,
        _ if name.starts_with('b') || name.starts_with("fb") => Flow::ConditionalJump,
        _ => Flow::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_tells_its_calls_from_its_jumps() {
        use Flow::{Call, ConditionalJump, Interrupt, Jump, Other, Return};
        for (family, mnemonic, operands, expected) in [
            (Family::Arm, "bl", "#0x10", Call),
            (Family::Arm, "bleq", "#0x10", Call),
            (Family::Arm, "bls", "#0x10", ConditionalJump),
            (Family::Arm, "blt", "#0x10", ConditionalJump),
            (Family::Arm, "b.w", "#0x10", Jump),
            (Family::Arm, "beq.w", "#0x10", ConditionalJump),
            (Family::Arm, "bic", "r0, r1, r2", Other),
            (Family::Arm, "bx", "lr", Return),
            (Family::Arm, "bxeq", "lr", ConditionalJump),
            (Family::Arm, "pop", "{r4, pc}", Return),
            (Family::Arm, "pop", "{r4, r5}", Other),
            (Family::Arm, "ldmne", "sp!, {r4, pc}", ConditionalJump),
            (Family::Arm, "ldr", "pc, [r0]", Jump),
            (Family::Arm, "svc", "#0", Interrupt),
            (Family::Aarch64, "b.eq", "#0x10", ConditionalJump),
            (Family::Aarch64, "bic", "x0, x1, x2", Other),
            (Family::Aarch64, "ret", "", Return),
            (Family::Mips, "jr", "$ra", Return),
            (Family::Mips, "jr", "$t9", Jump),
            (Family::Mips, "bnez", "$v0, 0x10", ConditionalJump),
            (Family::Powerpc, "beqlr", "", ConditionalJump),
            (Family::Powerpc, "bdnz+", "0x10", ConditionalJump),
            (Family::Powerpc, "bctrl", "", Call),
            (Family::Riscv, "c.jr", "ra", Return),
            (Family::Riscv, "c.beqz", "a0, 4", ConditionalJump),
            (Family::Riscv, "jal", "ra, 4", Call),
            (Family::S390x, "br", "%r14", Return),
            (Family::S390x, "jne", "0x10", ConditionalJump),
            (Family::S390x, "brasl", "%r14, 0x10", Call),
            (Family::M68k, "bsr.l", "$10", Call),
            (Family::M68k, "bne.b", "$10", ConditionalJump),
            (Family::M68k, "bset.l", "d0, d1", Other),
            (Family::Sparc, "bne,a", "0x10", ConditionalJump),
        ] {
            let got = classify(family, mnemonic, operands);
            assert_eq!(got, expected, "{family:?} {mnemonic} {operands}");
        }
    }

    #[test]
    fn targets_are_absolute() {
        for (family, flow, mnemonic, operands, expected) in [
            (Family::Aarch64, Flow::Call, "bl", "#0x1234", Some(0x1234)),
            (Family::Aarch64, Flow::Other, "ldr", "x0, [x1, #8]", None),
            (Family::Aarch64, Flow::Other, "add", "x0, x1, #8", None),
            (
                Family::Riscv,
                Flow::ConditionalJump,
                "bnez",
                "a0, -0x10",
                Some(0xff0),
            ),
            (Family::Riscv, Flow::Jump, "c.jr", "a0", None),
            (Family::M68k, Flow::Call, "bsr.l", "$12", Some(0x12)),
            (Family::Mips, Flow::Jump, "jr", "$t9", None),
        ] {
            let got = target(family, flow, mnemonic, operands, 0x1000);
            assert_eq!(got, expected, "{family:?} {mnemonic} {operands}");
        }
    }
}
