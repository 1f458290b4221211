//! A page for people: one file that needs nothing else. Its own style and script are
//! the only ones that a browser may use with it, by their hashes; everything that
//! comes from a file is escaped, and nothing of it stands where code could.

use std::fmt::Write as _;

use serde::Deserialize;

use super::{Row, page};
use crate::findings::Finding;
use crate::tally::Tally;

/// A browser shows no larger page with pleasure; further files get no row.
pub(super) const MOST_BYTES: u64 = 64 << 20;
/// Findings of one file that are shown.
const MOST_FINDINGS: usize = 50;
/// Of `(offset, length, entropy)`.
const MOST_REGIONS: usize = 64;

/// What of an answer is shown of the file itself.
#[derive(Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    data: Facts,
}

#[derive(Default, Deserialize)]
struct Facts {
    #[serde(default)]
    identity: Identity,
    #[serde(default)]
    entropy: Entropy,
    #[serde(default)]
    hashes: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    indicators: Vec<Indicator>,
}

#[derive(Default, Deserialize)]
struct Identity {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    description: String,
}

#[derive(Default, Deserialize)]
struct Entropy {
    #[serde(default)]
    file: f64,
    #[serde(default)]
    high_regions: Vec<Region>,
}

#[derive(Deserialize)]
struct Region {
    offset: u64,
    length: u64,
    #[serde(default)]
    entropy: f64,
}

#[derive(Deserialize)]
struct Indicator {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    value: String,
}

pub(super) fn header() -> String {
    page::head()
}

pub(super) fn row(row: &Row<'_>) -> String {
    let facts = row
        .results
        .iter()
        .find(|(column, _)| *column == "triage")
        .and_then(|(_, envelope)| serde_json::from_str::<Envelope>(envelope).ok())
        .unwrap_or_default()
        .data;
    let worst = row.findings.first();
    let (rank, name) = worst.map_or((0, ""), |finding| {
        (finding.severity.number(), finding.severity.name())
    });
    let mut text = String::with_capacity(2048);
    // Writing to a String can't fail.
    write!(
        text,
        "<tr class=\"s{rank}\"><td data-v=\"{rank}\"><span class=\"tag\">{name}</span></td><td>",
    )
    .ok();
    details(&mut text, row, &facts);
    write!(
        text,
        "</td><td>{}</td><td class=\"n\" data-v=\"{size}\">{size}</td>\
         <td class=\"n\" data-v=\"{entropy:.4}\">{entropy:.2}</td><td>",
        escaped(&facts.identity.kind),
        size = row.size,
        entropy = facts.entropy.file,
    )
    .ok();
    strip(&mut text, row.size, &facts.entropy);
    let first = worst.map_or("", |finding| &finding.what);
    writeln!(
        text,
        "</td><td class=\"n\" data-v=\"{count}\">{count}</td><td>{}</td><td>{}</td></tr>",
        escaped(first),
        escaped(row.evidence.unwrap_or(row.state.name())),
        count = row.findings.len(),
    )
    .ok();
    text
}

/// What folds out below a file's name.
fn details(text: &mut String, row: &Row<'_>, facts: &Facts) {
    write!(
        text,
        "<details><summary>{}</summary><dl>",
        escaped(row.path)
    )
    .ok();
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            write!(
                text,
                "<dt>{}</dt><dd>{}</dd>",
                escaped(name),
                escaped(value)
            )
            .ok();
        }
    };
    fact("in", row.parent.unwrap_or_default());
    fact("what", &facts.identity.description);
    if let Some(content) = row.content {
        fact("sha256", &content.to_string());
    }
    for (name, hash) in facts.hashes.iter().filter(|(name, _)| *name != "sha256") {
        fact(name, hash);
    }
    for indicator in facts.indicators.iter().take(20) {
        fact(&indicator.kind, &indicator.value);
    }
    text.push_str("</dl>");
    if !row.findings.is_empty() {
        text.push_str("<ul>");
        for finding in row.findings.iter().take(MOST_FINDINGS) {
            let Finding {
                severity,
                what,
                evidence,
                tool,
                offset: _,
            } = finding;
            write!(
                text,
                "<li class=\"s{}\"><b>{}</b> {} <code>{}</code></li>",
                severity.number(),
                escaped(what),
                escaped(tool),
                escaped(evidence)
            )
            .ok();
        }
        text.push_str("</ul>");
    }
    text.push_str("</details>");
}

/// Where in the file the entropy is high, as a picture 120 wide.
#[expect(
    clippy::cast_precision_loss,
    reason = "a picture is as exact as its pixels"
)]
fn strip(text: &mut String, size: u64, entropy: &Entropy) {
    if size == 0 {
        return;
    }
    let shade = (entropy.file.clamp(0.0, 8.0) / 8.0 * 100.0).round();
    write!(
        text,
        "<svg class=\"strip\" viewBox=\"0 0 120 12\" width=\"120\" height=\"12\" role=\"img\" aria-label=\"entropy\">\
         <rect width=\"120\" height=\"12\" fill=\"hsl(210 40% {:.0}%)\"/>",
        92.0 - shade * 0.4
    )
    .ok();
    let at = |bytes: u64| (bytes.min(size) as f64 / size as f64 * 120.0).clamp(0.0, 120.0);
    for region in entropy.high_regions.iter().take(MOST_REGIONS) {
        let left = at(region.offset);
        let width = (at(region.offset.saturating_add(region.length)) - left).max(1.0);
        write!(
            text,
            "<rect x=\"{left:.1}\" width=\"{width:.1}\" height=\"12\" fill=\"#c0392b\"><title>{:#x} to {:#x}: {:.2} bits per byte</title></rect>",
            region.offset,
            region.offset.saturating_add(region.length),
            region.entropy
        )
        .ok();
    }
    text.push_str("</svg>");
}

pub(super) fn footer(tally: &Tally) -> String {
    page::foot(tally)
}

/// Text in a page: nothing of it is markup, in an element or in quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Controls, and what turns the direction of writing, are shown.
            control
                if control.is_control()
                    || matches!(control, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}') =>
            {
                write!(out, "\\u{{{:x}}}", u32::from(control)).ok();
            }
            other => out.push(other),
        }
    }
    out
}
