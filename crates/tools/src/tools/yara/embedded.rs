//! YARA rules by the embedded engine, in a worker that keeps compiled sets.
//!
//! Rules are large and calls are many, so a call names the set first; only a
//! worker that does not have it gets the text.

use std::collections::BTreeMap;
use std::time::Duration;

use reversecore_analysis::yara::{
    Cache, CompileError, CompileOptions, Diagnostic, ExternalValue, MetaValue, RuleSetId,
    RuleSource, ScanOptions, ScanReport, SlowRule, compile, rule_set_id, scan_patiently,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::include::{Flat, parse_error};
use super::output::{Match, Meta, Slow, StringMatch};
use super::{MOST_WARNINGS, YaraReport};
use crate::embedded::worker::{File, Request, Resident};
use crate::embedded::{Trouble, Work};
use crate::envelope::Coverage;
use crate::error::ToolError;
use crate::text::{escaped, quoted};
use crate::tool::{Answer, Call};

/// Compiled sets that a worker keeps, and the bytes of their text.
const MOST_SETS: usize = 16;
const MOST_RULE_BYTES: u64 = 64 << 20;
/// Matches of patterns that are reported, in all and of one pattern.
const MOST_MATCHES: usize = 20_000;
const MOST_OF_A_PATTERN: usize = 1_000;

/// What a worker is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Scan {
    id: RuleSetId,
    /// The set itself; `None` when the worker is thought to have it.
    rules: Option<Vec<RuleSource>>,
    externals: Vec<(String, ExternalValue)>,
    /// What one rule may take.
    each: Duration,
}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Scanned {
    /// It does not have the set.
    RulesWanted,
    /// The rules are wrong.
    Refused(Vec<Diagnostic>),
    /// The rules were matched.
    Done {
        report: ScanReport,
        /// What the compiler advises against.
        advice: Vec<Diagnostic>,
    },
}

/// The compiled sets of a worker.
#[derive(Debug)]
pub(crate) struct RuleCache(Cache);

impl Default for RuleCache {
    fn default() -> Self {
        Self(Cache::new(MOST_SETS, MOST_RULE_BYTES))
    }
}

impl Work for Scan {
    type Reply = Scanned;

    fn request(self) -> Request {
        Request::Yara(self)
    }

    fn affinity(&self) -> Option<[u8; 32]> {
        let mut key = [0; 32];
        // The digits themselves are random enough; which half does not matter.
        for (to, from) in key.iter_mut().zip(self.id.as_str().bytes()) {
            *to = from;
        }
        Some(key)
    }

    fn perform(self, file: &mut File<'_, '_>, resident: &mut Resident) -> Result<Scanned, Trouble> {
        let cache = &mut resident.rules.0;
        let define = CompileOptions {
            externals: self.externals.clone(),
        };
        let compiled = match (cache.get(&self.id), self.rules) {
            (Some(compiled), _) => compiled,
            (None, None) => return Ok(Scanned::RulesWanted),
            (None, Some(rules)) => match compile(&rules, &define) {
                Ok(compiled) => {
                    let compiled = std::sync::Arc::new(compiled);
                    cache.insert(std::sync::Arc::clone(&compiled));
                    compiled
                }
                Err(CompileError::Rules { errors }) => return Ok(Scanned::Refused(errors)),
                Err(error @ CompileError::External { .. }) => {
                    return Err(Trouble::Rules {
                        message: error.to_string(),
                    });
                }
            },
        };
        let options = ScanOptions {
            externals: self.externals,
            max_matches: MOST_MATCHES,
            max_matches_per_pattern: MOST_OF_A_PATTERN,
            ..ScanOptions::default()
        };
        Ok(Scanned::Done {
            report: scan_patiently(
                &compiled,
                &define,
                file.bytes(),
                &options,
                self.each,
                &|| file.time(),
            ),
            advice: compiled
                .warnings()
                .iter()
                .take(MOST_WARNINGS)
                .cloned()
                .collect(),
        })
    }
}

/// What is to be matched, and how.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) flat: &'a Flat,
    pub(super) externals: Vec<(String, ExternalValue)>,
    /// Whether the slowest rules are to be named.
    pub(super) slow_rules: bool,
    pub(super) timeout: Duration,
    /// What one rule may take; a tenth of the time unless that is said.
    pub(super) each: Option<Duration>,
}

/// Matches the rules against the file.
pub(super) async fn run(
    call: &Call<'_>,
    file_path: &str,
    question: Question<'_>,
) -> Result<Answer<YaraReport>, ToolError> {
    let Question {
        flat,
        externals,
        slow_rules,
        timeout,
        each,
    } = question;
    let deadline = Instant::now() + timeout;
    let rules = vec![RuleSource {
        namespace: "default".to_owned(),
        text: String::from_utf8_lossy(&flat.text).into_owned(),
        origin: String::new(),
    }];
    let options = CompileOptions { externals };
    let mut work = Scan {
        id: rule_set_id(&rules, &options),
        rules: None,
        externals: options.externals,
        each: each.unwrap_or(timeout / 10),
    };
    let mut scanned = call.examine(file_path, timeout, work.clone()).await?.reply;
    if let Scanned::RulesWanted = scanned {
        work.rules = Some(rules);
        let left = deadline.saturating_duration_since(Instant::now());
        scanned = call.examine(file_path, left, work).await?.reply;
    }
    match scanned {
        Scanned::Done { report, advice } => Ok(answer(report, &advice, flat, slow_rules)),
        Scanned::Refused(errors) => Err(refused(&errors, flat)),
        Scanned::RulesWanted => Err(refused(&[], flat)),
    }
}

fn refused(errors: &[Diagnostic], flat: &Flat) -> ToolError {
    let Some(error) = errors.first() else {
        return parse_error(None, 1, "the rules could not be compiled");
    };
    let (name, line) = place(error, flat);
    parse_error(name.as_deref(), line, &escaped(&error.message))
}

/// Where a message belongs, in the terms of the caller.
fn place(diagnostic: &Diagnostic, flat: &Flat) -> (Option<String>, usize) {
    let line = usize::try_from(diagnostic.line).unwrap_or(usize::MAX);
    let (name, line) = flat.origin(line);
    (name.map(ToOwned::to_owned), line)
}

fn answer(
    report: ScanReport,
    advice: &[Diagnostic],
    flat: &Flat,
    slow_rules: bool,
) -> Answer<YaraReport> {
    let ScanReport {
        matches,
        timed_out,
        slow,
        given_up,
        warnings,
    } = report;
    let slow = slow.into_iter().filter(|_| slow_rules || timed_out);
    let cut = matches
        .iter()
        .any(|found| (found.strings.len() as u64) < found.strings_total);
    let mut answer = Answer::complete(YaraReport {
        matches: matches.into_iter().map(Match::from).collect(),
        slow: slow.map(Slow::from).collect(),
        given_up: given_up.into_iter().map(Slow::from).collect(),
    });
    answer.warnings = advice
        .iter()
        .map(|advice| {
            let (name, line) = place(advice, flat);
            let message = escaped(&advice.message);
            match name {
                Some(name) => format!("{}, line {line}: {message}", quoted(&name)),
                None => format!("line {line}: {message}"),
            }
        })
        .collect();
    if timed_out {
        answer.coverage = Coverage::TimedOut;
        answer
            .warnings
            .push("the time ran out before any verdict; raise `timeout`, or leave out the rules named in `slow`".into());
        return answer;
    }
    answer.total = u64::try_from(answer.report.matches.len()).ok();
    answer.add_warnings(warnings);
    if !answer.report.given_up.is_empty() {
        answer.coverage = Coverage::TimedOut;
        answer.warnings.push(
            "the rules in `given_up` took too long and have no verdict; the others were matched as if those did not match; raise `rule_timeout` and `timeout`, or mend them".into(),
        );
    }
    if cut {
        answer.truncate();
    }
    answer
}

impl From<reversecore_analysis::yara::RuleMatch> for Match {
    fn from(found: reversecore_analysis::yara::RuleMatch) -> Self {
        let meta: BTreeMap<String, Meta> = found
            .meta
            .into_iter()
            .map(|entry| {
                let value = match entry.value {
                    MetaValue::Bool(value) => Meta::Boolean(value),
                    MetaValue::Int(value) => Meta::Integer(value),
                    MetaValue::Float(value) => Meta::Text(value.to_string()),
                    MetaValue::String(text) | MetaValue::Bytes(text) => {
                        Meta::Text(escaped(&text).into_owned())
                    }
                };
                (escaped(&entry.name).into_owned(), value)
            })
            .collect();
        Self {
            rule: escaped(&found.rule).into_owned(),
            namespace: escaped(&found.namespace).into_owned(),
            tags: found
                .tags
                .iter()
                .map(|tag| escaped(tag).into_owned())
                .collect(),
            meta,
            strings: found
                .strings
                .into_iter()
                .map(|string| StringMatch {
                    identifier: escaped(&string.identifier).into_owned(),
                    offset: string.offset,
                    length: string.length,
                    data: shown(&string.data),
                })
                .collect(),
        }
    }
}

impl From<SlowRule> for Slow {
    fn from(slow: SlowRule) -> Self {
        let milliseconds = |time: Duration| (time.as_secs_f64() * 1e4).round() / 10.0;
        Self {
            namespace: escaped(&slow.namespace).into_owned(),
            rule: escaped(&slow.rule).into_owned(),
            patterns_ms: milliseconds(slow.patterns),
            condition_ms: milliseconds(slow.condition),
        }
    }
}

/// From hexadecimal to text with `\xNN` for what can't be printed.
fn shown(hexadecimal: &str) -> String {
    let digits: Vec<u8> = hexadecimal.bytes().collect();
    let mut text = String::with_capacity(digits.len());
    for pair in digits.chunks(2) {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        match u8::from_str_radix(pair, 16) {
            Ok(byte @ 0x20..=0x7e) => text.push(char::from(byte)),
            Ok(byte) => text.push_str(&format!("\\x{byte:02x}")),
            // No engine of ours writes that.
            Err(_) => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_text_where_they_are_text() {
        assert_eq!(shown("474e5500ff"), "GNU\\x00\\xff");
        assert_eq!(shown(""), "");
        assert_eq!(shown("41\u{1b}[42"), "AB");
    }
}
