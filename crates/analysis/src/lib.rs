//! Embedded engines: the bytes of a hostile file and options in, a typed report
//! out. Called by the workers of `tools`, one file at a time.
//!
//! Every engine is a pure function. It has no runtime, opens no file, starts no
//! process, reaches no network and keeps no state between calls, apart from
//! compiled rules that its caller holds. What is wrong with a file is said in
//! the report's [`Warnings`] beside everything that could be read: a damaged
//! file has a partial answer, never an error. Sizes, counts and offsets of a
//! file are claims; they are checked before anything is read or allocated, and
//! every list has a bound.
//!
//! Reports are plain data with `serde`. They carry text of the file as it is
//! (lossy where it is not UTF-8); escaping it for a reader is the caller's.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

pub mod binary;
pub mod capabilities;
pub mod carve;
pub mod disassemble;
pub mod entropy;
pub mod excerpt;
pub mod hashes;
pub mod identify;
pub mod iocs;
pub mod similarity;
pub mod strings;
pub mod unpack;
pub mod yara;

mod hex;
#[cfg(test)]
mod mutation_tests;
mod warnings;
mod watch;

pub use warnings::Warnings;
pub use watch::Watch;
