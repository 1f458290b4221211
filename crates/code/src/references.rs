//! Who refers to what: from instructions and from data, found by either end.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// How one address refers to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceKind {
    /// A direct call.
    Call,
    /// A call through a pointer at the address, such as the slot of an import.
    IndirectCall,
    /// A direct jump.
    Jump,
    /// A jump through a pointer at the address.
    IndirectJump,
    /// An entry of the table of a switch.
    Switch,
    /// Reads data.
    Read,
    /// Writes data.
    Write,
    /// Reads and writes data.
    ReadWrite,
    /// Takes the address.
    Address,
    /// Data that holds the address.
    Pointer,
}

/// A reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// Address of the instruction, or of the word of data.
    pub from: u64,
    /// The address that is referred to.
    pub to: u64,
    /// How.
    pub kind: ReferenceKind,
}

/// All references of a program.
#[derive(Debug, Default)]
pub struct References {
    by_from: Vec<Reference>,
    /// Numbers in `by_from`, in the order of targets.
    by_to: Vec<u32>,
}

impl References {
    pub(crate) fn new(mut references: Vec<Reference>) -> Self {
        references.sort_unstable();
        references.dedup();
        references.shrink_to_fit();
        let mut by_to: Vec<u32> = (0..references.len() as u32).collect();
        by_to.sort_unstable_by_key(|&number| {
            (
                references.get(number as usize).map(|found| found.to),
                number,
            )
        });
        Self {
            by_from: references,
            by_to,
        }
    }

    /// All, by the address that refers.
    pub fn all(&self) -> &[Reference] {
        &self.by_from
    }

    /// Those from a range of addresses, by that address.
    pub fn from_range(&self, range: Range<u64>) -> &[Reference] {
        let first = self
            .by_from
            .partition_point(|found| found.from < range.start);
        let last = self.by_from.partition_point(|found| found.from < range.end);
        self.by_from.get(first..last).unwrap_or_default()
    }

    /// Those to a range of addresses, by that address, then by the one that
    /// refers.
    pub fn to_range(&self, range: Range<u64>) -> impl ExactSizeIterator<Item = Reference> + '_ {
        let target = |number: &u32| self.get(*number).to;
        let first = self
            .by_to
            .partition_point(|number| target(number) < range.start);
        let last = self
            .by_to
            .partition_point(|number| target(number) < range.end);
        let numbers = self.by_to.get(first..last).unwrap_or_default();
        numbers.iter().map(|&number| self.get(number))
    }

    /// Those to one address.
    pub fn to(&self, address: u64) -> impl ExactSizeIterator<Item = Reference> + '_ {
        self.to_range(address..address.saturating_add(1))
    }

    fn get(&self, number: u32) -> Reference {
        // Numbers are those of `by_from`.
        const NONE: Reference = Reference {
            from: 0,
            to: 0,
            kind: ReferenceKind::Pointer,
        };
        self.by_from.get(number as usize).copied().unwrap_or(NONE)
    }

    pub(crate) fn memory(&self) -> u64 {
        (self.by_from.capacity() * size_of::<Reference>()
            + self.by_to.capacity() * size_of::<u32>()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_by_both_ends() {
        let reference = |from, to| Reference {
            from,
            to,
            kind: ReferenceKind::Call,
        };
        let all = References::new(vec![
            reference(3, 10),
            reference(1, 20),
            reference(2, 10),
            reference(2, 10),
        ]);
        assert_eq!(all.all().len(), 3);
        assert_eq!(all.from_range(1..3), [reference(1, 20), reference(2, 10)]);
        assert_eq!(
            all.to(10).collect::<Vec<_>>(),
            [reference(2, 10), reference(3, 10)]
        );
        assert_eq!(all.to_range(0..u64::MAX).len(), 3);
    }
}
