//! A JSON object a line: the file, and the envelope of each tool as it came.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::Row;
use crate::findings::Severity;

#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<&'a str>,
    sha256: Option<String>,
    size: u64,
    state: &'static str,
    /// Of the worst finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    results: Results<'a>,
}

struct Results<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Results<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0
                .iter()
                .filter_map(|(column, envelope)| Some((column, one_line(envelope)?))),
        )
    }
}

/// The envelope without line feeds; one that is no JSON is no envelope.
fn one_line(envelope: &str) -> Option<Box<RawValue>> {
    if envelope.contains(['\n', '\r']) {
        let value: serde_json::Value = serde_json::from_str(envelope).ok()?;
        return to_raw_value(&value).ok();
    }
    RawValue::from_string(envelope.to_owned()).ok()
}

pub(super) fn row(row: &Row<'_>) -> String {
    let Row {
        path,
        parent,
        content,
        size,
        state,
        evidence,
        results,
        findings,
    } = row;
    let line = Line {
        path,
        parent: *parent,
        sha256: content.map(|content| content.to_string()),
        size: *size,
        state: state.name(),
        severity: findings.first().map(|finding| finding.severity),
        error: *evidence,
        results: Results(results),
    };
    // Plain data with string keys.
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    text
}
