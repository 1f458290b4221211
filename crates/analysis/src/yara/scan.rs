//! One file against one compiled set. The bounds here are those of the report;
//! they do not change what a condition sees.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use yara_x::errors::VariableError;
use yara_x::{MetaValue as Raw, Rule, ScanError, Scanner};

use crate::hex::hexadecimal;

use super::compile::{Compiled, ExternalValue};
use super::report::{Meta, MetaValue, RuleMatch, ScanReport, SlowRule, StringMatch};

/// Bounds of a scan and its report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanOptions {
    /// After how long to give up; rounded up to whole seconds. The first scan
    /// of a process that has one starts yara-x's clock, a thread that lives on.
    /// `None` starts no thread.
    pub timeout: Option<Duration>,
    /// Values of external variables that were defined when compiling, of the
    /// same types.
    pub externals: Vec<(String, ExternalValue)>,
    /// Reported matches of one pattern in one rule.
    pub max_matches_per_pattern: usize,
    /// Reported matches of patterns in all.
    pub max_matches: usize,
    /// Reported rules.
    pub max_rules: usize,
    /// Reported bytes of one match.
    pub max_data: usize,
    /// Slow rules that are named.
    pub max_slow: usize,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            timeout: None,
            externals: Vec::new(),
            max_matches_per_pattern: 1000,
            max_matches: 100_000,
            max_rules: 10_000,
            max_data: 128,
            max_slow: 10,
        }
    }
}

/// Scans `data`. An external of another type or name than those defined is
/// said in the warnings, and so is a failure of the engine.
pub fn scan(compiled: &Compiled, data: &[u8], options: &ScanOptions) -> ScanReport {
    let mut report = ScanReport::default();
    let mut scanner = Scanner::new(&compiled.rules);
    if let Some(timeout) = options.timeout {
        scanner.set_timeout(timeout);
    }
    for (name, value) in &options.externals {
        if let Err(error) = set(&mut scanner, name, value) {
            let text = format!("external variable `{name}` was not set: {error}");
            report.warnings.add(text);
        }
    }
    let mut left = options.max_matches;
    match scanner.scan(data) {
        Ok(results) => collect(results.matching_rules(), options, &mut left, &mut report),
        Err(ScanError::Timeout) => {
            report.timed_out = true;
            report.warnings.add("the scan ran out of time");
        }
        Err(error) => report.warnings.add(format!("the scan failed: {error}")),
    }
    report.slow = slowest(&scanner, options.max_slow);
    report
}

fn collect<'a, 'r: 'a>(
    rules: impl Iterator<Item = Rule<'a, 'r>>,
    options: &ScanOptions,
    left: &mut usize,
    report: &mut ScanReport,
) {
    for rule in rules {
        if report.matches.len() >= options.max_rules {
            report.warnings.add(format!(
                "more than {} rules match, the rest was left out",
                options.max_rules
            ));
            break;
        }
        let found = rule_match(&rule, options, left);
        if (found.strings.len() as u64) < found.strings_total {
            report.warnings.add(format!(
                "{} of {} matches of rule `{}` are listed",
                found.strings.len(),
                found.strings_total,
                found.rule
            ));
        }
        report.matches.push(found);
    }
}

/// yara-x knows no time-out for a single rule; what it knows is how long each
/// one took, if that was more than a tenth of a second.
fn slowest(scanner: &Scanner<'_>, most: usize) -> Vec<SlowRule> {
    scanner
        .slowest_rules(most)
        .into_iter()
        .map(|rule| SlowRule {
            rule: rule.rule.to_owned(),
            namespace: rule.namespace.to_owned(),
            patterns: rule.pattern_matching_time,
            condition: rule.condition_exec_time,
        })
        .collect()
}

fn set(scanner: &mut Scanner<'_>, name: &str, value: &ExternalValue) -> Result<(), VariableError> {
    match value {
        ExternalValue::Bool(value) => scanner.set_global(name, *value)?,
        ExternalValue::Int(value) => scanner.set_global(name, *value)?,
        ExternalValue::Float(value) => scanner.set_global(name, *value)?,
        ExternalValue::String(value) => scanner.set_global(name, value.as_str())?,
    };
    Ok(())
}

fn rule_match(rule: &Rule<'_, '_>, options: &ScanOptions, left: &mut usize) -> RuleMatch {
    let mut strings = Vec::new();
    let mut total = 0_u64;
    for pattern in rule.patterns() {
        let matches = pattern.matches();
        let shown = options.max_matches_per_pattern.min(*left);
        let mut count = 0_usize;
        for found in matches {
            count = count.saturating_add(1);
            if count > shown {
                continue;
            }
            let range = found.range();
            let data = found.data();
            let data = data.get(..options.max_data).unwrap_or(data);
            strings.push(StringMatch {
                identifier: pattern.identifier().to_owned(),
                offset: range.start as u64,
                length: range.len() as u64,
                data: hexadecimal(data),
                text: printable(data),
                xor_key: found.xor_key(),
            });
        }
        *left = left.saturating_sub(count.min(shown));
        total = total.saturating_add(count as u64);
    }
    RuleMatch {
        rule: rule.identifier().to_owned(),
        namespace: rule.namespace().to_owned(),
        tags: rule.tags().map(|tag| tag.identifier().to_owned()).collect(),
        meta: rule
            .metadata()
            .map(|(name, value)| Meta {
                name: name.to_owned(),
                value: meta_value(&value),
            })
            .collect(),
        strings,
        strings_total: total,
    }
}

fn meta_value(value: &Raw<'_>) -> MetaValue {
    match value {
        Raw::Integer(value) => MetaValue::Int(*value),
        Raw::Float(value) => MetaValue::Float(*value),
        Raw::Bool(value) => MetaValue::Bool(*value),
        Raw::String(value) => MetaValue::String((*value).to_owned()),
        Raw::Bytes(value) => MetaValue::Bytes(hexadecimal(value)),
    }
}

fn printable(data: &[u8]) -> String {
    data.iter()
        .map(|byte| match byte {
            0x20..=0x7e => char::from(*byte),
            _ => '.',
        })
        .collect()
}
