//! The strings of a report: thousands of them, so they stand one after another
//! in one buffer, and are arrays in JSON. An allocation, or the names of three
//! fields, for each of them cost more than finding them; so did a serializer
//! that looks at every byte for what needs an escape.

use reversecore_analysis::strings as scanner;
use serde::ser::{SerializeSeq as _, SerializeStruct as _, Serializer};
use serde::{Deserialize, Serialize};

use super::sections::Sections;
use crate::text::{escaped, needs_escape, push_json_string};
use crate::tool::Report;

/// Bytes of a row besides the string, in JSON, which has more of them than the
/// text: brackets, quotes, the offset and the name of the encoding.
pub(super) const LINE_OVERHEAD: usize = 28;

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

/// What the members of each item are; the last only where it was asked for.
const COLUMNS: [&str; 4] = ["offset", "encoding", "text", "section"];

/// The report of `run_strings`: `columns` names the members of each of
/// `strings`, which are in the order of their offsets:
/// `[792, "ascii", "/lib64/ld-linux-x86-64.so.2"]`.
#[derive(Debug)]
pub(in crate::tools) struct StringsReport {
    pub(super) strings: Strings,
    /// Where to look up a string's section.
    pub(super) sections: Option<Sections>,
}

impl StringsReport {
    fn columns(&self) -> &'static [&'static str] {
        if self.sections.is_some() {
            &COLUMNS
        } else {
            COLUMNS.split_last().map_or(&[], |(_, first)| first)
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
    /// What has come from a worker, made fit for a report: one that a file has
    /// taken over does not escape what it sends. Rows that are no rows of the
    /// text become empty.
    ///
    /// `room`: bytes of report that it was asked for; nothing beyond is kept.
    pub(super) fn checked(self, mut room: usize) -> Self {
        let plain = |byte: u8| matches!(byte, b'\t' | 0x20..=0x7e);
        // One after another, as they are made: no part of the text twice.
        let mut at = 0;
        let whole = self.items.iter().all(|item| {
            let next = item.start == at && self.text.get(item.start..item.end).is_some();
            at = item.end;
            next
        }) && self.size() <= room;
        let fit = self.text.bytes().all(plain)
            || !self
                .text
                .chars()
                .any(|letter| letter != '\t' && needs_escape(letter));
        if whole && fit {
            return self;
        }
        let mut checked = Self::default();
        for (offset, encoding, text) in self.iter() {
            checked.push(offset, encoding, text.as_bytes(), &mut room);
        }
        checked
    }

    /// Leaves out what lies from `offset` on; if that is all, keeps what is there
    /// and says so.
    pub(super) fn end_before(&mut self, offset: u64) -> bool {
        if self.items.iter().all(|item| item.offset >= offset) {
            return false;
        }
        // The text of what goes stays behind, unused.
        self.items.retain(|item| item.offset < offset);
        true
    }

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

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Encoding, &str)> {
        self.items.iter().map(|item| {
            let text = self.text.get(item.start..item.end).unwrap_or_default();
            (item.offset, item.encoding, text)
        })
    }
}

impl Serialize for StringsReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("StringsReport", 2)?;
        report.serialize_field("columns", self.columns())?;
        report.serialize_field("strings", &Rows(self))?;
        report.end()
    }
}

struct Rows<'a>(&'a StringsReport);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(report) = self;
        let rows = report.strings.iter().map(|(offset, encoding, text)| {
            let section = report.sections.as_ref().map(|all| all.at(offset));
            Row(offset, encoding.name(), text, section)
        });
        serializer.collect_seq(rows)
    }
}

struct Row<'a>(u64, &'static str, &'a str, Option<&'a str>);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(offset, encoding, text, section) = self;
        let mut row = serializer.serialize_seq(None)?;
        row.serialize_element(offset)?;
        row.serialize_element(encoding)?;
        row.serialize_element(text)?;
        if let Some(section) = section {
            row.serialize_element(section)?;
        }
        row.end()
    }
}

impl Report for StringsReport {
    fn write_json(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        const ROW: usize = 32;
        out.reserve(self.strings.size() + ROW * self.strings.len());
        out.extend_from_slice(b"{\"columns\":");
        serde_json::to_writer(&mut *out, self.columns())?;
        out.extend_from_slice(b",\"strings\":[");
        for (number, (offset, encoding, text)) in self.strings.iter().enumerate() {
            out.extend_from_slice(if number == 0 { b"[" } else { b",[" });
            push_decimal(out, offset);
            out.extend_from_slice(b",\"");
            out.extend_from_slice(encoding.name().as_bytes());
            out.extend_from_slice(b"\",");
            push_json_string(out, text);
            if let Some(sections) = &self.sections {
                out.push(b',');
                push_json_string(out, sections.at(offset));
            }
            out.push(b']');
        }
        out.extend_from_slice(b"]}");
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = String::with_capacity(self.strings.size() + 3 * self.strings.len());
        for (offset, encoding, string) in self.strings.iter() {
            push_hex(&mut text, offset);
            text.push_str("  ");
            if let Some(sections) = &self.sections {
                let section = sections.at(offset);
                text.push_str(if section.is_empty() { "-" } else { section });
                text.push_str("  ");
            }
            text.push_str(encoding.mark());
            text.push_str(string);
            text.push('\n');
        }
        text
    }
}

/// As `{}` does, without the machinery of formatting, once for each string.
fn push_decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [b'0'; 20];
    let mut left = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(left % 10).unwrap_or_default();
        left /= 10;
        used += 1;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
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
            let mut decimal = Vec::new();
            push_decimal(&mut decimal, number);
            assert_eq!(decimal, number.to_string().as_bytes());
        }
    }

    fn report(sections: bool) -> StringsReport {
        let mut strings = Strings::default();
        let mut room = usize::MAX;
        strings.push(
            0,
            Encoding::Ascii,
            b"a \"quote\", a \\ and a\ttab",
            &mut room,
        );
        strings.push(
            100,
            Encoding::Utf8,
            "é \u{202e}\u{1b}".as_bytes(),
            &mut room,
        );
        strings.push(u64::MAX, Encoding::Utf16le, b"", &mut room);
        let table = [(64, 128, ".te\"xt".to_owned())];
        StringsReport {
            strings,
            sections: sections.then(|| Sections::of(table)),
        }
    }

    #[test]
    fn the_quick_json_is_that_of_the_serializer() {
        for sections in [false, true] {
            let report = report(sections);
            let mut json = Vec::new();
            report.write_json(&mut json).unwrap();
            let json = String::from_utf8(json).unwrap();
            assert_eq!(json, serde_json::to_string(&report).unwrap());
            assert_eq!(json.contains(".te\\\"xt"), sections);
        }
        assert!(report(true).text().contains("64  .te\"xt  é"));
    }

    #[test]
    fn what_a_worker_did_not_escape_is_escaped_here() {
        let fit = report(false).strings;
        let same = fit.text.clone();
        assert_eq!(fit.checked(usize::MAX).text, same);
        let hostile = Strings {
            text: "a\nb\u{1b}[31m\u{202e}".to_owned(),
            items: vec![
                Item {
                    offset: 1,
                    encoding: Encoding::Ascii,
                    start: 0,
                    end: 3,
                },
                Item {
                    offset: 2,
                    encoding: Encoding::Ascii,
                    start: 3,
                    end: 7,
                },
                Item {
                    offset: 3,
                    encoding: Encoding::Ascii,
                    start: 2,
                    end: 900,
                },
            ],
        };
        let checked = hostile.checked(4 + 11 + 3 * LINE_OVERHEAD);
        let texts: Vec<_> = checked.iter().map(|(_, _, text)| text).collect();
        assert_eq!(texts, ["a\\nb", "\\x1b[31", ""]);
        let overlapping = Strings {
            text: "x".repeat(1000),
            items: (0..1000)
                .map(|offset| Item {
                    offset,
                    encoding: Encoding::Ascii,
                    start: 0,
                    end: 1000,
                })
                .collect(),
        };
        assert!(overlapping.checked(5000).size() <= 5000);
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
