//! The fixture program does what its description says: an engine test that
//! passes because the fixture is tame proves nothing.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests run the fixture program without the engine"
)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use reversecore_testkit::{awkward, fixture, pattern, processes, samples};
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};

const SOON: Duration = Duration::from_secs(10);

fn hostile(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostile"));
    command.args(arguments);
    command
}

fn output(arguments: &[&str]) -> Output {
    hostile(arguments).output().unwrap()
}

fn answer(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A fixture that does not end by itself; killed at the end of the test.
struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = hostile(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn pid(&mut self) -> u32 {
        self.line().parse().unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill(self.child.id(), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn kill(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn the_fixture_is_found_from_a_test() {
    let program = fixture("hostile");
    let status = Command::new(program).args(["exit", "7"]).status().unwrap();
    assert_eq!(status.code(), Some(7));
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    for arguments in [
        &[][..],
        &["no-such"],
        &["exit"],
        &["exit", "300"],
        &["flood", "stdin", "1"],
        &["grandchild", "uncle"],
        &["try-nothing"],
        &["try-open"],
    ] {
        assert_eq!(output(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn echo_and_cat_keep_every_byte() {
    assert_eq!(answer(&["echo", "a b", "", "ü"]), "a b\n\nü\n");
    let mut child = hostile(&["cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&awkward::bytes()).unwrap();
    drop(stdin);
    assert_eq!(child.wait_with_output().unwrap().stdout, awkward::bytes());
}

#[test]
fn awkward_bytes_are_written_in_two_pieces() {
    let mut running = Running::start(&["bytes"]);
    let mut first = vec![0; 1024];
    let length = running.out.get_mut().read(&mut first).unwrap();
    assert_eq!(&first[..length], awkward::FIRST_WRITE);
    let mut rest = Vec::new();
    running.out.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, awkward::SECOND_WRITE);
}

#[test]
fn floods_are_the_pattern() {
    let total = 3 * pattern::BLOCK as u64 + 11;
    let stdout = output(&["flood", "stdout", &total.to_string()]).stdout;
    assert_eq!(stdout.len() as u64, total);
    assert_eq!(
        <[u8; 32]>::from(Sha256::digest(&stdout)),
        pattern::sha256(total)
    );
    let both = output(&["flood-both", "100000", "200000"]);
    assert_eq!(both.stdout, pattern::slice(0, 100_000));
    assert_eq!(both.stderr, pattern::slice(0, 200_000));
    assert_eq!(output(&["drip", "5", "1"]).stdout, pattern::slice(0, 5));
}

#[test]
fn a_flood_into_a_closed_pipe_ends_by_sigpipe() {
    let mut child = hostile(&["flood", "stdout", "100000000"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::PIPE.as_raw()));
}

#[test]
fn ends_by_signal() {
    for (arguments, signal) in [
        (&["abort"][..], Signal::ABORT),
        (&["segv"], Signal::SEGV),
        (&["raise", "15"], Signal::TERM),
        (&["raise", "9"], Signal::KILL),
    ] {
        let status = output(arguments).status;
        assert_eq!(status.signal(), Some(signal.as_raw()), "{arguments:?}");
    }
}

#[test]
fn descendants_stay_in_every_mode() {
    for (mode, count) in [
        ("child", 1),
        ("grandchild", 2),
        ("double-fork", 1),
        ("setsid", 1),
        ("setsid-ignore-term", 1),
        ("daemon", 1),
        ("daemon-keep", 1),
    ] {
        let mark = format!("mark-{mode}-{}", std::process::id());
        let mut running = Running::start(&["grandchild", mode, &mark]);
        let pids: Vec<u32> = (0..count).map(|_| running.pid()).collect();
        let mut marked = processes::marked(&mark);
        marked.retain(|pid| *pid != running.child.id());
        marked.sort_unstable();
        let mut expected = pids.clone();
        expected.sort_unstable();
        assert_eq!(marked, expected, "{mode}");
        for pid in &pids {
            assert!(processes::alive(*pid), "{mode}");
        }
        let left_family = !processes::children_of(running.child.id()).contains(&pids[0]);
        let is_orphan = matches!(mode, "double-fork" | "daemon" | "daemon-keep");
        assert!(pids.len() == 2 || left_family == is_orphan, "{mode}");
        drop(running);
        if mode == "setsid-ignore-term" {
            kill(pids[0], Signal::TERM);
        }
        for pid in &pids {
            assert!(processes::alive(*pid), "{mode}: it must outlive its parent");
            kill(*pid, Signal::KILL);
        }
        processes::gone_within(&pids, SOON).unwrap();
    }
}

#[test]
fn a_leaked_pipe_stays_open_after_the_exit() {
    let mut child = hostile(&["leak-pipe"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(child.wait().unwrap().success());
    let leaker: u32 = line.trim().parse().unwrap();
    assert!(processes::alive(leaker));
    kill(leaker, Signal::KILL);
    // Only now does the pipe end.
    assert_eq!(out.read_line(&mut line).unwrap(), 0);
}

#[test]
fn sigterm_is_ignored_or_answered() {
    let mut stubborn = Running::start(&["ignore-term"]);
    assert_eq!(stubborn.line(), "ready");
    stubborn.signal(Signal::TERM);
    assert!(processes::alive(stubborn.child.id()));

    let mut polite = Running::start(&["on-term", "42"]);
    assert_eq!(polite.line(), "ready");
    polite.signal(Signal::TERM);
    assert_eq!(polite.line(), "terminated");
    assert_eq!(polite.child.wait().unwrap().code(), Some(42));
}

#[test]
fn many_children_hang() {
    let mut running = Running::start(&["fork-many", "5"]);
    let pids: Vec<u32> = (0..5).map(|_| running.pid()).collect();
    for pid in &pids {
        assert!(processes::alive(*pid));
        kill(*pid, Signal::KILL);
    }
    processes::gone_within(&pids, SOON).expect("zombies count as gone");
    assert_eq!(processes::zombies_of(running.child.id()).len(), 5);
}

#[test]
fn memory_is_really_used() {
    let mut running = Running::start(&["memory-hold", "50000000"]);
    assert_eq!(running.line(), "ready");
    assert!(processes::resident_bytes(running.child.id()).unwrap() >= 50_000_000);
}

#[test]
fn awkward_trees_are_made() {
    let workspace = samples::Workspace::new();
    for arguments in [
        &["dir-deep", "50"][..],
        &["dir-locked"],
        &["file-sparse", "100000000"],
        &["try-symlink", "/etc/hostname"],
    ] {
        let status = hostile(arguments).current_dir(workspace.path()).status();
        assert!(status.unwrap().success(), "{arguments:?}");
    }
    assert!(
        workspace
            .join(["deep"; 50].join("/"))
            .join("bottom")
            .is_file()
    );
    assert_eq!(
        workspace.join("sparse").metadata().unwrap().len(),
        100_000_000
    );
    assert!(workspace.join("probe-link").is_symlink());
}

#[test]
fn nested_programs_run_and_pass_their_code_on() {
    let program = env!("CARGO_BIN_EXE_hostile");
    let output = output(&["nested", program, "exit", "9"]);
    assert_eq!(output.status.code(), Some(9));
    assert_eq!(answer(&["exec", program, "echo", "became"]), "became\n");
    assert_eq!(output_code(&["exec", "/no/such/program"]), Some(1));
}

fn output_code(arguments: &[&str]) -> Option<i32> {
    output(arguments).status.code()
}

#[test]
fn surroundings_are_shown() {
    let output = hostile(&["print-env"])
        .env_clear()
        .env("KEY", "a value")
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"KEY=a value\n");
    let output = hostile(&["print-cwd"])
        .current_dir("/proc")
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"/proc\n");
    assert!(answer(&["print-fds"]).starts_with("0\n1\n2\n"));
    assert!(answer(&["print-limits"]).contains("\nNOFILE "));
    let identity = answer(&["print-ids"]);
    assert!(identity.starts_with("Uid "), "{identity}");
    assert!(!identity.contains("missing"), "{identity}");
    assert!(!answer(&["print-signals"]).contains("missing"));
}

#[test]
fn probes_name_the_error() {
    let file = env!("CARGO_MANIFEST_PATH");
    assert_eq!(answer(&["try-open", file, "/no/such"]), "ok\nENOENT\n");
    assert_eq!(answer(&["try-write", "/no/such"]), "ENOENT\n");
    assert_eq!(answer(&["try-fork"]), "ok\n");
    assert_eq!(answer(&["try-exec", "/bin/true"]), "ok\n");
    assert_eq!(answer(&["try-exec", "/no/such"]), "ENOENT\n");
    assert_eq!(answer(&["try-unix-socket"]), "ok\n");
    let own = std::process::id().to_string();
    assert_eq!(answer(&["try-kill", &own]), "ok\n");
    // A port that was just free, and nobody listens on.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap();
    assert_eq!(
        answer(&["try-connect", &address.to_string()]),
        "ECONNREFUSED\n"
    );
    // `close(0)` works; no kernel has the second.
    assert_eq!(answer(&["try-raw", "3"]), "ok\n");
    assert_eq!(answer(&["try-raw", "100000"]), "ENOSYS\n");
    // On every architecture; arguments of no size are invalid.
    let clone3 = "435";
    assert_eq!(answer(&["try-raw", clone3]), "EINVAL\n");
    let this = env!("CARGO_BIN_EXE_hostile");
    let filtered = answer(&["without-clone3", this, "try-raw", clone3]);
    assert_eq!(filtered, "ENOSYS\n");
    assert_eq!(answer(&["without-clone3", this, "try-fork"]), "ok\n");
    for probe in [
        "try-mount",
        "try-userns",
        "try-bpf",
        "try-keyctl",
        "try-io-uring",
        "try-thread",
    ] {
        let lines = answer(&[probe]);
        assert_eq!(lines.lines().count(), 1, "{probe}: {lines}");
    }
}
