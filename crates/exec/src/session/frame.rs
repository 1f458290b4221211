//! Where an answer begins and ends: finds two words in a stream of bytes that
//! arrives in pieces of any size, and records what is between them.

use memchr::memmem;

use crate::capture::{Captured, Recorder};
use crate::command::Keep;

/// Random bytes in a word: nobody guesses it.
const WORD_BYTES: usize = 16;

/// A word that nobody has seen before and nobody guesses, in hexadecimal: 32 digits.
///
/// # Errors
/// When the kernel has no random bytes.
pub fn word() -> std::io::Result<String> {
    let mut bytes = [0; WORD_BYTES];
    let mut rest = &mut bytes[..];
    while !rest.is_empty() {
        let filled = rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty())?;
        rest = rest.get_mut(filled..).unwrap_or_default();
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Finds one answer.
#[derive(Debug)]
pub(super) struct Frame {
    /// Line to find next; the answer begins after the first and ends before the
    /// second.
    begin: Vec<u8>,
    end: Vec<u8>,
    /// What may be the beginning of a line to find.
    pending: Vec<u8>,
    begun: bool,
    recorder: Recorder,
}

impl Frame {
    pub(super) fn new(begin: &str, end: &str, keep: usize) -> Self {
        let line = |word: &str| format!("{word}\n").into_bytes();
        Self {
            begin: line(begin),
            end: line(end),
            pending: Vec::new(),
            begun: false,
            recorder: Recorder::new(&Keep::head(keep)),
        }
    }

    /// Takes in what has arrived; `true` when the answer is whole. What comes
    /// after it is nobody's.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        self.pending.extend_from_slice(bytes);
        if !self.begun {
            match memmem::find(&self.pending, &self.begin) {
                Some(at) => {
                    self.pending.drain(..at + self.begin.len());
                    self.begun = true;
                }
                None => {
                    let known = self.pending.len().saturating_sub(self.begin.len() - 1);
                    self.pending.drain(..known);
                    return false;
                }
            }
        }
        let (known, whole) = match memmem::find(&self.pending, &self.end) {
            Some(at) => (at, true),
            None => (self.pending.len().saturating_sub(self.end.len() - 1), false),
        };
        self.recorder
            .record(self.pending.get(..known).unwrap_or_default());
        self.pending.drain(..known);
        whole
    }

    /// Whether the program has come to this command at all.
    pub(super) fn begun(&self) -> bool {
        self.begun
    }

    /// The answer, or what there is of it.
    pub(super) fn finish(mut self, whole: bool) -> Captured {
        if !whole && self.begun {
            self.recorder.record(&self.pending);
        }
        self.recorder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(stream: &[u8], piece: usize, keep: usize) -> (bool, Captured) {
        let mut frame = Frame::new("AAAB", "AAAC", keep);
        let whole = stream.chunks(piece).any(|bytes| frame.push(bytes));
        (whole, frame.finish(whole))
    }

    /// In pieces of any size, the answer is what is between the two lines.
    #[test]
    fn an_answer_does_not_depend_on_pieces() {
        let answer = b"x\0AAAB AAAC AAA\nAAAAAA\r\n\xffno newline at the end AA";
        let stream = [&b"noise AAA\nAAAAAB\n"[..], answer, b"AAAC\n", b"more"].concat();
        for piece in 1..=stream.len() {
            let (whole, captured) = framed(&stream, piece, 1000);
            assert!(whole, "{piece}");
            assert_eq!(captured.bytes(), answer, "{piece}");
        }
    }

    #[test]
    fn a_terminator_needs_its_newline_and_its_beginning() {
        let (whole, captured) = framed(b"AAAC\nAAAB\nAAACAAAC AAAB\n", 3, 100);
        assert!(!whole);
        assert_eq!(captured.bytes(), b"AAACAAAC AAAB\n");
        let (whole, captured) = framed(b"AAAC\nAAAC\n", 3, 100);
        assert!(!whole);
        assert_eq!(captured.total, 0);
    }

    #[test]
    fn the_head_is_kept_and_the_rest_is_counted() {
        let mut frame = Frame::new("AAAB", "AAAC", 5);
        assert!(!frame.push(b"AAAB\n0123456789"));
        for _ in 0..1000 {
            assert!(!frame.push(&[b'x'; 1000]));
            assert!(frame.pending.len() < 5, "nothing else is kept");
        }
        assert!(frame.push(b"AAAC\n"));
        let captured = frame.finish(true);
        assert_eq!(
            (&captured.head[..], captured.total),
            (&b"01234"[..], 1_000_010)
        );
        assert!(captured.truncated());
    }

    #[test]
    fn words_differ() {
        let (one, other) = (word().unwrap(), word().unwrap());
        assert_eq!(one.len(), 2 * WORD_BYTES);
        assert_ne!(one, other);
    }
}
