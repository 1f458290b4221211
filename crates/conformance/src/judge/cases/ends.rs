//! E6, E11, E12: how a run ends, however stubborn the program and whatever the
//! moment.

use std::time::Duration;

use futures_util::future::join_all;
use reversecore_testkit::processes;
use tokio::time::sleep;

use super::{Bench, PATIENCE, describe, offers};
use crate::judge::driver::{Answer, Driver};
use crate::judge::verdict::Verdict;
use crate::judge::watch;
use crate::protocol::{Ending, Offer, Run};

/// What a busy machine may add to a moment that was asked for.
const SLACK: Duration = Duration::from_millis(1000);
/// What is not promised to be gone when the result is there may take so long.
const AFTERWARDS: Duration = Duration::from_secs(1);

const TIMEOUT_MS: u64 = 500;
const GRACE_MS: u64 = 300;

pub(super) const E6: &[&str] = &[
    "ignores SIGTERM",
    "stopped by SIGSTOP",
    "never reads its input",
    "asked to end before it is killed",
];

pub(super) async fn e6(bench: &Bench<'_>) -> Result<Vec<Verdict>, String> {
    let (driver, hello) = bench.driver().await?;
    let stubborn = ["ignore-term", "stop-self", "never-reads"].map(async |what| {
        let (mut run, mark) = bench.marked(&[what]);
        (run.timeout_ms, run.grace_ms) = (TIMEOUT_MS, GRACE_MS);
        // More than a pipe holds, so that a write waits for a reader.
        run.stdin_bytes = (what == "never-reads").then_some(10 << 20);
        let earliest = Duration::from_millis(TIMEOUT_MS);
        let latest = earliest + Duration::from_millis(GRACE_MS) + SLACK;
        ends(&driver, run, &mark, Ending::TimedOut, earliest..latest).await
    });
    let mut verdicts = join_all(stubborn).await;
    verdicts.push(if offers(&hello, Offer::Grace) {
        let (mut run, _) = bench.marked(&["on-term", "7"]);
        (run.timeout_ms, run.grace_ms) = (1000, 5000);
        let answer = driver.run(run, PATIENCE).await?;
        let said = text_of(&answer.ended.stdout.head);
        let asked = said == "ready\nterminated\n" && answer.took < Duration::from_millis(5000);
        let fault = (!asked).then(|| format!("it said {said:?}; {}", describe(&answer)));
        Verdict::unless(&Vec::from_iter(fault))
    } else {
        Verdict::NotOffered
    });
    Ok(verdicts)
}

pub(super) const E11: &[&str] = &["queued", "spawning", "running", "draining"];

pub(super) async fn e11(bench: &Bench<'_>) -> Result<Vec<Verdict>, String> {
    let (driver, hello) = bench.driver().await?;
    let mut verdicts = vec![if offers(&hello, Offer::Queue) {
        cancelled_while_queued(bench).await?
    } else {
        Verdict::NotOffered
    }];
    let spawning = join_all((0..60).map(async |number| {
        let (mut run, mark) = bench.marked(&["hang"]);
        run.cancel_after_ms = Some(number / 6);
        let latest = Duration::from_millis(run.grace_ms) + SLACK;
        ends(
            &driver,
            run,
            &mark,
            Ending::Cancelled,
            Duration::ZERO..latest,
        )
        .await
    }));
    let faults: Vec<String> = spawning
        .await
        .into_iter()
        .filter_map(|verdict| match verdict {
            Verdict::Misses(fault) => Some(fault),
            Verdict::Holds(_) | Verdict::NotOffered | Verdict::Skipped(_) => None,
        })
        .collect();
    let one = faults
        .first()
        .map(|fault| format!("{} of 60: {fault}", faults.len()));
    verdicts.push(Verdict::unless(&Vec::from_iter(one)));

    let later = [&["hang"][..], &["flood", "stdout", "100000000000"]].map(async |args| {
        let (mut run, mark) = bench.marked(args);
        run.cancel_after_ms = Some(300);
        let earliest = Duration::from_millis(300);
        let latest = earliest + Duration::from_millis(run.grace_ms) + SLACK;
        ends(&driver, run, &mark, Ending::Cancelled, earliest..latest).await
    });
    verdicts.extend(join_all(later).await);

    // A second outcome of any of them would be here by now.
    sleep(Duration::from_millis(200)).await;
    let surplus = driver.surplus();
    if !surplus.is_empty() {
        verdicts.truncate(1);
        verdicts.extend(vec![Verdict::unless(&surplus); 3]);
    }
    Ok(verdicts)
}

/// With room for one run, a second is cancelled before it is its turn.
async fn cancelled_while_queued(bench: &Bench<'_>) -> Result<Verdict, String> {
    let (driver, _) = bench.driver_with(&["--in-flight", "1"], false).await?;
    let (mut first, first_mark) = bench.marked(&["hang"]);
    first.timeout_ms = 2000;
    let (mut second, second_mark) = bench.marked(&["hang"]);
    second.cancel_after_ms = Some(300);
    let cancelled = async {
        let began = watch::appear(&[(&first_mark, 1)], PATIENCE).await == [true];
        let answer = driver.run(second, PATIENCE).await;
        (began, answer, processes::marked(&first_mark).len())
    };
    let second_one = [(second_mark.as_str(), 1)];
    let started = watch::appear(&second_one, Duration::from_millis(1500));
    let (first, (began, answer, still), started) =
        tokio::join!(driver.run(first, PATIENCE), cancelled, started);
    let (first, answer) = (first?, answer?);
    let mut faults = Vec::new();
    if first.ended.ending != Ending::TimedOut || !began || still != 1 {
        faults.push(format!("the first run was disturbed: {}", describe(&first)));
    }
    if answer.ended.ending != Ending::Cancelled || answer.took > Duration::from_millis(300) + SLACK
    {
        faults.push(describe(&answer));
    }
    if started == [true] {
        faults.push("it was started".to_owned());
    }
    faults.extend(driver.surplus());
    Ok(Verdict::unless(&faults))
}

pub(super) const E12: &[&str] = &["silence has its own verdict", "slow is not silent"];

pub(super) async fn e12(bench: &Bench<'_>) -> Result<Vec<Verdict>, String> {
    const IDLE_MS: u64 = 1000;
    let (driver, hello) = bench.driver().await?;
    if !offers(&hello, Offer::Idle) {
        return Ok(vec![Verdict::NotOffered; 2]);
    }
    let idle = |args: &[&str]| {
        let (mut run, mark) = bench.marked(args);
        run.idle_ms = Some(IDLE_MS);
        (run, mark)
    };
    let (silent, silent_mark) = idle(&["silent-after", "5000"]);
    // Longer than the limit in all: 60 bytes, one every 25 ms.
    let (slow, slow_mark) = idle(&["drip", "60", "25"]);
    let earliest = Duration::from_millis(IDLE_MS);
    let latest = earliest + Duration::from_millis(silent.grace_ms) + SLACK;
    let (silent, slow) = tokio::join!(
        ends(
            &driver,
            silent,
            &silent_mark,
            Ending::Idle,
            earliest..latest
        ),
        ends(
            &driver,
            slow,
            &slow_mark,
            Ending::Exited,
            earliest..Duration::from_secs(10)
        )
    );
    Ok(vec![silent, slow])
}

/// Whether a run ends so, then, and entirely.
async fn ends(
    driver: &Driver,
    run: Run,
    mark: &str,
    ending: Ending,
    when: std::ops::Range<Duration>,
) -> Verdict {
    let answer: Result<Answer, String> = driver.run(run, PATIENCE).await;
    let mut faults = Vec::new();
    match answer {
        Ok(answer) => {
            if answer.ended.ending != ending || !when.contains(&answer.took) {
                faults.push(describe(&answer));
            }
            tokio::time::sleep_until(answer.at + AFTERWARDS).await;
        }
        Err(fault) => faults.push(fault),
    }
    let alive = processes::marked(mark).len();
    if alive > 0 {
        faults.push(format!("{alive} alive a second later"));
    }
    watch::end(mark);
    Verdict::unless(&faults)
}

/// Hexadecimal to text; what is none is left out.
fn text_of(hex: &str) -> String {
    let digits: Vec<u8> = hex.bytes().collect();
    digits
        .chunks(2)
        .filter_map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok().map(char::from)
        })
        .collect()
}
