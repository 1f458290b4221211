//! What a person sees while a scan runs: one line on the standard error, and nothing
//! where that is no terminal.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reversecore_batch::Progress;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::output::visible;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(100);
/// Characters of the name of a file that is in work.
const LONGEST: usize = 28;
/// Such names.
const NAMES: usize = 2;
const STYLE: &str =
    "{spinner} {pos}/{len} files [{bar:24}] {per_sec} · {elapsed} · {eta} left · {wide_msg}";

/// The line.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// Shows it, and keeps it up to date until the task is aborted.
    pub(super) fn show(progress: watch::Receiver<Progress>, tasks: &mut JoinSet<()>) -> Self {
        let bar = ProgressBar::new(0);
        // A template that is wrong leaves the plain one.
        if let Ok(style) = ProgressStyle::with_template(STYLE) {
            bar.set_style(style.progress_chars("━━╌"));
        }
        let shown = bar.clone();
        tasks.spawn(async move {
            let mut ticks = tokio::time::interval(EVERY);
            let mut begun = false;
            loop {
                ticks.tick().await;
                let (ended, total, message) = {
                    let progress = progress.borrow();
                    let tally = &progress.tally;
                    (tally.ended(), tally.total, message(&progress))
                };
                if !begun && total > 0 {
                    // What was done before is no part of the rate.
                    shown.set_position(ended);
                    shown.reset_eta();
                    begun = true;
                }
                shown.set_length(total);
                shown.set_position(ended);
                shown.set_message(message);
                shown.tick();
            }
        });
        Self { bar }
    }

    /// Takes it away.
    pub(super) fn clear(self) {
        self.bar.finish_and_clear();
    }
}

fn message(progress: &Progress) -> String {
    let mut text = String::new();
    let tally = &progress.tally;
    let found = tally.with_findings();
    // Writing to a String can't fail.
    write!(text, "{found} with findings").ok();
    if tally.failed + tally.poison > 0 {
        write!(text, ", {} not examined", tally.failed + tally.poison).ok();
    }
    if !progress.listed {
        text.push_str(", still looking for files");
    }
    for path in progress.running.iter().take(NAMES) {
        let name = path.rsplit('/').next().unwrap_or(path);
        let short: String = visible(name).chars().take(LONGEST).collect();
        write!(text, " · {short}").ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_found_and_what_is_in_work() {
        let mut progress = Progress::default();
        progress.tally.high = 2;
        progress.tally.failed = 1;
        progress.running = vec!["/a/b\u{1b}[31m".to_owned()];
        assert_eq!(
            message(&progress),
            "2 with findings, 1 not examined, still looking for files · b\\u{1b}[31m"
        );
    }
}
