//! What is asked, what comes out, and what does not.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How much work one function may be, and how much may be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Instructions that are followed; what lies behind them is left out. The
    /// time goes up faster than their number.
    pub most_instructions: u32,
    /// Bytes of text.
    pub most_text: usize,
}

impl Default for Options {
    /// Enough for all but generated code: a second or two.
    fn default() -> Self {
        Self {
            most_instructions: 10_000,
            most_text: 4 << 20,
        }
    }
}

/// A function as C.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decompiled {
    /// Its name, text of the file.
    pub name: String,
    /// Its first address.
    pub address: u64,
    /// The bytes of its blocks together.
    pub size: u64,
    /// How many instructions it has, as far as the model knows.
    pub instructions: u32,
    /// The text, with names and strings of the file in it.
    pub text: String,
    /// What was left out.
    pub cut: Option<Cut>,
    /// What the decompiler was not sure of, as said in comments of the text too.
    pub warnings: Vec<String>,
}

/// Why a text does not stand for a whole function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// The function has more instructions than were followed.
    Instructions,
    /// The text is longer than may be said. It ends with a whole line.
    Text,
}

/// The decompiler does not know the program's processor.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("code of `{0}` cannot be decompiled")]
pub struct Unsupported(pub String);

/// Why a function has no text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The processor is one that cannot be decompiled.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// No instruction could be read where it begins.
    #[error(
        "no instruction can be decoded at {address:#x}: the bytes are no code, or code of another processor"
    )]
    NoCode {
        /// Where it begins.
        address: u64,
    },
    /// The caller's clock ended it.
    #[error("the time ran out")]
    OutOfTime,
    /// The decompiler gave up.
    #[error("the decompiler gave up: {message}")]
    GaveUp {
        /// Its reason.
        message: String,
    },
    /// The decompiler has a fault that this function brings out.
    #[error("the decompiler failed: {message}")]
    Fault {
        /// What it said.
        message: String,
    },
}
