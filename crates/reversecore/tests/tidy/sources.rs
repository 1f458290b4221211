//! The workspace's Rust files, with what the rules want to know about them.

use std::fs;
use std::path::{Path, PathBuf};

/// One Rust file.
#[derive(Debug)]
pub(crate) struct Source {
    /// The directory of its crate below `crates/`.
    pub(crate) package: String,
    /// Its path from the workspace's root, with `/`.
    pub(crate) path: String,
    /// Everything in it.
    pub(crate) text: String,
    /// The product code in it: no comments, no test modules, and no literal
    /// text. Lines keep their numbers.
    pub(crate) code: String,
}

impl Source {
    /// A file with this path and text.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let package = path.split('/').nth(1).expect("crates/NAME/…");
        Self {
            package: package.to_owned(),
            path: path.to_owned(),
            text: text.to_owned(),
            code: product_code(text),
        }
    }

    /// Whether the file is compiled for tests, benchmarks and examples only.
    pub(crate) fn is_test(&self) -> bool {
        let inside = |directory: &str| self.path.contains(directory);
        inside("/tests/")
            || inside("/benches/")
            || inside("/examples/")
            || self.path.ends_with("/tests.rs")
    }

    /// `path:line: what`, for each line of the product code that `matches`.
    pub(crate) fn complain(&self, what: &str, matches: impl Fn(&str) -> bool) -> Vec<String> {
        (1..)
            .zip(self.code.lines())
            .filter(|(_, line)| matches(line))
            .map(|(number, line)| format!("{}:{number}: {what}: `{}`", self.path, line.trim()))
            .collect()
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the crate lies in crates/NAME")
        .to_path_buf()
}

/// All Rust files of all crates.
pub(crate) fn all() -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    collect(&root.join("crates"), &mut paths);
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("a source is readable UTF-8");
            let path = path
                .strip_prefix(&root)
                .expect("it was found below the root");
            Source::new(&path.to_string_lossy(), &text)
        })
        .collect()
}

fn collect(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a crate's directory is readable") {
        let path = entry.expect("a directory can be listed").path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Blanks out comments, literal text, and modules under `#[cfg(test)]` (which
/// by our convention end the file).
fn product_code(text: &str) -> String {
    let end = text
        .find("\n#[cfg(test)]\nmod tests {")
        .unwrap_or(text.len());
    let mut rest = text
        .get(..end)
        .expect("a line feed is a boundary")
        .chars()
        .peekable();
    let mut code = String::with_capacity(end);
    while let Some(character) = rest.next() {
        match character {
            '/' if rest.peek() == Some(&'/') => {
                while rest.next_if(|next| *next != '\n').is_some() {}
            }
            '"' if opens_raw_text(&code) => {
                let hashes = trailing_hashes(&code);
                let mut closing = None;
                code.push('"');
                for next in rest.by_ref() {
                    closing = match (next, closing) {
                        ('"', _) => Some(0),
                        ('#', Some(seen)) => Some(seen + 1),
                        _ => None,
                    };
                    code.extend(Some(next).filter(|next| *next == '\n'));
                    if closing == Some(hashes) {
                        break;
                    }
                }
                code.push('"');
            }
            '"' => {
                code.push('"');
                while let Some(next) = rest.next() {
                    match next {
                        '"' => break,
                        // The escaped character can be a quote.
                        '\\' => code.extend(rest.next().filter(|next| *next == '\n')),
                        '\n' => code.push('\n'),
                        _ => {}
                    }
                }
                code.push('"');
            }
            '\'' => {
                // A quote as a character literal would open a text.
                code.push('\'');
                if rest.peek() == Some(&'"') {
                    rest.next();
                }
            }
            other => code.push(other),
        }
    }
    code
}

fn trailing_hashes(code: &str) -> usize {
    code.chars().rev().take_while(|last| *last == '#').count()
}

/// Whether a quote after this code begins a raw text: `r"`, `r#"`, `br#"`.
fn opens_raw_text(code: &str) -> bool {
    let mut before = code.chars().rev().skip(trailing_hashes(code));
    let named = |character: char| character.is_alphanumeric() || character == '_';
    match (before.next(), before.next()) {
        (Some('r'), Some('b')) => !before.next().is_some_and(named),
        (Some('r'), other) => !other.is_some_and(named),
        _ => false,
    }
}

#[test]
fn raw_texts_are_no_code() {
    let text = "a(r#\"say \"print!\" \\\"#); b(br\"x\\\"); car\"\\\"\"; c()\n";
    assert_eq!(product_code(text), "a(r#\"\"); b(br\"\"); car\"\"; c()\n");
}

#[test]
fn comments_texts_and_tests_are_no_code() {
    let text = "//! println!\nfn a() {\n    b(\"print\\\"ln!\n x\"); // exit\n}\nconst C: char = '\"';\nfn d() {}\n\n#[cfg(test)]\nmod tests {\n    e!();\n}\n";
    assert_eq!(
        product_code(text),
        "\nfn a() {\n    b(\"\n\"); \n}\nconst C: char = '';\nfn d() {}\n"
    );
}
