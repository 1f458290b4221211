//! Strings by the embedded scanner, in a worker: all encodings in one pass,
//! files of any size in little memory.

use regex::Regex;
use reversecore_analysis::strings::{self, Found, Options, Scanner};
use serde::{Deserialize, Serialize};

use super::report::{Encoding, Strings};
use super::sections::{self, Sections};
use crate::embedded::worker::{File, Request, Resident, Stage};
use crate::embedded::{Trouble, Work};

/// What to look for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Search {
    pub(super) encodings: Vec<Encoding>,
    pub(super) min_length: u64,
    pub(super) pattern: Option<String>,
    /// Where to begin listing.
    pub(super) from: u64,
    /// Bytes of report.
    pub(super) room: usize,
    /// Whether the sections are wanted.
    pub(super) sections: bool,
}

/// What was found.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(super) strings: Strings,
    /// How many there are, those left out included.
    pub(super) total: u64,
    /// The first that did not fit.
    pub(super) left: Option<u64>,
    /// How many of those reported are longer than what is reported of them.
    pub(super) shortened: u64,
    /// Where they are, if that was asked for.
    pub(super) sections: Option<Sections>,
}

impl Work for Search {
    type Reply = Listed;

    fn request(self) -> Request {
        Request::Strings(self)
    }

    fn perform(self, file: &mut File<'_, '_>, _: &mut Resident) -> Result<Listed, Trouble> {
        let pattern = Trouble::pattern(self.pattern.as_deref())?;
        let mut scanner = Scanner::new(&Options {
            encodings: self.encodings.iter().map(|each| each.scanned()).collect(),
            min_length: usize::try_from(self.min_length).unwrap_or(usize::MAX),
            // What does not fit the report is not kept.
            longest: self.room / 8,
        });
        let mut collected = Collected {
            listed: Listed {
                strings: Strings::default(),
                total: 0,
                left: None,
                shortened: 0,
                sections: self.sections.then(|| Sections::in_file(file.bytes())),
            },
            pattern,
            from: self.from,
            room: self.room,
            each: if self.sections { sections::ROW } else { 0 },
        };
        let stage = Stage::only("searching for strings");
        file.pieces(stage, |piece| {
            scanner.feed(piece, |found| collected.take(found));
        });
        scanner.finish(|found| collected.take(found));
        // The server sorts: it takes nobody's word for the order.
        Ok(collected.listed)
    }
}

struct Collected {
    listed: Listed,
    pattern: Option<Regex>,
    from: u64,
    room: usize,
    /// Bytes of report that a string costs besides itself.
    each: usize,
}

impl Collected {
    fn take(&mut self, found: Found<'_>) {
        if self.pattern.is_none() && (self.listed.left.is_some() || found.offset < self.from) {
            self.listed.total += 1;
            self.leave(found.offset);
            return;
        }
        // An ASCII string is its own bytes; of the others the text is made.
        let text;
        let bytes = match found.encoding {
            strings::Encoding::Ascii | strings::Encoding::Utf8 => found.bytes,
            strings::Encoding::Utf16Le
            | strings::Encoding::Utf16Be
            | strings::Encoding::EightBit => {
                text = found.text();
                text.as_bytes()
            }
        };
        if let Some(pattern) = &self.pattern
            && !pattern.is_match(&String::from_utf8_lossy(bytes))
        {
            return;
        }
        self.listed.total += 1;
        if self.listed.left.is_some() || found.offset < self.from {
            self.leave(found.offset);
            return;
        }
        let encoding = Encoding::of(found.encoding);
        let Some(mut room) = self.room.checked_sub(self.each) else {
            self.leave(found.offset);
            return;
        };
        let strings = &mut self.listed.strings;
        if !strings.push(found.offset, encoding, bytes, &mut room) {
            self.leave(found.offset);
            return;
        }
        self.room = room;
        self.listed.shortened += u64::from(found.is_cut());
    }

    /// One that is not listed. The scanner names strings by where they end, so
    /// the first that is left out need not be the one with the least offset.
    fn leave(&mut self, offset: u64) {
        if offset >= self.from {
            let left = &mut self.listed.left;
            *left = Some(left.map_or(offset, |first| first.min(offset)));
        }
    }
}
