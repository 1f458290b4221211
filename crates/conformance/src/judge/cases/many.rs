//! E10: many short runs leave nothing behind.

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use reversecore_testkit::processes;
use tokio::time::Instant;

use super::{Bench, PATIENCE, describe, offers};
use crate::judge::driver::Driver;
use crate::judge::verdict::Verdict;
use crate::judge::watch;
use crate::protocol::{Ending, Offer, Run};

const IN_FLIGHT: usize = 16;
/// Before the first count, so that what is made once is not taken for a leak.
const WARM_UP: usize = 100;
/// What is closed or reaped a moment after a reply is not leaked.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) const E10: &[&str] = &["all end well", "no zombie", "no descriptor", "no directory"];

pub(super) async fn e10(bench: &Bench<'_>) -> Result<Vec<Verdict>, String> {
    let (driver, hello) = bench.driver().await?;
    let count = if bench.scale.full { 10_000 } else { 2000 };
    let run = Run {
        scratch: offers(&hello, Offer::Scratch),
        timeout_ms: 30_000,
        ..bench.hostile(&["exit", "0"])
    };
    runs(&driver, &run, WARM_UP).await;
    let before = Left::of(&driver);
    let began = Instant::now();
    let mut faults = runs(&driver, &run, count).await;
    let rate = count as f64 / began.elapsed().as_secs_f64();
    let failed = faults.len();
    faults.truncate(1);
    let all = faults
        .first()
        .map(|fault| format!("{failed} did not: {fault}"));

    let deadline = Instant::now() + SETTLE;
    let mut after = Left::of(&driver);
    while after.exceeds(&before) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
        after = Left::of(&driver);
    }
    let more = |what: &str, before: usize, after: usize| {
        let fault = (after > before).then(|| format!("{after} {what}, {before} before"));
        Verdict::unless(&Vec::from_iter(fault))
    };
    Ok(vec![
        Verdict::unless(&Vec::from_iter(all)).with(|| format!("{rate:.0}/s")),
        more("zombies", before.zombies, after.zombies),
        more("descriptors", before.descriptors, after.descriptors),
        more("entries", before.entries, after.entries),
    ])
}

/// Runs it so often; what went wrong.
async fn runs(driver: &Driver, run: &Run, count: usize) -> Vec<String> {
    stream::iter(0..count)
        .map(|_| driver.run(run.clone(), PATIENCE))
        .buffer_unordered(IN_FLIGHT)
        .filter_map(async |answer| match answer {
            Ok(answer) if answer.ended.ending == Ending::Exited => None,
            Ok(answer) => Some(describe(&answer)),
            Err(fault) => Some(fault),
        })
        .collect()
        .await
}

/// What there is at a moment, of the driver and everything below it.
struct Left {
    zombies: usize,
    descriptors: usize,
    entries: usize,
}

impl Left {
    fn of(driver: &Driver) -> Self {
        let tree = watch::tree(driver.pid());
        let zombie = |pid: &&u32| processes::state(**pid) == Some('Z');
        Self {
            zombies: tree.iter().filter(zombie).count(),
            descriptors: tree
                .iter()
                .filter_map(|pid| processes::open_descriptors(*pid))
                .sum(),
            entries: entries(driver.directory()),
        }
    }

    fn exceeds(&self, before: &Self) -> bool {
        self.zombies > before.zombies
            || self.descriptors > before.descriptors
            || self.entries > before.entries
    }
}

/// Files and directories below it, whatever of them can be read.
fn entries(directory: &Path) -> usize {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| {
            let below = entry.file_type().is_ok_and(|kind| kind.is_dir());
            1 + if below { entries(&entry.path()) } else { 0 }
        })
        .sum()
}
