//! What a command leaves behind in radare2. A session answers many calls, and
//! each call must be answered as if it were the first.
//!
//! The list is of what is known to leave nothing; whatever is not on it is taken
//! to leave something, and costs a session of its own. It is no part of the
//! policy: a mistake here makes an answer wrong, and lets nothing out.

use super::grammar::{self, Parts};

/// What a command does to what later commands print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Nothing,
    /// Moves to another address, which can be undone.
    Seek,
    /// Changes the block size, which can be undone.
    Block,
    /// Chooses a flag space, which can be undone.
    FlagSpace,
    /// Analyses as whole sessions may have done already.
    Analyse(Depth),
    /// Anything else.
    Lasting,
}

/// How much was analysed before the first command.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Depth {
    /// Nothing.
    None,
    /// Symbols and entry points (`aa`).
    Basic,
    /// Calls, references, variables and types too (`aaa`).
    Full,
}

/// One command of a line that the policy has accepted, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use<'a> {
    /// As it was given.
    pub(crate) text: &'a str,
    pub(crate) effect: Effect,
    /// It tells of functions or references, so it has nothing to say before an
    /// analysis.
    pub(crate) needs_analysis: bool,
}

/// The commands of a line that the policy has accepted; `None` for any other.
pub(crate) fn uses(line: &str) -> Option<Vec<Use<'_>>> {
    grammar::commands(line)
        .ok()?
        .into_iter()
        .map(|text| grammar::split(text).ok().map(|parts| used(text, &parts)))
        .collect()
}

fn used<'a>(text: &'a str, parts: &Parts<'a>) -> Use<'a> {
    let over_functions = parts
        .seek
        .and_then(|seek| seek.strip_prefix('@'))
        .is_some_and(|iterator| matches!(iterator.trim_end(), "f" | "b"));
    Use {
        text,
        effect: effect(parts),
        needs_analysis: over_functions || tells_of_functions(parts.word),
    }
}

fn effect(parts: &Parts<'_>) -> Effect {
    let Parts {
        word,
        arguments,
        seek,
        grep,
    } = *parts;
    if word.ends_with('?') || leaves_nothing(word, arguments) {
        return Effect::Nothing;
    }
    // Repeated or filtered, it is not one step that can be undone.
    let plain = seek.is_none() && grep.is_none();
    match word {
        "s" | "s+" | "s-" if plain && !arguments.is_empty() => Effect::Seek,
        "b" if plain => Effect::Block,
        "fs" if plain => Effect::FlagSpace,
        "aa" if plain && arguments.is_empty() => Effect::Analyse(Depth::Basic),
        "aaa" if plain && arguments.is_empty() => Effect::Analyse(Depth::Full),
        _ => Effect::Lasting,
    }
}

fn leaves_nothing(word: &str, arguments: &str) -> bool {
    /// Families of which every listed word only prints.
    const PRINTING: [&str; 14] = [
        "afl", "afi", "afv", "afo", "afx", "afb", "afcl", "ax", "ag", "ao", "p", "i", "x", "?",
    ];
    /// Families of which the words without arguments only print.
    const LISTING: [&str; 6] = ["f", "t", "C", "om", "afs", "as"];
    /// Of these families, what does more.
    const NOT: [&str; 4] = ["afv-", "pm", "fs", "fz"];
    match word {
        "s" | "sj" | "b" | "bj" | "fs" => arguments.is_empty(),
        "e" => !arguments.contains('=') || arguments.ends_with("=?"),
        _ if NOT.contains(&word) => false,
        _ if PRINTING.iter().any(|family| word.starts_with(family)) => true,
        _ => arguments.is_empty() && LISTING.iter().any(|family| word.starts_with(family)),
    }
}

/// Whether the word tells of functions or references.
pub(super) fn tells_of_functions(word: &str) -> bool {
    const FAMILIES: [&str; 13] = [
        "afl", "afi", "afv", "afo", "afx", "afb", "afs", "afc", "ax", "ag", "pdf", "pdr", "pif",
    ];
    !word.ends_with('?') && FAMILIES.iter().any(|family| word.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(line: &str) -> Vec<Effect> {
        let uses = uses(line).unwrap();
        uses.into_iter().map(|one| one.effect).collect()
    }

    #[test]
    fn what_only_prints_leaves_nothing() {
        for line in [
            "iIj",
            "pdf @ main",
            "px 64 @ 0x10",
            "afl~main",
            "axt @ sym.x",
            "s",
            "b",
            "e asm.bits",
            "e asm.arch=?",
            "f",
            "fs",
            "agCj",
            "p8 4 @@ sym.*",
            "afl?",
            "?v 1",
            "CC",
            "izz~http",
        ] {
            assert_eq!(effects(line), [Effect::Nothing], "{line}");
        }
    }

    #[test]
    fn the_rest_is_undone_or_lasts() {
        for (line, effect) in [
            ("s main", Effect::Seek),
            ("s+ 4", Effect::Seek),
            ("b 64", Effect::Block),
            ("fs strings", Effect::FlagSpace),
            ("aa", Effect::Analyse(Depth::Basic)),
            ("aaa", Effect::Analyse(Depth::Full)),
            ("aaa @ main", Effect::Lasting),
            ("s main @@f", Effect::Lasting),
            ("s-", Effect::Lasting),
            ("e asm.bits=32", Effect::Lasting),
            ("/x 90", Effect::Lasting),
            ("af @ main", Effect::Lasting),
            ("aac", Effect::Lasting),
            ("z.", Effect::Lasting),
        ] {
            assert_eq!(effects(line), [effect], "{line}");
        }
        assert!(uses(";;").is_none());
    }

    #[test]
    fn functions_need_an_analysis() {
        let needs = |line| uses(line).unwrap().iter().any(|one| one.needs_analysis);
        for line in ["aflj", "i;axt @ main", "pdf @ main", "p8 4 @@f", "agCj"] {
            assert!(needs(line), "{line}");
        }
        for line in ["iI", "pd 5 @ main", "izj", "px 4 @@i", "afl?"] {
            assert!(!needs(line), "{line}");
        }
    }
}
