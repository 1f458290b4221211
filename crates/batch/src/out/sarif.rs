//! SARIF 2.1.0 (OASIS): a result a finding, for programs that collect and show
//! findings. Files without findings are not in it; those that could not be examined
//! are notifications of the invocation.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Row;
use crate::findings::{Finding, Severity};
use crate::tally::Tally;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

pub(super) fn header() -> String {
    format!(
        concat!(
            "{{\"$schema\":\"{}\",\"version\":\"2.1.0\",\"runs\":[{{",
            "\"tool\":{{\"driver\":{{\"name\":\"Reversecore\",\"version\":\"{}\"}}}},",
            "\"columnKind\":\"unicodeCodePoints\",\"results\":[\n"
        ),
        SCHEMA,
        env!("CARGO_PKG_VERSION")
    )
}

/// The findings of a file; `first` when nothing stands before them.
pub(super) fn row(row: &Row<'_>, first: bool) -> String {
    let mut text = String::new();
    let uri = uri(row.path);
    for finding in row.findings {
        if !(first && text.is_empty()) {
            text.push_str(",\n");
        }
        // Writing to a String can't fail.
        write!(text, "{}", result(row, finding, &uri)).ok();
    }
    text
}

fn result(row: &Row<'_>, finding: &Finding, uri: &str) -> Value {
    let Finding {
        severity,
        what,
        evidence,
        tool,
        offset,
    } = finding;
    let level = match severity {
        Severity::Info => "note",
        Severity::Suspicious => "warning",
        Severity::High => "error",
    };
    let message = if evidence.is_empty() {
        what.clone()
    } else {
        format!("{what}: {evidence}")
    };
    let mut location = json!({"artifactLocation": {"uri": uri}});
    if let (Some(offset), Some(location)) = (offset, location.as_object_mut()) {
        location.insert("region".to_owned(), json!({"byteOffset": offset}));
    }
    let mut result = json!({
        "ruleId": format!("{tool}/{}", slug(what)),
        "level": level,
        // Braces would be taken for places where arguments go.
        "message": {"text": message.replace('{', "{{").replace('}', "}}")},
        "locations": [{"physicalLocation": location}],
    });
    if let (Some(content), Some(result)) = (row.content, result.as_object_mut()) {
        result.insert(
            "partialFingerprints".to_owned(),
            json!({"sha256/v1": content.to_string()}),
        );
    }
    result
}

pub(super) fn footer(tally: &Tally) -> String {
    let notifications: Vec<Value> = tally
        .troubled
        .iter()
        .map(|(path, why)| {
            json!({
                "level": "error",
                "message": {"text": why.replace('{', "{{").replace('}', "}}")},
                "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(path)}}}],
            })
        })
        .collect();
    let invocation = json!({
        "executionSuccessful": tally.failed + tally.poison == 0,
        "toolExecutionNotifications": notifications,
        "properties": {"files": tally.total, "failed": tally.failed, "poison": tally.poison},
    });
    format!("\n],\"invocations\":[{invocation}]}}]}}\n")
}

/// The name of a kind of finding: stable, without spaces.
fn slug(what: &str) -> String {
    let mut slug = String::new();
    for character in what.chars().take(80) {
        if character.is_ascii_alphanumeric() || character == '_' {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// The path as a reference (RFC 3986): what is no plain letter is escaped.
pub(super) fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            write!(uri, "%{byte:02X}").ok();
        }
    }
    uri
}
