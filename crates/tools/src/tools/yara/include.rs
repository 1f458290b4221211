//! Rules with all their `include`s put in place, so that the process that
//! compiles them opens no file but the one it is handed.
//!
//! It finds `include` exactly where YARA would (not in strings, regular
//! expressions and comments) and asks a [`Source`] for the text.

mod lexer;

use crate::error::{ErrorCode, ToolError};
use crate::text::quoted;
use lexer::Lexer;

/// Bounds on what one set of rules may be made of.
const DEEPEST: usize = 16;
const MOST_FILES: usize = 1000;
const MOST_BYTES: usize = 32 << 20;

/// Where included text comes from.
pub(super) trait Source {
    /// The text of what `including` (`None` for inline rules) names, and what
    /// to call it.
    fn open(&mut self, name: &str, including: Option<&str>) -> Result<Included, ToolError>;
}

/// Text of rules.
#[derive(Debug)]
pub(super) struct Included {
    pub(super) name: String,
    pub(super) text: Vec<u8>,
}

/// Rules without an `include`.
#[derive(Debug, Default)]
pub(super) struct Flat {
    pub(super) text: Vec<u8>,
    /// From which line of the text on which source is shown, in order.
    origins: Vec<Origin>,
    line: usize,
    files: usize,
    /// What the lexer may still read in vain.
    work: usize,
}

#[derive(Debug)]
struct Origin {
    from: usize,
    name: Option<String>,
    line: usize,
}

/// Puts all includes in place.
pub(super) fn flatten(
    text: &[u8],
    name: Option<&str>,
    source: &mut dyn Source,
) -> Result<Flat, ToolError> {
    let mut flat = Flat {
        line: 1,
        work: lexer::WORK,
        ..Flat::default()
    };
    flat.add(text, name, source, 0)?;
    flat.work = lexer::WORK;
    flat.check_joined()?;
    Ok(flat)
}

/// Puts the rules of several files one after another.
pub(super) fn flatten_all(names: &[String], source: &mut dyn Source) -> Result<Flat, ToolError> {
    let mut flat = Flat {
        line: 1,
        work: lexer::WORK,
        ..Flat::default()
    };
    for (number, name) in names.iter().enumerate() {
        flat.include(name, None, number + 1, source, 0)?;
        flat.push(b"\n")?;
    }
    flat.work = lexer::WORK;
    flat.check_joined()?;
    Ok(flat)
}

impl Flat {
    /// Where a line of the flat text came from: the name of the included or
    /// given file, `None` for inline rules, and the line there.
    ///
    /// YARA says line 0 when the rules end too early: that is the last one.
    pub(super) fn origin(&self, line: usize) -> (Option<&str>, usize) {
        let line = if line == 0 { self.line } else { line };
        self.origins
            .iter()
            .rev()
            .find(|origin| origin.from <= line)
            .map_or((None, line), |origin| {
                (origin.name.as_deref(), origin.line + (line - origin.from))
            })
    }

    fn add(
        &mut self,
        text: &[u8],
        name: Option<&str>,
        source: &mut dyn Source,
        depth: usize,
    ) -> Result<(), ToolError> {
        if text.contains(&0) {
            return Err(parse_error(name, 1, "the rules contain a NUL byte"));
        }
        self.begin(name, 1);
        let mut at = 0;
        loop {
            let found = Lexer::starting(text, at, &mut self.work).next_directive();
            let found = found
                .map_err(|fault| parse_error(name, line_at(text, fault.at()), &fault.reason()))?;
            let Some(directive) = found else {
                return self.push(text.get(at..).unwrap_or_default());
            };
            self.push(text.get(at..directive.start).unwrap_or_default())?;
            at = directive.end;
            let line = line_at(text, directive.start);
            let path = text.get(directive.path).unwrap_or_default();
            let path = str::from_utf8(path).map_err(|_| {
                parse_error(name, line, "the name of an included file is not UTF-8")
            })?;
            self.include(path, name, line, source, depth)?;
            self.push(b"\n")?;
            self.begin(name, line);
        }
    }

    /// What follows is from this line of this source.
    fn begin(&mut self, name: Option<&str>, line: usize) {
        self.origins.push(Origin {
            from: self.line,
            name: name.map(ToOwned::to_owned),
            line,
        });
    }

    /// Each file was read for itself, YARA reads the joined text: nothing that
    /// spans a seam may bring a directive to light.
    fn check_joined(&mut self) -> Result<(), ToolError> {
        let found = Lexer::starting(&self.text, 0, &mut self.work).next_directive();
        let (at, reason) = match found {
            Ok(None) => return Ok(()),
            Ok(Some(directive)) => (
                directive.start,
                "an include that begins in one file and ends in another".to_owned(),
            ),
            Err(fault) => (fault.at(), fault.reason()),
        };
        let (name, line) = self.origin(line_at(&self.text, at));
        Err(parse_error(name, line, &reason))
    }

    fn include(
        &mut self,
        path: &str,
        including: Option<&str>,
        line: usize,
        source: &mut dyn Source,
        depth: usize,
    ) -> Result<(), ToolError> {
        self.files += 1;
        let too_many = if depth >= DEEPEST {
            Some("includes are nested too deeply (16 levels)")
        } else if self.files > MOST_FILES {
            Some("too many includes (1000)")
        } else {
            None
        };
        if let Some(reason) = too_many {
            return Err(parse_error(including, line, reason));
        }
        let included = source.open(path, including)?;
        self.push(b"\n")?;
        self.add(&included.text, Some(&included.name), source, depth + 1)
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), ToolError> {
        if self.text.len() + bytes.len() > MOST_BYTES {
            return Err(ToolError::new(
                ErrorCode::ResourceLimit,
                "the rules with their includes exceed 32 MiB",
                "Use fewer rules in one call.",
            ));
        }
        self.line += newlines(bytes);
        self.text.extend_from_slice(bytes);
        Ok(())
    }
}

/// The error for rules that can't be understood.
pub(super) fn parse_error(name: Option<&str>, line: usize, reason: &str) -> ToolError {
    let place = match name {
        Some(name) => format!("`{}`, line {line}", quoted(name)),
        None => format!("`rules`, line {line}"),
    };
    ToolError::new(
        ErrorCode::ParseError,
        format!("{place}: {reason}"),
        "Correct the rules; YARA's documentation describes their syntax.",
    )
}

/// The line, from 1, that byte `at` is in.
fn line_at(text: &[u8], at: usize) -> usize {
    1 + newlines(text.get(..at).unwrap_or(text))
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests;
