//! ELF files.

use serde::{Deserialize, Serialize};

/// What only ELF files have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElfDetails {}
