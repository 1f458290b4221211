//! The architecture's invariants, asserted over `cargo metadata` and the
//! sources: what ARCHITECTURE.md promises and a compiler can't check.
//!
//! Rules about single calls are clippy's (`clippy.toml`); here stands what is
//! about crates, files and the places where those rules are set aside.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

mod dependencies;
mod rules;
mod sources;

use rules::Rule;
use sources::Source;

#[track_caller]
fn check(rule: Rule) {
    let complaints: Vec<String> = sources::all().iter().flat_map(rule).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_sources_are_found() {
    let all = sources::all();
    let of = |name: &str| all.iter().filter(|source| source.package == name).count();
    for name in [
        "analysis",
        "exec",
        "reversecore",
        "server",
        "testkit",
        "tools",
    ] {
        assert!(of(name) > 0, "no source of {name}");
    }
    assert!(all.iter().any(|source| source.is_test()));
}

#[test]
fn crates_depend_only_on_what_they_may_know() {
    dependencies::check();
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    dependencies::check_lints();
}

#[test]
fn every_file_opens_with_its_description() {
    check(rules::opens_with_description);
}

#[test]
fn no_file_is_too_long() {
    check(rules::not_too_long);
}

#[test]
fn only_exec_spawns() {
    check(rules::only_exec_spawns);
}

#[test]
fn only_server_speaks_the_protocol() {
    check(rules::only_server_speaks_the_protocol);
}

#[test]
fn only_the_binary_writes_stdout_reads_the_environment_and_exits() {
    check(rules::only_the_binary_touches_the_process);
}

#[test]
fn unsafe_code_stays_in_exec() {
    check(rules::unsafe_stays_in_exec);
}

#[test]
fn lints_are_expected_not_allowed() {
    check(rules::no_allow);
}

#[test]
fn nothing_is_left_unfinished() {
    check(rules::nothing_unfinished);
}

#[test]
fn engines_are_functions_of_their_bytes() {
    check(rules::analysis_is_pure);
    let root = std::fs::read_to_string(sources::root().join("crates/analysis/src/lib.rs")).unwrap();
    assert!(root.contains("#![forbid(unsafe_code)]"));
}
