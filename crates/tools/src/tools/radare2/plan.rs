//! What a line of commands needs: how much analysis, a session of its own or one
//! that is shared, and how to undo what it changes.

use schemars::JsonSchema;
use serde::Deserialize;

use super::policy::PolicyMode;
use super::policy::effects::{Depth, Effect, Use, uses};

/// Files up to this size are analysed in full where commands need functions:
/// that takes some seconds then.
const FULL_BYTES: u64 = 4 << 20;

/// How much the caller wants analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum AnalysisChoice {
    /// What the commands need, less of a large file.
    #[default]
    Auto,
    None,
    Basic,
    Full,
}

/// How a line of commands is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Analysed before the first command.
    pub(super) depth: Depth,
    /// The line without the analysis that it begins with.
    pub(super) text: String,
    /// It changes what later commands print, in a way that can't be undone.
    pub(super) own: bool,
    /// Lines that undo the rest of what it changes.
    pub(super) undo: Vec<String>,
}

/// Plans how a line is answered that the policy has accepted.
pub(super) fn plan(line: &str, choice: AnalysisChoice, size: u64, policy: PolicyMode) -> Plan {
    let chosen = match choice {
        AnalysisChoice::Auto | AnalysisChoice::None => Depth::None,
        AnalysisChoice::Basic => Depth::Basic,
        AnalysisChoice::Full => Depth::Full,
    };
    let accepted = match policy {
        PolicyMode::Enforced => uses(line),
        PolicyMode::Off => None,
    };
    let Some(commands) = accepted else {
        return Plan {
            depth: chosen,
            text: line.to_owned(),
            own: true,
            undo: Vec::new(),
        };
    };
    let (analysis, rest) = leading_analysis(&commands);
    let analyses_itself = rest
        .iter()
        .any(|one| matches!(one.effect, Effect::Lasting | Effect::Analyse(_)));
    let needed = rest.iter().any(|one| one.needs_analysis);
    let automatic = match choice {
        AnalysisChoice::Auto if needed && analysis == Depth::None && !analyses_itself => {
            if size <= FULL_BYTES {
                Depth::Full
            } else {
                Depth::Basic
            }
        }
        AnalysisChoice::Auto
        | AnalysisChoice::None
        | AnalysisChoice::Basic
        | AnalysisChoice::Full => Depth::None,
    };
    let text: Vec<&str> = rest.iter().map(|one| one.text).collect();
    Plan {
        depth: chosen.max(analysis).max(automatic),
        text: text.join(";"),
        own: analyses_itself,
        undo: undo(rest),
    }
}

/// Takes the analysis off with which a line begins: a session has it done.
fn leading_analysis<'a, 'b>(commands: &'b [Use<'a>]) -> (Depth, &'b [Use<'a>]) {
    let mut depth = Depth::None;
    let mut rest = commands;
    while let [first, others @ ..] = rest
        && let Effect::Analyse(more) = first.effect
    {
        depth = depth.max(more);
        rest = others;
    }
    (depth, rest)
}

/// One line a step: a step that fails ends its line.
fn undo(commands: &[Use<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    let has = |effect| commands.iter().any(|one| one.effect == effect);
    let seeks = commands.iter().filter(|one| one.effect == Effect::Seek);
    lines.extend(seeks.map(|_| "s-".to_owned()));
    if !lines.is_empty() {
        // Forgets where one has been.
        lines.push("s-*".to_owned());
    }
    if has(Effect::Block) {
        lines.push("b 0x100".to_owned());
    }
    if has(Effect::FlagSpace) {
        lines.push("fs *".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(line: &str, choice: AnalysisChoice, size: u64) -> Plan {
        plan(line, choice, size, PolicyMode::Enforced)
    }

    fn automatic(line: &str) -> Plan {
        planned(line, AnalysisChoice::Auto, 1000)
    }

    #[test]
    fn the_depth_is_what_is_asked_for_or_needed() {
        use AnalysisChoice::{Auto, Basic, Full, None};
        for (line, choice, size, depth) in [
            ("iIj", Auto, 1000, Depth::None),
            ("aaa;aflj", Auto, u64::MAX, Depth::Full),
            ("aa;aflj", Auto, 1000, Depth::Basic),
            ("aa;aaa;aflj", None, 1000, Depth::Full),
            ("aflj", Auto, FULL_BYTES, Depth::Full),
            ("aflj", Auto, FULL_BYTES + 1, Depth::Basic),
            ("aflj", None, 1000, Depth::None),
            ("aflj", Basic, 1000, Depth::Basic),
            ("aa;iI", Full, 1000, Depth::Full),
            ("af @ main;pdf @ main", Auto, 1000, Depth::None),
        ] {
            assert_eq!(planned(line, choice, size).depth, depth, "{line}");
        }
    }

    #[test]
    fn an_analysis_in_front_is_the_sessions() {
        assert_eq!(automatic("aaa; afl~main ;").text, "afl~main");
        assert_eq!(automatic("aaa").text, "");
        let late = automatic("iI;aaa;afl");
        assert_eq!((late.text.as_str(), late.own), ("iI;aaa;afl", true));
    }

    #[test]
    fn what_can_be_undone_is_and_the_rest_is_kept_apart() {
        let plan = automatic("s main;pd 3;s+ 4;b 64;fs strings");
        assert_eq!(plan.undo, ["s-", "s-", "s-*", "b 0x100", "fs *"]);
        assert!(!plan.own);
        assert!(automatic("e asm.bits=32;pd 3").own);
        assert!(automatic("/x 9090").own);
        assert!(plan_off("iI").own);
        assert!(automatic("iI;px 4").undo.is_empty());
    }

    fn plan_off(line: &str) -> Plan {
        plan(line, AnalysisChoice::Auto, 1000, PolicyMode::Off)
    }
}
