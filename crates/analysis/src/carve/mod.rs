//! Finds files, filesystems and keys embedded in other files, such as a
//! firmware image. Called by the workers of `tools`.
//!
//! All magic numbers are searched in one pass; each hit must then pass the
//! checks of its format (checksums, tables that agree, streams that decode), so
//! that a magic number alone is never an object. Nothing is extracted.
//!
//! Nesting: what lies inside an accepted object whose format is a container
//! (archive, filesystem, compressed stream, firmware volume, document) is not
//! reported, since unpacking the container finds it. Executables are carriers,
//! not containers: what is embedded in one is reported beside it.

mod archives;
mod bytes;
mod documents;
mod executables;
mod filesystems;
mod firmware;
mod flash;
mod keys;
mod scan;
mod signatures;
mod streams;

#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

use crate::watch::unwatched;
use crate::{Warnings, Watch};

/// Bounds and filters of a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarveOptions {
    /// The search ends after this many objects, with a warning.
    pub max_objects: usize,
    /// Objects below this confidence are left out.
    pub min_confidence: Confidence,
}

impl Default for CarveOptions {
    fn default() -> Self {
        Self {
            max_objects: 10_000,
            min_confidence: Confidence::Low,
        }
    }
}

/// How sure it is that an object is what it seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// The header is well formed but the rest is missing, cut or damaged.
    Low,
    /// Several fields agree with each other and with the file's size.
    Medium,
    /// A checksum holds, the data decodes, or a chain of structures is whole.
    High,
}

/// An embedded object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarvedObject {
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// Its size in bytes, padding after it not included; absent when the format
    /// does not tell. May reach beyond the end of a cut file.
    pub size: Option<u64>,
    /// Short name of the format: `zip`, `squashfs`, `elf`, `der_cert`, …
    pub kind: String,
    /// How sure that is.
    pub confidence: Confidence,
    /// The format in words and the facts of its header.
    pub description: String,
}

/// The result of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarveReport {
    /// Size of the file in bytes.
    pub size: u64,
    /// The objects by offset, each offset and kind once.
    pub objects: Vec<CarvedObject>,
    /// Where the search was ended by its [`Watch`]; what lies behind was not
    /// searched.
    pub stopped_at: Option<u64>,
    /// What was cut short.
    pub warnings: Warnings,
}

/// Searches `data` for embedded objects.
pub fn carve(data: &[u8], options: &CarveOptions) -> CarveReport {
    scan::scan(data, options, &mut unwatched)
}

/// The same, watched.
pub fn carve_watched(data: &[u8], options: &CarveOptions, watch: Watch<'_>) -> CarveReport {
    scan::scan(data, options, watch)
}
