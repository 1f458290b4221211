//! E1, E2, E9: what becomes of the output.

use std::sync::OnceLock;
use std::time::Duration;

use reversecore_testkit::{awkward, pattern};
use sha2::{Digest, Sha256};

use super::{Bench, describe};
use crate::judge::driver::{Answer, Driver};
use crate::judge::verdict::Verdict;
use crate::judge::watch;
use crate::protocol::{Ending, Run, Stream};

const MIB: u64 = 1 << 20;
/// More memory than this on top of what a small run needed grows with the output.
const FLAT: u64 = 32 * MIB;
/// Slower than this many bytes a second is a stall.
const SLOWEST: u64 = 20 * MIB;
/// What is spilled to a file.
const SPILLED: u64 = 64 * MIB;

pub(super) const E1: &[&str] = &["stderr floods, then stdout", "stdout floods, stderr quiet"];

pub(super) async fn e1(bench: &Bench<'_>) -> Result<Vec<Verdict>, String> {
    let bytes = if bench.scale.full {
        1024 * MIB
    } else {
        256 * MIB
    };
    let flood = bytes.to_string();
    let mut verdicts = Vec::new();
    for (args, out, err) in [
        // The last byte is on the other stream: who reads only that never sees it.
        (["flood-both", "1", flood.as_str()], 1, bytes),
        (["flood", "stdout", flood.as_str()], bytes, 0),
    ] {
        let (driver, _) = bench.driver().await?;
        let (faults, took) = flood_through(bench, &driver, &args, (out, err), |_| {}).await;
        verdicts.push(Verdict::unless(&faults).with(|| rate(bytes, took)));
    }
    Ok(verdicts)
}

pub(super) const E2: &[&str] = &[
    "head, tail, size and SHA-256",
    "memory flat",
    "spilled to a file",
];

pub(super) async fn e2(bench: &Bench<'_>) -> Result<Vec<Verdict>, String> {
    let bytes = if bench.scale.full {
        10_000_000_000
    } else {
        1024 * MIB
    };
    let (driver, _) = bench.driver().await?;
    let args = ["flood", "stdout", &bytes.to_string()];
    let (faults, took) = flood_through(bench, &driver, &args, (bytes, 0), |_| {}).await;
    let (memory, content): (Vec<_>, Vec<_>) = faults
        .into_iter()
        .partition(|fault| fault.starts_with("memory"));
    let mut verdicts = vec![Verdict::unless(&content).with(|| rate(bytes, took))];
    // Nothing is known of memory when the output never came.
    verdicts.push(match (memory.is_empty(), content.is_empty()) {
        (true, false) => Verdict::Misses("see above".to_owned()),
        _ => Verdict::unless(&memory),
    });

    let file = driver.directory().join("spilled");
    let spill = |run: &mut Run| run.spill = Some(file.to_string_lossy().into_owned());
    let args = ["flood", "stdout", &SPILLED.to_string()];
    let (mut faults, _) = flood_through(bench, &driver, &args, (SPILLED, 0), spill).await;
    match std::fs::read(&file) {
        Ok(data) if Sha256::digest(&data).as_slice() == pattern::sha256(SPILLED) => {}
        Ok(data) => faults.push(format!("the file has {} other bytes", data.len())),
        Err(error) => faults.push(format!("there is no file: {error}")),
    }
    verdicts.push(Verdict::unless(&faults));
    Ok(verdicts)
}

pub(super) const E9: &[&str] = &["text right, lossy only where the bytes are"];

pub(super) async fn e9(bench: &Bench<'_>) -> Result<Vec<Verdict>, String> {
    let (driver, _) = bench.driver().await?;
    let run = Run {
        text: true,
        ..bench.hostile(&["bytes"])
    };
    let answer = driver.run(run, super::PATIENCE).await?;
    let text = answer.ended.stdout.text.as_deref();
    let fault = (text != Some(awkward::AS_TEXT)).then(|| match text {
        Some(text) => format!("{text:?}"),
        None => describe(&answer),
    });
    Ok(vec![Verdict::unless(&Vec::from_iter(fault))])
}

/// Runs it after a small one and compares all that can be known of its output;
/// gives what is wrong.
async fn flood_through(
    bench: &Bench<'_>,
    driver: &Driver,
    args: &[&str],
    (out, err): (u64, u64),
    adjust: impl FnOnce(&mut Run),
) -> (Vec<String>, Duration) {
    let small = driver
        .run(
            bench.hostile(&["flood-both", "100000", "100000"]),
            super::PATIENCE,
        )
        .await;
    if let Err(fault) = small {
        return (vec![format!("a small run: {fault}")], Duration::ZERO);
    }
    let before = watch::memory(driver.pid(), &[]);
    let (mut run, mark) = bench.marked(args);
    run.timeout_ms = 5000 + 1000 * (out + err) / SLOWEST;
    adjust(&mut run);
    let marks = [mark];
    let (most, result) =
        watch::most_memory(driver.pid(), &marks, driver.run(run, super::PATIENCE)).await;
    let answer = match result {
        Ok(answer) => answer,
        Err(fault) => return (vec![fault], Duration::ZERO),
    };
    let mut faults = output_faults(&answer, out, err);
    let growth = most.saturating_sub(before);
    if growth > FLAT {
        let of = (out + err) / MIB;
        faults.push(format!(
            "memory grew by {} MiB for {of} MiB of output",
            growth / MIB
        ));
    }
    (faults, answer.took)
}

fn output_faults(answer: &Answer, out: u64, err: u64) -> Vec<String> {
    let ended = &answer.ended;
    let mut faults = Vec::new();
    if ended.ending != Ending::Exited || ended.code != Some(0) {
        faults.push(describe(answer));
    }
    for (name, stream, bytes) in [
        ("stdout", &ended.stdout, out),
        ("stderr", &ended.stderr, err),
    ] {
        faults.extend(stream_fault(stream, bytes).map(|fault| format!("{name}: {fault}")));
    }
    faults
}

fn stream_fault(stream: &Stream, bytes: u64) -> Option<String> {
    let kept = bytes.min(4096);
    let head = pattern::slice(0, kept as usize);
    let rest = (bytes - kept).min(4096);
    let tail = pattern::slice(bytes - rest, rest as usize);
    if stream.bytes != bytes {
        Some(format!("{} bytes of {bytes}", stream.bytes))
    } else if stream.sha256 != hash_of(bytes) {
        Some("another SHA-256".to_owned())
    } else if stream.head != hex(&head) {
        Some("another head".to_owned())
    } else if stream.tail != hex(&tail) {
        Some("another tail".to_owned())
    } else {
        None
    }
}

/// SHA-256 of so much of the pattern; large ones are computed once.
fn hash_of(bytes: u64) -> String {
    static KNOWN: OnceLock<std::sync::Mutex<Vec<(u64, String)>>> = OnceLock::new();
    let mut known = KNOWN
        .get_or_init(Default::default)
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, hash)) = known.iter().find(|(of, _)| *of == bytes) {
        return hash.clone();
    }
    let hash = hex(&pattern::sha256(bytes));
    known.push((bytes, hash.clone()));
    hash
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn rate(bytes: u64, took: Duration) -> String {
    let rate = bytes as f64 / MIB as f64 / took.as_secs_f64().max(0.001);
    format!("{rate:.0} MiB/s")
}
