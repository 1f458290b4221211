//! E7: what uses too much is stopped, and the verdict names the limit.

use reversecore_exec::{Command, Limit, Limits, Outcome, Scratch};
use reversecore_testkit::processes;

use crate::support::{
    again_as_ordinary_user, assert_gone, every_rung, hostile, mark, milliseconds,
};

const MIB: u64 = 1 << 20;

fn bounded() -> Limits {
    Limits {
        timeout: milliseconds(60_000),
        grace: milliseconds(50),
        memory: 96 * MIB,
        processes: 24,
        open_files: 64,
        file_size: 4 * MIB,
        scratch_bytes: 16 * MIB,
        scratch_files: 300,
        ..Limits::default()
    }
}

#[tokio::test]
async fn e7_the_verdict_names_the_limit() {
    let one_second = Limits {
        cpu: Some(milliseconds(1000)),
        ..bounded()
    };
    // Small files only: their number is the limit here, not their size.
    let cases: [(&[&str], Limits, Limit); 6] = [
        (&["memory-bomb"], bounded(), Limit::Memory),
        (&["fork-bomb"], bounded(), Limit::Processes),
        (&["spin"], one_second, Limit::CpuTime),
        (&["fd-hoard"], bounded(), Limit::OpenFiles),
        (&["file-big"], bounded(), Limit::FileSize),
        (&["file-flood"], bounded(), Limit::Scratch),
    ];
    for (rung, engine) in every_rung(|_| {}).await {
        for (arguments, limits, expected) in &cases {
            let mark = mark();
            let command = hostile(arguments)
                .arg(&mark)
                .limits(limits.clone())
                .scratch(Scratch::Private);
            let finished = engine.run(command).await;
            assert_eq!(
                finished.outcome,
                Outcome::LimitExceeded(*expected),
                "{rung} {arguments:?} {finished:?}"
            );
            assert_gone(&mark, arguments[0]);
        }
    }
    again_as_ordinary_user("limits::e7_the_verdict_names_the_limit");
}

#[tokio::test]
async fn memory_of_all_processes_counts_together() {
    for (rung, engine) in every_rung(|_| {}).await {
        // Each of them is below the limit.
        let program = reversecore_testkit::fixture("hostile");
        let script = format!(
            "for n in 1 2 3 4 5; do {} memory-hold {} & done; wait",
            program.display(),
            40 * MIB
        );
        let command = Command::new("/bin/sh")
            .args(["-c", &script])
            .readable(program)
            .limits(bounded());
        let finished = engine.run(command).await;
        assert_eq!(
            finished.outcome,
            Outcome::LimitExceeded(Limit::Memory),
            "{rung} {finished:?}"
        );
    }
}

#[tokio::test]
async fn what_stays_below_its_limits_is_let_alone() {
    for (rung, engine) in every_rung(|_| {}).await {
        for arguments in [
            &["memory", "33554432"][..],
            &["drip", "10", "20"],
            &["dir-deep", "20"],
        ] {
            let command = hostile(arguments)
                .limits(bounded())
                .scratch(Scratch::Private);
            let finished = engine.run(command).await;
            assert_eq!(
                finished.outcome,
                Outcome::Exited(0),
                "{rung} {arguments:?} {finished:?}"
            );
        }
    }
}

#[tokio::test]
async fn usage_is_measured() {
    for (rung, engine) in every_rung(|_| {}).await {
        let finished = engine.run(hostile(&["memory", "67108864"])).await;
        let peak = finished.usage.peak_rss;
        assert!((64 * MIB..96 * MIB).contains(&peak), "{rung}: {peak}");
        let limits = Limits {
            cpu: Some(milliseconds(1000)),
            ..bounded()
        };
        let usage = engine.run(hostile(&["spin"]).limits(limits)).await.usage;
        let cpu = usage.user + usage.system;
        assert!(
            // The limit is checked at ticks, the usage is exact.
            cpu >= milliseconds(900) && cpu < milliseconds(2500),
            "{rung}: {usage:?}"
        );
        assert!(usage.wall >= cpu / 2, "{rung}: {usage:?}");
    }
}

#[tokio::test]
async fn limits_are_set_for_the_program() {
    for (rung, engine) in every_rung(|_| {}).await {
        let lines = engine
            .lines(hostile(&["print-limits"]).limits(bounded()))
            .await;
        for expected in ["CORE 0 0", "NOFILE 64 64", "FSIZE 4194304 4194304"] {
            assert!(
                lines.iter().any(|line| line == expected),
                "{rung} {lines:?}"
            );
        }
        assert!(processes::alive(std::process::id()));
    }
}
