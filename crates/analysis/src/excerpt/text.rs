//! Bytes that are written in letters. The end of the encoded text is the first
//! letter that does not belong to it: a program has something else behind.

use std::io::{self, BufRead, ErrorKind, Read};

/// How letters become bytes.
pub(super) trait Alphabet {
    /// Takes the next letter; `None` ends the text. The bytes that become known
    /// with it are in `out`.
    fn take(&mut self, letter: u8, out: &mut Vec<u8>) -> Option<()>;

    /// The text has ended; whether in the middle of a byte.
    fn is_cut(&self) -> bool;
}

/// Reads the bytes of encoded text.
pub(super) struct Text<R, A> {
    inner: R,
    alphabet: A,
    ready: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl<R: BufRead, A: Alphabet> Text<R, A> {
    pub(super) fn new(inner: R, alphabet: A) -> Self {
        Self {
            inner,
            alphabet,
            ready: Vec::new(),
            taken: 0,
            ended: false,
        }
    }

    /// Decodes what is at hand. Leaves nothing ready at the end only.
    fn refill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.taken = 0;
        while self.ready.is_empty() && !self.ended {
            let letters = self.inner.fill_buf()?;
            self.ended = letters.is_empty();
            let mut used = 0;
            for letter in letters {
                if self.alphabet.take(*letter, &mut self.ready).is_none() {
                    self.ended = true;
                    break;
                }
                used += 1;
            }
            self.inner.consume(used);
        }
        if self.ready.is_empty() && self.alphabet.is_cut() {
            return Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "the text ends in the middle of a byte",
            ));
        }
        Ok(())
    }
}

impl<R: BufRead, A: Alphabet> Read for Text<R, A> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.ready.len() {
            self.refill()?;
        }
        let ready = self.ready.get(self.taken..).unwrap_or_default();
        let count = ready.len().min(into.len());
        for (to, from) in into.iter_mut().zip(ready) {
            *to = *from;
        }
        self.taken += count;
        Ok(count)
    }
}

/// The value of a hexadecimal digit.
pub(super) fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        b'A'..=b'F' => Some(letter - b'A' + 10),
        _ => None,
    }
}

/// Hexadecimal digits and what people put between them.
#[derive(Debug, Default)]
pub(super) struct Hexadecimal {
    high: Option<u8>,
    /// A backslash was the last letter.
    escape: bool,
}

impl Alphabet for Hexadecimal {
    fn take(&mut self, letter: u8, out: &mut Vec<u8>) -> Option<()> {
        if std::mem::take(&mut self.escape) {
            return (letter == b'x').then_some(());
        }
        if let Some(value) = digit(letter) {
            match self.high.take() {
                Some(high) => out.push((high << 4) | value),
                None => self.high = Some(value),
            }
            return Some(());
        }
        match (letter, self.high) {
            // Of `0x`.
            (b'x' | b'X', Some(0)) => {
                self.high = None;
                Some(())
            }
            (b'\\', None) => {
                self.escape = true;
                Some(())
            }
            (b' ' | b'\t' | b'\r' | b'\n' | b',', None) => Some(()),
            _ => None,
        }
    }

    fn is_cut(&self) -> bool {
        self.high.is_some()
    }
}

/// Base64 of RFC 4648, both alphabets.
#[derive(Debug, Default)]
pub(super) struct Base64 {
    bits: u32,
    letters: u8,
}

impl Base64 {
    fn value(letter: u8) -> Option<u8> {
        match letter {
            b'A'..=b'Z' => Some(letter - b'A'),
            b'a'..=b'z' => Some(letter - b'a' + 26),
            b'0'..=b'9' => Some(letter - b'0' + 52),
            b'+' | b'-' => Some(62),
            b'/' | b'_' => Some(63),
            _ => None,
        }
    }
}

impl Alphabet for Base64 {
    fn take(&mut self, letter: u8, out: &mut Vec<u8>) -> Option<()> {
        if matches!(letter, b' ' | b'\t' | b'\r' | b'\n') {
            return Some(());
        }
        let value = Self::value(letter)?;
        // A byte is known when the letter with its last bits has come; the bits
        // of the next one wait.
        self.bits = ((self.bits << 6) | u32::from(value)) & 0xfff;
        self.letters = (self.letters + 1) % 4;
        let byte = match self.letters {
            2 => Some(self.bits >> 4),
            3 => Some(self.bits >> 2),
            0 => Some(self.bits),
            _ => None,
        };
        out.extend(byte.map(|byte| byte.to_le_bytes()[0]));
        Some(())
    }

    fn is_cut(&self) -> bool {
        self.letters == 1
    }
}
