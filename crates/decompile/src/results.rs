//! Whether a function has a result: what its callers do with the register for
//! it. The decompiler takes a value that is also used otherwise, such as a loop's
//! counter, for none; code that reads the register behind a call knows better.
//!
//! Functions that nobody calls by name are not helped.

use ghidra_decompiler::address::Address;
use ghidra_decompiler::architecture::Architecture;
use ghidra_decompiler::error::Result;
use ghidra_decompiler::opcodes::OpCode;
use ghidra_decompiler::pcoderaw::VarnodeData;
use ghidra_decompiler::translate::PcodeEmit;
use reversecore_analysis::disassemble::Family;
use reversecore_code::{Function, ReferenceKind};

use crate::symbols::{Teller, code};

/// Calls that are looked at.
const MOST_CALLS: usize = 16;
/// Instructions behind each.
const MOST_INSTRUCTIONS: usize = 12;

/// Where a result is, and how wide.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) register: VarnodeData,
    /// Bytes of it that are read.
    pub(crate) size: u32,
    /// It is a number with a fraction.
    pub(crate) float: bool,
}

/// The registers for results: names in the decompiler's words, and whether they
/// are for fractions.
fn registers(family: Family, pointer: u8) -> &'static [(&'static str, bool)] {
    match family {
        Family::X86 if pointer == 8 => &[("RAX", false), ("XMM0_Qa", true)],
        Family::X86 => &[("EAX", false)],
        Family::Arm => &[("r0", false)],
        Family::Aarch64 => &[("x0", false), ("d0", true)],
        Family::Mips => &[("v0", false)],
        Family::Powerpc => &[("r3", false)],
        Family::Riscv => &[("a0", false)],
        Family::S390x | Family::M68k | Family::Sparc => &[],
    }
}

/// What callers read of a function's result.
pub(crate) fn outcome(
    teller: &Teller<'_>,
    architecture: &mut Architecture,
    function: &Function,
) -> Result<Option<Outcome>> {
    for &(name, float) in registers(teller.language.family, teller.language.pointer) {
        let translator = architecture.translator()?;
        let Ok(register) = translator.get_register(name) else {
            continue;
        };
        let mut widest = 0;
        let calls = teller.program.references().to(function.address);
        let calls = calls.filter(|reference| reference.kind == ReferenceKind::Call);
        for call in calls.take(MOST_CALLS) {
            let Some(caller) = teller.program.function_with(call.from) else {
                continue;
            };
            teller.modes(architecture, caller)?;
            let call = code(architecture, call.from)?;
            widest = widest.max(read_behind(architecture, &call, &register)?);
        }
        if widest > 0 {
            return Ok(Some(Outcome {
                register,
                size: widest,
                float,
            }));
        }
    }
    Ok(None)
}

/// How many bytes of a register are read behind a call before they are written.
fn read_behind(architecture: &Architecture, call: &Address, register: &VarnodeData) -> Result<u32> {
    let translator = architecture.translator()?;
    let Ok(length) = translator.instruction_length(call) else {
        return Ok(0);
    };
    let mut at = call.add(i64::from(length));
    let mut uses = Uses {
        register,
        read: 0,
        ended: false,
    };
    for _ in 0..MOST_INSTRUCTIONS {
        let Ok(length) = translator.one_instruction(&mut uses, &at) else {
            break;
        };
        if uses.ended {
            break;
        }
        at = at.add(i64::from(length.max(1)));
    }
    Ok(uses.read)
}

/// Follows a register through operations.
struct Uses<'a> {
    register: &'a VarnodeData,
    read: u32,
    ended: bool,
}

impl Uses<'_> {
    /// How many bytes of the register another one is.
    fn shares(&self, other: &VarnodeData) -> u32 {
        let number = |data: &VarnodeData| data.space.as_ref().map(|space| space.get_index());
        if number(self.register) != number(other) {
            return 0;
        }
        let end = |data: &VarnodeData| data.offset.saturating_add(u64::from(data.size));
        let from = self.register.offset.max(other.offset);
        let to = end(self.register).min(end(other));
        u32::try_from(to.saturating_sub(from)).unwrap_or(0)
    }
}

impl PcodeEmit for Uses<'_> {
    fn dump(
        &mut self,
        _addr: &Address,
        opc: OpCode,
        outvar: Option<&VarnodeData>,
        vars: &[VarnodeData],
    ) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        // A register against itself is how zero is made; the flags come first.
        let makes_zero = matches!(
            opc,
            OpCode::IntXor | OpCode::IntSub | OpCode::IntLess | OpCode::IntSborrow
        );
        let zero = makes_zero
            && matches!(vars, [left, right] if left.offset == right.offset
                && left.size == right.size && self.shares(left) > 0 && self.shares(right) > 0);
        if !zero {
            let read = vars.iter().map(|var| self.shares(var)).max();
            self.read = read.unwrap_or(0);
        }
        let written = outvar.is_some_and(|out| self.shares(out) > 0);
        let leaves = matches!(
            opc,
            OpCode::Call
                | OpCode::Callind
                | OpCode::Callother
                | OpCode::Branch
                | OpCode::Branchind
                | OpCode::Cbranch
                | OpCode::Return
        );
        self.ended = self.read > 0 || written || zero || leaves;
        Ok(())
    }
}
