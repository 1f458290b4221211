//! Text that came from outside, made fit for a message, a report or a log:
//! escaped, bounded, and without the host's paths.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How much of a caller's text is said back in a message.
const QUOTED_CHARS: usize = 200;
/// How much of a program's diagnostics is passed on.
const DIAGNOSTICS_CHARS: usize = 2000;

/// Bytes in lowercase hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// A point in time as RFC 3339 writes it; empty when it is none of the calendar's.
pub fn timestamp(time: SystemTime) -> String {
    OffsetDateTime::from(time)
        .format(&Rfc3339)
        .unwrap_or_default()
}

/// A caller's text as it stands in a message: escaped, and cut.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    let mut chars = text.chars();
    for c in chars.by_ref().take(QUOTED_CHARS) {
        push_escaped(&mut quoted, c);
    }
    if chars.next().is_some() {
        quoted.push('…');
    }
    quoted
}

/// One line of text from a sample, with control characters, and those that
/// change how the line is displayed, escaped.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        push_escaped(&mut out, c);
    }
    Cow::Owned(out)
}

/// A program's output of several lines: line ends and tabs stay, terminal
/// sequences go, other control characters are escaped.
pub(crate) fn escaped_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\u{1b}' if chars.peek() == Some(&'[') => {
                // A control sequence ends with a byte from @ to ~.
                chars.next();
                while let Some(c) = chars.next_if(|c| c.is_ascii() && !c.is_ascii_control()) {
                    if ('@'..='~').contains(&c) {
                        break;
                    }
                }
            }
            c => push_escaped(&mut out, c),
        }
    }
    out
}

/// What a program wrote to its standard error, fit for a message: no
/// directories of the host, bounded, escaped.
pub(crate) fn diagnostics(text: &str) -> String {
    let text = escaped_lines(text);
    let mut out = String::new();
    let mut room = DIAGNOSTICS_CHARS;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !out.is_empty() {
            out.push_str("; ");
        }
        let line = without_directories(line);
        out.extend(line.chars().take(room));
        let length = line.chars().count();
        if length > room {
            out.push('…');
            break;
        }
        room -= length;
    }
    out
}

/// Replaces each absolute path by its last component, and the paths of handed
/// descriptors by the word `FILE`.
pub(crate) fn without_directories(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    let mut previous = ' ';
    while let Some(c) = rest.chars().next() {
        if c == '/' && !previous.is_alphanumeric() && previous != '/' {
            let end = rest
                .find(|c: char| c.is_whitespace() || "'\"`:()[]<>,;".contains(c))
                .unwrap_or(rest.len());
            let (path, after) = rest.split_at(end);
            if path.starts_with("/proc/self/fd/") {
                out.push_str("FILE");
            } else {
                let name = path.trim_end_matches('/');
                out.push_str(name.rsplit('/').next().unwrap_or_default());
            }
            rest = after;
            previous = ' ';
        } else {
            out.push(c);
            previous = c;
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

pub(crate) fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

/// Appends text as a JSON string. Mostly text that has been escaped: then only
/// quotes, backslashes and tabs are left to look for.
pub(crate) fn push_json_string(out: &mut Vec<u8>, text: &str) {
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\t') {
        let json = serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned());
        out.extend_from_slice(json.as_bytes());
        return;
    }
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr3(b'"', b'\\', b'\t', rest) {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        out.push(b'\\');
        let (first, after) = from.split_at(1);
        match first {
            b"\t" => out.push(b't'),
            same => out.extend_from_slice(same),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        c if needs_escape(c) => {
            let code = u32::from(c);
            // Writing to a String can't fail.
            if code <= 0xff {
                write!(out, "\\x{code:02x}").ok();
            } else {
                write!(out, "\\u{{{code:x}}}").ok();
            }
        }
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_are_those_of_the_serializer() {
        for text in [
            "",
            "plain",
            "\"\\\t",
            "a\"b\\c\td",
            "\n\u{1b}\0",
            "é \u{2028}",
        ] {
            let mut json = Vec::new();
            push_json_string(&mut json, text);
            assert_eq!(json, serde_json::to_vec(text).unwrap(), "{text:?}");
        }
    }

    #[test]
    fn control_characters_and_direction_marks_are_escaped() {
        assert_eq!(
            escaped("a\tb\u{1b}[31m\u{202e}é"),
            "a\\tb\\x1b[31m\\u{202e}é"
        );
        assert!(matches!(escaped("plain é"), Cow::Borrowed(_)));
    }

    #[test]
    fn quotes_are_cut() {
        assert_eq!(quoted("a\nb"), "a\\nb");
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), QUOTED_CHARS + 1);
    }

    #[test]
    fn terminal_sequences_go_and_lines_stay() {
        assert_eq!(
            escaped_lines("\u{1b}[1;31mred\u{1b}[0m\r\n\tx\u{7}"),
            "red\n\tx\\x07"
        );
        assert_eq!(escaped_lines("cut \u{1b}["), "cut ");
    }

    #[test]
    fn diagnostics_hold_no_directory_of_the_host() {
        let given = "/usr/bin/strings: '/proc/self/fd/3': No such file\nsee \"/home/me/x.yar\"(3): and/or 1/2";
        assert_eq!(
            diagnostics(given),
            "strings: 'FILE': No such file; see \"x.yar\"(3): and/or 1/2"
        );
        let long = diagnostics(&"word ".repeat(10_000));
        assert_eq!(long.chars().count(), DIAGNOSTICS_CHARS + 1);
    }
}
