//! A tool's text for a person in front of a terminal: the names of facts stand out,
//! and so does what should worry. Where nobody looks at a terminal it stays as it is.

use crate::output::Paint;

/// Words that begin a finding, as tools write them.
const HIGH: [&str; 2] = ["severity: high", "severity=high"];
const SUSPICIOUS: [&str; 2] = ["severity: suspicious", "severity=suspicious"];
/// Longest name of a fact.
const LONGEST_NAME: usize = 32;

/// The text with colours.
pub(super) fn coloured(text: &str, paint: Paint) -> String {
    if !paint.is_on() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for line in text.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        out.push_str(&coloured_line(line, paint));
        out.push_str(end);
    }
    out
}

fn coloured_line(line: &str, paint: Paint) -> String {
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if line.starts_with("[warning:") || line.starts_with("[truncated") {
        paint.yellow(line.to_owned())
    } else if has(&HIGH) {
        paint.red(line.to_owned())
    } else if has(&SUSPICIOUS) {
        paint.yellow(line.to_owned())
    } else if let Some((name, rest)) = fact(line) {
        format!("{}:{rest}", paint.bold(name.to_owned()))
    } else {
        line.to_owned()
    }
}

/// `name: value`, where the name is one that a report gives.
fn fact(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once(':')?;
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let word = name.trim_start_matches([' ', '-']);
    let is_name = !word.is_empty()
        && word.len() <= LONGEST_NAME
        && word.starts_with(|first: char| first.is_ascii_lowercase())
        && word.chars().all(plain);
    (is_name && (rest.is_empty() || rest.starts_with(' '))).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_warnings_stand_out_and_text_of_files_does_not() {
        let text = "size: 3\n  entropy: 7.5\nhttp://x: y\n[warning: cut]\nplain";
        assert_eq!(
            coloured(text, Paint::with_colours()),
            "\u{1b}[1msize\u{1b}[0m: 3\n\u{1b}[1m  entropy\u{1b}[0m: 7.5\nhttp://x: y\n\u{1b}[33m[warning: cut]\u{1b}[0m\nplain"
        );
        assert_eq!(coloured(text, Paint::plain()), text);
    }
}
