//! Comma-separated values (RFC 4180): the file and its worst finding. A cell that a
//! spreadsheet would take for a formula is marked as text: the names of hostile
//! files are written by their makers.

use super::Row;

/// What a cell begins with that is a formula.
const FORMULAS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

pub(super) fn header() -> String {
    "path,parent,sha256,size,state,severity,findings,finding,evidence,error\r\n".to_owned()
}

pub(super) fn row(row: &Row<'_>) -> String {
    let Row {
        path,
        parent,
        content,
        size,
        state,
        evidence,
        results: _,
        findings,
    } = row;
    let worst = findings.first();
    let counting = findings.iter().filter(|finding| finding.severity.counts());
    let cells = [
        cell(path),
        cell(parent.unwrap_or_default()),
        content
            .map(|content| content.to_string())
            .unwrap_or_default(),
        size.to_string(),
        state.name().to_owned(),
        worst
            .map_or("", |finding| finding.severity.name())
            .to_owned(),
        counting.count().to_string(),
        cell(worst.map_or("", |finding| &finding.what)),
        cell(worst.map_or("", |finding| &finding.evidence)),
        cell(evidence.unwrap_or_default()),
    ];
    let mut text = cells.join(",");
    text.push_str("\r\n");
    text
}

fn cell(text: &str) -> String {
    let formula = text.starts_with(FORMULAS);
    let special = text.contains([',', '"', '\n', '\r']);
    if !formula && !special {
        return text.to_owned();
    }
    let mark = if formula { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}
