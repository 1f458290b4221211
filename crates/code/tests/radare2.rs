//! Functions, blocks and references beside those of radare2, which finds its own.
//! The thresholds leave room for what the two define otherwise: radare2 names
//! fewer functions, since it does not read unwind tables, and ends some blocks
//! where a register decides.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests compare with another program, and fail where it does"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use common::model;
use reversecore_code::{Kind, Options, Program};
use serde_json::Value;

/// Programs that every Linux has.
const PROGRAMS: [&str; 4] = ["/bin/ls", "/bin/cat", "/bin/cp", "/bin/grep"];

/// The lists that commands of radare2 print.
fn radare2(commands: &str, path: &str) -> Vec<Vec<Value>> {
    let output = Command::new("r2")
        .args([
            "-q",
            "-N",
            "-e",
            "scr.color=0",
            "-e",
            "log.level=0",
            "-c",
            commands,
            path,
        ])
        .stdin(Stdio::null())
        .output()
        .expect("radare2 is installed");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.starts_with('['))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn number(value: &Value, name: &str) -> u64 {
    value[name]
        .as_u64()
        .unwrap_or_else(|| panic!("`{name}` of {value}"))
}

fn program(path: &str) -> Program {
    model(&std::fs::read(path).unwrap(), &Options::default()).unwrap()
}

#[test]
fn functions_and_their_blocks() {
    let (mut all, mut equal) = (0, 0);
    for path in PROGRAMS {
        let program = program(path);
        let lists = radare2("aa;aflj", path);
        let theirs = &lists[0];
        assert!(theirs.len() > 20, "{path}: {}", theirs.len());
        for function in theirs {
            let address = number(function, "addr");
            let ours = program.function_at(address);
            let ours = ours.unwrap_or_else(|| panic!("{path}: no function at {address:#x}"));
            all += 1;
            equal += usize::from(ours.block_count() as u64 == number(function, "nbbs"));
        }
    }
    // Measured: 97 %.
    assert!(
        equal * 100 >= all * 93,
        "{equal} of {all} have as many blocks"
    );
}

#[test]
fn references_to_imports() {
    for path in PROGRAMS {
        let program = program(path);
        let stubs: BTreeSet<u64> = program
            .functions()
            .iter()
            .filter(|function| function.kind == Kind::ImportThunk)
            .map(|function| function.address)
            .collect();
        let lists = radare2("aa;iij;axlj", path);
        let theirs_stubs: BTreeMap<u64, String> = lists[0]
            .iter()
            .filter_map(|import| {
                let name = import["name"].as_str()?.to_owned();
                Some((import["plt"].as_u64().filter(|&plt| plt != 0)?, name))
            })
            .collect();
        for (address, name) in &theirs_stubs {
            let ours = program.function_at(*address);
            let ours = ours.unwrap_or_else(|| panic!("{path}: no stub of {name}"));
            assert_eq!(program.name(ours), name.as_str(), "{path}");
        }
        let theirs: BTreeSet<(u64, u64)> = lists[1]
            .iter()
            .map(|reference| (number(reference, "from"), number(reference, "addr")))
            .filter(|(_, to)| stubs.contains(to))
            .collect();
        assert!(theirs.len() > 20, "{path}: {}", theirs.len());
        let ours: BTreeSet<(u64, u64)> = program
            .references()
            .all()
            .iter()
            .map(|reference| (reference.from, reference.to))
            .collect();
        let same = theirs.intersection(&ours).count();
        assert!(
            same * 100 >= theirs.len() * 99,
            "{path}: {same} of {}",
            theirs.len()
        );
    }
}
