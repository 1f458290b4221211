//! What identifies a set of rules: a hash over everything that decides what
//! compiling gives, so that it can key a cache before anything is compiled.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex::hexadecimal;

use super::compile::{CompileOptions, RuleSource};

/// SHA-256 in lowercase hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleSetId(String);

impl RuleSetId {
    /// The 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleSetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity that `compile` would give the set. Namespaces, origins and
/// texts count, in their order, and the names and types of externals; their
/// values do not, since a scan sets them.
pub fn rule_set_id(sources: &[RuleSource], options: &CompileOptions) -> RuleSetId {
    let mut hash = Sha256::new();
    // Each field has its length before it: no two sets give the same bytes.
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    // Another engine compiles the same text to something else.
    field(b"yara-x");
    field(yara_x::VERSION.as_bytes());
    field(&(sources.len() as u64).to_le_bytes());
    for RuleSource {
        namespace,
        text,
        origin,
    } in sources
    {
        field(namespace.as_bytes());
        field(text.as_bytes());
        field(origin.as_bytes());
    }
    let mut externals: Vec<_> = options
        .externals
        .iter()
        .map(|(name, value)| (name.as_str(), value.type_name()))
        .collect();
    externals.sort_unstable();
    for (name, kind) in externals {
        field(name.as_bytes());
        field(kind.as_bytes());
    }
    RuleSetId(hexadecimal(&hash.finalize()))
}
