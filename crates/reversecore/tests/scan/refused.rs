//! What is refused, and what the user is told.

use std::fs::File;
use std::io::Write as _;

use crate::{Scene, ended_with};

#[track_caller]
fn says(scene: &Scene, arguments: &[&str], code: i32, words: &str) {
    let output = scene.command(arguments).output().unwrap();
    ended_with(&output, code);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(words), "{text}");
}

#[test]
fn wrong_usage_is_said_before_anything_is_done() {
    let scene = Scene::new();
    says(&scene, &["/nowhere/at/all"], 2, "/nowhere/at/all");
    says(&scene, &["--out", "rows.txt"], 2, "says no format");
    says(
        &scene,
        &["--tool", "run_nothing"],
        2,
        "there is no tool `run_nothing`",
    );
    says(&scene, &["--tool", "list_workspace"], 2, "takes no file");
    says(&scene, &["--tool", "run_radare2"], 2, "needs the parameter");
    says(
        &scene,
        &["--tool", "triage={\"x\":1}"],
        2,
        "no parameter `x`",
    );
    says(
        &scene,
        &["--resume", "--no-journal"],
        2,
        "cannot be used with",
    );
}

#[test]
fn the_second_scan_is_told_who_has_the_data_directory() {
    let scene = Scene::with_files(1);
    std::fs::create_dir(scene.data()).unwrap();
    let mut held = File::create(scene.data().join("batches.lock")).unwrap();
    held.lock().unwrap();
    writeln!(held, "4711").unwrap();
    says(&scene, &[], 4, "process 4711 works with the data directory");
    drop(held);
    let output = scene.scan("jsonl", &["--tool", "run_file"]);
    ended_with(&output, 0);
}

#[test]
fn a_damaged_journal_is_kept_and_the_scan_goes_on() {
    let scene = Scene::with_files(3);
    std::fs::create_dir(scene.data()).unwrap();
    let journal = scene.data().join("batches.sqlite3");
    std::fs::write(&journal, "certainly not SQLite, whatever else it may be").unwrap();
    let output = scene.scan("jsonl", &["--tool", "run_file"]);
    ended_with(&output, 0);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("the journal was damaged"), "{text}");
    assert_eq!(scene.rows().len(), 3);
    let kept = std::fs::read_dir(scene.data()).unwrap().any(|entry| {
        let name = entry.unwrap().file_name();
        name.to_string_lossy()
            .starts_with("batches.sqlite3.damaged-")
    });
    assert!(kept);
}

/// A disk that is full: the kernel's own.
#[test]
fn a_full_disk_stops_the_scan_and_says_so() {
    let scene = Scene::with_files(3);
    let link = scene.out("jsonl");
    std::os::unix::fs::symlink("/dev/full", &link).unwrap();
    let output = scene.scan("jsonl", &["--tool", "run_file"]);
    ended_with(&output, 4);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("the disk is full"), "{text}");
    std::fs::remove_file(&link).unwrap();
    let output = scene.scan("jsonl", &["--tool", "run_file", "--resume"]);
    ended_with(&output, 0);
    assert_eq!(scene.rows().len(), 3);
}
