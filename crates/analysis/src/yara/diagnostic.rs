//! Errors and warnings of the compiler as plain data, without the drawing that
//! yara-x makes of them for a terminal.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::compile::RuleSource;

/// What the compiler says of a place in a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The stable code of yara-x: `E001`, `slow_pattern`, …
    pub code: String,
    /// What is wrong, in plain text of one line.
    pub message: String,
    /// The origin of the source.
    pub origin: String,
    /// The rule around the place, if the place is in one.
    pub rule: Option<String>,
    /// Line, counted from 1; 0 when unknown.
    pub line: u64,
    /// Column in characters, counted from 1; 0 when unknown.
    pub column: u64,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            message,
            origin,
            rule: _,
            line,
            column,
        } = self;
        write!(f, "{origin}:{line}:{column}: {message} ({code})")
    }
}

/// What yara-x serialises of an error or warning.
#[derive(Debug, Deserialize)]
struct Raw {
    code: String,
    title: String,
    #[serde(default)]
    line: u64,
    #[serde(default)]
    column: u64,
    #[serde(default)]
    labels: Vec<RawLabel>,
}

#[derive(Debug, Deserialize)]
struct RawLabel {
    #[serde(default)]
    code_origin: Option<String>,
    #[serde(default)]
    text: String,
}

/// Lines and columns are in the serialised form only, so it goes through that.
pub(super) fn diagnostic(
    raw: &(impl Serialize + fmt::Display),
    sources: &[RuleSource],
) -> Diagnostic {
    let value = serde_json::to_value(raw).and_then(serde_json::from_value::<Raw>);
    let Ok(raw) = value else {
        let text = raw.to_string();
        return Diagnostic {
            message: text.lines().next().unwrap_or_default().to_owned(),
            ..Diagnostic::default()
        };
    };
    let mut message = raw.title;
    let label = raw.labels.into_iter().next();
    let origin = label
        .as_ref()
        .and_then(|label| label.code_origin.clone())
        .unwrap_or_default();
    if let Some(label) = label.filter(|label| !label.text.is_empty() && label.text != message) {
        message.push_str(": ");
        message.push_str(&label.text);
    }
    let source = sources.iter().find(|source| source.origin == origin);
    Diagnostic {
        code: raw.code,
        message: message.split_whitespace().collect::<Vec<_>>().join(" "),
        rule: source.and_then(|source| rule_at(&source.text, raw.line)),
        origin,
        line: raw.line,
        column: raw.column,
    }
}

/// The name of the last rule that is declared up to `line`. A declaration is
/// recognised at the start of a line, as all of the field writes them; yara-x
/// does not tell.
fn rule_at(text: &str, line: u64) -> Option<String> {
    let lines = text.lines().take(usize::try_from(line).ok()?);
    lines.filter_map(declared).last()
}

fn declared(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let word = words.find(|word| !matches!(*word, "private" | "global"))?;
    if word != "rule" {
        return None;
    }
    let name = words.next()?;
    let name = name.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    name.into_iter()
        .next()
        .map(str::to_owned)
        .filter(|name| !name.is_empty())
}
