//! The grammar of an accepted radare2 command line, without quoting:
//!
//! ```text
//! line    = command { ";" command } [ ";" ]
//! command = word [ " " arguments ] [ "@" seek ] [ "~" grep ]
//! ```
//!
//! `super::check` calls these in order. Quotes and escapes are refused for the
//! whole line, which is why splitting at plain characters is right. Which words
//! exist, and which shape their arguments have, is the business of `families`.

use super::config::check_config;
use super::families::Shape;
use super::{MAX_COMMAND_BYTES, Refusal};

/// One command taken apart; the pieces are trimmed.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) word: &'a str,
    pub(super) arguments: &'a str,
    /// What follows the first `@`, itself maybe starting with `@`.
    pub(super) seek: Option<&'a str>,
    pub(super) grep: Option<&'a str>,
}

/// Refuses a line for its length, or for a character no command may hold.
pub(super) fn check_characters(line: &str) -> Result<(), Refusal> {
    if line.len() > MAX_COMMAND_BYTES {
        let hint = format!("send at most {MAX_COMMAND_BYTES} bytes; split the work into calls");
        return Err(Refusal::new("too-long", line, &hint));
    }
    for (at, c) in line.char_indices() {
        let (rule, hint) = match c {
            '!' => (
                "shell-escape",
                "the system shell is out of reach; `!` is refused everywhere",
            ),
            '|' => ("pipe", "filter with the internal grep, as in `afl~main`"),
            '>' | '<' => (
                "redirect",
                "the output is returned by the call; nothing is written to files",
            ),
            '`' => (
                "nested",
                "run the inner command in its own call and pass its result",
            ),
            '"' | '\'' | '\\' => (
                "quoted",
                "write the command without quotes or backslashes; search bytes with `/x`",
            ),
            '(' | ')' => (
                "macro",
                "write the commands one after another, separated by `;`",
            ),
            '#' => ("interpreter", "no comments and no scripting languages"),
            '&' => ("background", "commands run one after another; drop the `&`"),
            '$' => match line.as_bytes().get(at + 1) {
                Some(b'$' | b'a'..=b'z' | b'A'..=b'Z' | b' ' | b';' | b'~') | None => continue,
                _ => (
                    "nested",
                    "only `$$` and plain variables such as `$s` are accepted",
                ),
            },
            c if c.is_control() => (
                "control-character",
                "send one line; separate commands with `;`",
            ),
            c if !c.is_ascii() => (
                "non-ascii",
                "use ASCII only; search other text with `/x` and its bytes",
            ),
            _ => continue,
        };
        return Err(Refusal::new(rule, line.get(at..).unwrap_or(line), hint));
    }
    Ok(())
}

/// Splits a line into its commands; one empty command at the end is forgiven.
pub(super) fn commands(line: &str) -> Result<Vec<&str>, Refusal> {
    let mut commands: Vec<&str> = line.split(';').map(str::trim).collect();
    if commands.len() > 1 && commands.last().is_some_and(|last| last.is_empty()) {
        commands.pop();
    }
    if commands.iter().any(|command| command.is_empty()) {
        return Err(Refusal::new(
            "empty",
            line,
            "give a command, such as `iI` or `aaa;afl`",
        ));
    }
    Ok(commands)
}

/// Takes one command apart.
pub(super) fn split(command: &str) -> Result<Parts<'_>, Refusal> {
    if command.starts_with(|c: char| c.is_ascii_digit()) {
        let hint = "no repeat count and no bare address; seek with `s 0x1000`";
        return Err(Refusal::new("repeat-count", command, hint));
    }
    let (rest, grep) = match command.split_once('~') {
        Some((rest, grep)) => (rest, Some(grep)),
        None => (command, None),
    };
    let (head, seek) = match rest.split_once('@') {
        Some((head, seek)) => (head, Some(seek)),
        None => (rest, None),
    };
    let head = head.trim();
    let (word, arguments) = head.split_once(' ').unwrap_or((head, ""));
    if word.is_empty() {
        let hint = "start with a command word, as in `pd 5 @ main~call`";
        return Err(Refusal::new("empty", command, hint));
    }
    Ok(Parts {
        word,
        arguments: arguments.trim(),
        seek,
        grep,
    })
}

/// Accepts a plain address expression, or one of the iterators known to be safe.
pub(super) fn check_seek(seek: &str) -> Result<(), Refusal> {
    if let Some(iterator) = seek.strip_prefix('@') {
        return check_iterator(iterator);
    }
    let seek = seek.trim();
    // A colon selects another meaning: `@c:` runs a command, `@f:` reads a file.
    // A leading dot is a partial seek, also with a space between.
    if seek.is_empty() || seek.starts_with('.') || !seek.chars().all(is_expression) {
        let hint = "after `@` give one address: a name, a number, `$$`, joined by + - * /";
        return Err(Refusal::new("seek", seek, hint));
    }
    Ok(())
}

/// radare2 skips spaces after `@@`, so `@@ c:cmd` runs a command exactly as
/// `@@c:cmd` does; only whole known forms are let through.
fn check_iterator(iterator: &str) -> Result<(), Refusal> {
    const PREFIXES: [&str; 8] = [
        "sym.", "str.", "fcn.", "loc.", "obj.", "section.", "reloc.", "entry",
    ];
    let glob = iterator.strip_prefix(' ').map_or("", str::trim);
    let is_glob = PREFIXES.iter().any(|prefix| glob.starts_with(prefix))
        && glob
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '*'));
    if matches!(iterator.trim_end(), "f" | "b" | "i") || is_glob {
        return Ok(());
    }
    let hint =
        "use `@@f` (functions), `@@b` (blocks), `@@i` (instructions) or a glob such as `@@ sym.*`";
    Err(Refusal::new("iterator", iterator, hint))
}

/// Accepts `pattern`, `[columns]`, `:lines`, `?` and `{json.path}`.
pub(super) fn check_grep(grep: &str) -> Result<(), Refusal> {
    let refuse = |rule, hint: &str| Err(Refusal::new(rule, grep, hint));
    let spec = grep.trim();
    if let Some(path) = spec.strip_prefix('{') {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']');
        let inner = path.strip_suffix('}');
        if inner
            .is_some_and(|path| (path == "=" || path.chars().all(plain)) && !path.contains(".."))
        {
            return Ok(());
        }
        return refuse(
            "grep",
            "use `~{}` to indent JSON or `~{path.to.key}` to pick from it",
        );
    }
    // At most one column choice and one line choice, in either order.
    let mut pattern = spec;
    for _ in 0..2 {
        pattern = without_columns(without_lines(pattern));
    }
    if pattern.starts_with('~') || pattern.contains("..") {
        return refuse(
            "interactive",
            "the pager and the menu need a terminal; filter with `~word`",
        );
    }
    let counted = pattern.strip_prefix('?').unwrap_or(pattern);
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '_' | '.' | ',' | '-' | '+' | '^' | '=' | '/' | '%' | ' ')
    };
    if !counted.chars().all(plain) {
        return refuse(
            "grep",
            "after `~` give one word, then optional `[column]` and `:line`; put `@` before it",
        );
    }
    Ok(())
}

/// Takes `[0]`, `[1,2]`, `[-1]` or `[2-]` off the end.
fn without_columns(spec: &str) -> &str {
    let columns = |c: char| c.is_ascii_digit() || matches!(c, ',' | '-');
    spec.strip_suffix(']')
        .and_then(|inner| inner.rsplit_once('['))
        .filter(|(_, inner)| !inner.is_empty() && inner.chars().all(columns))
        .map_or(spec, |(before, _)| before)
}

/// Takes `:3`, `:-2` or `:0..3` off the end.
fn without_lines(spec: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = |text: &str| digits(text.strip_prefix('-').unwrap_or(text));
    spec.rsplit_once(':')
        .filter(|(_, lines)| match lines.split_once("..") {
            Some((from, to)) => number(from) && number(to),
            None => number(lines),
        })
        .map_or(spec, |(before, _)| before)
}

/// Checks the arguments of an allowed word against the shape it takes.
pub(super) fn check_arguments(word: &str, arguments: &str, shape: Shape) -> Result<(), Refusal> {
    let each = |plain: fn(char) -> bool| arguments.chars().all(plain);
    let (accepted, hint) = match shape {
        Shape::Nothing => (
            arguments.is_empty(),
            "this command is accepted without arguments only",
        ),
        Shape::Expression => (
            each(is_expression),
            "give names and numbers, joined by + - * /",
        ),
        Shape::Name => (
            each(is_name),
            "give a plain name: letters, digits, `_` and `.`",
        ),
        Shape::Text => (
            each(is_text),
            "give plain text without braces; search bytes with `/x`",
        ),
        Shape::Hex => (
            each(is_hex),
            "give hexadecimal digits, `.` for any digit, `:` before a mask",
        ),
        Shape::Format => (
            each(is_format),
            "give format characters and plain names; `.` and `=` are refused",
        ),
        Shape::Config => return check_config(arguments),
    };
    if accepted {
        return Ok(());
    }
    let hint = format!("`{word}`: {hint}");
    Err(Refusal::new("argument", arguments, &hint))
}

fn is_expression(c: char) -> bool {
    is_name(c) || matches!(c, '+' | '-' | '*' | '/' | '$' | '[' | ']' | ' ')
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.')
}

fn is_text(c: char) -> bool {
    matches!(c, ' '..='z') // the whole line was checked for the dangerous ones
}

fn is_hex(c: char) -> bool {
    c.is_ascii_hexdigit() || matches!(c, '.' | ':' | ' ')
}

fn is_format(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '[' | ']' | '*' | ' ' | '+' | ':' | '?')
}
