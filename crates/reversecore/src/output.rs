//! The only place that writes to the standard streams, besides the transport
//! and the log.

use std::io::{self, Write as _};

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
