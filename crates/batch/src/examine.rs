//! What a batch asks of whoever examines files. The catalogue of tools is one;
//! tests have others.

use std::fmt;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::item::{Found, Item};
use crate::spec::{Recursion, ToolCall};

/// SHA-256 of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Content(pub [u8; 32]);

impl Content {
    /// From hexadecimal digits.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        let digits = digits.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a file can't be examined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It is gone, or may not be read.
    Unreadable(String),
    /// The caller has had enough.
    Cancelled,
}

/// What a tool has said of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The envelope, as JSON on one line.
    pub envelope: String,
    /// What it means for the batch.
    pub verdict: Verdict,
}

/// What an answer means for the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is an answer.
    Answered,
    /// The tool has no answer, and will have none.
    Failed {
        /// Why.
        message: String,
    },
    /// The file has broken the engine.
    Crashed {
        /// How.
        message: String,
    },
    /// The file is no longer what was read before.
    Changed,
    /// There is no room now.
    Busy {
        /// When there may be.
        after: Duration,
    },
    /// The caller has had enough.
    Cancelled,
}

/// What came out of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The files, each in a place of its own.
    pub files: Vec<Found>,
    /// What was left in it, and why.
    pub notes: Vec<String>,
    /// It would have come to more than the budget allows, and was stopped.
    pub bomb: bool,
}

/// Examines files.
pub trait Examiner: Send + Sync + 'static {
    /// Reads the file: SHA-256 of its content.
    fn content(
        &self,
        item: &Item,
        stop: &CancellationToken,
    ) -> impl Future<Output = Result<Content, Trouble>> + Send;

    /// Has a tool examine it.
    fn examine(
        &self,
        item: &Item,
        content: Content,
        tool: &ToolCall,
        stop: &CancellationToken,
    ) -> impl Future<Output = Examined> + Send;

    /// Takes the files out of it, if it is an archive, within what is left of the
    /// budget.
    fn expand(
        &self,
        item: &Item,
        left: Recursion,
        stop: &CancellationToken,
    ) -> impl Future<Output = Result<Expanded, Trouble>> + Send;

    /// A file that came out of an archive is not needed any more. Blocking, short.
    fn discard(&self, place: &str);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_written_as_it_is_read() {
        let digits = "00ff".repeat(16);
        let content = Content::parse(&digits).unwrap();
        assert_eq!(content.to_string(), digits);
        for wrong in ["", "0", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(Content::parse(wrong), None);
        }
    }
}
