//! The program model of executables: the functions of a hostile file, what they
//! refer to, who calls whom, and searches in and comparisons of code. Called by
//! the workers of `tools`.
//!
//! [`Program::analyze`] makes the model of one image once; every other question
//! is answered from it. The model holds no bytes of the file, so that a worker
//! can keep many; queries that print or search code take the bytes again.
//!
//! Like the engines of `analysis`, which it is built on, everything here is a
//! function of its arguments: no file, process, thread or clock, no `unsafe`,
//! and no panic on input. A damaged file has a partial model, whose
//! [`Coverage`] and warnings say what is missing. All work is bounded by
//! [`Options`], and the caller's clock can end it. The same bytes and options
//! give the same model.
//!
//! It decompiles nothing, follows no values through memory, and knows no types.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod bits;
mod block;
mod code;
mod coverage;
mod diff;
mod discover;
mod function;
mod graph;
mod lookup;
mod memory;
mod mixer;
mod names;
mod options;
mod pattern;
mod pointers;
mod program;
mod read;
mod references;
mod render;
mod search;
mod seeds;
mod unwind;

pub use block::{Block, Exit};
pub use coverage::{Coverage, Stopped, Uncovered};
pub use diff::{Changed, Diff, MatchedBy, Side, diff};
pub use function::{Function, Kind};
pub use graph::{
    CallEdge, CallGraph, CallGraphOptions, CallNode, Direction, FlowBlock, FlowEdge, FlowEdgeKind,
    FlowGraph,
};
pub use lookup::{NotFound, Target, TargetKind};
pub use memory::{Memory, Region};
pub use options::Options;
pub use pattern::{BytePattern, Pattern, PatternError};
pub use program::{Imported, NoDecoder, Program};
pub use references::{Reference, ReferenceKind, References};
pub use render::Language;
pub use search::{Found, Hit, Query, SearchOptions};
pub use seeds::Source;
