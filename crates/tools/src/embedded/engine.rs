//! The parameter `engine`, the same for every tool that has a choice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    /// The embedded one, whose answers are at least as complete.
    #[default]
    Auto,
    /// The embedded one.
    Embedded,
    /// The external program.
    External,
}

impl Engine {
    /// Whether the embedded engine answers, for a tool that has one.
    pub(crate) fn is_embedded(self) -> bool {
        match self {
            Self::Auto | Self::Embedded => true,
            Self::External => false,
        }
    }
}
