//! E8: a program that can't be started is an error that names it and says what
//! to do; and what a program finds when it is started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use reversecore_exec::{Command, ExecError, SandboxMode, Scratch, SpawnError};
use tokio_util::sync::CancellationToken;

use crate::support::{TestEngine, again_as_ordinary_user, every_rung, hostile};

fn file(directory: &Path, name: &str, content: &[u8], mode: u32) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

async fn spawn_error(engine: &TestEngine, program: &Path) -> SpawnError {
    let result = engine
        .engine
        .run(Command::new(program), &CancellationToken::new())
        .await;
    match result {
        Err(ExecError::Spawn(error)) => {
            let message = error.to_string();
            assert!(message.contains(program.to_str().unwrap()), "{message}");
            assert!(message.contains('('), "a remedy is named: {message}");
            error
        }
        other => panic!("{}: {other:?}", program.display()),
    }
}

#[tokio::test]
async fn e8_programs_that_cannot_be_started() {
    for (rung, engine) in every_rung(|_| {}).await {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str, content: &[u8], mode| file(directory.path(), name, content, mode);

        let program = directory.path().join("missing");
        let error = spawn_error(&engine, &program).await;
        assert_eq!(error, SpawnError::NotFound { program }, "{rung}");

        let program = at("plain", b"#!/bin/sh\n", 0o644);
        let error = spawn_error(&engine, &program).await;
        assert_eq!(error, SpawnError::NotExecutable { program }, "{rung}");

        let program = directory.path().to_owned();
        let error = spawn_error(&engine, &program).await;
        assert_eq!(error, SpawnError::NotExecutable { program }, "{rung}");

        let program = at("script", b"#!/no/such/interpreter\n", 0o755);
        let error = spawn_error(&engine, &program).await;
        assert_eq!(error, SpawnError::BadInterpreter { program }, "{rung}");

        let program = at("garbage", b"\x01\x02\x03 no format", 0o755);
        let error = spawn_error(&engine, &program).await;
        assert_eq!(error, SpawnError::BadFormat { program }, "{rung}");

        let program = at("written", &fs::read("/bin/true").unwrap(), 0o755);
        let writer = fs::File::options().append(true).open(&program).unwrap();
        let error = spawn_error(&engine, &program).await;
        assert_eq!(
            error,
            SpawnError::Busy {
                program: program.clone()
            },
            "{rung}"
        );
        drop(writer);
        assert!(engine.run(Command::new(program)).await.success(), "{rung}");
    }
    again_as_ordinary_user("spawn::e8_programs_that_cannot_be_started");
}

#[tokio::test]
async fn a_command_line_that_is_too_long_is_refused() {
    let engine = TestEngine::new();
    let command = hostile(&["echo", &"x".repeat(1 << 20)]);
    let error = engine
        .engine
        .run(command, &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("pass data in a file"), "{error}");
}

#[tokio::test]
async fn arguments_arrive_as_they_are() {
    let engine = TestEngine::new();
    let awkward = [
        "-n",
        "--help",
        "a b",
        "$(id)",
        "line\nbreak",
        "",
        "\u{202e}x",
        "*",
    ];
    let finished = engine.run(hostile(&["echo"]).args(awkward)).await;
    assert_eq!(finished.stdout.text(), awkward.join("\n") + "\n");
}

#[tokio::test]
async fn nothing_is_inherited() {
    for (rung, engine) in every_rung(|_| {}).await {
        let mut lines = engine
            .lines(hostile(&["print-env"]).env("OWN", "a=b"))
            .await;
        lines.sort();
        assert_eq!(
            lines,
            [
                "LC_ALL=C.UTF-8",
                "OWN=a=b",
                "PATH=/usr/local/bin:/usr/bin:/bin"
            ],
            "{rung}"
        );
        assert_eq!(
            engine.lines(hostile(&["print-fds"])).await,
            ["0", "1", "2"],
            "{rung}"
        );
        let mut command = hostile(&["print-fds"]);
        command.hand(fs::File::open("/bin/true").unwrap());
        assert_eq!(engine.lines(command).await, ["0", "1", "2", "3"], "{rung}");
        assert_eq!(engine.lines(hostile(&["print-cwd"])).await, ["/"], "{rung}");
    }
}

#[tokio::test]
async fn no_signal_is_ignored_or_blocked() {
    // `/proc` is closed to confined programs.
    for (rung, engine) in every_rung(|config| config.sandbox = SandboxMode::Off).await {
        let signals = engine.lines(hostile(&["print-signals"])).await;
        for expected in ["SigBlk 0000000000000000", "SigIgn 0000000000000000"] {
            assert!(
                signals.iter().any(|line| line == expected),
                "{rung} {signals:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_scratch_directory_is_home() {
    let engine = TestEngine::new();
    let command = hostile(&["print-env"]).scratch(Scratch::Private);
    let lines = engine.lines(command).await;
    let value = |key: &str| {
        let line = lines.iter().find(|line| line.starts_with(key)).unwrap();
        line.split_once('=').unwrap().1.to_owned()
    };
    assert_eq!(value("HOME="), value("TMPDIR="));
    assert!(value("HOME=").starts_with(engine.scratch.path().to_str().unwrap()));
    let cwd = engine
        .lines(hostile(&["print-cwd"]).scratch(Scratch::Private))
        .await;
    assert_ne!(cwd, [value("HOME=")], "each run has its own");
}
