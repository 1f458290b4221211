//! The rules about single files. Each is a function from a file to complaints,
//! and each has a test that it does complain.

use crate::Source;

/// Returns what is wrong with a file.
pub(crate) type Rule = fn(&Source) -> Vec<String>;

/// Product code longer than this holds more than one idea.
const LONGEST_CODE: usize = 800;
/// A test file longer than this is hard to find anything in.
const LONGEST_TEST: usize = 1000;

/// `//!` in the first line: what the file does and deliberately does not do.
pub(crate) fn opens_with_description(source: &Source) -> Vec<String> {
    if source.text.starts_with("//! ") {
        Vec::new()
    } else {
        vec![format!("{}:1: does not open with `//! `", source.path)]
    }
}

pub(crate) fn not_too_long(source: &Source) -> Vec<String> {
    let (lines, longest) = if source.is_test() {
        (source.text.lines().count(), LONGEST_TEST)
    } else {
        (source.code.lines().count(), LONGEST_CODE)
    };
    if lines > longest {
        vec![format!("{}: {lines} lines, at most {longest}", source.path)]
    } else {
        Vec::new()
    }
}

pub(crate) fn only_exec_spawns(source: &Source) -> Vec<String> {
    // `conformance` compares engines, and so has to use the others.
    if matches!(source.package.as_str(), "exec" | "testkit" | "conformance") || source.is_test() {
        return Vec::new();
    }
    source.complain("only `exec` starts processes", |line| {
        [
            "tokio::process",
            "process::Command",
            "CommandExt",
            "posix_spawn",
            "libc::fork",
            "libc::vfork",
            "libc::exec",
            "disallowed_methods",
        ]
        .iter()
        .any(|name| line.contains(name))
            || (line.contains("std::process::{") && line.contains("Command"))
    })
}

pub(crate) fn only_server_speaks_the_protocol(source: &Source) -> Vec<String> {
    // `load` is the other side: a client of any server.
    if matches!(source.package.as_str(), "server" | "load") || source.is_test() {
        return Vec::new();
    }
    source.complain("only `server` knows the protocol and HTTP", |line| {
        ["rmcp::", "axum::", "hyper::", "tower::", "tower_http::"]
            .iter()
            .any(|name| line.contains(name))
    })
}

pub(crate) fn only_the_binary_touches_the_process(source: &Source) -> Vec<String> {
    // `conformance` is two programs, and no part of the product.
    if matches!(
        source.package.as_str(),
        "reversecore" | "testkit" | "conformance"
    ) || source.is_test()
    {
        return Vec::new();
    }
    // Programs of their own, for tests.
    if source.path.starts_with("crates/exec/src/bin/") {
        return Vec::new();
    }
    // Standard output is this transport's channel.
    let transport = source.path == "crates/server/src/stdio.rs";
    source.complain("only the binary does this", |line| {
        let words = line.replace("eprint", "");
        if words.contains("print!") || words.contains("println!") {
            return true;
        }
        if line.contains("io::stdout") {
            return !transport;
        }
        ["env::var", "env::args", "env::set_", "process::exit"]
            .iter()
            .any(|name| line.contains(name))
    })
}

pub(crate) fn unsafe_stays_in_exec(source: &Source) -> Vec<String> {
    if matches!(source.package.as_str(), "exec" | "testkit") || source.is_test() {
        return Vec::new();
    }
    source.complain("unsafe code belongs into `exec`", |line| {
        line.split(|character: char| !character.is_alphanumeric() && character != '_')
            .any(|word| word == "unsafe")
    })
}

pub(crate) fn analysis_is_pure(source: &Source) -> Vec<String> {
    if !matches!(source.package.as_str(), "analysis" | "code" | "decompile")
        || source.is_test()
        || source.path.ends_with("tests.rs")
    {
        return Vec::new();
    }
    source.complain("an engine is a function of its bytes", |line| {
        [
            "std::fs",
            "TcpStream",
            "UdpSocket",
            "TcpListener",
            "UnixStream",
            "std::thread",
            "std::process",
            "tokio",
            "SystemTime",
            "Instant::now",
        ]
        .iter()
        .any(|name| line.contains(name))
    })
}

pub(crate) fn no_allow(source: &Source) -> Vec<String> {
    source.complain("use `expect` with a reason", |line| {
        line.contains("#[allow(") || line.contains("#![allow(")
    })
}

pub(crate) fn nothing_unfinished(source: &Source) -> Vec<String> {
    source.complain("unfinished", |line| {
        ["todo!(", "unimplemented!(", "#[ignore", "dbg!("]
            .iter()
            .any(|name| line.contains(name))
    })
}

#[test]
fn every_rule_complains_about_its_own_breach() {
    let breaches: [(Rule, &str, &str); 14] = [
        (
            opens_with_description,
            "crates/exec/src/a.rs",
            "fn a() {}\n",
        ),
        (not_too_long, "crates/exec/src/a.rs", &"a();\n".repeat(801)),
        (
            not_too_long,
            "crates/exec/tests/a.rs",
            &"a();\n".repeat(1001),
        ),
        (
            only_exec_spawns,
            "crates/tools/src/a.rs",
            "use std::process::Command;",
        ),
        (
            only_exec_spawns,
            "crates/tools/src/a.rs",
            "use std::process::{Command, Stdio};",
        ),
        (
            only_exec_spawns,
            "crates/reversecore/src/a.rs",
            "tokio::process::Command::new(x)",
        ),
        (
            only_server_speaks_the_protocol,
            "crates/tools/src/a.rs",
            "use rmcp::model;",
        ),
        (
            only_the_binary_touches_the_process,
            "crates/server/src/a.rs",
            "println!();",
        ),
        (
            only_the_binary_touches_the_process,
            "crates/exec/src/a.rs",
            "std::env::var_os(x)",
        ),
        (
            only_the_binary_touches_the_process,
            "crates/tools/src/a.rs",
            "std::process::exit(1)",
        ),
        (
            unsafe_stays_in_exec,
            "crates/server/src/a.rs",
            "unsafe { x() }",
        ),
        (
            analysis_is_pure,
            "crates/analysis/src/a.rs",
            "let text = std::fs::read(path);",
        ),
        (no_allow, "crates/exec/src/a.rs", "#[allow(dead_code)]"),
        (nothing_unfinished, "crates/exec/src/a.rs", "todo!()"),
    ];
    for (rule, path, text) in breaches {
        let complaints = rule(&Source::new(path, text));
        assert_eq!(complaints.len(), 1, "{path}: {text:.40}: {complaints:?}");
        assert!(complaints[0].starts_with(path), "{complaints:?}");
    }
}

#[test]
fn rules_leave_the_right_places_alone() {
    let fine: [(Rule, &str, &str); 5] = [
        (
            only_exec_spawns,
            "crates/exec/src/a.rs",
            "use tokio::process::Command;",
        ),
        (
            only_exec_spawns,
            "crates/tools/src/a.rs",
            "use reversecore_exec::Command;",
        ),
        (
            only_server_speaks_the_protocol,
            "crates/server/src/a.rs",
            "use rmcp::model;",
        ),
        (
            only_the_binary_touches_the_process,
            "crates/reversecore/src/main.rs",
            "println!();",
        ),
        (
            unsafe_stays_in_exec,
            "crates/tools/src/a.rs",
            "#![forbid(unsafe_code)] // unsafe",
        ),
    ];
    for (rule, path, text) in fine {
        assert_eq!(
            rule(&Source::new(path, text)),
            Vec::<String>::new(),
            "{path}"
        );
    }
}
