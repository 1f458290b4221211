//! E7: what uses too much is stopped, and the verdict names the limit.
//!
//! A limit is tried only where the engine says that it has it, and the judge
//! watches the program all the same.

use std::time::Duration;

use reversecore_testkit::processes;

use super::{Bench, PATIENCE, describe, is_root, offers};
use crate::judge::driver::{Answer, Driver};
use crate::judge::verdict::Verdict;
use crate::judge::watch;
use crate::protocol::{Ending, Hello, Offer, Run};

const MEMORY: u64 = 96 << 20;
const PROCESSES: u32 = 24;
/// Longest time to see a limit; who ends a run only now has not seen it.
const TIMEOUT_MS: u64 = 6000;
/// Nobody may be alive so long after the end.
const AFTERWARDS: Duration = Duration::from_secs(1);
/// Signals by which the kernel itself names a limit.
const SIGXCPU: i32 = 24;
const SIGXFSZ: i32 = 25;

struct Trial {
    args: &'static [&'static str],
    offer: Offer,
    /// Its name in [`Limits`](crate::protocol::Limits).
    name: &'static str,
    signal: Option<i32>,
    set: fn(&mut Run),
}

pub(super) const E7: &[&str] = &[
    "memory bomb",
    "fork bomb",
    "CPU spin",
    "descriptors hoarded",
    "one file without end",
    "files without end",
    "output without end",
];

const TRIALS: [Trial; 7] = [
    Trial {
        args: &["memory-bomb"],
        offer: Offer::Memory,
        name: "memory",
        signal: None,
        set: |run| run.limits.memory = Some(MEMORY),
    },
    Trial {
        // So many processes at most, also where an engine holds nothing.
        args: &["fork-tree", "9"],
        offer: Offer::Processes,
        name: "processes",
        signal: None,
        set: |run| run.limits.processes = Some(PROCESSES),
    },
    Trial {
        args: &["spin"],
        offer: Offer::CpuTime,
        name: "cpu_seconds",
        signal: Some(SIGXCPU),
        set: |run| run.limits.cpu_seconds = Some(1),
    },
    Trial {
        args: &["fd-hoard"],
        offer: Offer::OpenFiles,
        name: "open_files",
        signal: None,
        set: |run| run.limits.open_files = Some(64),
    },
    Trial {
        args: &["file-big"],
        offer: Offer::FileSize,
        name: "file_size",
        signal: Some(SIGXFSZ),
        set: |run| run.limits.file_size = Some(4 << 20),
    },
    Trial {
        args: &["file-flood"],
        offer: Offer::ScratchFiles,
        name: "scratch_files",
        signal: None,
        set: |run| run.limits.scratch_files = Some(300),
    },
    Trial {
        args: &["flood", "stdout", "1000000000000"],
        offer: Offer::Output,
        name: "output",
        signal: None,
        set: |run| run.limits.output = Some(1 << 20),
    },
];

pub(super) async fn e7(bench: &Bench<'_>) -> Result<Vec<Verdict>, String> {
    let (driver, hello) = bench.driver().await?;
    let mut verdicts = Vec::new();
    for trial in &TRIALS {
        verdicts.push(if !offers(&hello, trial.offer) {
            Verdict::NotOffered
        } else if trial.offer == Offer::Processes && is_root() {
            // Nothing holds root's fork bomb when the engine does not.
            match bench.driver_with(&[], true).await {
                Ok((driver, hello)) if offers(&hello, trial.offer) => {
                    tried(bench, trial, &driver, &hello).await
                }
                Ok(_) => Verdict::Skipped(
                    "offered to root only, whose fork bomb nobody stops".to_owned(),
                ),
                Err(fault) => Verdict::Misses(fault),
            }
        } else {
            tried(bench, trial, &driver, &hello).await
        });
    }
    Ok(verdicts)
}

async fn tried(bench: &Bench<'_>, trial: &Trial, driver: &Driver, hello: &Hello) -> Verdict {
    let (mut run, mark) = bench.marked(trial.args);
    run.timeout_ms = TIMEOUT_MS;
    run.scratch = offers(hello, Offer::Scratch);
    (trial.set)(&mut run);
    let run = driver.run(run, PATIENCE);
    let (result, stepped_in) =
        watch::guarded(&mark, 10 * PROCESSES as usize, 10 * MEMORY, run).await;
    let mut faults = Vec::from_iter(match &result {
        Ok(answer) => fault(trial, answer),
        Err(fault) => Some(fault.clone()),
    });
    if let Some(size) = stepped_in {
        faults.push(format!("the judge had to end {size}"));
    }
    tokio::time::sleep(AFTERWARDS).await;
    let alive = processes::marked(&mark).len();
    if alive > 0 {
        faults.push(format!("{alive} alive a second later"));
    }
    watch::end(&mark);
    Verdict::unless(&faults)
}

fn fault(trial: &Trial, answer: &Answer) -> Option<String> {
    let ended = &answer.ended;
    let named = ended.ending == Ending::Limit && ended.limit.as_deref() == Some(trial.name);
    let signalled =
        ended.ending == Ending::Signaled && trial.signal.is_some() && ended.signal == trial.signal;
    (!named && !signalled).then(|| format!("no verdict on it: {}", describe(answer)))
}
