//! Basic blocks: instructions that are run one after the other. A call ends no
//! block, unless it does not return.

use serde::{Deserialize, Serialize};

/// How a block ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// Goes on to the next instruction, where another block begins.
    Fall,
    /// The same, behind a call.
    CallReturn,
    /// A jump within the function.
    Jump,
    /// A conditional jump; goes on to the next instruction otherwise.
    Conditional,
    /// A jump through a table that could be read.
    Switch,
    /// A jump whose target is not known.
    Indirect,
    /// A jump to another function, or to an import.
    TailCall,
    /// A return.
    Return,
    /// A call from which nothing returns.
    NoReturn,
    /// An instruction behind which nothing is run: a trap.
    Halt,
    /// Bytes behind it cannot be decoded, are in no section, or were not
    /// looked at because the budget was spent.
    Cut,
}

/// A block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its first address.
    pub start: u64,
    /// Where a direct jump at its end goes; 0 where there is none.
    pub target: u64,
    /// A hash of its instructions, without what moves when code or data moves.
    pub hash: u32,
    /// Its size in bytes.
    pub size: u32,
    /// How many instructions it has.
    pub instructions: u32,
    /// How it ends.
    pub exit: Exit,
}

impl Block {
    /// The first address behind it.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(u64::from(self.size))
    }

    /// Whether it can go on to the address behind it.
    pub fn falls(&self) -> bool {
        match self.exit {
            Exit::Fall | Exit::CallReturn | Exit::Conditional => true,
            Exit::Jump
            | Exit::Switch
            | Exit::Indirect
            | Exit::TailCall
            | Exit::Return
            | Exit::NoReturn
            | Exit::Halt
            | Exit::Cut => false,
        }
    }
}
