//! Puts an engine through the cases and believes what can be seen from outside:
//! who is alive, how long it took, what memory the driver has, what it left.
//!
//! | file | knows |
//! |---|---|
//! | `subject` | which engines there are, and how their drivers are started |
//! | `stage` | a directory with all programs, readable for every user |
//! | `driver` | the judge's end of the protocol, with a bound on every wait |
//! | `watch` | processes: descendants, memory, survivors, and their end |
//! | `cases` | E1 to E12 |
//! | `verdict`, `table` | what came of it |
//!
//! A judge ends everything that it started, whatever a driver does: all carry a
//! word of its own in their environment or command line.

mod cases;
mod driver;
mod stage;
mod subject;
mod table;
mod verdict;
mod watch;

use std::io;

pub use cases::{CASES, Case};
pub use stage::Stage;
pub use subject::{Subject, subjects};
pub use table::{as_json, as_markdown};
pub use verdict::{Report, Row, Verdict};

use cases::Bench;

/// How large and long the cases are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scale {
    /// The sizes of the promise (1 GiB, 10 GB, 10,000 runs), not smaller ones.
    pub full: bool,
}

/// Judges one engine by these cases.
///
/// # Errors
/// When the judge itself can't work. An engine that fails is a verdict.
pub async fn examine(
    stage: &Stage,
    subject: &Subject,
    cases: &[Case],
    scale: Scale,
) -> io::Result<Report> {
    let mut report = Report::new(&subject.name);
    let bench = Bench::new(stage, subject, scale);
    report.hello = bench.hello().await;
    for case in cases {
        let began = tokio::time::Instant::now();
        let rows = case.judge(&bench).await;
        stage.end_all();
        report.add(case, rows, began.elapsed());
    }
    Ok(report)
}
