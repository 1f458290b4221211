//! Finds the text in a file: runs of printable ASCII and UTF-8, and of UTF-16 in
//! both byte orders, cut at line ends, in one pass. Long runs are handed out in
//! overlapping windows, so that memory does not grow with the file.
//!
//! Deliberately not a tool for listing strings: UTF-16 is limited to scripts
//! that random bytes rarely look like (Latin, Greek, Cyrillic, Hebrew).

use std::ops::Range;

use super::report::Encoding;
use crate::Watch;

/// Runs shorter than this, in characters, hold no indicator.
const SHORTEST: usize = 6;

/// Bytes (or UTF-16 units) of a window that are its own.
const WINDOW: usize = 64 << 10;

/// Context on both sides of a window, more than the longest indicator.
const CONTEXT: usize = 4 << 10;

/// Bytes between two questions to the watch.
const LOOK_EVERY: usize = 1 << 20;

/// The most NULs between two strings that are read together.
const GAP: usize = 8;

/// The most of the string before that is kept.
const BEFORE: usize = 32;

/// Text that was found.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) text: &'a str,
    /// The end of the string before it, if there are only NULs between.
    pub(super) before: &'a str,
    /// The part of `text` that is not context.
    pub(super) window: Range<usize>,
    pub(super) encoding: Encoding,
    /// File offset of the first byte of `text`.
    pub(super) base: u64,
    /// Place of each byte relative to `base`, where it isn't the same.
    pub(super) places: Option<&'a [u32]>,
    /// The character before the run is not a terminator, so the first character
    /// may be the last byte of something else.
    pub(super) doubtful_start: bool,
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e | b'\t')
}

/// Calls `each` for every piece of text, in file order; returns the place where
/// `watch` ended it, if it did.
pub(super) fn each(data: &[u8], watch: Watch<'_>, mut each: impl FnMut(&Run<'_>)) -> Option<u64> {
    let mut finder = Finder {
        data,
        before: String::new(),
        before_end: 0,
        little: 0,
        big: 0,
        watch,
        next_look: LOOK_EVERY,
        stopped_at: None,
    };
    let mut at = 0_usize;
    loop {
        if !finder.goes_on(at) {
            return finder.stopped_at;
        }
        let byte = *data.get(at)?;
        // Two equal bytes may be the start of a long filling.
        if !is_printable(byte) && data.get(at.saturating_add(1)) == Some(&byte) {
            at = skip(data, at).max(at.saturating_add(1));
            continue;
        }
        if !is_printable(byte) && byte < 0xc2 {
            at = at.saturating_add(1);
        } else if is_printable(byte) && finder.is_wide(at) {
            at = finder.wide(at, &mut each);
        } else {
            at = finder.narrow(at, &mut each);
        }
    }
}

/// The next place at which text could begin. Blocks are tested as a whole, which
/// the compiler turns into vector code: sparse files are mostly skipped.
fn skip(data: &[u8], at: usize) -> usize {
    // Not past the next question to the watch.
    let end = at.saturating_add(LOOK_EVERY);
    let mut at = at;
    while at < end
        && let Some(block) = data.get(at..at.saturating_add(64))
    {
        let any = block
            .iter()
            .fold(false, |any, byte| any | (byte.wrapping_sub(0x20) < 0x5f));
        if any {
            break;
        }
        at = at.saturating_add(64);
    }
    at
}

/// The length of the UTF-8 sequence at a place, if it is one of two to four
/// bytes that stands for something printable.
fn sequence(data: &[u8], at: usize) -> Option<usize> {
    let length = match data.get(at)? {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let bytes = data.get(at..at.checked_add(length)?)?;
    let character = std::str::from_utf8(bytes).ok()?.chars().next()?;
    (!character.is_control()).then_some(length)
}

struct Finder<'a, 'w> {
    data: &'a [u8],
    watch: Watch<'w>,
    /// Where to ask the watch again.
    next_look: usize,
    stopped_at: Option<u64>,
    before: String,
    before_end: usize,
    /// Wide runs that could only be of one byte order.
    little: u64,
    big: u64,
}

impl Finder<'_, '_> {
    /// Asks the watch now and then, at places that only grow.
    fn goes_on(&mut self, at: usize) -> bool {
        if self.stopped_at.is_none() && at >= self.next_look {
            self.next_look = at.saturating_add(LOOK_EVERY);
            if !(self.watch)(at as u64) {
                self.stopped_at = Some(at as u64);
            }
        }
        self.stopped_at.is_none()
    }

    /// What stood before a run at `at`.
    fn context(&mut self, at: usize) -> String {
        let gap = self.data.get(self.before_end..at).unwrap_or_default();
        if !gap.is_empty() && gap.len() <= GAP && gap.iter().all(|byte| *byte == 0) {
            std::mem::take(&mut self.before)
        } else {
            String::new()
        }
    }

    fn remember(&mut self, text: &str, end: usize) {
        self.before.clear();
        let tail = text.char_indices().rev().take(BEFORE).last();
        if let Some((at, _)) = tail {
            self.before.push_str(text.get(at..).unwrap_or_default());
        }
        self.before_end = end;
    }

    fn narrow(&mut self, start: usize, each: &mut impl FnMut(&Run<'_>)) -> usize {
        let data = self.data;
        let mut end = start;
        let mut wide = false;
        while let Some(&byte) = data.get(end) {
            if is_printable(byte) {
                end = end.saturating_add(1);
            } else if let Some(length) = sequence(data, end) {
                wide = true;
                end = end.saturating_add(length);
            } else {
                break;
            }
        }
        if end == start {
            return start.saturating_add(1);
        }
        // The last character may be the first of a UTF-16 string.
        let next = match end.checked_sub(1) {
            Some(last) if last > start && self.is_wide(last) => last,
            _ => end,
        };
        if end.saturating_sub(start) < SHORTEST {
            // Too short for an indicator, long enough for a label (`md5`).
            return next;
        }
        let Some(text) = data
            .get(start..end)
            .and_then(|run| std::str::from_utf8(run).ok())
        else {
            return next;
        };
        let before = self.context(start);
        let encoding = if wide {
            Encoding::Utf8
        } else {
            Encoding::Ascii
        };
        let mut at = 0_usize;
        while at < text.len() && self.goes_on(start.saturating_add(at)) {
            let stop = at.saturating_add(WINDOW).min(text.len());
            let from = boundary(text, at.saturating_sub(CONTEXT));
            let to = boundary(text, stop.saturating_add(CONTEXT));
            each(&Run {
                text: text.get(from..to).unwrap_or_default(),
                before: if at == 0 { &before } else { "" },
                window: at.saturating_sub(from)..stop.saturating_sub(from),
                encoding,
                base: start.saturating_add(from) as u64,
                places: None,
                doubtful_start: false,
            });
            at = stop;
        }
        self.remember(text, end);
        next
    }

    /// Whether a UTF-16 string of at least four characters begins at its first
    /// printable byte.
    fn is_wide(&self, at: usize) -> bool {
        let Some(bytes) = self.data.get(at..at.saturating_add(7)) else {
            return false;
        };
        matches!(bytes, [a, 0, b, 0, c, 0, d]
            if is_printable(*a) && is_printable(*b) && is_printable(*c) && is_printable(*d))
    }

    fn unit(&self, at: usize, big: bool) -> Option<char> {
        let bytes: [u8; 2] = self.data.get(at..at.checked_add(2)?)?.try_into().ok()?;
        let unit = if big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        };
        let character = char::from_u32(unit.into())?;
        let known = matches!(unit, 0x20..=0x7e | 0x09)
            || (matches!(unit, 0xa1..=0x5ff) && !character.is_control())
            || matches!(unit, 0x2010..=0x203a | 0x20ac);
        known.then_some(character)
    }

    /// The number of characters from a place on.
    fn units(&self, start: usize, big: bool) -> usize {
        let mut count = 0_usize;
        let mut at = start;
        while self.unit(at, big).is_some() {
            count = count.saturating_add(1);
            at = at.saturating_add(2);
        }
        count
    }

    fn wide(&mut self, first: usize, each: &mut impl FnMut(&Run<'_>)) -> usize {
        let little = self.units(first, false);
        let start_big = first
            .checked_sub(1)
            .filter(|at| self.data.get(*at) == Some(&0));
        let big = start_big.map_or(0, |at| self.units(at, true));
        // A string between NULs reads the same in both orders. What was certain
        // elsewhere in the file decides; else little, which Windows uses.
        let mark = self.data.starts_with(&[0xfe, 0xff]);
        let is_big = big > little || (big == little && (mark || self.big > self.little));
        if big > little {
            self.big = self.big.saturating_add(1);
        } else if little > big {
            self.little = self.little.saturating_add(1);
        }
        let (start, count) = match start_big {
            Some(at) if is_big => (at, big),
            _ => (first, little),
        };
        let end = start.saturating_add(count.saturating_mul(2));
        let encoding = if is_big {
            Encoding::Utf16Be
        } else {
            Encoding::Utf16Le
        };
        if count >= SHORTEST {
            let before = self.context(start);
            let doubtful_start =
                start >= 2 && self.data.get(start.saturating_sub(2)..start) != Some(&[0, 0]);
            let mut text = String::new();
            let mut places = Vec::new();
            let mut at = 0_usize;
            while at < count && self.goes_on(start.saturating_add(at.saturating_mul(2))) {
                let stop = at.saturating_add(WINDOW).min(count);
                let from = at.saturating_sub(CONTEXT);
                let to = stop.saturating_add(CONTEXT).min(count);
                text.clear();
                places.clear();
                let mut window = 0..0;
                for unit in from..to {
                    if unit == at {
                        window.start = text.len();
                    }
                    if unit == stop {
                        window.end = text.len();
                    }
                    let place = unit.saturating_mul(2);
                    let Some(character) = self.unit(start.saturating_add(place), is_big) else {
                        break;
                    };
                    text.push(character);
                    let place = place.saturating_sub(from.saturating_mul(2));
                    let place = u32::try_from(place).unwrap_or(u32::MAX);
                    places.extend(std::iter::repeat_n(place, character.len_utf8()));
                }
                if to == stop {
                    window.end = text.len();
                }
                each(&Run {
                    text: &text,
                    before: if at == 0 { &before } else { "" },
                    window,
                    encoding,
                    base: start.saturating_add(from.saturating_mul(2)) as u64,
                    places: Some(&places),
                    doubtful_start: doubtful_start && at == 0,
                });
                at = stop;
            }
            let text = std::mem::take(&mut text);
            self.remember(&text, end);
        }
        end.max(first.saturating_add(1))
    }
}

fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at = at.saturating_sub(1);
    }
    at
}
