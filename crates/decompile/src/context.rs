//! What of a program bears upon one function: whom it calls, what it refers to,
//! which of its jumps are calls, what does not return.

use std::collections::{BTreeMap, BTreeSet};

use reversecore_analysis::binary::{Image, SymbolKind};
use reversecore_code::{Block, Exit, Function, Kind, Program, ReferenceKind};

/// Names told about one function; what lies behind keeps its address.
const MOST: usize = 20_000;

/// Stubs of imports that do not return, told about every function.
const MOST_ENDLESS: usize = 64;

/// What is known by address, of a whole program.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Slots of imports, with the numbers of those; by address.
    slots: Vec<(u64, u32)>,
    /// Named data: address, size and name; by address.
    data: Vec<(u64, u64, Box<str>)>,
    /// Stubs of imports from which no call returns. Compilers put calls of them
    /// into code that many functions jump to, where no function is known to call
    /// them.
    endless: Vec<u64>,
}

impl Places {
    pub(crate) fn of(image: &Image, program: &Program) -> Self {
        let mut slots: Vec<(u64, u32)> = program
            .imports()
            .iter()
            .zip(0..)
            .filter_map(|(import, number)| Some((import.slot?, number)))
            .collect();
        slots.sort_unstable();
        slots.dedup_by_key(|&mut (slot, _)| slot);
        let mut data: Vec<(u64, u64, Box<str>)> = image
            .symbols
            .iter()
            .filter(|symbol| symbol.kind == SymbolKind::Object && !symbol.undefined)
            .filter(|symbol| symbol.size > 0 && symbol.address != 0 && !symbol.name.is_empty())
            .map(|symbol| (symbol.address, symbol.size, symbol.name.as_str().into()))
            .collect();
        data.sort();
        data.dedup_by_key(|&mut (address, ..)| address);
        let endless = program
            .functions()
            .iter()
            .filter(|function| !function.returns && function.kind == Kind::ImportThunk)
            .map(|function| function.address)
            .take(MOST_ENDLESS)
            .collect();
        Self {
            slots,
            data,
            endless,
        }
    }

    /// The import whose slot lies at an address.
    pub(crate) fn import(&self, address: u64) -> Option<u32> {
        let found = self.slots.binary_search_by_key(&address, |&(slot, _)| slot);
        found
            .ok()
            .and_then(|place| self.slots.get(place))
            .map(|&(_, import)| import)
    }

    /// The named data that has an address: where it begins, its size and name.
    pub(crate) fn data(&self, address: u64) -> Option<(u64, u64, &str)> {
        let before = self
            .data
            .partition_point(|&(start, ..)| start <= address)
            .checked_sub(1)?;
        let (start, size, name) = self.data.get(before)?;
        (address < start.saturating_add(*size)).then_some((*start, *size, name))
    }
}

/// What bears upon one function.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// First addresses of functions.
    pub(crate) functions: BTreeSet<u64>,
    /// Slots of imports, with their numbers.
    pub(crate) slots: BTreeMap<u64, u32>,
    /// Imports from which no call returns.
    pub(crate) endless: BTreeSet<u32>,
    /// Data that is referred to.
    pub(crate) data: BTreeSet<u64>,
    /// Jumps that leave the function: calls, and returns in one.
    pub(crate) tail_calls: Vec<u64>,
    /// Calls of what has no name and does not return.
    pub(crate) last_calls: Vec<u64>,
}

impl Context {
    pub(crate) fn of(program: &Program, function: &Function, places: &Places) -> Self {
        let mut context = Self::default();
        for block in program.blocks(function) {
            if context.size() >= MOST {
                break;
            }
            let range = block.start..block.end();
            for reference in program.references().from_range(range) {
                match reference.kind {
                    ReferenceKind::Call | ReferenceKind::Jump => {
                        context.function(program, reference.to);
                    }
                    ReferenceKind::IndirectCall
                    | ReferenceKind::IndirectJump
                    | ReferenceKind::Read
                    | ReferenceKind::Write
                    | ReferenceKind::ReadWrite
                    | ReferenceKind::Address => {
                        context.address(program, places, reference.to);
                    }
                    ReferenceKind::Switch | ReferenceKind::Pointer => {}
                }
            }
            context.leaves(program, function, block, places);
        }
        context.functions.extend(&places.endless);
        context.functions.remove(&function.address);
        context
    }

    /// Whatever lies at an address. Says whether that was not known.
    pub(crate) fn address(&mut self, program: &Program, places: &Places, address: u64) -> bool {
        if let Some(import) = places.import(address) {
            self.slots.insert(address, import).is_none()
        } else if program.function_at(address).is_some() {
            self.functions.insert(address)
        } else {
            self.data.insert(address)
        }
    }

    fn function(&mut self, program: &Program, address: u64) {
        if program.function_at(address).is_some() {
            self.functions.insert(address);
        }
    }

    /// How a block leaves the function.
    fn leaves(&mut self, program: &Program, function: &Function, block: &Block, places: &Places) {
        let from = program
            .references()
            .from_range(block.start..block.end())
            .iter()
            .rfind(|reference| {
                matches!(
                    reference.kind,
                    ReferenceKind::Call
                        | ReferenceKind::Jump
                        | ReferenceKind::IndirectCall
                        | ReferenceKind::IndirectJump
                )
            });
        let Some(last) = from else { return };
        match block.exit {
            // To itself it is a loop.
            Exit::TailCall if last.to != function.address => self.tail_calls.push(last.from),
            Exit::NoReturn => {
                if let Some(import) = places.import(last.to) {
                    self.endless.insert(import);
                } else if program.function_at(last.to).is_none_or(|to| to.returns) {
                    self.last_calls.push(last.from);
                }
            }
            Exit::TailCall
            | Exit::Fall
            | Exit::CallReturn
            | Exit::Jump
            | Exit::Conditional
            | Exit::Switch
            | Exit::Indirect
            | Exit::Return
            | Exit::Halt
            | Exit::Cut => {}
        }
    }

    fn size(&self) -> usize {
        self.functions.len() + self.slots.len() + self.data.len()
    }
}
