//! Finds the functions of a program and their blocks.
//!
//! From what the file says ([`seeds`](crate::seeds)) each function is followed
//! by recursive descent ([`explore`]); calls and jumps out of it lead to more.
//! When nothing is left to follow, a round ends with what needs all functions:
//!
//! 1. a function that begins in the middle of another one: that one is
//!    explored again, and ends there;
//! 2. functions that turn out never to return ([`endless`]): their callers are
//!    explored again, and end at the call;
//! 3. addresses that instructions take or data holds, and last the gaps between
//!    functions ([`gaps`]): what looks like the beginning of a function is one.
//!
//! Rounds go on until nothing changes; every decoded instruction counts
//! against the budget, so hostile code cannot make them endless.

mod endless;
mod explore;
mod gaps;
mod stubs;
mod tables;

use std::collections::{BTreeMap, HashMap, VecDeque};

use reversecore_analysis::Warnings;
use reversecore_analysis::binary::Image;
use reversecore_analysis::disassemble::{Architecture, Family};

use crate::bits::Bits;
use crate::block::Block;
use crate::code::Code;
use crate::memory::Memory;
use crate::names;
use crate::options::Options;
use crate::pointers::Pointer;
use crate::seeds::{Seed, Source, is_stubs};

use explore::Scratch;

/// More rounds than this are not made; ordinary programs need five to ten.
const MOST_ROUNDS: usize = 40;

/// Gaps are searched so many times; the second search finds what the functions
/// that the first one found left over.
const SEARCHES: usize = 2;

/// A function in the making.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) entry: u64,
    /// The end that the file gives it; the entry when it gives none.
    pub(crate) known_end: u64,
    pub(crate) source: Option<Source>,
    pub(crate) name: Option<Box<str>>,
    pub(crate) thumb: bool,
    /// The import that it is a stub of.
    pub(crate) import: Option<u32>,
    pub(crate) blocks: Vec<Block>,
    /// Local functions that it calls, sorted.
    calls: Vec<u64>,
    /// Where it jumps to outside of itself.
    tails: Vec<u64>,
    /// It has a way to its caller by itself: a return, an unknown jump.
    returns: bool,
    /// Nothing returns from it.
    pub(crate) endless: bool,
    explored: bool,
}

/// A table of a switch.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// The first address of the table.
    pub(crate) address: u64,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Where its entries lead to, each once, sorted.
    pub(crate) targets: Vec<u64>,
}

/// What is known of the program beside its code.
pub(crate) struct Context<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) image: &'a Image,
    pub(crate) memory: &'a Memory,
    pub(crate) options: &'a Options,
    pub(crate) architecture: Architecture,
    /// Import slots by address, with the number of the import.
    pub(crate) slots: &'a [(u64, u32)],
    pub(crate) pointers: &'a [Pointer],
    /// It is an object file.
    pub(crate) unlinked: bool,
}

impl Context<'_> {
    /// The import whose slot is at an address.
    pub(crate) fn import_at(&self, slot: u64) -> Option<u32> {
        let found = self.slots.binary_search_by_key(&slot, |&(slot, _)| slot);
        found
            .ok()
            .and_then(|index| self.slots.get(index))
            .map(|&(_, import)| import)
    }

    fn import_is_endless(&self, import: u32) -> bool {
        self.image
            .imports
            .get(import as usize)
            .and_then(|import| import.name.as_deref())
            .is_some_and(names::is_endless)
    }

    /// Whether instructions stand at an address of an object file that were
    /// not linked yet, so that calls and addresses mean nothing.
    pub(crate) fn is_unlinked(&self) -> bool {
        self.unlinked
    }
}

/// The functions of a program while they are being found.
pub(crate) struct Discovery<'c, 'a, 'w> {
    context: &'c Context<'a>,
    code: Code<'a, 'w>,
    pub(crate) functions: Vec<Draft>,
    index: HashMap<u64, u32>,
    queue: VecDeque<u32>,
    /// Where functions begin.
    starts: Bits,
    /// Where instructions of explored functions begin.
    owned: Bits,
    /// Where instructions of the function being explored begin.
    mine: Bits,
    /// Ranges that the file gives to functions, sorted.
    known: Vec<(u64, u64)>,
    /// Starts in the middle of other functions.
    splits: Vec<u64>,
    /// Addresses of code that instructions take.
    taken: Vec<u64>,
    /// Tables of switches by the address of the jump.
    pub(crate) tables: BTreeMap<u64, Table>,
    /// Where tables end, by their first address.
    table_ends: BTreeMap<u64, u64>,
    scratch: Scratch,
    blocks: usize,
    has_unwind: bool,
    pub(crate) warnings: Warnings,
}

impl<'c, 'a, 'w> Discovery<'c, 'a, 'w> {
    pub(crate) fn new(
        context: &'c Context<'a>,
        code: Code<'a, 'w>,
        seeds: Vec<Seed>,
        warnings: Warnings,
    ) -> Self {
        let bits = Bits::of(context.memory);
        let mut discovery = Self {
            context,
            code,
            functions: Vec::with_capacity(seeds.len()),
            index: HashMap::with_capacity(seeds.len()),
            queue: VecDeque::new(),
            starts: bits.clone(),
            owned: bits.clone(),
            mine: bits,
            known: Vec::new(),
            splits: Vec::new(),
            taken: Vec::new(),
            tables: BTreeMap::new(),
            table_ends: BTreeMap::new(),
            scratch: Scratch::default(),
            blocks: 0,
            has_unwind: false,
            warnings,
        };
        discovery.take_seeds(seeds);
        discovery
    }

    fn take_seeds(&mut self, seeds: Vec<Seed>) {
        for seed in &seeds {
            self.has_unwind |= seed.source == Source::Unwind;
            if seed.size > 0 {
                // A range ends with its region, whatever the file says.
                let end = self
                    .context
                    .memory
                    .region(seed.address)
                    .map_or(0, |region| region.file_end());
                let end = seed.address.saturating_add(seed.size).min(end);
                self.known.push((seed.address, end));
            }
        }
        for seed in seeds {
            self.register(seed.address, seed.source, seed.thumb);
            let known_end = self.known_end(seed.address);
            if let Some(&index) = self.index.get(&seed.address)
                && let Some(draft) = self.functions.get_mut(index as usize)
            {
                draft.endless |= seed.name.as_deref().is_some_and(names::is_endless);
                draft.name = seed.name;
                draft.known_end = known_end;
            }
        }
    }

    /// The end that the file gives to a function.
    fn known_end(&self, entry: u64) -> u64 {
        let found = self.known.binary_search_by_key(&entry, |&(start, _)| start);
        found
            .ok()
            .and_then(|index| self.known.get(index))
            .map_or(entry, |&(_, end)| end)
    }

    /// Whether the file gives an address to some function.
    fn is_known_inside(&self, address: u64) -> bool {
        let before = self
            .known
            .partition_point(|&(start, _)| start <= address)
            .checked_sub(1);
        before
            .and_then(|index| self.known.get(index))
            .is_some_and(|&(start, end)| start < address && address < end)
    }

    /// Makes an address the start of a function, unless it is one.
    fn register(&mut self, address: u64, source: Source, thumb: bool) {
        if self.starts.get(address)
            || !self.context.memory.is_code(address)
            || !address.is_multiple_of(self.alignment(thumb))
        {
            return;
        }
        if self.functions.len() >= self.context.options.most_functions {
            self.warnings.add(format!(
                "more than {} functions: further ones were left out",
                self.context.options.most_functions
            ));
            return;
        }
        self.starts.set(address);
        if self.owned.get(address) || self.mine.get(address) {
            self.splits.push(address);
        }
        let import = if thumb { None } else { self.stub_of(address) };
        let index = self.functions.len() as u32;
        self.functions.push(Draft {
            entry: address,
            known_end: self.known_end(address),
            source: Some(source),
            thumb,
            import,
            endless: import.is_some_and(|import| self.context.import_is_endless(import)),
            ..Draft::default()
        });
        self.index.insert(address, index);
        self.queue.push_back(index);
    }

    fn alignment(&self, thumb: bool) -> u64 {
        match self.context.architecture.family {
            Family::X86 => 1,
            Family::Riscv | Family::S390x | Family::M68k => 2,
            Family::Arm if thumb => 2,
            Family::Arm | Family::Aarch64 | Family::Mips | Family::Powerpc | Family::Sparc => 4,
        }
    }

    /// Finds everything.
    pub(crate) fn run(&mut self) {
        self.find_stubs();
        let mut searches = 0;
        let mut pointers_done = false;
        for _ in 0..MOST_ROUNDS {
            while let Some(index) = self.queue.pop_front() {
                self.explore(index);
            }
            if self.code.ended().is_some() {
                break;
            }
            if self.split() || self.find_endless() || self.take_addresses() {
                continue;
            }
            if !pointers_done {
                pointers_done = true;
                self.take_pointers();
            } else if self.context.options.gaps && searches < SEARCHES {
                searches += 1;
                self.search_gaps();
            }
            if self.queue.is_empty() && (searches == SEARCHES || !self.context.options.gaps) {
                break;
            }
        }
    }

    /// Explores functions again in whose middle another one was found.
    fn split(&mut self) -> bool {
        if self.splits.is_empty() {
            return false;
        }
        let mut splits = std::mem::take(&mut self.splits);
        splits.sort_unstable();
        splits.dedup();
        let mut dirty = Vec::new();
        for (number, draft) in self.functions.iter().enumerate() {
            let hit = draft.blocks.iter().any(|block| {
                let from = splits.partition_point(|&split| split < block.start);
                splits
                    .get(from)
                    .is_some_and(|&split| split < block.end() && split != draft.entry)
            });
            if hit {
                dirty.push(number as u32);
            }
        }
        self.explore_again(dirty)
    }

    /// Puts functions back into the queue.
    fn explore_again(&mut self, dirty: Vec<u32>) -> bool {
        let any = !dirty.is_empty();
        for index in dirty {
            let Some(draft) = self.functions.get_mut(index as usize) else {
                continue;
            };
            let blocks = std::mem::take(&mut draft.blocks);
            draft.explored = false;
            self.blocks = self.blocks.saturating_sub(blocks.len());
            for block in &blocks {
                let mut at = block.start;
                while let Some(next) = self.owned.next(at, block.end()) {
                    self.owned.clear(next);
                    at = next.saturating_add(1);
                }
            }
            self.queue.push_back(index);
        }
        any
    }

    /// Functions whose addresses instructions take.
    fn take_addresses(&mut self) -> bool {
        let mut taken = std::mem::take(&mut self.taken);
        taken.sort_unstable();
        taken.dedup();
        let before = self.functions.len();
        for address in taken {
            self.take(address, Source::AddressTaken);
        }
        self.functions.len() > before
    }

    fn take_pointers(&mut self) {
        if self.context.is_unlinked() {
            return;
        }
        for pointer in self.context.pointers {
            self.take(pointer.target, Source::Pointer);
        }
    }

    /// Makes an address that something refers to a function, if it may be one.
    fn take(&mut self, address: u64, source: Source) {
        let thumb = self.context.architecture.family == Family::Arm && address & 1 == 1;
        let address = if thumb { address & !1 } else { address };
        // Slots of imports point behind their stubs at first.
        let memory = self.context.memory;
        let stubs = memory
            .region(address)
            .is_some_and(|region| is_stubs(&region.name));
        if !memory.is_code(address)
            || stubs
            || self.starts.get(address)
            || self.owned.get(address)
            || self.is_known_inside(address)
            || self.is_in_table(address)
        {
            return;
        }
        if self.looks_like_start(address, thumb) {
            self.register(address, source, thumb);
        }
    }

    /// Whether an address is in a table of a switch.
    fn is_in_table(&self, address: u64) -> bool {
        let before = self.table_ends.range(..=address).next_back();
        before.is_some_and(|(_, &end)| address < end)
    }

    /// The decoder, when everything is found.
    pub(crate) fn into_parts(self) -> (Vec<Draft>, BTreeMap<u64, Table>, Code<'a, 'w>, Warnings) {
        (self.functions, self.tables, self.code, self.warnings)
    }
}
