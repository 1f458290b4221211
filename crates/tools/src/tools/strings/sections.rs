//! Which section of an executable a place in its file belongs to. Sections may
//! overlap in a hostile file: the one that begins last wins.

use reversecore_analysis::binary::{self, ParseOptions};
use serde::{Deserialize, Serialize};

use crate::text::escaped;

/// Sections are listed up to this many.
const MOST: usize = 4096;
/// Of a name so many characters are shown. Longer ones are not what linkers make.
const LONGEST_NAME: usize = 32;
/// Bytes that a name may add to each row of a report.
pub(super) const ROW: usize = 16;

/// The sections of a file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Sections {
    /// First byte, the byte after the last, name; by the first byte.
    table: Vec<(u64, u64, String)>,
}

impl Sections {
    /// Of these: first byte, the byte after the last, name.
    pub(super) fn of(sections: impl IntoIterator<Item = (u64, u64, String)>) -> Self {
        let mut table: Vec<_> = sections
            .into_iter()
            .filter(|(start, end, _)| start < end)
            .take(MOST)
            .map(|(start, end, name)| (start, end, short(&name)))
            .collect();
        table.sort_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
        Self { table }
    }

    /// Of an executable; empty for any other file.
    pub(super) fn in_file(bytes: &[u8]) -> Self {
        let options = ParseOptions {
            entropy: false,
            ..ParseOptions::default()
        };
        let images = binary::parse(bytes, &options).images;
        Self::of(images.into_iter().flat_map(|image| {
            image.sections.into_iter().map(|section| {
                let end = section.offset.saturating_add(section.file_size);
                (section.offset, end, section.name)
            })
        }))
    }

    /// What has come from a worker, made fit for a report.
    pub(super) fn checked(self) -> Self {
        Self::of(self.table)
    }

    /// The name of the section that this place of the file is in; empty where
    /// there is none.
    pub(super) fn at(&self, offset: u64) -> &str {
        /// Sections that begin before a place and do not hold it, one inside the
        /// other, are looked past this often.
        const DEEPEST: usize = 16;
        let after = self.table.partition_point(|(start, ..)| *start <= offset);
        self.table
            .get(..after)
            .unwrap_or_default()
            .iter()
            .rev()
            .take(DEEPEST)
            .find(|(_, end, _)| offset < *end)
            .map_or("", |(.., name)| name)
    }
}

/// A name as it stands in rows: every row has one, so it is short.
fn short(name: &str) -> String {
    let name: String = name.chars().take(LONGEST_NAME).collect();
    escaped(&name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_belongs_to_the_innermost_section() {
        let named = |start, end, name: &str| (start, end, name.to_owned());
        let sections = Sections::of([
            named(100, 200, "outer"),
            named(120, 130, "inner"),
            named(300, 300, "empty"),
            named(400, u64::MAX, "bad\nname"),
        ]);
        let at = |offset| sections.at(offset);
        assert_eq!(
            (at(99), at(100), at(125), at(130)),
            ("", "outer", "inner", "outer")
        );
        assert_eq!((at(200), at(300), at(u64::MAX - 1)), ("", "", "bad\\nname"));
    }
}
