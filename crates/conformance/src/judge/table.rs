//! The reports side by side.

use super::verdict::{Report, Verdict};

/// A Markdown table, and below it what was seen where a row is not held.
#[must_use]
pub fn as_markdown(reports: &[Report]) -> String {
    let mut text = String::new();
    let names: Vec<&str> = reports.iter().map(|report| report.name.as_str()).collect();
    text.push_str(&format!("| case | | {} |\n", names.join(" | ")));
    text.push_str(&format!("|---|---|{}\n", "---|".repeat(names.len())));
    let Some(first) = reports.first() else {
        return text;
    };
    let mut evidence = Vec::new();
    for (place, row) in first.rows.iter().enumerate() {
        let cells: Vec<String> = reports
            .iter()
            .map(
                |report| match report.rows.get(place).map(|row| &row.verdict) {
                    Some(Verdict::Holds(figure)) if figure.is_empty() => "yes".to_owned(),
                    Some(Verdict::Holds(figure)) => format!("yes, {figure}"),
                    Some(Verdict::Misses(seen)) => {
                        evidence.push(format!(
                            "{}. {}, {} {}: {}",
                            evidence.len() + 1,
                            report.name,
                            row.case,
                            row.what,
                            in_a_line(seen)
                        ));
                        format!("**no** ({})", evidence.len())
                    }
                    Some(Verdict::NotOffered) => "not offered".to_owned(),
                    Some(Verdict::Skipped(_)) | None => "skipped".to_owned(),
                },
            )
            .collect();
        text.push_str(&format!(
            "| {} | {} | {} |\n",
            row.case,
            row.what,
            cells.join(" | ")
        ));
    }
    if !evidence.is_empty() {
        text.push_str("\nSeen:\n\n");
        text.push_str(&evidence.join("\n"));
        text.push('\n');
    }
    text
}

/// Everything, for programs.
///
/// # Errors
/// None that can happen: reports are plain data.
pub fn as_json(reports: &[Report]) -> serde_json::Result<String> {
    serde_json::to_string_pretty(reports)
}

/// Evidence holds what programs and engines said: it must not break the page.
fn in_a_line(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    if line.chars().count() <= 400 {
        return line;
    }
    let start: String = line.chars().take(400).collect();
    format!("{start}…")
}
