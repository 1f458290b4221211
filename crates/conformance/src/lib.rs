//! Which process engines hold which of the cases E1 to E12 that
//! `reversecore-exec` promises (`docs/process-engine.md` explains each).
//!
//! ```text
//! engine-conformance: judge ──protocol (JSON lines)──> driver ──> its engine ──> hostile
//!                        └── looks from outside: /proc, clocks, directories ──────┘
//! ```
//!
//! | module | knows |
//! |---|---|
//! | `protocol` | what judge and driver say to each other |
//! | `driver` | how each Rust engine is used; one process an engine |
//! | `judge` | the cases, and what may be believed only when seen from outside |
//!
//! A driver is a process of its own so that an engine in any language can have
//! one (`drivers/python_asyncio.py` is Python), and so that its death, its memory and
//! its descriptors are the engine's and not the judge's.

pub mod driver;
pub mod judge;
pub mod protocol;
