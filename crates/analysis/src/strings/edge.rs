//! The seam between chunks: bytes that wait for the rest of their word, and a
//! few before them, in which a string may have begun unnoticed. Called by
//! `scanner`.

use super::classify::WORD;

/// Bytes that are kept behind the last full word. A run is seen at its eighth
/// wide character or at its eighth byte, three late: 16 bytes at the most.
const HISTORY: usize = 32;

/// What is kept of everything before the present chunk.
#[derive(Debug, Clone, Default)]
pub(super) struct Edge {
    /// History, and behind it the bytes that wait.
    bytes: Vec<u8>,
    waiting: usize,
}

impl Edge {
    /// How many bytes wait; fewer than a word.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// The word that the waiting bytes and the start of `chunk` make, if they
    /// do, and the rest of the chunk.
    pub(super) fn first_word<'a>(&self, chunk: &'a [u8]) -> Option<([u8; WORD], &'a [u8])> {
        let (_, waiting) = self
            .bytes
            .split_at_checked(self.bytes.len() - self.waiting)?;
        let (head, rest) = chunk.split_at_checked(WORD - self.waiting)?;
        let mut word = [0; WORD];
        for (to, from) in word.iter_mut().zip(waiting.iter().chain(head)) {
            *to = *from;
        }
        Some((word, rest))
    }

    /// Takes `chunk`, of which the last `waiting` bytes are in no word yet.
    pub(super) fn pass(&mut self, chunk: &[u8], waiting: usize) {
        let needed = HISTORY + waiting;
        let new = chunk.get(chunk.len().saturating_sub(needed)..);
        self.bytes.extend_from_slice(new.unwrap_or_default());
        self.bytes.drain(..self.bytes.len().saturating_sub(needed));
        self.waiting = waiting;
    }
}

/// Everything of the file that can be read while a chunk is worked on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    edge: &'a [u8],
    chunk: &'a [u8],
    /// Offset of the chunk in the file.
    offset: u64,
}

impl<'a> Source<'a> {
    /// What is before `chunk`, which is at `offset`, and the chunk.
    pub(super) fn new(edge: &'a Edge, chunk: &'a [u8], offset: u64) -> Self {
        Self {
            edge: &edge.bytes,
            chunk,
            offset,
        }
    }

    /// Offset of the chunk in the file.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes from `start` on, if all of them are in the chunk.
    #[inline(always)]
    pub(super) fn borrow(&self, start: u64, length: usize) -> Option<&'a [u8]> {
        let start = usize::try_from(start.checked_sub(self.offset)?).ok()?;
        self.chunk.get(start..start.checked_add(length)?)
    }

    /// Appends the bytes from `start` to `end` to `kept`.
    pub(super) fn append(&self, start: u64, end: u64, kept: &mut Vec<u8>) {
        let edge_at = self.offset.saturating_sub(self.edge.len() as u64);
        kept.extend_from_slice(part(self.edge, edge_at, start, end));
        kept.extend_from_slice(part(self.chunk, self.offset, start, end));
    }
}

/// What `bytes`, which are at `offset`, have of the range.
fn part(bytes: &[u8], offset: u64, start: u64, end: u64) -> &[u8] {
    let clamp = |position: u64| {
        let within = usize::try_from(position.saturating_sub(offset));
        within.unwrap_or(usize::MAX).min(bytes.len())
    };
    bytes.get(clamp(start)..clamp(end)).unwrap_or_default()
}
