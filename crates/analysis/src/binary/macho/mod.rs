//! Mach-O images.

use serde::{Deserialize, Serialize};

/// What only Mach-O images have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachODetails {}
