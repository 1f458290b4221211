//! Mach-O images.

use serde::{Deserialize, Serialize};

use super::{Image, ParseOptions};
use crate::Warnings;

/// What only Mach-O images have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachODetails {}

/// Whether a file begins like a thin or a universal Mach-O file.
pub fn is_macho(data: &[u8]) -> bool {
    let _ = data;
    false
}

/// Takes a Mach-O file apart: all its images.
pub fn parse(data: &[u8], options: &ParseOptions, warnings: &mut Warnings) -> Vec<Image> {
    let _ = (data, options, warnings);
    Vec::new()
}
