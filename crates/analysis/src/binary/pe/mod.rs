//! PE files.

use serde::{Deserialize, Serialize};

/// What only PE files have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeDetails {}
