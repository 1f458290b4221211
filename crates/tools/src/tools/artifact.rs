//! `read_artifact`: pages, slices and searches what was too large to be shown.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::sync::Arc;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::strings::compiled;
use crate::arguments::invalid;
use crate::bounded::Bounded;
use crate::error::{ErrorCode, ToolError};
use crate::results::cache::Reuse;
use crate::schedule::{Workload, estimates};
use crate::schema;
use crate::tool::{Answer, Call, Report, Tool};

/// Bytes of a page where the server sets no budget.
const PAGE: usize = 1 << 20;
/// What a line costs besides its text.
const LINE_OVERHEAD: usize = 8;
/// A line is cut to this; its bytes can be read by `offset`.
const LONGEST_LINE: usize = 4096;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadArtifact;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Its name, from `metadata.artifact`.
    artifact: String,
    /// First line, from 1.
    #[serde(default)]
    from_line: Option<Bounded<1, 1_000_000_000>>,
    /// Most lines, or matches.
    #[serde(default = "thousand")]
    limit: Bounded<1, 100_000>,
    /// Regular expression; only lines that it matches.
    #[serde(default)]
    pattern: Option<String>,
    /// Lines around each match.
    #[serde(default = "none")]
    context: Bounded<0, 20>,
    /// Only count the matches.
    #[serde(default)]
    count: bool,
    /// First byte, instead of lines: for texts without line ends.
    #[serde(default)]
    offset: Option<u64>,
}

/// What was read.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct ArtifactReport {
    /// Bytes of the whole.
    bytes: u64,
    /// Lines, each with its number, from 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<(u64, String)>,
    /// How many lines match.
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<u64>,
    /// Bytes from `offset` on.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl Report for ArtifactReport {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(matches) = self.matches {
            text.push_str(&format!("{matches} lines match\n"));
        }
        for (number, line) in &self.lines {
            text.push_str(&format!("{number}: {line}\n"));
        }
        text.push_str(self.text.as_deref().unwrap_or_default());
        text
    }
}

/// What to read, checked.
#[derive(Debug)]
struct Reading {
    from: u64,
    limit: u64,
    pattern: Option<Regex>,
    context: u64,
    count: bool,
    /// Bytes of report.
    room: usize,
}

impl Tool for ReadArtifact {
    type Params = Params;
    type Report = ArtifactReport;

    const NAME: &'static str = "read_artifact";
    const TITLE: &'static str = "Read a large result";
    const DESCRIPTION: &'static str = "Read a result that was too large to be shown whole (`metadata.artifact`): lines from `from_line`, lines that match `pattern` with `context` around them, only their `count`, or bytes from `offset`.";
    const REMEMBERED: bool = false;

    fn report_schema() -> Value {
        schema::report::<ArtifactReport>()
    }

    fn workload(_: &Params) -> Workload<'_> {
        Workload {
            kind: estimates::memory(Self::NAME),
            file: None,
            timeout: crate::tool::LONGEST_ANSWER,
            reuse: Reuse::Never,
        }
    }

    async fn run(
        &self,
        call: &Call<'_>,
        params: Params,
    ) -> Result<Answer<ArtifactReport>, ToolError> {
        let room = call.services.results.budget().min(PAGE);
        let (offset, limit) = (params.offset, params.limit.get());
        let by_lines = params.from_line.is_some() || params.pattern.is_some() || params.count;
        if offset.is_some() && by_lines {
            return Err(invalid(
                "offset",
                "is given together with a parameter that is about lines",
                "Give `offset`, or `from_line`, `pattern` and `count`.",
            ));
        }
        let reading = Reading {
            from: params.from_line.map_or(1, Bounded::get),
            limit,
            pattern: params.pattern.as_deref().map(compiled).transpose()?,
            context: params.context.get(),
            count: params.count,
            // Half of it is for the JSON's own letters.
            room: room - room / 4,
        };
        let results = Arc::clone(&call.services.results);
        let read = tokio::task::spawn_blocking(move || {
            let file = results.artifact(&params.artifact)?;
            match offset {
                Some(offset) => slice(file, offset, reading.room),
                None => lines(&file, &reading),
            }
            .map_err(unreadable)
        });
        tokio::select! {
            biased;
            () = call.cancel.cancelled() => Err(ToolError::cancelled()),
            read = read => read.map_err(unreadable)?,
        }
    }
}

/// Lines from one on, or those that match.
fn lines(file: &File, reading: &Reading) -> io::Result<Answer<ArtifactReport>> {
    let mut report = ArtifactReport {
        bytes: file.metadata()?.len(),
        ..ArtifactReport::default()
    };
    let mut input = BufReader::with_capacity(256 << 10, file);
    let mut room = reading.room;
    let (mut number, mut taken, mut matches) = (0_u64, 0_u64, 0_u64);
    let mut next = None;
    let mut before: std::collections::VecDeque<(u64, String)> = std::collections::VecDeque::new();
    let mut after = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        number += 1;
        let bytes = line.strip_suffix(b"\n").unwrap_or(&line);
        let hit = reading
            .pattern
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(&String::from_utf8_lossy(bytes)));
        matches += u64::from(hit);
        if number < reading.from || next.is_some() || reading.count {
            continue;
        }
        if !hit && after == 0 {
            if reading.context > 0 {
                before.push_back((number, shown(bytes)));
                if before.len() as u64 > reading.context {
                    before.pop_front();
                }
            }
            continue;
        }
        if hit && taken == reading.limit {
            next = Some(number);
            continue;
        }
        let around = before.drain(..);
        let new: Vec<_> = around.chain([(number, shown(bytes))]).collect();
        let cost: usize = new.iter().map(|(_, line)| line.len() + LINE_OVERHEAD).sum();
        if cost > room && !report.lines.is_empty() {
            next = Some(number);
            continue;
        }
        room = room.saturating_sub(cost);
        report.lines.extend(new);
        taken += u64::from(hit);
        after = if hit { reading.context } else { after - 1 };
    }
    let searched = reading.pattern.is_some();
    report.matches = (searched || reading.count).then_some(matches);
    let mut answer = Answer::complete(report);
    answer.total = Some(if searched { matches } else { number });
    answer.next_cursor = next.map(|line| line.to_string());
    if let Some(line) = next {
        answer
            .warnings
            .push(format!("the rest begins at from_line={line}"));
        answer.truncate();
    }
    if reading.from > number.max(1) {
        answer.warnings.push(format!(
            "line {} is behind the end: there are {number} lines",
            reading.from
        ));
    }
    Ok(answer)
}

/// Bytes from one on.
fn slice(mut file: File, offset: u64, room: usize) -> io::Result<Answer<ArtifactReport>> {
    let bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(offset.min(bytes)))?;
    let mut part = Vec::new();
    file.take(room as u64).read_to_end(&mut part)?;
    let end = offset.saturating_add(part.len() as u64);
    let mut answer = Answer::complete(ArtifactReport {
        bytes,
        text: Some(String::from_utf8_lossy(&part).into_owned()),
        ..ArtifactReport::default()
    });
    answer.total = Some(bytes);
    if end < bytes {
        answer.next_cursor = Some(end.to_string());
        answer
            .warnings
            .push(format!("the rest begins at offset={end}"));
        answer.truncate();
    }
    if offset > bytes {
        answer.warnings.push(format!(
            "offset {offset} is behind the end: there are {bytes} bytes"
        ));
    }
    Ok(answer)
}

fn shown(line: &[u8]) -> String {
    let part = line.get(..LONGEST_LINE).unwrap_or(line);
    let mut text = String::from_utf8_lossy(part).into_owned();
    if part.len() < line.len() {
        text.push_str(&format!("… ({} bytes)", line.len()));
    }
    text
}

fn unreadable(error: impl std::fmt::Display) -> ToolError {
    ToolError::new(
        ErrorCode::Internal,
        "the artifact could not be read",
        "Repeat the call that made it.",
    )
    .log_detail(error)
}

fn none() -> Bounded<0, 20> {
    Bounded::new(0)
}

fn thousand() -> Bounded<1, 100_000> {
    Bounded::new(1000)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(text: &str) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        file
    }

    fn reading(pattern: Option<&str>) -> Reading {
        Reading {
            from: 1,
            limit: 1000,
            pattern: pattern.map(|pattern| compiled(pattern).unwrap()),
            context: 0,
            count: false,
            room: 10_000,
        }
    }

    fn numbers(answer: &Answer<ArtifactReport>) -> Vec<u64> {
        answer
            .report
            .lines
            .iter()
            .map(|(number, _)| *number)
            .collect()
    }

    #[test]
    fn pages_join_to_the_whole() {
        let whole: String = (1..=500).map(|line| format!("line {line}\n")).collect();
        let (mut from, mut seen) = (1, Vec::new());
        loop {
            let page = Reading {
                from,
                room: 1000,
                ..reading(None)
            };
            let answer = lines(&file(&whole), &page).unwrap();
            assert_eq!(answer.total, Some(500));
            seen.extend(numbers(&answer));
            match answer.next_cursor {
                Some(next) => from = next.parse().unwrap(),
                None => break,
            }
        }
        assert_eq!(seen, (1..=500).collect::<Vec<_>>());
    }

    #[test]
    fn matches_are_found_counted_and_shown_with_what_is_around_them() {
        let whole = "a\nb\nhit 1\nc\nd\ne\nhit 2\nhit 3\nf";
        let around = Reading {
            context: 1,
            ..reading(Some("hit"))
        };
        let answer = lines(&file(whole), &around).unwrap();
        assert_eq!(numbers(&answer), [2, 3, 4, 6, 7, 8, 9]);
        assert_eq!((answer.report.matches, answer.total), (Some(3), Some(3)));
        let counted = Reading {
            count: true,
            ..reading(Some("hit"))
        };
        let answer = lines(&file(whole), &counted).unwrap();
        assert_eq!((answer.report.matches, numbers(&answer)), (Some(3), vec![]));
        let few = Reading {
            limit: 2,
            ..reading(Some("hit"))
        };
        let answer = lines(&file(whole), &few).unwrap();
        assert_eq!(numbers(&answer), [3, 7]);
        assert_eq!(answer.next_cursor.as_deref(), Some("8"));
    }

    #[test]
    fn bytes_of_a_text_without_lines_are_read_by_offset() {
        let whole = "x".repeat(2500);
        let answer = slice(file(&whole), 0, 1000).unwrap();
        assert_eq!(answer.report.text.as_deref(), whole.get(..1000));
        assert_eq!(answer.next_cursor.as_deref(), Some("1000"));
        let answer = slice(file(&whole), 2400, 1000).unwrap();
        assert_eq!(answer.report.text.map(|text| text.len()), Some(100));
        assert_eq!(answer.next_cursor, None);
        assert!(!slice(file(&whole), 9999, 1000).unwrap().warnings.is_empty());
        let cut = lines(&file(&"y".repeat(100_000)), &reading(None)).unwrap();
        assert!(cut.report.lines[0].1.ends_with("… (100000 bytes)"));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = compiled("(").unwrap_err();
        assert!(error.message.contains("`pattern`"), "{error}");
    }
}
