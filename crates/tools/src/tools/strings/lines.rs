//! Lines of `strings -t x`, cut out of a stream that arrives in pieces of any
//! size: an offset in hexadecimal, a space, the string.

use super::LONGEST;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// `None` when the line is none of `strings`.
    pub(super) offset: Option<u64>,
    pub(super) text: &'a [u8],
    /// Whether the end of the string was dropped.
    pub(super) shortened: bool,
}

/// Collects lines. Its memory is bounded by [`LONGEST`].
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The beginning of a line whose end has not arrived.
    partial: Vec<u8>,
    shortened: bool,
}

impl Lines {
    /// Takes a piece of the stream and hands out the lines that it completes.
    pub(super) fn feed(&mut self, piece: &[u8], mut take: impl FnMut(Line<'_>)) {
        let mut pieces = piece.split(|byte| *byte == b'\n');
        // What follows the last line end begins a new line.
        let rest = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            if self.partial.is_empty() && piece.len() <= LONGEST {
                take(line(piece, false));
            } else {
                self.append(piece);
                self.complete(&mut take);
            }
        }
        self.append(rest);
    }

    /// The stream has ended: hands out a last line that has no end.
    pub(super) fn finish(mut self, mut take: impl FnMut(Line<'_>)) {
        if !self.partial.is_empty() {
            self.complete(&mut take);
        }
    }

    fn append(&mut self, piece: &[u8]) {
        let room = LONGEST.saturating_sub(self.partial.len());
        let (kept, dropped) = piece.split_at(piece.len().min(room));
        self.partial.extend_from_slice(kept);
        self.shortened |= !dropped.is_empty();
    }

    fn complete(&mut self, take: &mut impl FnMut(Line<'_>)) {
        take(line(&self.partial, self.shortened));
        self.partial.clear();
        self.shortened = false;
    }
}

fn line(bytes: &[u8], shortened: bool) -> Line<'_> {
    let trimmed = bytes.trim_ascii_start();
    let end = trimmed
        .iter()
        .position(|byte| !byte.is_ascii_hexdigit())
        .unwrap_or(trimmed.len());
    let (digits, rest) = trimmed.split_at(end);
    let offset = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 16).ok());
    match (offset, rest.split_first()) {
        (Some(offset), Some((b' ', text))) => Line {
            offset: Some(offset),
            text,
            shortened,
        },
        _ => Line {
            offset: None,
            text: bytes,
            shortened,
        },
    }
}
