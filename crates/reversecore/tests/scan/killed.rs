//! Scans that are ended from outside, at moments that the row file shows.

use std::io::Read as _;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Scene, ended_with};

const FILES: usize = 120;

/// Starts a scan, and waits until so many bytes of rows are written or it has ended.
fn begun(scene: &Scene, bytes: u64, arguments: &[&str]) -> Child {
    let mut command = scene.command(arguments);
    let mut child = command
        .arg("--out")
        .arg(scene.out("jsonl"))
        .args(["--jobs", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    loop {
        let length = std::fs::metadata(scene.out("jsonl")).map_or(0, |found| found.len());
        if length >= bytes || child.try_wait().unwrap().is_some() {
            return child;
        }
        std::thread::yield_now();
    }
}

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // One that has just ended is no failure.
    kill_process(pid, signal).ok();
}

#[test]
fn each_file_has_one_row_however_often_the_scan_is_killed() {
    let scene = Scene::with_files(FILES);
    let mut reached = 0;
    for round in 0..6 {
        let resume: &[&str] = if round == 0 { &[] } else { &["--resume"] };
        let mut child = begun(&scene, reached + 20_000, resume);
        send(&child, Signal::KILL);
        child.wait().unwrap();
        reached = std::fs::metadata(scene.out("jsonl")).unwrap().len();
    }
    let output = scene.scan("jsonl", &["--jobs", "2", "--resume"]);
    let rows = scene.rows();
    assert_eq!(rows.len(), FILES);
    assert!(rows.values().all(|row| row["state"] == "done"));
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("of them were done before"), "{text}");
    // Once more: nothing is left to do, and the file stays what it is.
    let before = std::fs::read(scene.out("jsonl")).unwrap();
    scene.scan("jsonl", &["--jobs", "2", "--resume"]);
    assert_eq!(std::fs::read(scene.out("jsonl")).unwrap(), before);
    // Lost rows come back from the journal.
    std::fs::remove_file(scene.out("jsonl")).unwrap();
    let output = scene.scan("jsonl", &["--jobs", "2", "--resume"]);
    assert_eq!(scene.rows(), rows, "{output:?}");
}

#[test]
fn ctrl_c_stops_cleanly_and_says_how_to_go_on() {
    let scene = Scene::with_files(FILES);
    let mut child = begun(&scene, 20_000, &[]);
    send(&child, Signal::INT);
    let code = child.wait().unwrap().code();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(code, Some(130), "{said}");
    assert!(
        said.contains("the same command with --resume goes on"),
        "{said}"
    );
    let stopped = scene.rows().len();
    assert!((1..FILES).contains(&stopped), "{stopped}");
    let output = scene.scan("jsonl", &["--jobs", "2"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("was not finished"), "{text}");
    let output = scene.scan("jsonl", &["--jobs", "2", "--resume"]);
    assert_eq!(scene.rows().len(), FILES, "{output:?}");
}

#[test]
fn a_scan_that_is_refused_leaves_the_rows_alone() {
    let scene = Scene::with_files(FILES);
    let mut first = begun(&scene, 20_000, &[]);
    let pid = first.id();
    send(&first, Signal::STOP);
    let second = scene.scan("jsonl", &[]);
    ended_with(&second, 4);
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(
        text.contains(&format!("process {pid} works with")),
        "{text}"
    );
    send(&first, Signal::CONT);
    first.wait().unwrap();
    assert_eq!(scene.rows().len(), FILES);
}
