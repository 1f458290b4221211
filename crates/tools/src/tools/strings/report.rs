//! The strings of a report: thousands of them, so they stand one after another
//! in one buffer, and are arrays in JSON. An allocation, or the names of three
//! fields, for each of them cost more than finding them.

use reversecore_analysis::strings as scanner;
use serde::ser::{SerializeSeq as _, SerializeTuple as _, Serializer};
use serde::{Deserialize, Serialize};

use crate::text::escaped;
use crate::tool::Report;

/// Bytes of a report line besides the string: offset, two spaces, line end.
pub(super) const LINE_OVERHEAD: usize = 12;

/// How the characters of a string are stored in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Encoding {
    Ascii,
    Utf8,
    Utf16le,
    Utf16be,
    EightBit,
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Utf8 => "utf-8",
            Self::Utf16le => "utf-16le",
            Self::Utf16be => "utf-16be",
            Self::EightBit => "8-bit",
        }
    }

    /// What `strings -e` takes; `None` for what GNU `strings` does not know.
    pub(super) fn option(self) -> Option<&'static str> {
        match self {
            Self::Ascii => Some("s"),
            Self::Utf8 => None,
            Self::Utf16le => Some("l"),
            Self::Utf16be => Some("b"),
            Self::EightBit => Some("S"),
        }
    }

    /// As the embedded scanner calls it.
    pub(super) fn scanned(self) -> scanner::Encoding {
        match self {
            Self::Ascii => scanner::Encoding::Ascii,
            Self::Utf8 => scanner::Encoding::Utf8,
            Self::Utf16le => scanner::Encoding::Utf16Le,
            Self::Utf16be => scanner::Encoding::Utf16Be,
            Self::EightBit => scanner::Encoding::EightBit,
        }
    }

    pub(super) fn of(scanned: scanner::Encoding) -> Self {
        match scanned {
            scanner::Encoding::Ascii => Self::Ascii,
            scanner::Encoding::Utf8 => Self::Utf8,
            scanner::Encoding::Utf16Le => Self::Utf16le,
            scanner::Encoding::Utf16Be => Self::Utf16be,
            scanner::Encoding::EightBit => Self::EightBit,
        }
    }

    /// How a line of text says which it is.
    fn mark(self) -> &'static str {
        match self {
            Self::Ascii | Self::Utf8 | Self::EightBit => "",
            Self::Utf16le => "le:",
            Self::Utf16be => "be:",
        }
    }
}

/// The report of `run_strings`.
#[derive(Debug, Serialize)]
pub(in crate::tools) struct StringsReport {
    /// What the members of each item are.
    columns: [&'static str; 3],
    /// By offset: `[792, "ascii", "/lib64/ld-linux-x86-64.so.2"]`.
    #[serde(serialize_with = "rows")]
    pub(super) strings: Strings,
}

impl StringsReport {
    pub(super) fn new(strings: Strings) -> Self {
        Self {
            columns: ["offset", "encoding", "text"],
            strings,
        }
    }
}

/// Strings, escaped but for tabs. As they stand here they come from a worker.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Strings {
    text: String,
    items: Vec<Item>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Item {
    offset: u64,
    encoding: Encoding,
    start: usize,
    end: usize,
}

impl Strings {
    /// Adds a string if it fits into `room` bytes of report, which it takes.
    pub(super) fn push(
        &mut self,
        offset: u64,
        encoding: Encoding,
        bytes: &[u8],
        room: &mut usize,
    ) -> bool {
        let start = self.text.len();
        match std::str::from_utf8(bytes) {
            Ok(text) if bytes.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e)) => {
                self.text.push_str(text);
            }
            _ => {
                // A tab is part of many strings and harmless; escaped, it could
                // not be told from a backslash and a letter.
                for (number, part) in String::from_utf8_lossy(bytes).split('\t').enumerate() {
                    self.text.push_str(if number > 0 { "\t" } else { "" });
                    self.text.push_str(&escaped(part));
                }
            }
        }
        let end = self.text.len();
        let Some(left) = room.checked_sub(end - start + LINE_OVERHEAD) else {
            self.text.truncate(start);
            return false;
        };
        *room = left;
        self.items.push(Item {
            offset,
            encoding,
            start,
            end,
        });
        true
    }

    /// Bytes of report.
    pub(super) fn size(&self) -> usize {
        self.text.len() + self.items.len() * LINE_OVERHEAD
    }

    /// Their number.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// By offset, encodings at the same one in their order.
    pub(super) fn sort(&mut self) {
        self.items.sort_by_key(|item| (item.offset, item.encoding));
    }

    fn iter(&self) -> impl Iterator<Item = (u64, Encoding, &str)> {
        self.items.iter().map(|item| {
            let text = self.text.get(item.start..item.end).unwrap_or_default();
            (item.offset, item.encoding, text)
        })
    }
}

fn rows<S: Serializer>(strings: &Strings, serializer: S) -> Result<S::Ok, S::Error> {
    let mut rows = serializer.serialize_seq(Some(strings.len()))?;
    for row in strings.iter() {
        rows.serialize_element(&Row(row))?;
    }
    rows.end()
}

struct Row<'a>((u64, Encoding, &'a str));

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (offset, encoding, text) = self.0;
        let mut item = serializer.serialize_tuple(3)?;
        item.serialize_element(&offset)?;
        item.serialize_element(encoding.name())?;
        item.serialize_element(text)?;
        item.end()
    }
}

impl Report for StringsReport {
    fn text(&self) -> String {
        let mut text = String::with_capacity(self.strings.size() + 3 * self.strings.len());
        for (offset, encoding, string) in self.strings.iter() {
            push_hex(&mut text, offset);
            text.push_str("  ");
            text.push_str(encoding.mark());
            text.push_str(string);
            text.push('\n');
        }
        text
    }
}

/// As `{:x}` does, without the machinery of formatting, once for each string.
fn push_hex(text: &mut String, number: u64) {
    let digits = (64 - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        let nibble = u32::try_from(number >> (4 * digit) & 0xf).unwrap_or_default();
        text.push(char::from_digit(nibble, 16).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        for number in [0, 1, 0xf, 0x10, 0xdead_beef, u64::MAX] {
            let mut text = String::new();
            push_hex(&mut text, number);
            assert_eq!(text, format!("{number:x}"));
        }
    }

    #[test]
    fn what_does_not_fit_leaves_no_trace() {
        let mut strings = Strings::default();
        let mut room = LINE_OVERHEAD + 4;
        assert!(!strings.push(0, Encoding::Ascii, b"abcde", &mut room));
        assert!(strings.push(7, Encoding::Ascii, b"a\tbc", &mut room));
        assert_eq!(
            (room, strings.len(), strings.size()),
            (0, 1, LINE_OVERHEAD + 4)
        );
    }
}
