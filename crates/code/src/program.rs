//! The model of one program, and how it is made.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{Hash as _, Hasher as _};

use reversecore_analysis::binary::Image;
use reversecore_analysis::disassemble::{Access, Architecture, Fact, Flow};
use reversecore_analysis::{Warnings, Watch};
use thiserror::Error;

use crate::block::{Block, Exit};
use crate::code::{Code, Decoders, Ended};
use crate::coverage::{Coverage, Stopped};
use crate::discover::{Context, Discovery, Draft, Table};
use crate::function::{Function, Kind};
use crate::memory::Memory;
use crate::mixer::Mixer;
use crate::names;
use crate::options::Options;
use crate::pointers::{Pointer, pointers};
use crate::references::{Reference, ReferenceKind, References};
use crate::seeds::{Source, seeds};

/// The instruction set of an image is one that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the instruction set `{0}` cannot be decoded")]
pub struct NoDecoder(pub String);

/// An import, as far as references need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Its name, or its library and number.
    pub name: Box<str>,
    /// The library that has it, where the format says so.
    pub library: Option<Box<str>>,
    /// The slot that gets its address.
    pub slot: Option<u64>,
}

/// Who calls whom: a function by its number, or an import behind the last one.
pub(crate) type Edge = (u32, u32);

/// The model of a program. It holds no bytes of it: queries that need them
/// take them again.
#[derive(Debug)]
pub struct Program {
    pub(crate) architecture: Architecture,
    pub(crate) memory: Memory,
    pub(crate) functions: Vec<Function>,
    pub(crate) blocks: Vec<Block>,
    /// The block that begins first behind which address, for searching: pairs
    /// of start and function, sorted.
    pub(crate) block_owners: Vec<(u64, u32)>,
    pub(crate) tables: BTreeMap<u64, Table>,
    pub(crate) references: References,
    pub(crate) imports: Vec<Imported>,
    pub(crate) calls: Vec<Edge>,
    pub(crate) called: Vec<Edge>,
    coverage: Coverage,
    warnings: Warnings,
}

impl Program {
    /// Makes the model of an image of the file `data`.
    ///
    /// `watch` is asked every millisecond or so, with the number of bytes that
    /// were decoded; code is decoded several times, so that number passes the
    /// size of the file. When it says no, the model has what was found so far.
    pub fn analyze(
        data: &[u8],
        image: &Image,
        options: &Options,
        watch: Watch<'_>,
    ) -> Result<Self, NoDecoder> {
        let no_decoder = || NoDecoder(image.architecture.clone());
        let architecture = Architecture::of(image).ok_or_else(no_decoder)?;
        let decoders = Decoders::of(architecture).map_err(|_| no_decoder())?;
        let memory = Memory::of(image, data.len() as u64);
        let mut warnings = Warnings::default();
        let mut slots: Vec<(u64, u32)> = image
            .imports
            .iter()
            .enumerate()
            .filter_map(|(number, import)| Some((import.address?, number as u32)))
            .collect();
        slots.sort_unstable();
        slots.dedup_by_key(|&mut (slot, _)| slot);
        let pointers = pointers(data, image, &memory);
        let seeds = seeds(data, image, &memory, &mut warnings);
        let context = Context {
            data,
            image,
            memory: &memory,
            options,
            architecture,
            slots: &slots,
            pointers: &pointers,
            unlinked: image.kind.contains("object"),
        };
        let code = Code::new(&decoders, data, &memory, options.most_instructions, watch);
        let mut discovery = Discovery::new(&context, code, seeds, warnings);
        discovery.run();
        let (drafts, tables, code, warnings) = discovery.into_parts();
        let mut maker = Maker {
            context: &context,
            code,
            functions: Vec::with_capacity(drafts.len()),
            blocks: Vec::new(),
            references: Vec::new(),
            warnings,
        };
        maker.take(drafts, &tables);
        maker.refer(&tables, &pointers);
        let stopped = match maker.code.ended() {
            Some(Ended::Watch) => Some(Stopped::Caller),
            Some(Ended::Budget) => Some(Stopped::Instructions),
            None if maker.references.len() >= options.most_references => Some(Stopped::References),
            None => None,
        };
        let (functions, blocks, references, warnings) = maker.into_parts();
        let coverage = Coverage {
            stopped,
            ..Coverage::of(
                data,
                &memory,
                blocks
                    .iter()
                    .map(|block| (block.start, block.end()))
                    .collect(),
                tables
                    .values()
                    .map(|table| (table.address, table.address.saturating_add(table.size)))
                    .collect(),
            )
        };
        let imports = image
            .imports
            .iter()
            .map(|import| Imported {
                name: names::import(import).unwrap_or_default().into(),
                library: import.library.as_deref().map(Box::from),
                slot: import.address,
            })
            .collect();
        let mut program = Self {
            architecture,
            memory,
            functions,
            blocks,
            block_owners: Vec::new(),
            tables,
            references: References::new(references),
            imports,
            calls: Vec::new(),
            called: Vec::new(),
            coverage,
            warnings,
        };
        program.index(&slots);
        Ok(program)
    }

    /// Makes what is found by searching.
    fn index(&mut self, slots: &[(u64, u32)]) {
        self.block_owners = self
            .functions
            .iter()
            .enumerate()
            .flat_map(|(number, function)| {
                self.blocks
                    .get(function.range())
                    .unwrap_or_default()
                    .iter()
                    .map(move |block| (block.start, number as u32))
            })
            .collect();
        self.block_owners.sort_unstable();
        let first_import = self.functions.len() as u32;
        let mut calls = Vec::new();
        let mut add = |caller: u32, callee: u32| calls.push((caller, callee));
        for (number, function) in self.functions.iter().enumerate() {
            let caller = number as u32;
            if let Some(import) = function.import {
                add(caller, first_import.saturating_add(import));
            }
            for block in self.blocks.get(function.range()).unwrap_or_default() {
                for reference in self.references.from_range(block.start..block.end()) {
                    match reference.kind {
                        ReferenceKind::Call | ReferenceKind::Jump => {
                            if let Some(callee) = self.number_at(reference.to)
                                && (callee != caller || reference.kind == ReferenceKind::Call)
                            {
                                add(caller, callee);
                            }
                        }
                        ReferenceKind::IndirectCall | ReferenceKind::IndirectJump => {
                            let found =
                                slots.binary_search_by_key(&reference.to, |&(slot, _)| slot);
                            if let Some(&(_, import)) = found.ok().and_then(|at| slots.get(at)) {
                                add(caller, first_import.saturating_add(import));
                            }
                        }
                        ReferenceKind::Switch
                        | ReferenceKind::Read
                        | ReferenceKind::Write
                        | ReferenceKind::ReadWrite
                        | ReferenceKind::Address
                        | ReferenceKind::Pointer => {}
                    }
                }
                // Running into the next function is a tail call without a jump.
                if block.exit == Exit::TailCall
                    && block.target == block.end()
                    && let Some(callee) = self.number_at(block.target)
                {
                    add(caller, callee);
                }
            }
        }
        calls.sort_unstable();
        calls.dedup();
        calls.shrink_to_fit();
        self.called = calls
            .iter()
            .map(|&(caller, callee)| (callee, caller))
            .collect();
        self.called.sort_unstable();
        self.calls = calls;
    }

    /// The instruction set.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// All functions, by address.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The blocks of a function, by address.
    pub fn blocks(&self, function: &Function) -> &[Block] {
        self.blocks.get(function.range()).unwrap_or_default()
    }

    /// All references.
    pub fn references(&self) -> &References {
        &self.references
    }

    /// The imports, in file order.
    pub fn imports(&self) -> &[Imported] {
        &self.imports
    }

    /// Which addresses have which bytes of the file.
    pub fn memory_map(&self) -> &Memory {
        &self.memory
    }

    /// How much of the code is known.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// What was strange.
    pub fn warnings(&self) -> &Warnings {
        &self.warnings
    }

    /// The name of a function: that of a symbol, export or import, or one made
    /// of its address. It is text of the file.
    pub fn name<'a>(&'a self, function: &'a Function) -> Cow<'a, str> {
        if let Some(name) = &function.name {
            return Cow::Borrowed(name);
        }
        let import = function
            .import
            .and_then(|import| self.imports.get(import as usize))
            .filter(|import| !import.name.is_empty());
        match import {
            Some(import) => Cow::Borrowed(&import.name),
            None => Cow::Owned(format!("sub_{:x}", function.address)),
        }
    }

    /// The function that begins at an address.
    pub fn function_at(&self, address: u64) -> Option<&Function> {
        self.functions.get(self.number_at(address)? as usize)
    }

    pub(crate) fn number_at(&self, address: u64) -> Option<u32> {
        self.functions
            .binary_search_by_key(&address, |function| function.address)
            .ok()
            .map(|number| number as u32)
    }

    /// The function one of whose blocks has an address.
    pub fn function_with(&self, address: u64) -> Option<&Function> {
        let before = self
            .block_owners
            .partition_point(|&(start, _)| start <= address)
            .checked_sub(1)?;
        let &(start, number) = self.block_owners.get(before)?;
        let function = self.functions.get(number as usize)?;
        let blocks = self.blocks(function);
        let block = blocks
            .binary_search_by_key(&start, |block| block.start)
            .ok()
            .and_then(|index| blocks.get(index))?;
        (address < block.end()).then_some(function)
    }

    /// Functions that a function calls or jumps to, by address.
    pub fn callees<'a>(&'a self, function: &Function) -> impl Iterator<Item = &'a Function> + 'a {
        let functions = self.edges(&self.calls, function);
        functions.filter_map(|number| self.functions.get(number as usize))
    }

    /// Imports that a function calls or jumps to without a stub.
    pub fn imported<'a>(&'a self, function: &Function) -> impl Iterator<Item = &'a Imported> + 'a {
        let first = self.functions.len();
        self.edges(&self.calls, function)
            .filter_map(move |number| self.imports.get((number as usize).checked_sub(first)?))
    }

    /// Functions that call a function or jump to it, by address.
    pub fn callers<'a>(&'a self, function: &Function) -> impl Iterator<Item = &'a Function> + 'a {
        let functions = self.edges(&self.called, function);
        functions.filter_map(|number| self.functions.get(number as usize))
    }

    fn edges<'a>(
        &'a self,
        edges: &'a [Edge],
        function: &Function,
    ) -> impl Iterator<Item = u32> + 'a {
        let number = self.number_at(function.address).unwrap_or(u32::MAX);
        targets(edges, number)
    }

    /// An estimate of the bytes that the model holds.
    pub fn memory(&self) -> u64 {
        let names: usize = self
            .functions
            .iter()
            .filter_map(|function| function.name.as_deref())
            .map(str::len)
            .chain(self.imports.iter().map(|import| import.name.len()))
            .sum();
        let tables: usize = self
            .tables
            .values()
            .map(|table| size_of::<Table>() + table.targets.capacity() * size_of::<u64>())
            .sum();
        let lists = self.functions.capacity() * size_of::<Function>()
            + self.blocks.capacity() * size_of::<Block>()
            + self.block_owners.capacity() * size_of::<(u64, u32)>()
            + (self.calls.capacity() + self.called.capacity()) * size_of::<Edge>()
            + self.imports.capacity() * size_of::<Imported>();
        (names + tables + lists + size_of::<Self>()) as u64
            + self.references.memory()
            + self.memory.memory()
    }
}

/// The second numbers of sorted pairs with the first.
pub(crate) fn targets(edges: &[Edge], number: u32) -> impl Iterator<Item = u32> + '_ {
    let first = edges.partition_point(|&(from, _)| from < number);
    edges
        .get(first..)
        .unwrap_or_default()
        .iter()
        .take_while(move |&&(from, _)| from == number)
        .map(|&(_, to)| to)
}

/// Makes functions and references of what was found.
struct Maker<'c, 'a, 'w> {
    context: &'c Context<'a>,
    code: Code<'a, 'w>,
    functions: Vec<Function>,
    blocks: Vec<Block>,
    references: Vec<Reference>,
    warnings: Warnings,
}

impl Maker<'_, '_, '_> {
    fn into_parts(self) -> (Vec<Function>, Vec<Block>, Vec<Reference>, Warnings) {
        (self.functions, self.blocks, self.references, self.warnings)
    }

    fn take(&mut self, mut drafts: Vec<Draft>, tables: &BTreeMap<u64, Table>) {
        drafts.sort_by_key(|draft| draft.entry);
        let entry = self.context.image.entry_point.map(|entry| entry.address);
        let mut empty = 0_u64;
        self.blocks
            .reserve_exact(drafts.iter().map(|draft| draft.blocks.len()).sum());
        for mut draft in drafts {
            if draft.blocks.is_empty() {
                empty = empty.saturating_add(1);
                continue;
            }
            let first = self.blocks.len() as u32;
            let mut hash = Mixer::default();
            let mut instructions = 0_u32;
            let mut edges = 0_usize;
            for block in &mut draft.blocks {
                self.read(block, draft.thumb);
                instructions = instructions.saturating_add(block.instructions);
                block.hash.hash(&mut hash);
            }
            let mut complete = true;
            for block in &draft.blocks {
                edges = edges.saturating_add(match block.exit {
                    Exit::Fall | Exit::CallReturn | Exit::Jump => 1,
                    Exit::Conditional => 2,
                    // The jump is the last instruction of the block.
                    Exit::Switch => tables
                        .range(block.start..block.end())
                        .next_back()
                        .map_or(0, |(_, table)| table.targets.len()),
                    Exit::Indirect | Exit::Cut => {
                        complete = false;
                        0
                    }
                    Exit::TailCall | Exit::Return | Exit::NoReturn | Exit::Halt => 0,
                });
            }
            let exits = draft
                .blocks
                .iter()
                .filter(|block| !block.falls() && block.exit != Exit::Jump)
                .count();
            let count = draft.blocks.len();
            // With the edges that join all exits in one (McCabe, 1976).
            let complexity = edges
                .saturating_add(exits)
                .saturating_add(1)
                .saturating_sub(count);
            let kind = if draft.import.is_some() || draft.source == Some(Source::ImportThunk) {
                Kind::ImportThunk
            } else if Some(draft.entry) == entry {
                Kind::Entry
            } else {
                Kind::Function
            };
            self.functions.push(Function {
                address: draft.entry,
                size: draft.blocks.iter().map(|block| u64::from(block.size)).sum(),
                end: draft
                    .blocks
                    .iter()
                    .map(Block::end)
                    .max()
                    .unwrap_or(draft.entry),
                kind,
                source: draft.source.unwrap_or(Source::Gap),
                import: draft.import,
                instructions,
                complexity: u32::try_from(complexity).unwrap_or(u32::MAX).max(1),
                returns: !draft.endless,
                complete,
                thumb: draft.thumb,
                hash: hash.finish(),
                name: draft.name,
                blocks: first..first.saturating_add(count as u32),
            });
            self.blocks.append(&mut draft.blocks);
        }
        if empty > 0 {
            self.warnings.add(format!(
                "{empty} functions that the file names have no instructions that can be decoded"
            ));
        }
    }

    /// Decodes a block once more, for its hash and its references.
    fn read(&mut self, block: &mut Block, thumb: bool) {
        let mut hash = Mixer::default();
        let mut count = 0_u32;
        let mut at = block.start;
        let end = block.end();
        while at < end {
            let Some(fact) = self.code.at(at, thumb).filter(|fact| fact.valid) else {
                break;
            };
            self.code.fingerprint(&mut hash);
            let moves =
                |value: &u64| *value >= 0x1000 && self.context.memory.region(*value).is_some();
            if let Some(immediate) = fact.immediate.filter(|value| !moves(value)) {
                immediate.hash(&mut hash);
            }
            self.note(at, &fact);
            count = count.saturating_add(1);
            at = at.saturating_add(u64::from(fact.length));
        }
        block.instructions = count;
        block.hash = hash.finish() as u32;
    }

    fn add(&mut self, from: u64, to: u64, kind: ReferenceKind) {
        if self.references.len() < self.context.options.most_references {
            self.references.push(Reference { from, to, kind });
        }
    }

    fn note(&mut self, at: u64, fact: &Fact) {
        let memory = self.context.memory;
        let unlinked = self.context.is_unlinked();
        if let Some(target) = fact.direct {
            let next = at.saturating_add(u64::from(fact.length));
            let kind = match fact.flow {
                Flow::Call => ReferenceKind::Call,
                Flow::Jump
                | Flow::ConditionalJump
                | Flow::Return
                | Flow::Interrupt
                | Flow::Other => ReferenceKind::Jump,
            };
            if !(unlinked && target == next) {
                self.add(at, target, kind);
            }
            return;
        }
        if unlinked {
            return;
        }
        if let Some(address) = fact.memory
            && memory.region(address).is_some()
        {
            let kind = match (fact.flow, fact.access) {
                (Flow::Call, _) => ReferenceKind::IndirectCall,
                (Flow::Jump, _) => ReferenceKind::IndirectJump,
                (_, Access::Write) => ReferenceKind::Write,
                (_, Access::ReadWrite) => ReferenceKind::ReadWrite,
                (_, Access::Address) => ReferenceKind::Address,
                (_, Access::Read | Access::None) => ReferenceKind::Read,
            };
            self.add(at, address, kind);
        }
        // Small numbers are no addresses.
        if let Some(value) = fact.immediate.filter(|&value| value >= 0x1_0000)
            && memory.region(value).is_some()
        {
            self.add(at, value, ReferenceKind::Address);
        }
    }

    /// References that no single instruction has.
    fn refer(&mut self, tables: &BTreeMap<u64, Table>, pointers: &[Pointer]) {
        for (&jump, table) in tables {
            self.add(jump, table.address, ReferenceKind::Read);
            for &target in &table.targets {
                self.add(jump, target, ReferenceKind::Switch);
            }
        }
        for pointer in pointers {
            self.add(pointer.slot, pointer.target, ReferenceKind::Pointer);
        }
    }
}
