//! A piece of decoded text of the file, and where each of its bytes came from.
//! Made by [`super::runs`], read by the finders.

use std::ops::Range;

use super::refang::Refanged;
use super::report::Encoding;

/// A line, or a window of a very long one.
#[derive(Debug)]
pub(super) struct Text<'a> {
    /// The text, refanged.
    pub(super) text: &'a str,
    /// The end of the string before it, where only NULs stand between them:
    /// `FileVersion` before `1.2.3.4`.
    pub(super) before: &'a str,
    /// Which part of the original text is reported. What starts outside is
    /// context here and reported by another window.
    pub(super) window: Range<usize>,
    /// How it is stored in the file.
    pub(super) encoding: Encoding,
    /// File offset of the first byte of the original.
    pub(super) base: u64,
    /// Where each byte of the original stands, relative to `base`; `None`: in
    /// the same order.
    pub(super) places: Option<&'a [u32]>,
    /// What refanging changed, if anything.
    pub(super) refanged: Option<&'a Refanged>,
    /// The text before refanging.
    pub(super) original: &'a str,
}

impl<'a> Text<'a> {
    fn original_at(&self, at: usize) -> usize {
        match self.refanged {
            Some(refanged) => refanged.origin(at),
            None => at,
        }
    }

    /// The file offset of a byte of the text.
    pub(super) fn offset(&self, at: usize) -> u64 {
        let at = self.original_at(at);
        let place = match self.places {
            Some(places) => places.get(at).copied().map_or(0, u64::from),
            None => at as u64,
        };
        self.base.saturating_add(place)
    }

    /// Whether what starts here belongs to this window.
    pub(super) fn reports(&self, at: usize) -> bool {
        self.window.contains(&self.original_at(at))
    }

    /// The text as it was before refanging.
    pub(super) fn raw(&self, span: &Range<usize>) -> &'a str {
        let from = self.original_at(span.start);
        let to = match self.refanged {
            Some(refanged) => refanged.end(span.end),
            None => span.end,
        };
        self.original.get(from..to).unwrap_or_default()
    }

    /// Whether refanging changed anything in it.
    pub(super) fn is_changed(&self, span: &Range<usize>) -> bool {
        self.refanged.is_some_and(|refanged| refanged.changed(span))
    }

    /// How a part of it is stored.
    pub(super) fn encoding_of(&self, span: &Range<usize>) -> Encoding {
        if self.encoding == Encoding::Utf8 && self.raw(span).is_ascii() {
            Encoding::Ascii
        } else {
            self.encoding
        }
    }

    /// A part of it, empty where the range is not on character boundaries.
    pub(super) fn get(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }

    /// The byte at a place.
    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The byte before a place.
    pub(super) fn byte_before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).and_then(|at| self.byte(at))
    }

    /// Up to `most` bytes before a place.
    pub(super) fn left(&self, at: usize, most: usize) -> &'a str {
        let mut from = at.saturating_sub(most);
        while !self.text.is_char_boundary(from) {
            from = from.saturating_add(1);
        }
        self.get(from..at)
    }

    /// Everything from a place on.
    pub(super) fn right(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }
}
