//! Functions whose source is known: compiled, decompiled, compiled again, and
//! both run on the same inputs.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests fail like the tests themselves, and the compiler is what makes the samples"
)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Subject, in_worker};

const TOYS: &str = include_str!("toys/toys.c");
const DRIVER: &str = include_str!("toys/driver.c");
const DATA: &str = include_str!("toys/data.c");
const PRELUDE: &str = include_str!("toys/prelude.h");

/// All of `toys.c`.
const FUNCTIONS: [&str; 27] = [
    "mix",
    "divide",
    "rotate",
    "clamp",
    "bits",
    "gcd",
    "collatz",
    "digits",
    "fibonacci",
    "triangle",
    "sum",
    "reverse",
    "sort",
    "occurrences",
    "palindrome",
    "hash",
    "copy_upper",
    "total",
    "shift_point",
    "factorial",
    "ackermann",
    "choose",
    "sparse",
    "day",
    "polynomial",
    "apply",
    "bump",
];
/// Calls of the library, which can't be told from its output alone.
const SAYS: &str = "say";

/// Ordinary code: what a vector unit does has no C that a compiler takes.
const FLAGS: [&str; 6] = [
    "-fno-inline",
    "-fno-ipa-cp",
    "-fno-tree-vectorize",
    "-fno-tree-slp-vectorize",
    "-fno-tree-switch-conversion",
    "-fno-stack-protector",
];

fn compile(directory: &Path, level: &str, sources: &[&str], output: &str) {
    let result = Command::new("gcc")
        .current_dir(directory)
        // Declarations without parameters are what calls are checked against.
        .args(["-std=gnu17", "-w", level, "-o", output])
        .args(FLAGS)
        .args(sources)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success(), "{output} at {level}:\n{said}");
}

fn run(directory: &Path, program: &str) -> String {
    let output = Command::new(directory.join(program)).output().unwrap();
    assert!(output.status.success(), "{program}: {:?}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The type of the result: what stands before the name.
fn result_of(text: &str, name: &str) -> String {
    let at = text.find(&format!("{name}(")).unwrap();
    let before = text.get(..at).unwrap();
    before.lines().next_back().unwrap().trim().to_owned()
}

fn recover(level: &str) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for (name, text) in [
        ("toys.c", TOYS),
        ("driver.c", DRIVER),
        ("data.c", DATA),
        ("prelude.h", PRELUDE),
    ] {
        fs::write(root.join(name), text).unwrap();
    }
    compile(root, level, &["toys.c", "driver.c", "data.c"], "original");
    let mut subject = Subject::of(&fs::read(root.join("original")).unwrap()).unwrap();
    let mut texts = Vec::new();
    for name in FUNCTIONS.into_iter().chain([SAYS]) {
        let found = subject.decompile(name).unwrap();
        assert_eq!(found.cut, None, "{name}");
        // A variable inside of a function has a dot in its name.
        texts.push((name, found.text.replace("calls.0", "calls_0")));
    }
    let mut sources = vec!["driver.c".to_owned(), "data.c".to_owned()];
    for (name, text) in &texts {
        let mut source = String::from("#include \"prelude.h\"\n");
        for (other, text) in &texts {
            if other != name {
                source.push_str(&format!("{} {other}();\n", result_of(text, other)));
            }
        }
        source.push_str(text);
        let file = format!("{name}.c");
        fs::write(root.join(&file), source).unwrap();
        sources.push(file);
    }
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    compile(root, "-O1", &sources, "recovered");
    let (original, recovered) = (run(root, "original"), run(root, "recovered"));
    for (expected, got) in original.lines().zip(recovered.lines()) {
        let name = expected.split(' ').next().unwrap_or_default();
        let text = texts.iter().find(|(known, _)| *known == name);
        let text = text.map_or("", |(_, text)| text.as_str());
        assert_eq!(expected, got, "{level}\n{text}");
    }
    assert_eq!(original, recovered);
    assert!(original.lines().count() > 200, "{original}");
    let says = &texts.last().unwrap().1;
    for call in ["puts(\"hello\")", "printf(\"%d needles\\n\","] {
        assert!(says.contains(call), "{call}: {says}");
    }
    let day = &texts.iter().find(|(name, _)| *name == "day").unwrap().1;
    assert!(day.contains("\"Monday\""), "{day}");
    let choose = &texts.iter().find(|(name, _)| *name == "choose").unwrap().1;
    assert!(choose.contains("switch"), "{choose}");
}

#[test]
fn optimised_a_little() {
    in_worker(|| recover("-O1"));
}

#[test]
fn optimised_more() {
    in_worker(|| recover("-O2"));
}

#[test]
fn as_written() {
    in_worker(|| recover("-O0"));
}
