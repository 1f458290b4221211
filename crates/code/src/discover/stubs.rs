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
                    if fact.direct.is_none() && self.stub_of(start).is_some() {
                        self.register(start, Source::ImportThunk, false);
                    }
                    start = next;
                }
                at = next;
            }
        }
        self.name_stubs();
    }

    /// Says of functions that are stubs whose they are.
    fn name_stubs(&mut self) {
        for number in 0..self.functions.len() {
            let Some(draft) = self.functions.get(number) else {
                break;
            };
            let entry = draft.entry;
            let thumb = draft.thumb;
            let import = if thumb { None } else { self.stub_of(entry) };
            if let Some(import) = import {
                let endless = self.context.import_is_endless(import);
                if let Some(draft) = self.functions.get_mut(number) {
                    draft.import = Some(import);
                    draft.endless |= endless;
                }
            }
        }
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
