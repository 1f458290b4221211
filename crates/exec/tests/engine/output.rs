//! E1, E2, E9: whatever a program writes, both streams are drained, memory stays
//! flat, and what is kept is right.

use std::io::{Read, Seek, SeekFrom};

use reversecore_exec::{Command, Event, Input, Keep, Limits, Outcome};
use reversecore_testkit::{awkward, pattern, processes};
use tokio_util::sync::CancellationToken;

use crate::support::{TestEngine, hostile};

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// How much more memory this process may have used at its peak.
const FLAT: u64 = 48 * MIB;

fn peak_memory() -> u64 {
    processes::peak_resident_bytes(std::process::id()).unwrap()
}

#[tokio::test]
async fn e1_a_gibibyte_on_one_stream_while_the_other_is_quiet() {
    let engine = TestEngine::new();
    let expected = pattern::sha256(GIB);
    let before = peak_memory();
    for stream in ["stderr", "stdout"] {
        let finished = engine
            .run(hostile(&["flood", stream, &GIB.to_string()]))
            .await;
        assert!(finished.success(), "{stream}: {finished:?}");
        let (loud, quiet) = if stream == "stdout" {
            (finished.stdout, finished.stderr)
        } else {
            (finished.stderr, finished.stdout)
        };
        assert_eq!((loud.total, quiet.total), (GIB, 0));
        assert_eq!(loud.sha256, expected);
    }
    // All of one stream before the first byte of the other.
    let half = 256 * MIB;
    let finished = engine
        .run(hostile(&[
            "flood-both",
            &half.to_string(),
            &half.to_string(),
        ]))
        .await;
    assert_eq!((finished.stdout.total, finished.stderr.total), (half, half));
    assert!(peak_memory() - before < FLAT, "{before} {}", peak_memory());
}

#[tokio::test]
async fn e2_ten_gigabytes_leave_head_tail_total_and_hash() {
    const TOTAL: u64 = 10_000_000_000;
    let engine = TestEngine::new();
    let before = peak_memory();
    let keep = Keep {
        head: 1000,
        tail: 3000,
        spill: None,
    };
    let finished = engine
        .run(hostile(&["flood", "stdout", &TOTAL.to_string()]).keep_stdout(keep))
        .await;
    assert!(finished.success());
    let stdout = finished.stdout;
    assert_eq!(stdout.total, TOTAL);
    assert_eq!(stdout.head, pattern::slice(0, 1000));
    assert_eq!(stdout.tail, pattern::slice(TOTAL - 3000, 3000));
    assert_eq!(stdout.sha256, pattern::sha256(TOTAL));
    assert!(stdout.truncated());
    assert!(peak_memory() - before < FLAT);
}

#[tokio::test]
async fn e2_everything_goes_to_a_file_when_asked() {
    const TOTAL: u64 = 100_000_000;
    let engine = TestEngine::new();
    let mut file = tempfile::tempfile().unwrap();
    let keep = Keep {
        head: 10,
        tail: 0,
        spill: Some(file.try_clone().unwrap()),
    };
    let finished = engine
        .run(hostile(&["flood", "stdout", &TOTAL.to_string()]).keep_stdout(keep))
        .await;
    assert_eq!(finished.stdout.spill_error, None);
    let mut written = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut written).unwrap();
    assert_eq!(written.len() as u64, TOTAL);
    assert_eq!(written[..1000], pattern::slice(0, 1000));
    assert_eq!(written[99_999_000..], pattern::slice(99_999_000, 1000));
}

#[tokio::test]
async fn e2_a_copy_that_fails_is_reported_and_the_run_goes_on() {
    let engine = TestEngine::new();
    let keep = Keep {
        head: 10,
        tail: 0,
        // Every write to it fails as on a full disk.
        spill: Some(
            std::fs::File::options()
                .write(true)
                .open("/dev/full")
                .unwrap(),
        ),
    };
    let finished = engine
        .run(hostile(&["flood", "stdout", "1000000"]).keep_stdout(keep))
        .await;
    assert!(finished.success());
    assert_eq!(finished.stdout.total, 1_000_000);
    let error = finished.stdout.spill_error.unwrap();
    assert!(error.contains("No space left"), "{error}");
}

#[tokio::test]
async fn e9_text_is_right_where_the_bytes_are() {
    let engine = TestEngine::new();
    let finished = engine.run(hostile(&["bytes"])).await;
    assert_eq!(finished.stdout.head, awkward::bytes());
    assert_eq!(finished.stdout.text(), awkward::AS_TEXT);
}

#[tokio::test]
async fn input_reaches_the_program_and_its_end_too() {
    let engine = TestEngine::new();
    let input = pattern::slice(0, 5_000_000);
    let finished = engine
        .run(
            hostile(&["cat"])
                .stdin(Input::Bytes(input.clone().into()))
                .keep_stdout(Keep::head(1 << 23)),
        )
        .await;
    assert!(finished.success());
    assert_eq!(finished.stdout.head, input);
    assert_eq!(finished.usage.bytes_in, 5_000_000);
    assert_eq!(finished.usage.bytes_out, 5_000_000);

    // Without input, the end is there at once.
    let finished = engine.run(hostile(&["cat"])).await;
    assert!(finished.success());
    assert_eq!(finished.stdout.total, 0);
}

#[tokio::test]
async fn a_handed_file_is_read_by_its_descriptor() {
    let engine = TestEngine::new();
    let mut command = Command::new("/usr/bin/env");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "the content").unwrap();
    let path = command.hand(file.reopen().unwrap());
    assert_eq!(path.to_str(), Some("/proc/self/fd/3"));
    let finished = engine.run(command.arg("cat").arg(path)).await;
    assert_eq!(finished.stdout.text(), "the content");
    // The host's path was not needed, and is not allowed.
    let finished = engine
        .run(hostile(&["try-open", file.path().to_str().unwrap()]))
        .await;
    assert_eq!(finished.stdout.text(), "EACCES\n");
}

#[tokio::test]
async fn events_come_in_order_and_hold_everything() {
    const TOTAL: u64 = 20_000_000;
    let engine = TestEngine::new();
    let mut running = engine.engine.stream(
        hostile(&["flood", "stdout", &TOTAL.to_string()]).keep_stdout(Keep::nothing()),
        CancellationToken::new(),
    );
    let Some(Ok(Event::Started { pid })) = running.next().await else {
        panic!("the start comes first");
    };
    assert!(pid > 0);
    let mut received = 0_u64;
    let finished = loop {
        match running.next().await.unwrap().unwrap() {
            Event::Stdout(chunk) => {
                assert_eq!(chunk, pattern::slice(received, chunk.len()));
                received += chunk.len() as u64;
            }
            Event::Exit(finished) => break finished,
            other @ (Event::Started { .. } | Event::Stderr(_)) => panic!("unexpected: {other:?}"),
        }
    };
    assert_eq!(received, TOTAL);
    assert_eq!(finished.stdout.sha256, pattern::sha256(TOTAL));
    assert!(finished.stdout.head.is_empty());
    assert!(running.next().await.is_none());
}

#[tokio::test]
async fn too_much_output_ends_the_run_when_that_is_a_limit() {
    let engine = TestEngine::new();
    let limits = Limits {
        output: Some(1_000_000),
        ..Limits::default()
    };
    let finished = engine
        .run(hostile(&["flood", "stdout", &(100 * GIB).to_string()]).limits(limits))
        .await;
    assert_eq!(
        finished.outcome,
        Outcome::LimitExceeded(reversecore_exec::Limit::Output)
    );
    assert_eq!(
        finished.stdout.head,
        pattern::slice(0, finished.stdout.head.len())
    );
}

/// The same command through each form gives the same result.
#[test]
fn the_blocking_twin_agrees_with_the_async_call() {
    let command = || hostile(&["flood-both", "300000", "200000"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let engine = TestEngine::new();
    let cancel = CancellationToken::new();
    let expected = runtime.block_on(engine.run(command()));
    assert!(expected.success());
    let check = |finished: reversecore_exec::Finished| {
        assert_eq!(finished.outcome, expected.outcome);
        assert_eq!(finished.stdout, expected.stdout);
        assert_eq!(finished.stderr, expected.stderr);
    };
    // Without a runtime, and on a runtime's own thread.
    check(engine.engine.run_blocking(command(), &cancel).unwrap());
    runtime.block_on(async { check(engine.engine.run_blocking(command(), &cancel).unwrap()) });
}
