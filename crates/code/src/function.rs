//! A function of a program.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::seeds::Source;

/// What a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An ordinary one.
    Function,
    /// A stub that does nothing but jump to an import.
    ImportThunk,
    /// Where execution begins.
    Entry,
    /// Code of another file: nodes of call graphs only.
    Import,
}

/// A function. Its name and its relations are asked of the
/// [`Program`](crate::Program).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its first address.
    pub address: u64,
    /// The bytes of its blocks together; parts of it may lie elsewhere.
    pub size: u64,
    /// The first address behind its last block.
    pub end: u64,
    /// What it is.
    pub kind: Kind,
    /// How it was found.
    pub source: Source,
    /// The import that it is a stub of, by its number in
    /// [`Program::imports`](crate::Program::imports).
    pub import: Option<u32>,
    /// How many instructions it has.
    pub instructions: u32,
    /// Cyclomatic complexity (McCabe): independent paths through it, 1 when it
    /// has no branch.
    pub complexity: u32,
    /// Whether it returns, as far as one can see.
    pub returns: bool,
    /// Whether all its jumps are known and nothing was cut off.
    pub complete: bool,
    /// ARM: it is Thumb code.
    pub thumb: bool,
    /// A hash of its instructions without what moves when code or data move.
    pub hash: u64,
    pub(crate) name: Option<Box<str>>,
    pub(crate) blocks: Range<u32>,
}

impl Function {
    /// How many blocks it has.
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.blocks.start as usize..self.blocks.end as usize
    }
}
