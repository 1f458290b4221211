//! Functions of executables as C. Called by the workers of `tools`, which have
//! the model of the program already.
//!
//! The work is done by the crate `ghidra-decompiler`; this crate is the only one
//! that knows it. It hands over what the model of `code` knows - which bytes lie
//! where, names of functions and imports, texts, what does not return, which
//! jumps are calls - for one function at a time, and says what came out of it.
//!
//! | file | knows |
//! |---|---|
//! | `decompiler` | one program, and a function of it from question to report |
//! | `context` | what of the program bears upon one function |
//! | `symbols` | how that is told to the decompiler, and taken back |
//! | `prototypes` | functions of C and Windows libraries: their types |
//! | `results` | whether a function has a result, by what its callers do |
//! | `texts` | which bytes are the text of a string |
//! | `run` | the steps of the work, between which a clock is looked at |
//! | `image`, `builder`, `language` | bytes, types and processor, as the decompiler wants them |
//!
//! The same bytes and options give the same text: nothing that was told about
//! one function stays for the next. Hostile input can make the decompiler slow,
//! fail or panic. All three end as a [`Failure`]; what no step boundary ends in
//! time, whoever runs this has to. It knows no types but those of well-known
//! functions, follows no pointers in data, and demangles no names.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod builder;
mod context;
mod decompiler;
mod image;
mod language;
mod prototypes;
mod report;
mod results;
mod run;
mod symbols;
mod texts;

pub use decompiler::Decompiler;
pub use report::{Cut, Decompiled, Failure, Options, Unsupported};
