//! What a person is told when a scan has ended.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use reversecore_batch::{Format, Severity, Tally};

use crate::output::{Paint, table, visible};

/// Characters of a cell.
const LONGEST: usize = 72;

pub(super) fn text(
    tally: &Tally,
    here: u64,
    took: Duration,
    out: Option<&(PathBuf, Format)>,
) -> String {
    let paint = Paint::for_stdout();
    let mut text = String::new();
    let seconds = took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = here as f64 / seconds.max(1e-3);
    // Writing to a String can't fail.
    writeln!(
        text,
        "{} files, {}, in {seconds:.1} s ({rate:.0} files/s)",
        tally.ended(),
        bytes(tally.bytes)
    )
    .ok();
    let earlier = tally.ended().saturating_sub(here);
    if earlier > 0 {
        writeln!(text, "{earlier} of them were done before").ok();
    }
    let left = tally.total.saturating_sub(tally.ended());
    for (name, count) in [
        ("seldom innocent", tally.high),
        ("suspicious", tally.suspicious),
        ("not examined", tally.failed),
        ("broke an engine", tally.poison),
        ("passed over (links, sockets, …)", tally.skipped),
        ("left to do", left),
    ] {
        if count > 0 {
            writeln!(text, "{count:>9}  {name}").ok();
        }
    }
    if !tally.worst.is_empty() {
        text.push('\n');
        let rows = tally.worst.iter().map(|worst| {
            let severity = worst.severity.name().to_owned();
            let painted = match worst.severity {
                Severity::High => paint.red(severity),
                Severity::Suspicious => paint.yellow(severity),
                Severity::Info => severity,
            };
            [
                painted,
                worst.findings.to_string(),
                cell(&worst.path),
                cell(&worst.what),
            ]
        });
        text.push_str(&table(
            &paint,
            ["SEVERITY", "FINDINGS", "FILE", "THE WORST"],
            rows,
        ));
        let more = tally
            .with_findings()
            .saturating_sub(u64::try_from(tally.worst.len()).unwrap_or(u64::MAX));
        if more > 0 {
            writeln!(text, "and {more} more with findings").ok();
        }
    }
    if !tally.troubled.is_empty() {
        text.push('\n');
        let rows = tally
            .troubled
            .iter()
            .map(|(path, why)| [cell(path), cell(why)]);
        text.push_str(&table(&paint, ["NOT EXAMINED", "WHY"], rows));
    }
    if let Some((path, _)) = out {
        writeln!(text, "\nrows: {}", visible(&path.to_string_lossy())).ok();
    }
    text
}

/// The end of a path says more than its beginning.
fn cell(text: &str) -> String {
    let shown = visible(text);
    let count = shown.chars().count();
    if count <= LONGEST {
        return shown;
    }
    let tail: String = shown.chars().skip(count - (LONGEST - 1)).collect();
    format!("…{tail}")
}

fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a size for people")]
    let mut size = count as f64;
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or_default();
    if unit == 0 {
        format!("{count} {name}")
    } else {
        format!("{size:.1} {name}")
    }
}

#[cfg(test)]
mod tests {
    use reversecore_batch::Worst;

    use super::*;

    #[test]
    fn the_summary_says_what_a_person_asks_first() {
        let tally = Tally {
            total: 12,
            done: 9,
            failed: 1,
            high: 1,
            bytes: 3 << 20,
            worst: vec![Worst {
                path: format!("/{}/evil\u{202e}.exe", "d".repeat(100)),
                severity: Severity::High,
                what: "packed".to_owned(),
                findings: 3,
            }],
            troubled: vec![("/x".to_owned(), "gone".to_owned())],
            ..Tally::default()
        };
        let text = text(&tally, 4, Duration::from_secs(2), None);
        assert!(
            text.starts_with("10 files, 3.0 MiB, in 2.0 s (2 files/s)\n6 of them"),
            "{text}"
        );
        assert!(text.contains("        2  left to do"), "{text}");
        assert!(
            text.contains("evil\\u{202e}.exe") && text.contains('…'),
            "{text}"
        );
        assert!(text.contains("/x            gone"), "{text}");
    }
}
