//! One function: its instructions by recursive descent, cut into blocks.

use reversecore_analysis::disassemble::{Access, Fact, Family, Flow};

use super::Discovery;
use crate::block::{Block, Exit};
use crate::seeds::Source;

/// More instructions of one function are not followed; the largest functions
/// of generated parsers have some hundred thousand.
const MOST_INSTRUCTIONS: usize = 1 << 20;

/// Parts of a function that nothing leads to, such as landing pads of
/// exceptions, are looked for so many times.
const MOST_REMAINDERS: usize = 64;

/// A jump farther than this leads out of a function whose size nothing says.
const FARTHEST: u64 = 1 << 20;

/// An instruction while its function is being explored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) address: u64,
    pub(super) target: u64,
    pub(super) length: u8,
    pub(super) call: bool,
    /// How it ends its block, if it does.
    pub(super) exit: Option<Exit>,
}

/// What exploring a function needs, kept for the next one.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) steps: Vec<Step>,
    stack: Vec<u64>,
    leaders: Vec<u64>,
    calls: Vec<u64>,
    tails: Vec<u64>,
    returns: bool,
}

/// The function that is being explored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    pub(super) entry: u64,
    pub(super) known_end: u64,
    pub(super) thumb: bool,
    /// The import that it is a stub of.
    import: Option<u32>,
}

impl Subject {
    fn has_known(&self, address: u64) -> bool {
        self.entry <= address && address < self.known_end
    }
}

/// What a jump's target is to the function that jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Inside,
    Outside,
    /// Outside, and a function begins there.
    Function,
}

impl Discovery<'_, '_, '_> {
    pub(super) fn explore(&mut self, index: u32) {
        let Some(draft) = self.functions.get(index as usize) else {
            return;
        };
        if draft.explored || self.blocks >= self.context.options.most_blocks {
            if !draft.explored {
                self.warnings.add(format!(
                    "more than {} blocks: further functions have none",
                    self.context.options.most_blocks
                ));
            }
            return;
        }
        let subject = Subject {
            entry: draft.entry,
            known_end: draft.known_end,
            thumb: draft.thumb,
            import: draft.import,
        };
        let scratch = &mut self.scratch;
        scratch.steps.clear();
        scratch.leaders.clear();
        scratch.calls.clear();
        scratch.tails.clear();
        scratch.returns = false;
        scratch.stack.clear();
        scratch.stack.push(subject.entry);
        for _ in 0..MOST_REMAINDERS {
            while let Some(at) = self.scratch.stack.pop() {
                self.scratch.leaders.push(at);
                self.follow(at, subject);
            }
            if !self.find_remainder(subject) {
                break;
            }
        }
        self.scratch.steps.sort_unstable_by_key(|step| step.address);
        let blocks = self.cut();
        for step in &self.scratch.steps {
            self.mine.clear(step.address);
            self.owned.set(step.address);
        }
        self.blocks = self.blocks.saturating_add(blocks.len());
        let scratch = &mut self.scratch;
        scratch.calls.sort_unstable();
        scratch.calls.dedup();
        scratch.tails.sort_unstable();
        scratch.tails.dedup();
        if let Some(draft) = self.functions.get_mut(index as usize) {
            draft.explored = true;
            draft.blocks = blocks;
            draft.calls = scratch.calls.as_slice().into();
            draft.tails = scratch.tails.as_slice().into();
            draft.returns = scratch.returns;
        }
    }

    /// Decodes from an address until nothing follows.
    fn follow(&mut self, start: u64, subject: Subject) {
        let mut at = start;
        loop {
            if self.mine.get(at) {
                return;
            }
            if self.owned.get(at) || (at != subject.entry && self.starts.get(at)) {
                // Runs into another function.
                self.scratch.tails.push(at);
                return;
            }
            if self.scratch.steps.len() >= MOST_INSTRUCTIONS {
                self.scratch.returns = true;
                return;
            }
            let Some(fact) = self.code.at(at, subject.thumb) else {
                self.scratch.returns = true;
                return;
            };
            if !fact.valid {
                self.scratch.returns = true;
                return;
            }
            self.mine.set(at);
            let mut step = Step {
                address: at,
                target: 0,
                length: fact.length,
                call: fact.flow == Flow::Call,
                exit: None,
            };
            let mut next = at.saturating_add(u64::from(fact.length));
            match fact.flow {
                Flow::Call => {
                    if self.call(&fact, next, subject) {
                        step.exit = Some(Exit::NoReturn);
                    }
                }
                Flow::Jump => step.exit = Some(self.jump(&fact, at, subject, &mut step.target)),
                Flow::ConditionalJump => {
                    step.exit = Some(Exit::Conditional);
                    match fact.direct {
                        Some(target) => {
                            step.target = target;
                            match self.place(target, subject) {
                                Place::Inside => self.scratch.stack.push(target),
                                Place::Outside | Place::Function => self.leave(target, subject),
                            }
                        }
                        // A conditional return.
                        None => self.scratch.returns = true,
                    }
                    // The address behind it begins a block.
                    self.scratch.leaders.push(next);
                }
                Flow::Return => {
                    self.scratch.returns = true;
                    step.exit = Some(Exit::Return);
                }
                Flow::Interrupt | Flow::Other => {
                    if fact.halts {
                        step.exit = Some(Exit::Halt);
                    } else {
                        self.note_address(&fact);
                    }
                }
            }
            if fact.flow.transfers() || fact.flow == Flow::Return {
                // The instruction behind a branch is run before it.
                if self.has_delay_slot()
                    && let Some(slot) = self.code.at(next, subject.thumb)
                {
                    step.length = step.length.saturating_add(slot.length);
                    next = next.saturating_add(u64::from(slot.length));
                }
            }
            let ends = step.exit.is_some_and(|exit| exit != Exit::Conditional);
            self.scratch.steps.push(step);
            if ends {
                return;
            }
            at = next;
        }
    }

    fn has_delay_slot(&self) -> bool {
        matches!(
            self.context.architecture.family,
            Family::Mips | Family::Sparc
        )
    }

    /// A call; whether it does not return.
    fn call(&mut self, fact: &Fact, next: u64, subject: Subject) -> bool {
        if let Some(target) = fact.direct {
            // A call of the next instruction reads the program counter; calls
            // of an object file are not linked yet.
            if target == next || self.context.is_unlinked() {
                return false;
            }
            let thumb = self.mode_of(target, subject.thumb);
            let target = self.without_mode(target);
            self.register(target, Source::Call, thumb);
            self.scratch.calls.push(target);
            return self
                .index
                .get(&target)
                .and_then(|&index| self.functions.get(index as usize))
                .is_some_and(|draft| draft.endless);
        }
        fact.memory
            .and_then(|slot| self.context.import_at(slot))
            .is_some_and(|import| self.context.import_is_endless(import))
    }

    /// The mode of the code at a target: that of the function that is known
    /// there, or else the same.
    fn mode_of(&self, target: u64, thumb: bool) -> bool {
        if self.context.architecture.family != Family::Arm {
            return false;
        }
        self.index
            .get(&self.without_mode(target))
            .and_then(|&index| self.functions.get(index as usize))
            .map_or(thumb, |draft| draft.thumb)
    }

    fn without_mode(&self, target: u64) -> u64 {
        if self.context.architecture.family == Family::Arm {
            target & !1
        } else {
            target
        }
    }

    fn jump(&mut self, fact: &Fact, at: u64, subject: Subject, to: &mut u64) -> Exit {
        if let Some(target) = fact.direct {
            *to = target;
            return match self.place(target, subject) {
                Place::Inside => {
                    self.scratch.stack.push(target);
                    Exit::Jump
                }
                Place::Outside => {
                    self.scratch.tails.push(target);
                    Exit::TailCall
                }
                Place::Function => {
                    self.leave(target, subject);
                    Exit::TailCall
                }
            };
        }
        let import = fact.memory.and_then(|slot| self.context.import_at(slot));
        if let Some(import) = import.or(subject.import) {
            self.scratch.returns |= !self.context.import_is_endless(import);
            return Exit::TailCall;
        }
        if self.resolve_table(at, subject) {
            if let Some(table) = self.tables.get(&at) {
                for &target in &table.targets {
                    self.scratch.stack.push(target);
                }
            }
            return Exit::Switch;
        }
        self.scratch.returns = true;
        Exit::Indirect
    }

    /// What a jump's target is.
    fn place(&self, target: u64, subject: Subject) -> Place {
        if self.mine.get(target) || target == subject.entry {
            return Place::Inside;
        }
        if self.starts.get(target) {
            return Place::Function;
        }
        if subject.has_known(target) {
            return Place::Inside;
        }
        if self.owned.get(target)
            || self.is_known_inside(target)
            || !self.context.memory.is_code(target)
        {
            return Place::Outside;
        }
        if subject.known_end > subject.entry {
            return Place::Function;
        }
        // Without a size a function goes on to the next one that is known.
        if target < subject.entry
            || target.saturating_sub(subject.entry) > FARTHEST
            || self.starts.any(subject.entry.saturating_add(1), target)
        {
            return Place::Function;
        }
        let same =
            self.context.memory.index_of(target) == self.context.memory.index_of(subject.entry);
        if same { Place::Inside } else { Place::Function }
    }

    /// A jump to another function.
    fn leave(&mut self, target: u64, subject: Subject) {
        self.scratch.tails.push(target);
        if self.place(target, subject) == Place::Function && !self.context.is_unlinked() {
            self.register(target, Source::Jump, subject.thumb);
        }
    }

    /// Remembers an address of code that an instruction takes.
    fn note_address(&mut self, fact: &Fact) {
        let taken = match fact.access {
            Access::Address => fact.memory,
            Access::None => fact.immediate.filter(|&value| value >= 0x1000),
            Access::Read | Access::Write | Access::ReadWrite => {
                fact.immediate.filter(|&value| value >= 0x1000)
            }
        };
        if let Some(address) = taken
            && self.context.memory.is_code(address)
            && !self.starts.get(address)
        {
            self.taken.push(address);
        }
    }

    /// Finds the first part of the range that the file gives to the function
    /// to which nothing leads, and has it explored.
    fn find_remainder(&mut self, subject: Subject) -> bool {
        if subject.known_end <= subject.entry || self.code.ended().is_some() {
            return false;
        }
        self.scratch.steps.sort_unstable_by_key(|step| step.address);
        let mut at = subject.entry;
        let mut gaps = Vec::new();
        for step in &self.scratch.steps {
            if step.address >= subject.known_end {
                break;
            }
            if step.address > at {
                gaps.push((at, step.address));
            }
            at = at.max(step.address.saturating_add(u64::from(step.length)));
        }
        if at < subject.known_end {
            gaps.push((at, subject.known_end));
        }
        let mut found = false;
        for (from, to) in gaps {
            if let Some(root) = self.first_code(from, to, subject.thumb)
                && !self.starts.any(from, root.saturating_add(1))
                && !self.is_in_table(root)
                && self.is_plausible(root, to, subject.thumb)
            {
                self.scratch.stack.push(root);
                found = true;
            }
        }
        found
    }

    /// Cuts the sorted steps into blocks.
    fn cut(&mut self) -> Vec<Block> {
        let scratch = &mut self.scratch;
        scratch.leaders.sort_unstable();
        scratch.leaders.dedup();
        let mut leaders = scratch.leaders.iter().copied().peekable();
        let mut blocks: Vec<Block> = Vec::new();
        let mut open: Option<Block> = None;
        let mut after_call = false;
        for step in &scratch.steps {
            while leaders.next_if(|&leader| leader < step.address).is_some() {}
            let leads = leaders.peek() == Some(&step.address);
            if let Some(block) = open
                && (leads || block.end() != step.address)
            {
                let exit = if after_call {
                    Exit::CallReturn
                } else {
                    Exit::Fall
                };
                blocks.push(Block { exit, ..block });
                open = None;
            }
            let block = open.get_or_insert(Block {
                start: step.address,
                target: 0,
                hash: 0,
                size: 0,
                instructions: 0,
                exit: Exit::Cut,
            });
            block.size = block.size.saturating_add(u32::from(step.length));
            block.instructions = block.instructions.saturating_add(1);
            after_call = step.call;
            if let Some(exit) = step.exit {
                block.exit = exit;
                block.target = step.target;
                blocks.extend(open.take());
            }
        }
        blocks.extend(open);
        // What does not go on anywhere was cut off.
        let known = |address: u64, blocks: &[Block]| {
            blocks
                .binary_search_by_key(&address, |block| block.start)
                .is_ok()
        };
        for index in 0..blocks.len() {
            let Some(&block) = blocks.get(index) else {
                break;
            };
            if matches!(block.exit, Exit::Fall | Exit::CallReturn | Exit::Cut) {
                let end = block.end();
                let exit = if known(end, &blocks) {
                    if block.exit == Exit::Cut {
                        Exit::Fall
                    } else {
                        block.exit
                    }
                } else if self.starts.get(end) || self.owned.get(end) {
                    Exit::TailCall
                } else {
                    Exit::Cut
                };
                if let Some(block) = blocks.get_mut(index) {
                    block.exit = exit;
                    if exit == Exit::TailCall {
                        block.target = end;
                    }
                }
            }
        }
        blocks.shrink_to_fit();
        blocks
    }
}
