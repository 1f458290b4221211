//! PE, ELF and Mach-O files taken apart: headers, sections, symbols, imports,
//! exports and what each format has of its own.
//!
//! [`parse`] looks at the first bytes and calls the parser of the format.
//! [`report`] has the types, the same for all formats where they mean the same.

mod density;
pub mod elf;
pub mod macho;
#[cfg(test)]
pub(crate) mod mutate;
pub mod options;
pub mod pe;
pub(crate) mod place;
pub mod report;
mod text;

use crate::Warnings;

pub use options::ParseOptions;
pub use report::*;

/// Takes an executable file apart.
///
/// The format is that of the first bytes; the file has no images when they
/// belong to none of the three. A damaged file has a partial image and
/// warnings.
pub fn parse(data: &[u8], options: &ParseOptions) -> BinaryReport {
    let mut warnings = Warnings::default();
    let images = if data.starts_with(b"\x7fELF") {
        elf::parse(data, options, &mut warnings)
            .into_iter()
            .collect()
    } else if data.starts_with(b"MZ") {
        pe::parse(data, options, &mut warnings)
            .into_iter()
            .collect()
    } else if macho::is_macho(data) {
        macho::parse(data, options, &mut warnings)
    } else {
        Vec::new()
    };
    BinaryReport { images, warnings }
}
