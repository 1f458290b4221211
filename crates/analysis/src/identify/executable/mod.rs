//! Executables: ELF, PE, DOS and Mach-O by their headers, with what the report
//! of the parsers adds. Asked first by `identify`. Reads fixed headers only;
//! tables are the parsers' business.

mod elf;
mod macho;
mod pe;

use crate::binary::{BinaryReport, Image};

use super::found::Found;

pub(super) use pe::new_header;

/// Recognises an executable.
pub(super) fn recognise(data: &[u8], binary: Option<&BinaryReport>) -> Option<Found> {
    let image = binary.and_then(|report| report.images.first());
    elf::recognise(data, image)
        .or_else(|| pe::recognise(data, image))
        .or_else(|| macho::recognise(data, binary))
}

/// The report's word for the architecture, or that of the header.
fn architecture(image: Option<&Image>, header: &str) -> String {
    image.map_or_else(
        || header.to_owned(),
        |image| {
            if image.architecture.is_empty() {
                header.to_owned()
            } else {
                image.architecture.clone()
            }
        },
    )
}

/// `little` or `big`.
fn endian(big: bool) -> String {
    if big { "big" } else { "little" }.to_owned()
}
