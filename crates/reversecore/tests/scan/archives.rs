//! `--recurse`: archives as the programs of the field make them, and what is embedded
//! in files that are none.

use std::path::Path;
use std::process::{Command, Stdio};

use reversecore_testkit::samples::{Workspace, system_binary};

use crate::{Scene, ended_with};

const RULE: &str = r#"rule Marked : test { strings: $a = "MARKED-BY-TEST" condition: $a }"#;

fn run(directory: &Path, program: &str, arguments: &[&str]) {
    let status = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdout(Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("{program} (scripts/setup-tools installs it): {error}"));
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

/// A scan that goes into archives and looks for the mark.
fn scan(scene: &Scene, more: &[&str]) -> std::process::Output {
    let beside = Workspace::new();
    let rules = beside.write("r.yar", RULE.as_bytes());
    let mut arguments = vec!["--tool", "run_file", "--recurse", "--rules"];
    arguments.push(rules.to_str().unwrap());
    arguments.extend(more);
    scene.scan("jsonl", &arguments)
}

#[test]
fn archives_of_other_programs_are_opened() {
    let scene = Scene::new();
    let made = Workspace::new();
    made.write("inner.txt", b"xx MARKED-BY-TEST");
    made.write("other.bin", &system_binary("ls")[..50_000]);
    let to = |name: &str| scene.files.join(name).to_str().unwrap().to_owned();
    let both = ["inner.txt", "other.bin"];
    for format in [
        "7zip", "newc", "odc", "iso9660", "zip", "gnutar", "pax", "ar",
    ] {
        let out = to(&format!("made.{format}"));
        let options = [
            "--format",
            format.strip_prefix("ar").map_or(format, |_| "argnu"),
            "-cf",
            &out,
        ];
        run(made.path(), "bsdtar", &[&options[..], &both].concat());
    }
    let filters = ["gzip", "xz", "zstd", "lzma"];
    for (number, filter) in filters.into_iter().enumerate() {
        // Equal contents are opened once: each has a tar of its own inside.
        made.write(
            "other.bin",
            &system_binary("ls")[number + 1..number + 50_001],
        );
        let (option, out) = (format!("--{filter}"), to(&format!("tar.{filter}")));
        run(
            made.path(),
            "bsdtar",
            &[&[&option, "-cf", &out][..], &both].concat(),
        );
    }
    for (option, name) in [("-c", "plain.cab"), ("-cz", "zipped.cab")] {
        run(
            made.path(),
            "gcab",
            &[&[option, &to(name)][..], &both].concat(),
        );
    }
    let outer = std::fs::read_dir(scene.files.path()).unwrap().count();
    assert_eq!(outer, 14);
    ended_with(&scan(&scene, &[]), 1);
    let rows = scene.rows();
    for entry in std::fs::read_dir(scene.files.path()).unwrap() {
        let name = scene.named(entry.unwrap().file_name().to_str().unwrap());
        let marked = rows.iter().find(|(path, row)| {
            path.starts_with(&format!("{name}!/"))
                && path.to_lowercase().contains("inner")
                && row["severity"] == "suspicious"
        });
        let (path, row) = marked.unwrap_or_else(|| panic!("{name}: {:#?}", rows.keys()));
        assert_eq!(row["size"], 17, "{path}");
        let other = rows
            .iter()
            .filter(|(path, row)| path.starts_with(&format!("{name}!/")) && row["size"] == 50_000);
        assert_eq!(other.count(), 1, "{name}: {:#?}", rows.keys());
    }
}

#[test]
fn what_is_embedded_in_a_file_is_taken_out_too() {
    let scene = Scene::new();
    let made = Workspace::new();
    made.write("inner.txt", b"xx MARKED-BY-TEST");
    run(
        made.path(),
        "bsdtar",
        &["--format", "zip", "-cf", "payload", "inner.txt"],
    );
    let program = system_binary("ls");
    let mut installer = program.clone();
    installer.extend(std::fs::read(made.join("payload")).unwrap());
    scene.files.write("installer", &installer);
    scene.files.write("plain", &program);
    ended_with(&scan(&scene, &[]), 1);
    let rows = scene.rows();
    let zip = scene.named(&format!("installer!/{:#x}.zip", program.len()));
    assert_eq!(rows[&zip]["parent"], scene.named("installer"));
    assert_eq!(rows[&format!("{zip}!/inner.txt")]["severity"], "suspicious");
    assert_eq!(rows.len(), 4, "{:#?}", rows.keys());
}

/// `tar` in gzip in `ar`, by hand.
fn nested(inner: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..9].copy_from_slice(b"dir/inner");
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", inner.len()).as_bytes());
    header[156] = b'0';
    header[257..263].copy_from_slice(b"ustar\0");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut tar = header.to_vec();
    tar.extend(inner);
    tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
    let mut archive = b"!<arch>\n".to_vec();
    let length = tar.len();
    archive.extend(format!("{:<16}{:<32}{length:<10}`\n", "data.tar", "").bytes());
    archive.extend(tar);
    archive
}

#[test]
fn archives_are_opened_and_their_files_have_rows_with_parents() {
    let scene = Scene::new();
    scene.files.write("outer.a", &nested(b"xx MARKED-BY-TEST"));
    scene.files.write("plain", b"no archive");
    for more in [&[][..], &["--no-journal"]] {
        ended_with(&scan(&scene, more), 1);
        let rows = scene.rows();
        assert_eq!(rows.len(), 4, "{rows:#?}");
        let outer = scene.named("outer.a");
        let middle = format!("{outer}!/data.tar");
        let inner = &rows[&format!("{middle}!/dir/inner")];
        assert_eq!(rows[&middle]["parent"], outer.as_str());
        assert_eq!(inner["parent"], middle.as_str());
        assert_eq!(inner["severity"], "suspicious", "{inner}");
        assert_eq!(inner["size"], 17);
    }
    // Nothing of it is left.
    let left = std::fs::read_dir(scene.data().join("reversecore-unpacked")).unwrap();
    assert_eq!(left.count(), 0);
}
