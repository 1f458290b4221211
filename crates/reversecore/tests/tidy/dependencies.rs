//! The rules about crates: who may depend on whom, and on what.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::sources::root;

const PREFIX: &str = "reversecore-";

/// Which of our crates each crate may use in product code.
const ALLOWED: [(&str, &[&str]); 12] = [
    (
        "reversecore",
        &["batch", "exec", "jobs", "load", "server", "tools"],
    ),
    ("reversecore-analysis", &[]),
    ("reversecore-batch", &[]),
    ("reversecore-code", &["analysis"]),
    // Not product code: programs that judge the engine beside others.
    ("reversecore-conformance", &["exec", "testkit"]),
    ("reversecore-decompile", &["analysis", "code"]),
    ("reversecore-exec", &[]),
    ("reversecore-jobs", &[]),
    ("reversecore-load", &[]),
    ("reversecore-server", &["exec", "jobs", "tools"]),
    ("reversecore-testkit", &[]),
    (
        "reversecore-tools",
        &["analysis", "batch", "code", "decompile", "exec", "jobs"],
    ),
];

/// Crates of others that carry a layer's knowledge, and the one crate that may
/// use each.
/// (`load` is a client, and speaks HTTP as such.)
const RESERVED: [(&str, &str); 23] = [
    ("axum", "reversecore-server"),
    ("hyper", "reversecore-server"),
    ("hyper-util", "reversecore-server"),
    ("rmcp", "reversecore-server"),
    ("tower", "reversecore-server"),
    ("tower-http", "reversecore-server"),
    ("jsonwebtoken", "reversecore-server"),
    ("rustls", "reversecore-server"),
    ("tokio-rustls", "reversecore-server"),
    ("clap", "reversecore"),
    ("anyhow", "reversecore"),
    ("tracing-subscriber", "reversecore"),
    ("rusqlite", "reversecore-batch"),
    ("landlock", "reversecore-exec"),
    ("seccompiler", "reversecore-exec"),
    ("schemars", "reversecore-tools"),
    ("capstone", "reversecore-analysis"),
    ("iced-x86", "reversecore-analysis"),
    ("ghidra-decompiler", "reversecore-decompile"),
    ("object", "reversecore-analysis"),
    ("yara-x", "reversecore-analysis"),
    ("psl", "reversecore-analysis"),
    ("file-format", "reversecore-analysis"),
];

/// Product dependencies by crate name.
type Graph = BTreeMap<String, Vec<String>>;

pub(crate) fn check() {
    let complaints = complaints(&graph());
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

pub(crate) fn check_lints() {
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{} lacks `[lints] workspace = true`",
            manifest.display()
        );
    }
}

fn complaints(graph: &Graph) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, dependencies) in graph {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| known == name) else {
            complaints.push(format!("`{name}` is not in this test's list of crates"));
            continue;
        };
        for dependency in dependencies {
            let ours = dependency.strip_prefix(PREFIX);
            if ours.is_some_and(|ours| !allowed.contains(&ours)) {
                complaints.push(format!("`{name}` may not know `{dependency}`"));
            }
            for (reserved, owner) in RESERVED {
                let speaks_http = name == "reversecore-load" && reserved.starts_with("hyper");
                if dependency == reserved && name != owner && !speaks_http {
                    complaints.push(format!("only `{owner}` may use `{reserved}`, not `{name}`"));
                }
            }
        }
    }
    complaints
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo is the one who knows the dependencies"
)]
fn graph() -> Graph {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let graph: Graph = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                // `null` is a product dependency; the others are `dev` and `build`.
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| text(&dependency["name"]))
                .collect();
            (text(&package["name"]), dependencies)
        })
        .collect();
    assert!(graph.len() >= ALLOWED.len(), "{graph:?}");
    graph
}

#[test]
fn forbidden_edges_are_found() {
    let graph = |name: &str, dependency: &str| {
        Graph::from([(name.to_owned(), vec![dependency.to_owned()])])
    };
    for (name, dependency) in [
        ("reversecore-exec", "reversecore-tools"),
        ("reversecore-tools", "reversecore-server"),
        ("reversecore-server", "reversecore-testkit"),
        ("reversecore-tools", "rmcp"),
        ("reversecore-exec", "clap"),
        ("reversecore-new", "serde"),
    ] {
        assert_eq!(
            complaints(&graph(name, dependency)).len(),
            1,
            "{name} {dependency}"
        );
    }
    assert!(complaints(&graph("reversecore-tools", "reversecore-exec")).is_empty());
}
