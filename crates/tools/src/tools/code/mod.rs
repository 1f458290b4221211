//! Questions about the code of a program: `list_functions`, `find_xrefs`,
//! `get_call_graph`, `get_control_flow_graph`, `search_code`, `diff_binaries`,
//! `decompile`, and functions for `disassemble`.
//!
//! A worker makes the model of a program once ([`models`]) and answers from it;
//! calls about one file prefer the worker that has it.
//!
//! | file | knows |
//! |---|---|
//! | `models` | the models that a worker keeps |
//! | `question` | what a worker is asked, and what it says |
//! | `radare2` | the same from radare2 |
//! | `ghidra` | `decompile` from Ghidra itself |
//! | the others | one tool each |

pub(crate) mod decompile;
pub(crate) mod diff;
pub(crate) mod functions;
mod ghidra;
pub(crate) mod graphs;
pub(crate) mod listing;
pub(crate) mod models;
pub(crate) mod question;
mod radare2;
pub(crate) mod search;
pub(crate) mod xrefs;

use std::time::Duration;

use reversecore_analysis::Warnings;
use reversecore_code::Coverage as Known;

use crate::bounded::Bounded;
use crate::embedded::present::Tree;
use crate::envelope::Coverage;
use crate::error::ToolError;
use crate::tool::{Answer, Call};
use question::{Ask, Question, Said};

/// Unexamined ranges that a warning names.
const NAMED_RANGES: usize = 3;

/// Asks a question about one file.
async fn ask(
    call: &Call<'_>,
    file_path: &str,
    timeout: Duration,
    question: Question,
) -> Result<Said, ToolError> {
    let key = call.identity_key(file_path).await?;
    let ask = Ask::new(vec![key], question);
    Ok(call.examine(file_path, timeout, ask).await?.reply)
}

/// The answer, with what of the program is not known.
fn answer(report: Tree, known: &Known, warnings: Warnings) -> Answer<Tree> {
    let mut answer = Answer::complete(report);
    answer.add_warnings(warnings);
    limits_of(&mut answer, known);
    answer
}

/// Says what of the program is not known. Code that nothing leads to is usual,
/// and makes no answer partial; one that was not looked at does.
fn limits_of(answer: &mut Answer<Tree>, known: &Known) {
    if let Some(stopped) = known.stopped {
        answer.coverage = match stopped {
            reversecore_code::Stopped::Caller => Coverage::TimedOut,
            reversecore_code::Stopped::Instructions | reversecore_code::Stopped::References => {
                Coverage::Partial
            }
        };
        answer.warnings.push(
            "the program was not analysed to its end (raise `timeout`, or ask about single functions by address)"
                .to_owned(),
        );
    }
    let examined = known.functions + known.tables + known.padding;
    if known.executable > 0 && examined.saturating_mul(100) < known.executable.saturating_mul(80) {
        let ranges: Vec<String> = known
            .largest_unknown
            .iter()
            .take(NAMED_RANGES)
            .map(|range| {
                let section = crate::text::escaped(&range.section);
                format!("{:#x} ({} bytes of {section})", range.address, range.size)
            })
            .collect();
        answer.warnings.push(format!(
            "{} of {} bytes of code belong to no function that was found: packed, data, or reached in ways that are not understood; largest at {}",
            known.unknown,
            known.executable,
            ranges.join(", ")
        ));
    }
}

/// A bounded list: what is shown of how many.
fn page<T>(items: &mut Vec<T>, skip: usize, limit: usize) -> (u64, bool) {
    let total = items.len();
    items.drain(..skip.min(total));
    let more = items.len() > limit;
    items.truncate(limit);
    (total as u64, more)
}

/// Says that a list goes on behind what is shown of it.
fn goes_on(answer: &mut Answer<Tree>, what: &str, next: u64) {
    answer.truncate();
    answer
        .warnings
        .push(format!("further {what} are listed with skip={next}"));
}

/// What lists show when nothing is said.
fn hundred() -> Bounded<1, 100_000> {
    Bounded::new(100)
}

/// And what they skip.
fn none() -> Bounded<0, 100_000_000> {
    Bounded::new(0)
}
