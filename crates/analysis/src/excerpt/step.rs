//! The steps of decoding: each reads from the one before it.

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::str::FromStr;

use flate2::bufread::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::text::{Base64, Hexadecimal, Text};

/// Most steps of one request: nobody wraps the same thing eight times but to
/// keep us busy.
pub const MOST_STEPS: usize = 8;
/// Longest key of [`Step::Xor`], in bytes.
const LONGEST_KEY: usize = 64;
/// Bytes that a step may read from the one before.
const MOST_READ: u64 = 64 << 20;

/// One step of decoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Exclusive or with a key that repeats.
    Xor(Vec<u8>),
    /// Base64 of either alphabet, blanks and line ends in between.
    Base64,
    /// Hexadecimal digits, with or without blanks, commas, `0x` and `\x`.
    Hex,
    /// DEFLATE with a header of zlib.
    Zlib,
    /// DEFLATE with a header of gzip; one member, as other things may lie behind.
    Gzip,
    /// DEFLATE without any header.
    Deflate,
}

/// Text that names no step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadStep {
    /// Not one of the names.
    #[error("it is none of xor:KEY, base64, hex, zlib, gzip, deflate")]
    Name,
    /// The key is no hexadecimal number of whole bytes, or too long.
    #[error("the key is not 1 to {} bytes in hexadecimal digits", LONGEST_KEY)]
    Key,
}

impl FromStr for Step {
    type Err = BadStep;

    fn from_str(text: &str) -> Result<Self, BadStep> {
        match text {
            "base64" => Ok(Self::Base64),
            "hex" => Ok(Self::Hex),
            "zlib" => Ok(Self::Zlib),
            "gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            other => {
                let key = other.strip_prefix("xor:").ok_or(BadStep::Name)?;
                let key = key.strip_prefix("0x").unwrap_or(key);
                key_of(key).map(Self::Xor).ok_or(BadStep::Key)
            }
        }
    }
}

/// The bytes that hexadecimal digits stand for.
fn key_of(digits: &str) -> Option<Vec<u8>> {
    let values: Option<Vec<u8>> = digits.bytes().map(super::text::digit).collect();
    let values = values?;
    let (pairs, rest) = values.as_chunks::<2>();
    let whole = rest.is_empty() && (1..=LONGEST_KEY).contains(&pairs.len());
    whole.then(|| pairs.iter().map(|[high, low]| (high << 4) | low).collect())
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xor(key) => write!(f, "xor:{}", crate::hex::hexadecimal(key)),
            Self::Base64 => f.write_str("base64"),
            Self::Hex => f.write_str("hex"),
            Self::Zlib => f.write_str("zlib"),
            Self::Gzip => f.write_str("gzip"),
            Self::Deflate => f.write_str("deflate"),
        }
    }
}

/// All steps, one behind the other.
pub(super) fn chain<'a>(input: &'a [u8], steps: &[Step]) -> Box<dyn Read + 'a> {
    let mut reader: Box<dyn Read + 'a> = Box::new(input);
    for step in steps.iter().take(MOST_STEPS) {
        let inner = BufReader::new(Fence {
            inner: reader,
            left: MOST_READ,
        });
        let decoder: Box<dyn Read + 'a> = match step {
            Step::Xor(key) => Box::new(Xor {
                inner,
                key: key.clone(),
                at: 0,
            }),
            Step::Base64 => Box::new(Text::new(inner, Base64::default())),
            Step::Hex => Box::new(Text::new(inner, Hexadecimal::default())),
            Step::Zlib => Box::new(Inflate::new(inner, true)),
            Step::Gzip => Box::new(GzDecoder::new(inner)),
            Step::Deflate => Box::new(Inflate::new(inner, false)),
        };
        reader = Box::new(Named {
            inner: decoder,
            step: step.clone(),
            given: 0,
        });
    }
    reader
}

/// Ends with an error, not with an end, what goes on for longer than it may.
struct Fence<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Fence<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !into.is_empty() {
            return Err(io::Error::other("more than 64 MiB go into it"));
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        let room = room.min(into.len());
        let read = self.inner.read(into.get_mut(..room).unwrap_or_default())?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

/// Says which step it was that could not go on, and how far it came.
struct Named<'a> {
    inner: Box<dyn Read + 'a>,
    step: Step,
    given: u64,
}

/// What has a step's name in it already.
#[derive(Debug, Error)]
#[error("{0}")]
struct Said(String);

impl Read for Named<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(into) {
            Ok(read) => {
                self.given = self.given.saturating_add(read as u64);
                Ok(read)
            }
            Err(error) if error.get_ref().is_some_and(|inner| inner.is::<Said>()) => Err(error),
            Err(error) => Err(io::Error::other(Said(format!(
                "{}: it can't go on after {} decoded bytes: {error}",
                self.step, self.given
            )))),
        }
    }
}

/// DEFLATE. The library's own reader takes the end of the input for the end of the
/// stream, and a stream that is cut off is damaged.
struct Inflate<R> {
    inner: R,
    state: Decompress,
    ended: bool,
}

impl<R> Inflate<R> {
    fn new(inner: R, header: bool) -> Self {
        Self {
            inner,
            state: Decompress::new(header),
            ended: false,
        }
    }
}

impl<R: BufRead> Read for Inflate<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !into.is_empty() {
            let input = self.inner.fill_buf()?;
            let is_last = input.is_empty();
            let before = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(input, into, FlushDecompress::None)?;
            let used = self.state.total_in().saturating_sub(before.0);
            let made = self.state.total_out().saturating_sub(before.1);
            self.inner.consume(usize::try_from(used).unwrap_or(0));
            self.ended = status == Status::StreamEnd;
            if made > 0 {
                return Ok(usize::try_from(made).unwrap_or(0));
            }
            if used == 0 && !self.ended {
                let what = if is_last {
                    "it is cut off"
                } else {
                    "it makes no sense"
                };
                return Err(io::Error::new(ErrorKind::UnexpectedEof, what));
            }
        }
        Ok(0)
    }
}

/// Exclusive or with a key.
struct Xor<R> {
    inner: R,
    key: Vec<u8>,
    at: usize,
}

impl<R: Read> Read for Xor<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        for byte in into.iter_mut().take(read) {
            if let Some(key) = self.key.get(self.at) {
                *byte ^= key;
            }
            self.at = (self.at + 1) % self.key.len().max(1);
        }
        Ok(read)
    }
}
