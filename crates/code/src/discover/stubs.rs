//! Stubs for imports: the procedure linkage table of ELF files and its
//! relatives, where no symbol names the entries.

use reversecore_analysis::binary::Format;
use reversecore_analysis::disassemble::{Family, Flow, Operation};

use super::Discovery;
use crate::seeds::{Source, is_stubs};

/// A stub has at most so many instructions.
const LONGEST: usize = 6;

impl Discovery<'_, '_, '_> {
    /// Finds all stubs in sections that have nothing else.
    pub(super) fn find_stubs(&mut self) {
        let memory = self.context.memory;
        for region in memory.regions() {
            if !is_stubs(&region.name) || !region.permissions.execute {
                continue;
            }
            let mut at = region.address;
            let mut start = at;
            while at < region.file_end() {
                let Some(fact) = self.code.at(at, false) else {
                    break;
                };
                let next = at.saturating_add(u64::from(fact.length).max(1));
                if !fact.valid || (fact.padding && start == at) {
                    start = next;
                } else if fact.flow == Flow::Jump {
                    if fact.direct.is_none() && self.is_stub(start, at) {
                        self.register(start, Source::ImportThunk, false);
                    }
                    start = next;
                }
                at = next;
            }
        }
    }

    /// Whether a run of instructions up to a jump is a stub: of an import, or
    /// of a function of the program that is chosen when it is loaded. The
    /// first entry of a table, which calls the dynamic linker, is none.
    fn is_stub(&mut self, start: u64, jump: u64) -> bool {
        let short = jump.saturating_sub(start) <= 4;
        let x86 = self.context.architecture.family == Family::X86;
        self.stub_of(start).is_some() || (x86 && short)
    }

    /// The import to which the code at an address does nothing but jump.
    pub(super) fn stub_of(&mut self, start: u64) -> Option<u32> {
        let mut at = start;
        let mut loaded = None;
        for _ in 0..LONGEST {
            let fact = self.code.at(at, false).filter(|fact| fact.valid)?;
            match fact.flow {
                Flow::Jump => {
                    if fact.direct.is_some() {
                        return None;
                    }
                    let slot = fact.memory.or(loaded).or_else(|| self.slot_in_table());
                    return slot.and_then(|slot| self.context.import_at(slot));
                }
                Flow::Other | Flow::Interrupt if !fact.halts => {}
                Flow::Other
                | Flow::Interrupt
                | Flow::Call
                | Flow::ConditionalJump
                | Flow::Return => return None,
            }
            // `endbr64` alone stands before the jump of x86.
            if self.context.architecture.family == Family::X86 && at != start {
                return None;
            }
            loaded = fact.memory.or(loaded);
            at = at.saturating_add(u64::from(fact.length));
        }
        None
    }

    /// The slot that position-independent code of x86 reaches through `ebx`,
    /// which has the address of the global offset table then.
    fn slot_in_table(&mut self) -> Option<u64> {
        const EBX: u8 = 3;
        let Operation::Load { to: None, from, .. } = self.code.operation() else {
            return None;
        };
        if self.context.image.format != Format::Elf || from.base.map(|base| base.0) != Some(EBX) {
            return None;
        }
        let table = [".got.plt", ".got"].iter().find_map(|name| {
            let mut regions = self.context.memory.regions().iter();
            regions.find(|region| *region.name == **name)
        })?;
        // Displacements are of 32 bits, and so are the addresses.
        Some(table.address.wrapping_add(from.displacement) & 0xffff_ffff)
    }
}
