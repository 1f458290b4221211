//! PE files.

use serde::{Deserialize, Serialize};

use super::{Image, ParseOptions};
use crate::Warnings;

/// What only PE files have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeDetails {}

/// Takes a PE file apart.
pub fn parse(data: &[u8], options: &ParseOptions, warnings: &mut Warnings) -> Option<Image> {
    let _ = (data, options, warnings);
    None
}
