//! Code between functions: what looks like the beginning of a function.

use reversecore_analysis::disassemble::{Family, Flow};

use super::Discovery;
use crate::seeds::{Source, is_stubs};

/// So many instructions are tried before something is believed to be code.
const TRIAL: usize = 48;

/// A gap is searched at so many places.
const MOST_TRIALS: usize = 4096;

impl Discovery<'_, '_, '_> {
    /// The first instruction of a range that is no padding.
    pub(super) fn first_code(&mut self, from: u64, to: u64, thumb: bool) -> Option<u64> {
        let mut at = from;
        while at < to {
            // Zero bytes are padding, whatever they would mean.
            let bytes = self.code.bytes(at);
            let room = usize::try_from(to.saturating_sub(at)).unwrap_or(usize::MAX);
            let bytes = bytes.get(..room).unwrap_or(bytes);
            let zeros = bytes.iter().take_while(|&&byte| byte == 0).count() as u64;
            let zeros = zeros - zeros % self.alignment(thumb);
            if zeros > 0 {
                at = at.saturating_add(zeros);
                continue;
            }
            let fact = self.code.at(at, thumb)?;
            if !fact.valid || !fact.padding {
                return Some(at);
            }
            at = at.saturating_add(u64::from(fact.length).max(1));
        }
        None
    }

    /// Whether the bytes at an address make sense as code up to a jump, a
    /// return or the end of the range.
    pub(super) fn is_plausible(&mut self, start: u64, end: u64, thumb: bool) -> bool {
        let mut at = start;
        for count in 0..TRIAL {
            if at >= end {
                return at == end && count > 0;
            }
            if self.owned.get(at) || self.starts.get(at) && at != start {
                return count > 0;
            }
            let zero = self.code.bytes(at).starts_with(&[0, 0]);
            let Some(fact) = self.code.at(at, thumb) else {
                return false;
            };
            if !fact.valid || zero {
                return false;
            }
            if let Some(target) = fact.direct
                && !self.context.memory.is_code(self.even(target))
            {
                return false;
            }
            match fact.flow {
                Flow::Jump | Flow::Return => return true,
                Flow::Interrupt | Flow::Other if fact.halts => return count > 0,
                Flow::Call | Flow::ConditionalJump | Flow::Interrupt | Flow::Other => {}
            }
            at = at.saturating_add(u64::from(fact.length));
        }
        true
    }

    fn even(&self, target: u64) -> u64 {
        if self.context.architecture.family == Family::Arm {
            target & !1
        } else {
            target
        }
    }

    /// Whether a function may begin at an address that something refers to.
    pub(super) fn looks_like_start(&mut self, address: u64, thumb: bool) -> bool {
        let end = self
            .context
            .memory
            .region(address)
            .map_or(0, |region| region.file_end());
        let first_is_padding = self.code.at(address, thumb).is_none_or(|fact| fact.padding);
        !first_is_padding && self.is_plausible(address, end, thumb)
    }

    /// Searches all gaps.
    pub(super) fn search_gaps(&mut self) {
        let memory = self.context.memory;
        // ARM: gaps have the code that most of the program has.
        let thumb = self.functions.iter().filter(|draft| draft.thumb).count();
        let thumb = thumb.saturating_mul(2) > self.functions.len();
        for region in memory.regions() {
            if !region.permissions.execute || is_stubs(&region.name) {
                continue;
            }
            // Blocks are owned by instruction, so ranges come from the blocks.
            let mut ranges: Vec<(u64, u64)> = self
                .functions
                .iter()
                .flat_map(|draft| &draft.blocks)
                .filter(|block| region.address <= block.start && block.start < region.file_end())
                .map(|block| (block.start, block.end()))
                .collect();
            let tables = self.tables.values();
            ranges.extend(
                tables.map(|table| (table.address, table.address.saturating_add(table.size))),
            );
            ranges.sort_unstable();
            let mut at = region.address;
            for (start, end) in ranges {
                if start >= region.file_end() {
                    break;
                }
                if start > at {
                    self.search_gap(at, start, thumb);
                }
                at = at.max(end);
            }
            if at < region.file_end() {
                self.search_gap(at, region.file_end(), thumb);
            }
        }
    }

    fn search_gap(&mut self, from: u64, to: u64, thumb: bool) {
        let step = match self.context.architecture.family {
            Family::X86 => 16,
            Family::Arm
            | Family::Aarch64
            | Family::Mips
            | Family::Powerpc
            | Family::Riscv
            | Family::S390x
            | Family::M68k
            | Family::Sparc => 4,
        };
        let mut at = from;
        for trial in 0..MOST_TRIALS {
            let Some(first) = self.first_code(at, to, thumb) else {
                return;
            };
            // The first instruction behind a function and its padding may be
            // anything, unless unwind tables would know of it.
            let free = trial == 0 && !self.has_unwind && first.is_multiple_of(step);
            let begins =
                free || is_prologue(self.context.architecture.family, self.code.bytes(first));
            if begins
                && !self.is_known_inside(first)
                && !self.starts.get(first)
                && self.is_plausible(first, to, thumb)
            {
                self.register(first, Source::Gap, thumb);
                at = self.behind(first, to, thumb);
            } else {
                at = first.saturating_add(1);
            }
            at = at.next_multiple_of(step);
        }
    }

    /// The end of the straight run of instructions at an address.
    fn behind(&mut self, start: u64, end: u64, thumb: bool) -> u64 {
        let mut at = start;
        while at < end {
            let Some(fact) = self.code.at(at, thumb).filter(|fact| fact.valid) else {
                break;
            };
            at = at.saturating_add(u64::from(fact.length));
            if fact.flow.ends_a_run() || fact.halts {
                break;
            }
        }
        at
    }
}

/// Whether bytes begin like functions do that compilers write.
fn is_prologue(family: Family, bytes: &[u8]) -> bool {
    match family {
        Family::X86 => {
            const PROLOGUES: [&[u8]; 25] = [
                b"\xf3\x0f\x1e\xfa",
                b"\xf3\x0f\x1e\xfb",
                b"\x55\x48\x89\xe5",
                b"\x55\x48\x8b\xec",
                b"\x55\x89\xe5",
                b"\x55\x8b\xec",
                b"\x8b\xff\x55",
                b"\x48\x83\xec",
                b"\x48\x81\xec",
                b"\x40\x53",
                b"\x40\x55",
                b"\x40\x56",
                b"\x40\x57",
                b"\x41\x54",
                b"\x41\x55",
                b"\x41\x56",
                b"\x41\x57",
                b"\x48\x89\x5c\x24",
                b"\x48\x89\x4c\x24",
                b"\x48\x8b\xc4",
                b"\x4c\x8b\xdc",
                b"\x83\xec",
                b"\x81\xec",
                b"\x53",
                b"\x55",
            ];
            PROLOGUES.iter().any(|prologue| bytes.starts_with(prologue))
        }
        Family::Aarch64 => bytes.first_chunk().is_some_and(|word| {
            let word = u32::from_le_bytes(*word);
            // stp x29, x30, [sp, #-n]!; sub sp, sp, #n; paciasp; bti c
            word & 0xffc0_7fff == 0xa980_7bfd
                || word & 0xff80_03ff == 0xd100_03ff
                || matches!(word, 0xd503_233f | 0xd503_245f)
        }),
        // push {…, lr} of A32
        Family::Arm => bytes
            .first_chunk()
            .is_some_and(|word| u32::from_le_bytes(*word) & 0xffff_4000 == 0xe92d_4000),
        Family::Mips
        | Family::Powerpc
        | Family::Riscv
        | Family::S390x
        | Family::M68k
        | Family::Sparc => false,
    }
}
