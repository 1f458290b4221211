//! Switches of x86: which table an indirect jump goes through, and where its
//! entries lead.
//!
//! Compilers write three forms, with `i` below a bound that was compared before:
//!
//! ```text
//! jmp  [table + i*8]                                   absolute addresses
//! lea  t, [table]; movsxd x, [t + i*4]; add x, t; jmp x   relative to the table
//! lea  b, [base]; mov x, [b + i*4 + table]; add x, b; jmp x  relative to the image
//! ```

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a form is made of a few of many operations"
)]

use reversecore_analysis::disassemble::{Family, Flow, Operation, Register};

use super::explore::Subject;
use super::{Discovery, Table};
use crate::read::{u32_at, u64_at};

/// So many instructions before the jump are looked at.
const LOOK_BACK: usize = 40;

/// A jump to the block of the switch is searched in so many instructions.
const LOOK_AROUND: usize = 512;

/// More entries are not read.
const MOST_ENTRIES: u64 = 4096;

/// Without a bound, entries are believed as long as they lead so near.
const FARTHEST: u64 = 1 << 20;

/// More tables are not kept; the address of each jump has one at most.
const MOST_TABLES: usize = 200_000;

/// How a table is made.
#[derive(Debug, Clone, Copy)]
struct Form {
    address: u64,
    /// Size of an entry in bytes.
    entry: u8,
    /// What is added to each.
    base: u64,
    signed: bool,
    /// The register that selects the entry.
    index: Register,
}

impl Discovery<'_, '_, '_> {
    /// Reads the table of the indirect jump at an address, which is the last
    /// instruction that was decoded. Whether it has one.
    pub(super) fn resolve_table(&mut self, jump: u64, subject: Subject) -> bool {
        if self.tables.contains_key(&jump) {
            return true;
        }
        if self.context.architecture.family != Family::X86 || self.tables.len() >= MOST_TABLES {
            return false;
        }
        let last = self.code.operation();
        let before = self.operations_before(jump, subject);
        let Some((form, used)) = form(last, &before) else {
            return false;
        };
        let bound = bound(form.index, before.get(used..).unwrap_or_default());
        let table = self.read_table(form, bound, subject);
        let found = !table.targets.is_empty();
        if found {
            let end = table.address.saturating_add(table.size);
            self.table_ends.insert(table.address, end);
            self.tables.insert(jump, table);
        }
        found
    }

    /// What the instructions before an address do, the nearest first. They are
    /// those that were followed last, which need not be those that run before:
    /// then nothing fits, and the jump stays unknown.
    fn operations_before(&mut self, jump: u64, subject: Subject) -> Vec<Operation> {
        let steps = &self.scratch.steps;
        let mut addresses = Vec::with_capacity(LOOK_BACK);
        let mut next = jump;
        let mut rest = steps.iter().rev();
        while addresses.len() < LOOK_BACK {
            let Some(step) = rest.next() else { break };
            if step.address.saturating_add(u64::from(step.length)) != next {
                break;
            }
            addresses.push(step.address);
            next = step.address;
        }
        // A block that is jumped to: go on at one of those that jump there.
        if addresses.len() < LOOK_BACK {
            let recent = steps.len().saturating_sub(LOOK_AROUND);
            let recent = steps.get(recent..).unwrap_or_default();
            let from = recent
                .iter()
                .rposition(|step| step.target == next && step.address != jump);
            let before = from.and_then(|from| recent.get(..=from));
            let mut expected = None;
            for step in before.unwrap_or_default().iter().rev() {
                let end = step.address.saturating_add(u64::from(step.length));
                if expected.is_some_and(|expected| expected != end) || addresses.len() >= LOOK_BACK
                {
                    break;
                }
                addresses.push(step.address);
                expected = Some(step.address);
            }
        }
        let mut operations = Vec::with_capacity(addresses.len());
        for address in addresses {
            let Some(fact) = self.code.at(address, subject.thumb) else {
                break;
            };
            let operation = match fact.flow {
                // A call changes the registers that its callee may use.
                Flow::Call => break,
                Flow::Jump | Flow::ConditionalJump | Flow::Return | Flow::Interrupt => {
                    Operation::Other
                }
                Flow::Other => self.code.operation(),
            };
            operations.push(operation);
        }
        operations
    }

    fn read_table(&mut self, form: Form, bound: Option<u64>, subject: Subject) -> Table {
        let mut table = Table {
            address: form.address,
            size: 0,
            targets: Vec::new(),
        };
        let memory = self.context.memory;
        let Some(region) = memory.region(form.address) else {
            return table;
        };
        let Some(bytes) = memory.bytes_from(self.context.data, form.address) else {
            return table;
        };
        // The table of another switch is not part of this one.
        let other = self
            .table_ends
            .range(form.address.saturating_add(1)..)
            .next()
            .map(|(&address, _)| address);
        let home = memory.index_of(subject.entry);
        let endian = self.context.image.endian;
        let entries = bound.unwrap_or(MOST_ENTRIES).min(MOST_ENTRIES);
        for number in 0..entries {
            let position = number.saturating_mul(u64::from(form.entry));
            let address = form.address.saturating_add(position);
            if bound.is_none()
                && (other.is_some_and(|other| address >= other)
                    || (number > 0 && self.mine.get(address)))
            {
                break;
            }
            if address >= region.file_end() {
                break;
            }
            let position = usize::try_from(position).unwrap_or(usize::MAX);
            let value = if form.entry == 8 {
                u64_at(bytes, position, endian)
            } else {
                u32_at(bytes, position, endian).map(|word| {
                    if form.signed {
                        i64::from(word.cast_signed()).cast_unsigned()
                    } else {
                        u64::from(word)
                    }
                })
            };
            let Some(value) = value else { break };
            let mut target = form.base.wrapping_add(value);
            if self.context.architecture.bits == 32 {
                target &= 0xffff_ffff;
            }
            let inside = if subject.known_end > subject.entry {
                (subject.entry..subject.known_end).contains(&target)
            } else {
                memory.index_of(target) == home && target.abs_diff(subject.entry) < FARTHEST
            };
            let believed = inside && (target == subject.entry || !self.starts.get(target));
            if !believed || !memory.is_code(target) {
                if bound.is_some() {
                    // An entry of a bounded table may lead elsewhere: to a
                    // part of the function that was moved away.
                    if memory.is_code(target) && memory.index_of(target) == home {
                        continue;
                    }
                    // The bound was not one of this table.
                }
                break;
            }
            table.targets.push(target);
            table.size = (position as u64).saturating_add(u64::from(form.entry));
        }
        table.targets.sort_unstable();
        table.targets.dedup();
        table
    }
}

/// The form of the table of a jump, from the instructions before it, and how
/// many of them make it.
fn form(last: Operation, before: &[Operation]) -> Option<(Form, usize)> {
    let absolute = |to: Operation| match to {
        Operation::Load { from, size, .. } if matches!(size, 4 | 8) && from.scale == size => {
            Some((from, size))
        }
        _ => None,
    };
    let (register, rest) = match last {
        Operation::Load { to: None, .. } => {
            let (from, size) = absolute(last)?;
            return absolute_form(from, size, before, 0);
        }
        Operation::JumpTo(register) => (register, before),
        _ => return None,
    };
    // Backwards to what gives the register its value.
    for (number, &operation) in rest.iter().enumerate() {
        match operation {
            Operation::Load { to: Some(to), .. } if to == register => {
                let (from, size) = absolute(operation)?;
                return absolute_form(from, size, rest, number + 1);
            }
            Operation::Add { to, from } if to == register => {
                return relative_form(to, from, rest, number + 1);
            }
            _ if writes(operation) == Some(register) => return None,
            _ => {}
        }
    }
    None
}

type Place = reversecore_analysis::disassemble::Address;

fn absolute_form(
    from: Place,
    entry: u8,
    before: &[Operation],
    used: usize,
) -> Option<(Form, usize)> {
    let index = from.index?;
    let base = match from.base {
        None => 0,
        Some(register) => constant(register, before.get(used..)?)?,
    };
    let form = Form {
        address: base.wrapping_add(from.displacement),
        entry,
        base: 0,
        signed: false,
        index,
    };
    Some((form, used))
}

/// `to + from` where one of them was read from the table and the other is a
/// constant.
fn relative_form(
    to: Register,
    from: Register,
    before: &[Operation],
    used: usize,
) -> Option<(Form, usize)> {
    for (number, &operation) in before.iter().enumerate().skip(used) {
        let Operation::Load {
            to: Some(loaded),
            from: place,
            size: 4,
            signed,
        } = operation
        else {
            let written = writes(operation);
            // The value may be extended between the load and the sum.
            let extends = matches!(operation, Operation::Copy { to, from } if to == from);
            let sets = matches!(operation, Operation::Set { .. });
            if (written == Some(to) || written == Some(from)) && !extends && !sets {
                return None;
            }
            continue;
        };
        let other = if loaded == to {
            from
        } else if loaded == from {
            to
        } else {
            continue;
        };
        let rest = before.get(number + 1..)?;
        // The constant may be set before or behind the load.
        let base = before
            .get(used..number)?
            .iter()
            .find_map(|&operation| match operation {
                Operation::Set { to, value } if to == other => Some(value),
                _ => None,
            })
            .or_else(|| constant(other, rest))?;
        let (index, start) = match (place.base, place.index) {
            (Some(register), Some(index)) if register == other => (index, base),
            (Some(register), Some(index)) => (index, constant(register, rest)?),
            (None, Some(index)) => (index, 0),
            _ => return None,
        };
        if place.scale != 4 {
            return None;
        }
        let form = Form {
            address: start.wrapping_add(place.displacement),
            entry: 4,
            base,
            signed: signed || start == base,
            index,
        };
        return Some((form, number + 1));
    }
    None
}

/// The constant that a register has, from the instructions before.
fn constant(register: Register, before: &[Operation]) -> Option<u64> {
    for &operation in before {
        match operation {
            Operation::Set { to, value } if to == register => return Some(value),
            _ if writes(operation) == Some(register) => return None,
            _ => {}
        }
    }
    None
}

/// How many entries a table has, by the comparison of its index.
fn bound(index: Register, before: &[Operation]) -> Option<u64> {
    let mut register = index;
    for &operation in before {
        match operation {
            Operation::Compare {
                register: compared,
                value,
            } if compared == register => {
                return (value < MOST_ENTRIES).then(|| value + 1);
            }
            Operation::Mask {
                register: masked,
                mask,
            } if masked == register => {
                return (mask < MOST_ENTRIES).then(|| mask + 1);
            }
            Operation::Copy { to, from } if to == register => register = from,
            _ if writes(operation) == Some(register) => return None,
            _ => {}
        }
    }
    None
}

/// The register that an operation writes.
fn writes(operation: Operation) -> Option<Register> {
    match operation {
        Operation::Writes(to)
        | Operation::Copy { to, .. }
        | Operation::Set { to, .. }
        | Operation::Add { to, .. }
        | Operation::Offset { to, .. }
        | Operation::Mask { register: to, .. } => Some(to),
        Operation::Load { to, .. } => to,
        Operation::Other
        | Operation::Store { .. }
        | Operation::Compare { .. }
        | Operation::JumpTo(_) => None,
    }
}
