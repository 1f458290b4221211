//! `run_strings`: printable strings with their offsets, by GNU `strings`.
//!
//! The output is read as a stream: all strings are counted, those that fit the
//! caller's budget are kept, and memory stays bounded whatever the file holds.

mod lines;

use std::fmt::Write as _;

use regex::{Regex, RegexBuilder};
use reversecore_exec::{Event, Keep, Limits, Outcome};
use schemars::JsonSchema;
use serde::ser::{SerializeTuple as _, Serializer};
use serde::{Deserialize, Serialize};

use crate::arguments::invalid;
use crate::bounded::{Bounded, OutputBytes, Timeout, default_output_bytes};
use crate::envelope::Coverage;
use crate::error::{ErrorCode, ToolError};
use crate::external::Analysis;
use crate::programs::Program;
use crate::text::{escaped, quoted};
use crate::tool::{Answer, Call, Report, Tool};
use lines::{Line, Lines};

/// Longest pattern, and what it may compile to.
const LONGEST_PATTERN: usize = 4096;
const PATTERN_MEMORY: usize = 1 << 20;
/// Bytes of a report line besides the string: offset, two spaces, line end.
const LINE_OVERHEAD: usize = 12;

/// The tool.
#[derive(Debug)]
pub(super) struct RunStrings;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Shortest string, in characters.
    #[serde(default = "four")]
    min_length: Bounded<1, 1024>,
    /// Character encoding.
    #[serde(default)]
    encoding: Encodings,
    /// Regular expression; only strings that it matches.
    #[serde(default)]
    pattern: Option<String>,
    /// Bytes of text.
    #[serde(default = "default_output_bytes")]
    max_output_size: OutputBytes,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<300>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub(super) enum Encodings {
    #[default]
    #[serde(rename = "ascii")]
    Ascii,
    #[serde(rename = "utf-16le")]
    Utf16le,
    #[serde(rename = "utf-16be")]
    Utf16be,
    #[serde(rename = "all")]
    All,
}

impl Encodings {
    fn each(self) -> &'static [Encoding] {
        match self {
            Self::Ascii => &[Encoding::Ascii],
            Self::Utf16le => &[Encoding::Utf16le],
            Self::Utf16be => &[Encoding::Utf16be],
            Self::All => &[Encoding::Ascii, Encoding::Utf16le, Encoding::Utf16be],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Encoding {
    Ascii,
    Utf16le,
    Utf16be,
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Utf16le => "utf-16le",
            Self::Utf16be => "utf-16be",
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Ascii => "s",
            Self::Utf16le => "l",
            Self::Utf16be => "b",
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StringsReport {
    /// What the members of each item are.
    columns: [&'static str; 3],
    /// By offset: `[792, "ascii", "/lib64/ld-linux-x86-64.so.2"]`.
    strings: Vec<Item>,
}

/// One string. It is an array in JSON: reports hold thousands, and names
/// repeated in each would cost more than the analysis.
#[derive(Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "(u64, String, String)")]
struct Item {
    offset: u64,
    encoding: Encoding,
    text: String,
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut item = serializer.serialize_tuple(3)?;
        item.serialize_element(&self.offset)?;
        item.serialize_element(self.encoding.name())?;
        item.serialize_element(&self.text)?;
        item.end()
    }
}

impl Report for StringsReport {
    fn text(&self) -> String {
        let size = self
            .strings
            .iter()
            .map(|item| item.text.len() + LINE_OVERHEAD);
        let mut text = String::with_capacity(size.sum());
        for item in &self.strings {
            let mark = match item.encoding {
                Encoding::Ascii => "",
                Encoding::Utf16le => "le:",
                Encoding::Utf16be => "be:",
            };
            // Writing to a String can't fail.
            writeln!(text, "{:x}  {mark}{}", item.offset, item.text).ok();
        }
        text
    }
}

/// What has been found so far, all encodings together.
#[derive(Debug)]
struct Found {
    items: Vec<Item>,
    total: u64,
    /// Bytes of report text that may still be kept.
    room: usize,
    cut: bool,
    pattern: Option<Regex>,
    shortened: u64,
    unreadable: u64,
}

impl Tool for RunStrings {
    type Params = Params;
    type Report = StringsReport;

    const NAME: &'static str = "run_strings";
    const TITLE: &'static str = "Extract strings";
    const DESCRIPTION: &'static str = "Extract printable strings with their file offsets (hexadecimal in the text). Use `pattern` to look for something (URLs, paths, keys) instead of reading everything; `encoding`=all also finds UTF-16, as in Windows programs. `metadata.total` counts all strings that match.";

    async fn run(
        &self,
        call: &Call<'_>,
        params: Params,
    ) -> Result<Answer<StringsReport>, ToolError> {
        let pattern = params.pattern.as_deref().map(compiled).transpose()?;
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let mut analysis = call
            .analysis(Program::Strings, &params.file_path, timeout)
            .await?;
        let budget = usize::try_from(params.max_output_size.get()).unwrap_or(usize::MAX);
        let encodings = params.encoding.each();
        let mut found = Found::new(pattern, 0);
        let mut timed_out = None;
        for (done, encoding) in encodings.iter().enumerate() {
            // What one encoding leaves of the budget, the next ones may use.
            let left = encodings.len().saturating_sub(done).max(1);
            found.room = budget.saturating_sub(found.used()) / left;
            let min_length = params.min_length.get();
            if !read(call, &analysis, *encoding, min_length, &mut found).await? {
                timed_out = Some(*encoding);
                break;
            }
        }
        call.settle(&mut analysis).await?;
        Ok(answer(found, timed_out))
    }
}

/// Runs `strings` once; says whether it came to its end in time.
async fn read(
    call: &Call<'_>,
    analysis: &Analysis<'_>,
    encoding: Encoding,
    min_length: u64,
    found: &mut Found,
) -> Result<bool, ToolError> {
    let (command, path) = analysis.command()?;
    let command = command
        .args(["-a", "-t", "x", "-n"])
        .arg(min_length.to_string())
        .args(["-e", encoding.option()])
        .arg(path)
        .limits(Limits {
            processes: 1,
            ..analysis.limits()
        })
        .keep_stdout(Keep::nothing())
        .keep_stderr(Keep::head(16 << 10));
    let mut lines = Lines::default();
    let mut running = call.services.engine.stream(command, call.cancel.clone());
    while let Some(event) = running.next().await {
        match event.map_err(|error| analysis.engine_error(error))? {
            Event::Started { .. } | Event::Stderr(_) => {}
            Event::Stdout(bytes) => lines.feed(&bytes, |line| found.take(encoding, line)),
            Event::Exit(finished) => {
                lines.finish(|line| found.take(encoding, line));
                call.note_run(&finished.usage, &finished.leftovers);
                if let Outcome::TimedOut(_) = finished.outcome {
                    return Ok(false);
                }
                return match analysis.judge(&finished, &[0]) {
                    Some(error) => Err(error),
                    None => Ok(true),
                };
            }
        }
    }
    Err(ToolError::new(
        ErrorCode::Internal,
        "`strings` ended without a result",
        "Call again; if it persists, the server's log has the reason.",
    ))
}

impl Found {
    fn new(pattern: Option<Regex>, room: usize) -> Self {
        Self {
            items: Vec::new(),
            total: 0,
            room,
            cut: false,
            pattern,
            shortened: 0,
            unreadable: 0,
        }
    }

    fn used(&self) -> usize {
        self.items
            .iter()
            .map(|item| item.text.len() + LINE_OVERHEAD)
            .sum()
    }

    fn take(&mut self, encoding: Encoding, line: Line<'_>) {
        let Line {
            offset,
            text,
            shortened,
        } = line;
        let Some(offset) = offset else {
            self.unreadable += 1;
            return;
        };
        let text = String::from_utf8_lossy(text);
        if self
            .pattern
            .as_ref()
            .is_some_and(|pattern| !pattern.is_match(&text))
        {
            return;
        }
        self.total += 1;
        let text = escaped(&text);
        let size = text.len() + LINE_OVERHEAD;
        if self.cut || size > self.room {
            // Nothing after the first that does not fit: what is reported is
            // everything up to an offset.
            self.cut = true;
            return;
        }
        self.room -= size;
        self.shortened += u64::from(shortened);
        self.items.push(Item {
            offset,
            encoding,
            text: text.into_owned(),
        });
    }
}

fn answer(mut found: Found, timed_out: Option<Encoding>) -> Answer<StringsReport> {
    found.items.sort_by_key(|item| (item.offset, item.encoding));
    let mut answer = Answer::complete(StringsReport {
        columns: ["offset", "encoding", "text"],
        strings: found.items,
    });
    answer.total = Some(found.total);
    if found.cut {
        answer.coverage = Coverage::Truncated;
        answer.warnings.push(
            "not all strings fit `max_output_size`; narrow them with `pattern` or `min_length`, or raise it".into(),
        );
    }
    if found.shortened > 0 {
        answer.coverage = Coverage::Truncated;
        answer.warnings.push(format!(
            "{} strings are longer than {} bytes and were cut there",
            found.shortened,
            lines::LONGEST
        ));
    }
    if found.unreadable > 0 {
        answer.coverage = Coverage::Partial;
        answer.warnings.push(format!(
            "{} lines of `strings` were not understood",
            found.unreadable
        ));
    }
    if let Some(encoding) = timed_out {
        answer.coverage = Coverage::TimedOut;
        answer.warnings.push(format!(
            "the time ran out during {}; what was found until then is reported, and `total` counts only that; raise `timeout`",
            encoding.name()
        ));
    }
    answer
}

fn compiled(pattern: &str) -> Result<Regex, ToolError> {
    const HINT: &str = "Use the syntax of Rust's regex crate (no look-around, no back-references), for example `(?i)https?://`.";
    if pattern.len() > LONGEST_PATTERN {
        return Err(invalid("pattern", "is longer than 4096 bytes", HINT));
    }
    RegexBuilder::new(pattern)
        .size_limit(PATTERN_MEMORY)
        .dfa_size_limit(PATTERN_MEMORY)
        .nest_limit(64)
        .build()
        .map_err(|error| {
            let said = error.to_string();
            // The last line says what is wrong; those before show where.
            let reason = said.lines().last().unwrap_or_default();
            invalid(
                "pattern",
                quoted(reason.trim_start_matches("error: ")),
                HINT,
            )
        })
}

fn four() -> Bounded<1, 1024> {
    Bounded::new(4)
}

#[cfg(test)]
mod tests;
