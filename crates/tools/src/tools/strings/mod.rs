//! `run_strings`: printable strings with their offsets, by the embedded scanner
//! or by GNU `strings`.
//!
//! The program's output is read as a stream: all strings are counted, those that fit the
//! caller's budget are kept, and memory stays bounded whatever the file holds.

pub(crate) mod embedded;
mod lines;
mod report;
mod sections;

use regex::{Regex, RegexBuilder};
use reversecore_exec::{Keep, Limits, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::arguments::{invalid, number};
use crate::bounded::{Bounded, OutputBytes, Timeout};
use crate::embedded::engine::Engine;
use crate::envelope::Coverage;
use crate::error::ToolError;
use crate::external::Analysis;
use crate::programs::Program;
use crate::schedule::{Workload, estimates};
use crate::schema;
use crate::text::quoted;
use crate::tool::{Answer, Call, Tool};
use lines::{Line, Lines};
use report::{Encoding, Strings, StringsReport};
use sections::Sections;

/// A string longer than this is cut: a file may hold one of its own length.
const LONGEST: usize = 64 << 10;
/// A page where the server sets no budget.
const LARGEST_PAGE: usize = 10_000_000;
/// Longest pattern, and what it may compile to.
const LONGEST_PATTERN: usize = 4096;
const PATTERN_MEMORY: usize = 1 << 20;

/// The tool.
#[derive(Debug, Clone, Copy)]
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
    /// Add the section of an executable that each string is in.
    #[serde(default)]
    sections: bool,
    /// Where to go on: `next_cursor` of the previous page, or an offset.
    #[serde(default)]
    cursor: Option<String>,
    /// Bytes of text; without it, one page. What is more than a page is kept as
    /// an artifact.
    #[serde(default)]
    max_output_size: Option<OutputBytes>,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<300>,
    /// Which engine answers.
    #[serde(default)]
    engine: Engine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize, JsonSchema)]
pub(super) enum Encodings {
    #[default]
    #[serde(rename = "ascii")]
    Ascii,
    #[serde(rename = "utf-16le")]
    Utf16le,
    #[serde(rename = "utf-16be")]
    Utf16be,
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "8-bit")]
    EightBit,
    #[serde(rename = "all")]
    All,
}

impl Encodings {
    /// `all` leaves 8-bit out: every run of high bytes is a string there.
    fn each(self, engine: Engine) -> &'static [Encoding] {
        use Encoding::{Ascii, EightBit, Utf8, Utf16be, Utf16le};
        match self {
            Self::Ascii => &[Ascii],
            Self::Utf16le => &[Utf16le],
            Self::Utf16be => &[Utf16be],
            Self::Utf8 => &[Utf8],
            Self::EightBit => &[EightBit],
            Self::All if engine.is_embedded() => &[Ascii, Utf8, Utf16le, Utf16be],
            Self::All => &[Ascii, Utf16le, Utf16be],
        }
    }
}

/// What has been found so far, all encodings together.
#[derive(Debug)]
struct Found {
    strings: Strings,
    total: u64,
    /// Where to begin listing.
    from: u64,
    /// Bytes of report that may still be kept, and of any one string.
    room: usize,
    longest: usize,
    /// The first that did not fit.
    left: Option<u64>,
    pattern: Option<Regex>,
    shortened: u64,
    unreadable: u64,
}

/// The members of the report.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Shape {
    columns: Vec<String>,
    strings: Vec<Vec<Value>>,
}

impl Tool for RunStrings {
    type Params = Params;
    type Report = StringsReport;

    const NAME: &'static str = "run_strings";
    const TITLE: &'static str = "Extract strings";
    const DESCRIPTION: &'static str = "Extract printable strings with their file offsets (hexadecimal in the text). Use `pattern` to look for something (URLs, paths, keys) instead of reading everything; `encoding`=all also finds UTF-16, as in Windows programs, and UTF-8. `metadata.total` counts all strings that match.";

    fn report_schema() -> Value {
        schema::report::<Shape>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        let kind = params
            .engine
            .kind(estimates::STRINGS, estimates::STRINGS_PROGRAM);
        Workload::on(&params.file_path, kind, params.timeout)
    }

    async fn run(
        &self,
        call: &Call<'_>,
        params: Params,
    ) -> Result<Answer<StringsReport>, ToolError> {
        let pattern = params.pattern.as_deref().map(compiled).transpose()?;
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let from = params.cursor.as_deref().map(position).transpose()?;
        let from = from.unwrap_or_default();
        let page = call.services.results.budget();
        let budget = match params.max_output_size {
            Some(bytes) => bytes.count(),
            None => page.min(LARGEST_PAGE),
        };
        let encodings = params.encoding.each(params.engine);
        if params.engine.is_embedded() {
            let search = embedded::Search {
                encodings: encodings.to_vec(),
                min_length: params.min_length.get(),
                pattern: params.pattern,
                from,
                room: budget,
                sections: params.sections,
            };
            let listed = call.examine(&params.file_path, timeout, search).await?;
            return Ok(listed.answer(|mut listed| {
                let sections = listed.sections.take().map(Sections::checked);
                let mut answer = answer(Found::listed(listed, from, budget), None);
                answer.report.sections = sections;
                answer
            }));
        }
        if params.sections {
            return Err(invalid(
                "sections",
                "is not known to GNU `strings`",
                "Leave out `engine`: the embedded engine knows it.",
            ));
        }
        if let Some(unknown) = encodings.iter().find(|each| each.option().is_none()) {
            return Err(invalid(
                "encoding",
                format!("`{}` is not known to GNU `strings`", unknown.name()),
                "Leave out `engine`: the embedded engine knows it.",
            ));
        }
        let mut analysis = call
            .analysis(Program::Strings, &params.file_path, timeout)
            .await?;
        let mut found = Found::new(pattern, from, 0);
        found.longest = LONGEST.min(budget / 8);
        let mut timed_out = None;
        for (done, encoding) in encodings.iter().enumerate() {
            // What one encoding leaves of the budget, the next ones may use.
            let left = encodings.len().saturating_sub(done).max(1);
            found.room = budget.saturating_sub(found.strings.size()) / left;
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
        .args(["-e", encoding.option().unwrap_or("s")])
        .arg(path)
        .limits(Limits {
            processes: 1,
            ..analysis.limits()
        })
        .keep_stdout(Keep::nothing())
        .keep_stderr(Keep::head(16 << 10));
    let mut lines = Lines::default();
    let mut on_stdout = |bytes: &[u8]| lines.feed(bytes, |line| found.take(encoding, line));
    let finished = call
        .services
        .engine
        .run_reading(command.hold(call.hold()), call.cancel, &mut on_stdout)
        .await
        .map_err(|error| analysis.engine_error(&error))?;
    lines.finish(|line| found.take(encoding, line));
    call.note_run(&finished.usage, &finished.leftovers);
    if let Outcome::TimedOut(_) = finished.outcome {
        return Ok(false);
    }
    match analysis.judge(&finished, &[0]) {
        Some(error) => Err(error),
        None => Ok(true),
    }
}

impl Found {
    /// What a worker has listed, within the room that it was given.
    fn listed(listed: embedded::Listed, from: u64, room: usize) -> Self {
        let embedded::Listed {
            strings,
            total,
            left,
            shortened,
            sections: _,
        } = listed;
        Self {
            strings: strings.checked(room),
            total,
            left,
            shortened,
            ..Self::new(None, from, 0)
        }
    }
}

impl Found {
    fn new(pattern: Option<Regex>, from: u64, room: usize) -> Self {
        Self {
            strings: Strings::default(),
            total: 0,
            from,
            room,
            longest: LONGEST,
            left: None,
            pattern,
            shortened: 0,
            unreadable: 0,
        }
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
        // The pattern sees the string as it is, the report has it escaped.
        if let Some(pattern) = &self.pattern
            && !pattern.is_match(&String::from_utf8_lossy(text))
        {
            return;
        }
        self.total += 1;
        if offset < self.from {
            return;
        }
        let whole = text.len() <= self.longest;
        let text = text.get(..self.longest).unwrap_or(text);
        // What is reported is everything up to an offset.
        let listed = self.left.is_none_or(|left| offset < left)
            && self.strings.push(offset, encoding, text, &mut self.room);
        if listed {
            self.shortened += u64::from(shortened || !whole);
        } else {
            self.left = Some(self.left.map_or(offset, |left| left.min(offset)));
        }
    }
}

fn answer(mut found: Found, timed_out: Option<Encoding>) -> Answer<StringsReport> {
    found.strings.sort();
    let next = found.left.map(|left| {
        if found.strings.end_before(left) {
            return left;
        }
        // Not even one offset's strings fit: the next page is behind it.
        let behind = left.saturating_add(1);
        found.strings.end_before(behind);
        behind
    });
    let mut answer = Answer::complete(StringsReport {
        strings: found.strings,
        sections: None,
    });
    answer.total = Some(found.total);
    if let Some(next) = next {
        answer.coverage = Coverage::Truncated;
        answer.next_cursor = Some(format!("{next:#x}"));
        answer.warnings.push(
            "this is a page; `cursor` has the next, `pattern` and `min_length` find what matters sooner".into(),
        );
    }
    if found.shortened > 0 {
        answer.coverage = Coverage::Truncated;
        answer.warnings.push(format!(
            "{} strings are longer than is shown of them (raise `max_output_size`)",
            found.shortened
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

pub(crate) fn compiled(pattern: &str) -> Result<Regex, ToolError> {
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

/// A cursor: an offset in the file.
fn position(text: &str) -> Result<u64, ToolError> {
    number(text).ok_or_else(|| {
        invalid(
            "cursor",
            format!("`{}` is no offset", quoted(text)),
            "Pass `metadata.next_cursor` of the previous page, or leave it out.",
        )
    })
}

fn four() -> Bounded<1, 1024> {
    Bounded::new(4)
}

#[cfg(test)]
mod tests;
