//! What tests need and no product code may use: the hostile fixture program,
//! sample builders, and helpers that look at processes from outside.
//!
//! ```text
//! test ── fixture("hostile") ──> path of the program (src/bin/hostile/)
//!      ── pattern, awkward   ──> what that program writes, known independently
//!      ── escapes            ──> radare2 commands that leave radare2
//!      ── processes          ──> who is still alive
//!      ── Random             ──> damage that is the same in every run
//!      ── samples            ──> files to analyse
//! ```
//!
//! This crate deliberately knows nothing of the product's crates, so that each
//! of them can use it in its tests.

pub mod awkward;
pub mod escapes;
pub mod pattern;
pub mod processes;
pub mod samples;

mod fixture;
mod random;

pub use fixture::fixture;
pub use random::Random;
