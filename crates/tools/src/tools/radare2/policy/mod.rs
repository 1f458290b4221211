//! Decides whether a radare2 command line given by a caller may run.
//!
//! The radare2 tool calls [`check`] before anything is started. The line is
//! parsed with a small grammar and every command word must be one of the
//! read-only words listed in `families`; whatever is not listed is refused, so
//! a command that a later radare2 adds is refused until somebody reads its
//! help. It does not bound output, memory or time (the execution engine does),
//! and it is a second wall: radare2's own sandbox stays on behind it.

mod config;
pub(super) mod effects;
mod families;
mod grammar;
mod reasons;
#[cfg(test)]
mod tests;

/// Whether radare2 commands are checked before they are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PolicyMode {
    /// Only what is known to read.
    #[default]
    Enforced,
    /// Everything: for tests of the confinement alone. No configuration sets it.
    Off,
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// A stable name of the rule that refused it, such as `shell-escape`.
    pub(super) rule: &'static str,
    /// The offending part as it was given, at most 60 characters.
    pub(super) part: String,
    /// What to use instead.
    pub(super) hint: String,
}

/// The longest command line accepted, in bytes: radare2 drops a line of input
/// that does not fit into its buffer of 4096.
const MAX_COMMAND_BYTES: usize = 4000;

const MAX_PART_CHARS: usize = 60;

impl Refusal {
    fn new(rule: &'static str, part: &str, hint: &str) -> Self {
        Self {
            rule,
            part: part.chars().take(MAX_PART_CHARS).collect(),
            hint: hint.to_owned(),
        }
    }
}

/// Checks a whole command line as given by a caller.
///
/// # Errors
///
/// The first [`Refusal`] met: characters of the whole line first, from left to
/// right, then command by command.
pub(super) fn check(command: &str) -> Result<(), Refusal> {
    grammar::check_characters(command)?;
    grammar::commands(command)?
        .into_iter()
        .try_for_each(check_one)
}

/// Checks one command between semicolons.
fn check_one(text: &str) -> Result<(), Refusal> {
    let parts = grammar::split(text)?;
    if let Some(grep) = parts.grep {
        grammar::check_grep(grep)?;
    }
    if let Some(seek) = parts.seek {
        grammar::check_seek(seek)?;
    }
    let Some(shape) = families::lookup(parts.word) else {
        // `pd?` prints the help of an allowed word.
        let helped = parts.word.strip_suffix('?').and_then(families::lookup);
        return if helped.is_some() && parts.arguments.is_empty() {
            Ok(())
        } else {
            Err(reasons::refuse(parts.word))
        };
    };
    grammar::check_arguments(parts.word, parts.arguments, shape)
}
