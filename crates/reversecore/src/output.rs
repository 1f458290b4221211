//! The only place that writes to the standard streams, besides the transport
//! and the log.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

/// Prints an answer. A reader that has gone away (`| head`) is no error.
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let mut write = || {
        stdout.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            stdout.write_all(b"\n")?;
        }
        stdout.flush()
    };
    match write() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints a JSON answer.
pub(crate) fn json(value: &Value) -> io::Result<()> {
    text(&format!("{value:#}"))
}

/// Says why a command failed: what was tried, and what that was due to.
pub(crate) fn complain(error: &anyhow::Error) {
    note(&format!("error: {error:#}"));
}

/// Says something to the person in front of the terminal.
pub(crate) fn note(text: &str) {
    // Without a standard error there is nobody to tell.
    writeln!(io::stderr(), "{text}").ok();
}

/// Text of files, made harmless for a terminal: controls, and what turns the
/// direction of writing, are shown and do nothing.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let turns = matches!(
            character,
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}'
        );
        if character.is_control() || turns {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Colours, where somebody looks at a terminal and has not asked for none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// For the standard output.
    pub(crate) fn for_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            on: wanted && io::stdout().is_terminal(),
        }
    }

    /// Whether there are any.
    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    #[cfg(test)]
    pub(crate) fn with_colours() -> Self {
        Self { on: true }
    }

    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { on: false }
    }

    fn with(self, code: &str, text: String) -> String {
        if self.on {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text
        }
    }

    /// What is bad.
    pub(crate) fn red(self, text: String) -> String {
        self.with("31", text)
    }

    /// What may be bad.
    pub(crate) fn yellow(self, text: String) -> String {
        self.with("33", text)
    }

    /// What names the rest.
    pub(crate) fn bold(self, text: String) -> String {
        self.with("1", text)
    }
}

/// Columns, as wide as their widest cell; the last one is not filled up.
pub(crate) fn table<const N: usize>(
    paint: &Paint,
    heads: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    const BETWEEN: usize = 2;
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let mut widths = heads.map(|head| head.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(seen(cell));
        }
    }
    let heads = heads.map(|head| paint.bold(head.to_owned()));
    let mut text = String::new();
    for row in std::iter::once(&heads).chain(&rows) {
        for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
            text.push_str(cell);
            if index + 1 < N {
                let fill = width.saturating_sub(seen(cell)) + BETWEEN;
                text.extend(std::iter::repeat_n(' ', fill));
            }
        }
        text.push('\n');
    }
    text
}

/// Characters that are seen of a painted text.
fn seen(text: &str) -> usize {
    let mut count = 0;
    let mut in_code = false;
    for character in text.chars() {
        match character {
            '\u{1b}' => in_code = true,
            'm' if in_code => in_code = false,
            _ if in_code => {}
            _ => count += 1,
        }
    }
    count
}
