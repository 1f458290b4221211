//! Questions about code, on real programs: what one tool says agrees with what
//! the others say, and with binutils.

use std::collections::BTreeSet;
use std::process::Command;

use reversecore_testkit::samples::Workspace;
use serde_json::{Value, json};

use crate::support::{Session, discloses_nothing, refused};

/// A program with a switch, a loop, a call of the library, and a function that
/// nobody calls; the second version changes one function and adds another.
const PROGRAM: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
__attribute__((noinline)) int choose(int what) {
  switch (what) { case 0: return 7; case 1: return 12; case 2: return what * 3; case 3: return 99;
    case 4: return what + 5; case 5: return -1; default: return 0; }
}
__attribute__((noinline)) unsigned checksum(const char *text) {
  unsigned sum = 0xedb88320u;
  for (size_t i = 0; i < strlen(text); i++) sum = (sum << 5) ^ (sum >> 27) ^ (unsigned char)text[i] CHANGE;
  return sum;
}
EXTRA
int main(int argc, char **argv) {
  if (argc < 2) { puts("a needle in the haystack"); exit(3); }
  printf("%d %u\n", choose(argc), checksum(argv[1]) USE);
  return 0;
}
"#;

#[expect(
    clippy::disallowed_methods,
    reason = "the compiler is what makes the sample"
)]
fn compile(workspace: &Workspace, name: &str, change: [&str; 3]) {
    let [change, extra, used] = change;
    let source = PROGRAM
        .replace("CHANGE", change)
        .replace("EXTRA", extra)
        .replace("USE", used);
    let path = workspace.write(format!("{name}.c"), source.as_bytes());
    let status = Command::new("gcc")
        .args(["-O1", "-fno-inline", "-o"])
        .arg(workspace.join(name))
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
}

pub(crate) fn first(workspace: &Workspace, name: &str) {
    compile(workspace, name, ["", "", ""]);
}

#[expect(
    clippy::disallowed_methods,
    reason = "binutils are what is compared with"
)]
pub(crate) fn output(program: &str, arguments: &[&str], workspace: &Workspace) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(workspace.path())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
pub(crate) fn data(session: &mut Session, tool: &str, given: &Value) -> Value {
    let envelope = session.call(tool, given);
    assert_eq!(envelope["status"], "success", "{tool} {given}: {envelope}");
    envelope["data"].clone()
}

/// Names and addresses of the listed functions.
fn functions(session: &mut Session, file: &str) -> BTreeSet<(u64, String)> {
    let listed = data(
        session,
        "list_functions",
        &json!({"file_path": file, "limit": 10_000}),
    );
    let rows = listed["functions"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            (
                row[0].as_u64().unwrap(),
                row[2].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

#[test]
fn functions_are_those_of_the_symbol_table_and_are_found_without_it() {
    let workspace = Workspace::new();
    first(&workspace, "a");
    let mut session = Session::start(workspace.path());
    let listed = functions(&mut session, "a");
    for line in output("nm", &["a"], &workspace).lines() {
        let mut words = line.split_whitespace();
        let (Some(address), Some("T" | "t"), Some(name)) =
            (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let address = u64::from_str_radix(address, 16).unwrap();
        assert!(
            listed.iter().any(|(known, _)| *known == address),
            "{name} in {listed:?}"
        );
    }
    output("strip", &["-o", "b", "a"], &workspace);
    let stripped = functions(&mut session, "b");
    for name in ["choose", "checksum", "main"] {
        let (address, _) = listed.iter().find(|(_, known)| known == name).unwrap();
        assert!(stripped.iter().any(|(known, _)| known == address), "{name}");
    }
    let sorted = json!({"file_path": "a", "sort": "complexity", "kind": "function", "limit": 1});
    let most = data(&mut session, "list_functions", &sorted);
    assert_eq!(most["functions"][0][2], "choose", "{most}");
}

#[test]
fn references_graphs_and_searches_agree() {
    let workspace = Workspace::new();
    first(&workspace, "a");
    let mut session = Session::start(workspace.path());
    let listed = functions(&mut session, "a");
    let address = |name: &str| listed.iter().find(|(_, known)| known == name).unwrap().0;

    // By function, import and text: the same caller.
    for to in ["choose", "puts", "needle in the"] {
        let found = data(
            &mut session,
            "find_xrefs",
            &json!({"file_path": "a", "to": to}),
        );
        let from: Vec<_> = found["references"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["function"].clone())
            .collect();
        assert!(from.contains(&json!("main")), "{to}: {found}");
    }
    let from = data(
        &mut session,
        "find_xrefs",
        &json!({"file_path": "a", "from": "main"}),
    );
    let to: BTreeSet<u64> = from["references"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["to"].as_u64())
        .collect();
    assert!(
        to.contains(&address("choose")) && to.contains(&address("checksum")),
        "{from}"
    );

    let graph = data(
        &mut session,
        "get_call_graph",
        &json!({"file_path": "a", "function": "main", "depth": 1}),
    );
    let names: BTreeSet<&str> = graph["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|node| node["name"].as_str())
        .collect();
    for name in ["main", "choose", "checksum", "puts", "exit"] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
    let drawn = data(
        &mut session,
        "get_call_graph",
        &json!({"file_path": "a", "function": "main", "render": "mermaid"}),
    );
    assert!(
        drawn["graph"]
            .as_str()
            .unwrap()
            .starts_with("flowchart TD\n"),
        "{drawn}"
    );

    let flow = data(
        &mut session,
        "get_control_flow_graph",
        &json!({"file_path": "a", "function": "choose", "instructions": true}),
    );
    let blocks = flow["blocks"].as_array().unwrap();
    let cases = flow["edges"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|edge| edge["kind"] == "switch")
        .count();
    assert!(blocks.len() >= 6 && cases >= 6, "{flow}");
    let instructions: u64 = blocks
        .iter()
        .map(|block| block["instructions"].as_u64().unwrap())
        .sum();
    let listing = data(
        &mut session,
        "disassemble",
        &json!({"file_path": "a", "function": "choose", "count": 1000}),
    );
    assert_eq!(
        listing["instructions"].as_array().unwrap().len() as u64,
        instructions
    );
    assert_eq!(listing["symbol"], "choose");

    let found = data(
        &mut session,
        "search_code",
        &json!({"file_path": "a", "constant": "0xedb88320"}),
    );
    assert_eq!(found["hits"][0]["name"], "checksum", "{found}");
    let hit = found["hits"][0]["address"].as_u64().unwrap();
    let bytes = data(
        &mut session,
        "search_code",
        &json!({"file_path": "a", "bytes": "20 83 b8 e?"}),
    );
    let at = bytes["hits"][0]["address"].as_u64().unwrap();
    assert!((hit..hit + 8).contains(&at), "{bytes}");
    let calls = data(
        &mut session,
        "search_code",
        &json!({"file_path": "a", "instructions": "call *", "function": "main"}),
    );
    assert!(calls["hits"].as_array().unwrap().len() >= 4, "{calls}");
}

#[test]
fn a_new_version_is_compared_with_the_old_one() {
    let workspace = Workspace::new();
    first(&workspace, "old");
    let extra = "__attribute__((noinline)) int fresh(int a) { return a * 31337 + 4; }";
    compile(&workspace, "new", ["+ 3", extra, ", fresh(argc)"]);
    let mut session = Session::start(workspace.path());
    let same = data(
        &mut session,
        "diff_binaries",
        &json!({"file_path": "old", "other_path": "old"}),
    );
    assert_eq!(
        (&same["similarity"], &same["changed_count"]),
        (&json!(1.0), &json!(0)),
        "{same}"
    );
    let diff = data(
        &mut session,
        "diff_binaries",
        &json!({"file_path": "old", "other_path": "new"}),
    );
    let names = |list: &Value, side: Option<&str>| -> BTreeSet<String> {
        let all = list.as_array().into_iter().flatten();
        all.map(|one| {
            side.map_or(one, |side| &one[side])["name"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
    };
    let changed = names(&diff["changed"], Some("new"));
    assert!(
        changed.contains("checksum") && !changed.contains("choose"),
        "{diff}"
    );
    assert!(names(&diff["added"], None).contains("fresh"), "{diff}");
    assert!(diff["similarity"].as_f64().unwrap() < 1.0);
}

#[test]
fn questions_that_have_no_answer_say_why() {
    let workspace = Workspace::new();
    first(&workspace, "a");
    workspace.write("text", b"no program at all");
    workspace.write("cut", &std::fs::read(workspace.join("a")).unwrap()[..5000]);
    let mut session = Session::start(workspace.path());
    for (tool, given, words) in [
        (
            "find_xrefs",
            json!({"file_path": "a", "to": "checksun"}),
            "checksum",
        ),
        (
            "find_xrefs",
            json!({"file_path": "a", "from": "0x1"}),
            "from",
        ),
        ("find_xrefs", json!({"file_path": "a"}), "to"),
        (
            "get_control_flow_graph",
            json!({"file_path": "a", "function": "chose"}),
            "choose",
        ),
        (
            "get_call_graph",
            json!({"file_path": "a", "function": "0xffffffffffff"}),
            "function",
        ),
        (
            "search_code",
            json!({"file_path": "a", "bytes": "zz"}),
            "zz",
        ),
        (
            "search_code",
            json!({"file_path": "a", "bytes": "??"}),
            "wildcards",
        ),
        ("search_code", json!({"file_path": "a"}), "constant"),
        (
            "disassemble",
            json!({"file_path": "a", "function": "main", "address": "0x1000"}),
            "function",
        ),
        ("list_functions", json!({"file_path": "text"}), "executable"),
        (
            "diff_binaries",
            json!({"file_path": "a", "other_path": "text"}),
            "other_path",
        ),
        (
            "diff_binaries",
            json!({"file_path": "a", "other_path": "none"}),
            "none",
        ),
    ] {
        let envelope = session.call(tool, &given);
        refused(
            &envelope,
            &["VALIDATION_ERROR", "FILE_NOT_FOUND"],
            tool,
            workspace.path(),
        );
        let said = format!("{} {}", envelope["message"], envelope["hint"]);
        assert!(said.contains(words), "{tool} {given}: {said}");
    }
    // What is left of a file is still looked at.
    let envelope = session.call("list_functions", &json!({"file_path": "cut"}));
    discloses_nothing(&envelope, "cut", workspace.path());
    assert_eq!(envelope["metadata"]["coverage"], "partial", "{envelope}");
}

#[test]
fn radare2_answers_in_the_same_shape() {
    let workspace = Workspace::new();
    first(&workspace, "a");
    let mut session = Session::start(workspace.path());
    let theirs = json!({"file_path": "a", "limit": 10_000, "engine": "external"});
    let theirs = data(&mut session, "list_functions", &theirs);
    let ours = json!({"file_path": "a", "limit": 10_000});
    let ours = data(&mut session, "list_functions", &ours);
    assert_eq!(ours["columns"], theirs["columns"]);
    let named = |report: &Value, name: &str| -> (u64, u64) {
        let rows = report["functions"].as_array().unwrap();
        let row = rows.iter().find(|row| row[2] == name).unwrap();
        (row[0].as_u64().unwrap(), row[1].as_u64().unwrap())
    };
    for name in ["main", "choose", "checksum"] {
        assert_eq!(named(&ours, name).0, named(&theirs, name).0, "{name}");
    }
    for to in ["choose", "puts"] {
        let sites = |report: &Value| -> BTreeSet<u64> {
            let rows = report["references"].as_array().unwrap().iter();
            let calls = rows.filter(|row| row["kind"] == "call");
            calls.map(|row| row["from"].as_u64().unwrap()).collect()
        };
        let ours = data(
            &mut session,
            "find_xrefs",
            &json!({"file_path": "a", "to": to}),
        );
        let given = json!({"file_path": "a", "to": to, "engine": "external"});
        let theirs = data(&mut session, "find_xrefs", &given);
        assert!(!sites(&ours).is_empty());
        assert_eq!(sites(&ours), sites(&theirs), "{to}");
    }
    for to in ["a;!id", "a`id`", "a|id", "a>x", "", "a b"] {
        let given = json!({"file_path": "a", "to": to, "engine": "external"});
        let envelope = session.call("find_xrefs", &given);
        refused(&envelope, &["VALIDATION_ERROR"], to, workspace.path());
    }
}
