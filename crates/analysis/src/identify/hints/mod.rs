//! With what a file was made, what wraps it, and what else it is. Every hint
//! says what was found and where, so that a reader can judge it.

mod documents;
mod installers;
mod packers;
mod polyglots;
mod toolchains;

use crate::binary::{BinaryReport, Image};

use super::bytes::{HEAD, TAIL, find, from, index, tail};
use super::found::Found;
use super::identity::{Category, Confidence, Hint, HintCategory};

/// More hints than this are about a decoy.
const MOST: usize = 48;

/// Collects the hints of all families.
pub(super) fn collect(data: &[u8], found: &Found, binary: Option<&BinaryReport>) -> Vec<Hint> {
    let image = binary.and_then(|report| report.images.first());
    let mut hints = Hints {
        data,
        list: Vec::new(),
    };
    if found.category == Category::Executable {
        packers::collect(&mut hints, image);
        installers::collect(&mut hints, image);
        toolchains::collect(&mut hints, found, image);
    }
    documents::collect(&mut hints, found);
    polyglots::collect(&mut hints, found, image);
    hints.list
}

/// The list while it is made, with the file it is about.
struct Hints<'a> {
    data: &'a [u8],
    list: Vec<Hint>,
}

impl Hints<'_> {
    fn add(
        &mut self,
        category: HintCategory,
        name: &str,
        version: Option<String>,
        confidence: Confidence,
        evidence: impl Into<String>,
        offset: Option<usize>,
    ) {
        let known = self
            .list
            .iter()
            .any(|hint| hint.category == category && hint.name == name);
        if known || self.list.len() >= MOST {
            return;
        }
        self.list.push(Hint {
            category,
            name: name.to_owned(),
            version,
            confidence,
            evidence: evidence.into(),
            offset: offset.map(|offset| offset as u64),
        });
    }

    /// Adds a hint for each text of a table that the head or the tail has.
    fn add_texts(&mut self, table: &[Marker]) {
        let (start, end) = tail(self.data, TAIL);
        for marker in table {
            let place = find(self.data, HEAD, marker.bytes).or_else(|| {
                memchr::memmem::find(end, marker.bytes).map(|place| start.saturating_add(place))
            });
            if let Some(place) = place {
                let words = format!("bytes `{}`", marker.bytes.escape_ascii());
                self.add(
                    marker.category,
                    marker.name,
                    None,
                    marker.confidence,
                    words,
                    Some(place),
                );
            }
        }
    }
}

/// Bytes that are rarely there without what they stand for.
struct Marker {
    bytes: &'static [u8],
    category: HintCategory,
    name: &'static str,
    confidence: Confidence,
}

/// The bytes behind everything that the headers describe, with their offset.
fn overlay<'a>(data: &'a [u8], image: Option<&Image>) -> Option<(usize, &'a [u8])> {
    let range = image?.overlay?;
    let offset = index(range.offset);
    let bytes = from(data, offset);
    (!bytes.is_empty()).then_some((offset, bytes))
}
