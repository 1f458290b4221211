//! PE, ELF and Mach-O files taken apart: headers, sections, symbols, imports,
//! exports and what each format has of its own.
//!
//! [`report`] has the types, the same for all formats where they mean the same.

pub mod elf;
pub mod macho;
pub mod pe;
pub mod report;

pub use report::*;
