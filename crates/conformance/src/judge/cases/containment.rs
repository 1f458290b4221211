//! E3, E4, E5: who is alive afterwards.

use std::time::Duration;

use futures_util::future::join_all;
use reversecore_testkit::processes;
use tokio::time::{Instant, sleep_until};

use super::{Bench, PATIENCE, describe, is_root, offers};
use crate::judge::driver::Driver;
use crate::judge::verdict::Verdict;
use crate::judge::watch;
use crate::protocol::{Ending, Offer, Run};

/// Nobody may be alive so long after the end.
const AFTERWARDS: Duration = Duration::from_secs(1);
/// For a program to have started all its descendants.
const SETTLED: Duration = Duration::from_secs(8);
/// When E3's runs end.
const END_MS: u64 = 2000;
/// How long a result may wait for a pipe that somebody else holds.
const HELD: Duration = Duration::from_millis(200);

/// The descendants of the hostile program, and how many processes that makes.
const FAMILIES: [(&str, usize); 7] = [
    ("child", 2),
    ("grandchild", 3),
    ("double-fork", 2),
    ("setsid", 2),
    ("setsid-ignore-term", 2),
    ("daemon", 2),
    ("daemon-keep", 2),
];

pub(super) const E3: &[&str] = &[
    "timeout",
    "cancel",
    "drop of the future",
    "timeout, as an ordinary user",
    "cancel, as an ordinary user",
    "drop, as an ordinary user",
];

type Adjust = fn(&mut Run);

const ENDS: [(Adjust, Ending); 3] = [
    (|run| run.timeout_ms = END_MS, Ending::TimedOut),
    (|run| run.cancel_after_ms = Some(END_MS), Ending::Cancelled),
    (|run| run.drop_after_ms = Some(END_MS), Ending::Dropped),
];

pub(super) async fn e3(bench: &Bench<'_>) -> Result<Vec<Verdict>, String> {
    let mut verdicts = Vec::new();
    for as_user in [false, true] {
        if as_user && !is_root() {
            verdicts.extend(vec![only_user(); ENDS.len()]);
            continue;
        }
        match bench.driver_with(&[], as_user).await {
            Ok((driver, _)) => {
                for (adjust, ending) in ENDS {
                    verdicts.push(families_end(bench, &driver, adjust, ending).await);
                }
            }
            Err(fault) => verdicts.extend(vec![Verdict::Misses(fault); ENDS.len()]),
        }
    }
    Ok(verdicts)
}

/// Runs all families side by side, and looks for each a second after its end.
async fn families_end(
    bench: &Bench<'_>,
    driver: &Driver,
    adjust: Adjust,
    ending: Ending,
) -> Verdict {
    let runs = FAMILIES.map(|(family, _)| {
        let (mut run, mark) = bench.marked(&["grandchild", family]);
        adjust(&mut run);
        (run, mark)
    });
    let wanted: Vec<(&str, usize)> = runs
        .iter()
        .zip(FAMILIES)
        .map(|((_, mark), (_, size))| (mark.as_str(), size))
        .collect();
    let ends = runs.iter().map(|(run, mark)| async move {
        let answer = driver.run(run.clone(), PATIENCE).await;
        let fault = match answer {
            Ok(answer) => {
                sleep_until(answer.at + AFTERWARDS).await;
                (answer.ended.ending != ending).then(|| describe(&answer))
            }
            Err(fault) => Some(fault),
        };
        let alive = processes::marked(mark).len();
        watch::end(mark);
        (alive, fault)
    });
    let came = watch::appear(&wanted, Duration::from_millis(END_MS));
    let (ended, came) = tokio::join!(join_all(ends), came);
    let faults: Vec<String> = FAMILIES
        .into_iter()
        .zip(ended.into_iter().zip(came))
        .filter_map(|((family, size), ((alive, fault), came))| {
            if alive > 0 {
                Some(format!("{family}: {alive} of {size} alive"))
            } else if !came {
                Some(format!("{family}: it never had its {size} processes"))
            } else {
                fault.map(|fault| format!("{family}: {fault}"))
            }
        })
        .collect();
    Verdict::unless(&faults)
}

pub(super) const E4: &[&str] = &["SIGKILL of the server", "the same, as an ordinary user"];

pub(super) async fn e4(bench: &Bench<'_>) -> Result<Vec<Verdict>, String> {
    let mut verdicts = Vec::new();
    for as_user in [false, true] {
        verdicts.push(if as_user && !is_root() {
            only_user()
        } else {
            killed_server(bench, as_user)
                .await
                .unwrap_or_else(Verdict::Misses)
        });
    }
    Ok(verdicts)
}

async fn killed_server(bench: &Bench<'_>, as_user: bool) -> Result<Verdict, String> {
    let (mut driver, _) = bench.driver_with(&[], as_user).await?;
    let runs: Vec<_> = FAMILIES
        .iter()
        .map(|(family, size)| {
            let (mut run, mark) = bench.marked(&["grandchild", family]);
            run.timeout_ms = 60_000;
            (run, mark, *family, *size)
        })
        .collect();
    let missing = {
        let started = join_all(
            runs.iter()
                .map(|(run, ..)| driver.run(run.clone(), PATIENCE)),
        );
        let wanted: Vec<(&str, usize)> = runs
            .iter()
            .map(|(_, mark, _, size)| (mark.as_str(), *size))
            .collect();
        let settled = watch::appear(&wanted, SETTLED);
        tokio::select! {
            answers = started => return Err(format!("it ended too early: {answers:?}")),
            came = settled => came.iter().filter(|came| !**came).count(),
        }
    };
    if missing > 0 {
        return Err(format!("{missing} programs never had all their processes"));
    }
    driver.kill().await;
    sleep_until(Instant::now() + AFTERWARDS).await;
    let faults: Vec<String> = runs
        .iter()
        .filter_map(|(_, mark, family, size)| {
            let alive = processes::marked(mark).len();
            (alive > 0).then(|| format!("{family}: {alive} of {size} alive"))
        })
        .collect();
    Ok(Verdict::unless(&faults))
}

pub(super) const E5: &[&str] = &[
    "result within 200 ms of the program's end",
    "says that something was left",
    "nothing is left",
];

pub(super) async fn e5(bench: &Bench<'_>) -> Result<Vec<Verdict>, String> {
    let (driver, hello) = bench.driver().await?;
    // What a run costs that leaves nothing is no delay.
    let mut plain = Duration::MAX;
    for _ in 0..5 {
        let answer = driver.run(bench.hostile(&["exit", "0"]), PATIENCE).await?;
        plain = plain.min(answer.took);
    }
    let mut quickest = Duration::MAX;
    let (mut faults, mut silent, mut left) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        let (mut run, mark) = bench.marked(&["leak-pipe"]);
        run.timeout_ms = 2000;
        match driver.run(run, PATIENCE).await {
            Ok(answer) => {
                quickest = quickest.min(answer.took);
                if answer.ended.ending != Ending::Exited {
                    faults.push(describe(&answer));
                }
                if answer.ended.leftovers != Some(1) {
                    silent.push(format!("leftovers: {:?}", answer.ended.leftovers));
                }
                sleep_until(answer.at + AFTERWARDS).await;
            }
            Err(fault) => faults.push(fault),
        }
        let alive = processes::marked(&mark).len();
        if alive > 0 {
            left.push(format!("{alive} alive"));
        }
        watch::end(&mark);
    }
    faults.truncate(1);
    silent.truncate(1);
    left.truncate(1);
    if faults.is_empty() && quickest > plain + HELD {
        let (least, plain) = (quickest.as_millis(), plain.as_millis());
        faults.push(format!(
            "{least} ms at best, where a plain run takes {plain} ms"
        ));
    }
    let says = if offers(&hello, Offer::Leftovers) {
        Verdict::unless(&silent)
    } else {
        Verdict::NotOffered
    };
    let delay = quickest.saturating_sub(plain).as_millis();
    Ok(vec![
        Verdict::unless(&faults).with(|| format!("{delay} ms")),
        says,
        Verdict::unless(&left),
    ])
}

fn only_user() -> Verdict {
    Verdict::Skipped("the judge is an ordinary user already".to_owned())
}
