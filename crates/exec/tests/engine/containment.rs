//! E3, E4, E5, E10: whatever a program starts is gone when the run is over, in
//! whichever way it ends and whoever dies first.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use reversecore_exec::{
    Containment, Engine, EngineConfig, Event, Outcome, Running, SandboxMode, Scratch,
};
use reversecore_testkit::processes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::{
    TestEngine, again_as_ordinary_user, assert_gone, every_rung, hostile, in_flight, launcher,
    mark, milliseconds, times,
};

const MODES: [&str; 7] = [
    "child",
    "grandchild",
    "double-fork",
    "setsid",
    "setsid-ignore-term",
    "daemon",
    "daemon-keep",
];

/// Waits until the fixture has said that its descendants are there.
async fn descendants_are_there(running: &mut Running, mark: &str, mode: &str) {
    loop {
        if let Event::Stdout(_) = running.next().await.unwrap().unwrap() {
            break;
        }
    }
    let alive = processes::marked(mark).len();
    let expected = if mode == "grandchild" { 3 } else { 2 };
    assert!(alive >= expected, "{mode}: {alive} processes");
}

async fn outcome_of(mut running: Running) -> Outcome {
    loop {
        if let Event::Exit(finished) = running.next().await.unwrap().unwrap() {
            return finished.outcome;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e3_no_descendant_survives_timeout_cancel_or_drop() {
    for (rung, engine) in every_rung(|_| {}).await {
        for mode in MODES {
            for way in ["timeout", "cancel", "drop"] {
                let case = format!("{rung} {mode} {way}");
                let (mark, cancel) = (mark(), CancellationToken::new());
                let timeout = if way == "timeout" { 400 } else { 60_000 };
                let limits = times(milliseconds(timeout), milliseconds(50));
                let mut running = engine.engine.stream(
                    hostile(&["grandchild", mode, &mark]).limits(limits),
                    cancel.clone(),
                );
                descendants_are_there(&mut running, &mark, mode).await;
                match way {
                    "timeout" => assert_eq!(
                        outcome_of(running).await,
                        Outcome::TimedOut(milliseconds(timeout)),
                        "{case}"
                    ),
                    "cancel" => {
                        cancel.cancel();
                        assert_eq!(outcome_of(running).await, Outcome::Cancelled, "{case}");
                    }
                    _ => drop(running),
                }
                assert_gone(&mark, &case);
            }
        }
    }
    again_as_ordinary_user("containment::e3_no_descendant_survives_timeout_cancel_or_drop");
}

/// Set in a process that plays the server for [`e4_nothing_survives_the_server`].
const SERVER_VARIABLE: &str = "REVERSECORE_TEST_SERVER";

/// Not a test by itself: a server that holds three runs open until it is killed.
#[tokio::test]
async fn plays_the_server() {
    let Ok(setting) = std::env::var(SERVER_VARIABLE) else {
        return;
    };
    let (rung, rest) = setting.split_once(' ').unwrap();
    let (scratch, mark) = rest.split_once(' ').unwrap();
    let mut config = EngineConfig::new(launcher(), scratch);
    config.containment = Some(match rung {
        "cgroup" => Containment::Cgroup,
        "pid-namespace" => Containment::PidNamespace,
        _ => Containment::Subreaper,
    });
    let engine = Engine::start(config).unwrap();
    let mut runs = Vec::new();
    for mode in ["setsid-ignore-term", "daemon", "daemon-keep"] {
        let command = hostile(&["grandchild", mode, mark]).scratch(Scratch::Private);
        let mut running = engine.stream(command, CancellationToken::new());
        descendants_are_there(&mut running, mark, mode).await;
        runs.push(running);
    }
    println!("\nready");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn e4_nothing_survives_the_server() {
    for (rung, engine) in every_rung(|_| {}).await {
        let mark = mark();
        let scratch = engine.scratch.path().join("of-the-killed");
        let mut server = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["containment::plays_the_server", "--exact", "--nocapture"])
            .env(
                SERVER_VARIABLE,
                format!("{rung} {} {mark}", scratch.display()),
            )
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        assert!(
            lines.map_while(Result::ok).any(|line| line == "ready"),
            "{rung}"
        );
        assert!(processes::marked(&mark).len() >= 6, "{rung}");
        let family = family_of(server.id());
        assert!(family.len() > 2, "{rung}: guard and launcher are there");

        server.kill().unwrap();
        server.wait().unwrap();
        assert_gone(&mark, &rung.to_string());
        // Guard and launcher have ended as well, and tidied up first.
        let family: Vec<u32> = family.into_iter().collect();
        assert_eq!(
            processes::gone_within(&family, milliseconds(1000)),
            Ok(()),
            "{rung}"
        );
        assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "{rung}");
    }
    again_as_ordinary_user("containment::e4_nothing_survives_the_server");
}

/// All descendants of a process.
fn family_of(pid: u32) -> BTreeSet<u32> {
    let mut family = BTreeSet::new();
    let mut todo = processes::children_of(pid);
    while let Some(pid) = todo.pop() {
        if family.insert(pid) {
            todo.extend(processes::children_of(pid));
        }
    }
    family
}

/// The launcher itself killed: where it has a PID namespace, the kernel ends
/// everything; elsewhere supervisors do.
#[tokio::test]
async fn nothing_survives_the_launcher_and_the_next_run_has_a_new_one() {
    let launchers = || {
        let guards = processes::children_of(std::process::id());
        guards.into_iter().flat_map(processes::children_of)
    };
    nothing_survives(|| launchers().collect()).await;
}

/// Nor does the launcher survive its guard: nobody would end it.
#[tokio::test]
async fn nothing_survives_the_guard_and_the_next_run_has_a_new_one() {
    nothing_survives(|| processes::children_of(std::process::id())).await;
}

async fn nothing_survives(victims: impl Fn() -> Vec<u32>) {
    for (rung, engine) in every_rung(|_| {}).await {
        let mark = mark();
        let mut running = engine.engine.stream(
            hostile(&["grandchild", "setsid-ignore-term", &mark]),
            CancellationToken::new(),
        );
        descendants_are_there(&mut running, &mark, "setsid").await;
        let family: Vec<u32> = family_of(std::process::id()).into_iter().collect();
        for pid in victims() {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
        }
        let error = running.next().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("try again"), "{rung}: {error}");
        assert_gone(&mark, &rung.to_string());
        let left = processes::gone_within(&family, milliseconds(1000));
        assert_eq!(left, Ok(()), "{rung}: guard, launcher and supervisors");
        let finished = engine.run(hostile(&["echo", "back"])).await;
        assert_eq!(finished.stdout.text(), "back\n", "{rung}");
    }
}

#[tokio::test]
async fn e5_a_pipe_held_open_delays_nothing_and_is_reported() {
    for (rung, engine) in every_rung(|_| {}).await {
        let mut times_taken = Vec::new();
        for _ in 0..5 {
            let mark = mark();
            let finished = engine.run(hostile(&["leak-pipe", &mark])).await;
            assert_eq!(finished.outcome, Outcome::Exited(0), "{rung}");
            assert_eq!(finished.leftovers.count, 1, "{rung}");
            if rung == Containment::Cgroup {
                assert_eq!(finished.leftovers.names, ["hostile"]);
            }
            assert_gone(&mark, &rung.to_string());
            times_taken.push(finished.usage.wall);
        }
        // The bound is part of what is promised; the median keeps one busy
        // moment of the machine out of it.
        times_taken.sort();
        assert!(
            times_taken[2] < milliseconds(200),
            "{rung}: {times_taken:?}"
        );
    }
    again_as_ordinary_user("containment::e5_a_pipe_held_open_delays_nothing_and_is_reported");
}

#[tokio::test]
async fn programs_that_leave_nothing_have_no_leftovers() {
    for (rung, engine) in every_rung(|_| {}).await {
        let program = reversecore_testkit::fixture("hostile");
        for _ in 0..50 {
            // A child that ended and was waited for is no leftover.
            let command = hostile(&["nested", program.to_str().unwrap(), "exit", "3"])
                .readable(program.clone());
            let finished = engine.run(command).await;
            assert_eq!(finished.outcome, Outcome::Exited(3), "{rung}");
            assert!(!finished.leftovers.any(), "{rung}: {finished:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e10_ten_thousand_runs_leave_no_trace() {
    const RUNS: usize = 10_000;
    let engine = TestEngine::start(|config| config.max_in_flight = in_flight(16));
    // Whatever is opened once is open after this.
    for _ in 0..32 {
        assert!(engine.run(hostile(&["exit", "0"])).await.success());
    }
    let this = std::process::id();
    let launcher = *family_of(this).last().unwrap();
    let before = (
        processes::open_descriptors(this),
        processes::open_descriptors(launcher),
    );

    let mut runs = tokio::task::JoinSet::new();
    for number in 0..RUNS {
        let engine = engine.engine.clone();
        runs.spawn(async move {
            let scratch = if number % 10 == 0 {
                Scratch::Private
            } else {
                Scratch::None
            };
            let command = hostile(&["exit", "0"]).scratch(scratch);
            engine
                .run(command, &CancellationToken::new())
                .await
                .unwrap()
        });
    }
    while let Some(finished) = runs.join_next().await {
        assert!(finished.unwrap().success());
    }

    assert_eq!(processes::zombies_of(this), [0; 0]);
    assert_eq!(processes::zombies_of(launcher), [0; 0]);
    let after = (
        processes::open_descriptors(this),
        processes::open_descriptors(launcher),
    );
    // Idle cgroups keep three descriptors each, and there are at most as many
    // as runs in flight.
    assert_eq!(before.0, after.0);
    assert!(
        after.1 <= before.1.map(|count| count + 16 * 3),
        "{before:?} {after:?}"
    );
    let own = std::fs::read_dir(engine.scratch.path())
        .unwrap()
        .next()
        .unwrap();
    let own = own.unwrap().path();
    // The last ones are removed beside the answers.
    let deadline = Instant::now() + milliseconds(5000);
    while std::fs::read_dir(&own).unwrap().count() > 0 {
        assert!(Instant::now() < deadline, "scratch directories left");
        tokio::time::sleep(milliseconds(5)).await;
    }
}

#[tokio::test]
async fn scratch_directories_are_removed_whatever_is_in_them() {
    // A confined run could not close a directory to others.
    for (rung, engine) in every_rung(|config| config.sandbox = SandboxMode::Off).await {
        let own = engine.scratch.path().to_owned();
        for fill in [&["dir-deep", "60"][..], &["dir-locked"]] {
            let finished = engine.run(hostile(fill).scratch(Scratch::Private)).await;
            assert!(finished.success(), "{rung} {finished:?}");
        }
        // The launcher waits for its helpers before it ends.
        let TestEngine { engine, scratch } = engine;
        drop(engine);
        let deadline = Instant::now() + milliseconds(5000);
        while std::fs::read_dir(&own).unwrap().count() > 0 {
            assert!(Instant::now() < deadline, "{rung}: not removed");
            tokio::time::sleep(milliseconds(5)).await;
        }
        drop(scratch);
    }
    again_as_ordinary_user("containment::scratch_directories_are_removed_whatever_is_in_them");
}
