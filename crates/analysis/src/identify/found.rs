//! The answer of one recogniser: everything of an identity but its hints.

use super::identity::{Category, Executable};

/// The media type of what file(1) knows no better one for.
pub(super) const OCTETS: &str = "application/octet-stream";

/// What a recogniser found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) kind: &'static str,
    pub(super) category: Category,
    pub(super) mime: String,
    pub(super) description: String,
    pub(super) charset: Option<&'static str>,
    pub(super) executable: Option<Executable>,
}

impl Found {
    /// A kind that is no text and no executable.
    pub(super) fn new(
        kind: &'static str,
        category: Category,
        mime: &str,
        description: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            category,
            mime: mime.to_owned(),
            description: description.into(),
            charset: None,
            executable: None,
        }
    }
}
