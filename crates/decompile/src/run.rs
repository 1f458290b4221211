//! The decompiler's work on one function, in steps: between two of them the
//! caller's clock is looked at. A step of a large function can take seconds.

use std::collections::BTreeSet;

use ghidra_decompiler::action::BREAK_START;
use ghidra_decompiler::address::Address;
use ghidra_decompiler::architecture::Architecture;
use ghidra_decompiler::comment::Comment;
use ghidra_decompiler::database::SymbolId;
use ghidra_decompiler::error::{Error, Result};
use ghidra_decompiler::funcdata::Funcdata;
use ghidra_decompiler::overrides::OverrideRecord;
use ghidra_decompiler::types::TypeMetatype;
use reversecore_analysis::Watch;

use crate::symbols::code;

/// Steps that stand once in the list of all, and are repeated until nothing
/// changes any more.
const STEPS: [&str; 12] = [
    "heritage",
    "deadcode",
    "infertypes",
    "nonzeromask",
    "restructurevarnode",
    "activeparam",
    "oppool1",
    "oppool2",
    "blockrecur",
    "blockstructure",
    "merge",
    "setcasts",
];
/// Warnings that are reported of a function.
const MOST_WARNINGS: usize = 20;
/// Addresses that are reported of a function.
const MOST_ADDRESSES: usize = 10_000;
/// What the decompiler says of a function with more instructions than it may
/// follow.
const TOO_MANY: &str = "Flow exceeded maximum allowable instructions";

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    pub(crate) symbol: SymbolId,
    /// Jumps that are calls, and calls that do not return.
    pub(crate) ends: &'a [u64],
    /// Whether numbers that may be addresses are reported.
    pub(crate) addresses: bool,
    /// Bytes of an address.
    pub(crate) pointer: u8,
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) text: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) addresses: BTreeSet<u64>,
    /// It is said to return nothing.
    pub(crate) no_result: bool,
}

/// Whether an error is about a function with more instructions than may be
/// followed.
pub(crate) fn is_too_many(error: &Error) -> bool {
    error.explain() == TOO_MANY
}

/// Has the work stop before each of its steps. Says how many there are.
pub(crate) fn step_by_step(architecture: &mut Architecture) -> Result<usize> {
    architecture.with_current_action(|action, _| {
        let stops = |&&step: &&&str| action.set_break_point(BREAK_START, step);
        Ok(STEPS.iter().filter(stops).count())
    })
}

/// Does it; `None` when the time ran out.
pub(crate) fn run(
    architecture: &mut Architecture,
    task: &Task<'_>,
    watch: Watch<'_>,
) -> Result<Option<Ran>> {
    architecture.with_function(task.symbol, |function, architecture| {
        if function.is_proc_started() {
            architecture.clear_analysis(function);
        }
        for &end in task.ends {
            let address = code(architecture, end)?;
            let record = OverrideRecord::CALLRETURN_NAME;
            function
                .get_override()
                .insert_flow_override(&address, record)?;
        }
        let ran = steps(function, architecture, task, watch);
        architecture.clear_analysis(function);
        ran
    })
}

fn steps(
    function: &mut Funcdata,
    architecture: &mut Architecture,
    task: &Task<'_>,
    watch: Watch<'_>,
) -> Result<Option<Ran>> {
    let mut step = 0_u64;
    let done = architecture.with_current_action(|action, architecture| {
        action.reset(function, architecture);
        loop {
            if !watch(step) {
                return Ok(false);
            }
            if action.perform(function, architecture)? >= 0 {
                return Ok(true);
            }
            step = step.saturating_add(1);
        }
    })?;
    if !done {
        return Ok(None);
    }
    let addresses = if task.addresses {
        addresses(function, task.pointer)
    } else {
        BTreeSet::new()
    };
    let ((), text) = architecture.with_printer(Some(&mut *function), |printer, context| {
        printer.doc_function(context)
    })?;
    let said = warnings(architecture, function.get_address())?;
    let result = function.get_func_proto_mut().get_output_type(architecture);
    let kind = architecture.types_mut()?.get(result).get_metatype();
    Ok(Some(Ran {
        no_result: kind == TypeMetatype::Void,
        text,
        warnings: said,
        addresses,
    }))
}

/// Constants and places in memory that the function has to do with.
fn addresses(function: &Funcdata, pointer: u8) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for op in function.obank.alive_ops() {
        let op = function.op(op);
        for slot in 0..op.num_input() {
            if found.len() >= MOST_ADDRESSES {
                return found;
            }
            let input = function.vn(op.get_in(slot));
            let wide = input.get_size() == i32::from(pointer);
            if wide && (input.is_constant() || input.is_persist()) {
                found.insert(input.get_offset());
            }
        }
    }
    found
}

fn warnings(architecture: &Architecture, address: &Address) -> Result<Vec<String>> {
    let missing = || Error::Lowlevel("no comments".to_owned());
    let comments = architecture.commentdb.as_deref().ok_or_else(missing)?;
    let mut said: Vec<String> = Vec::new();
    for comment in comments.function_comments(address) {
        let text = comment.get_text();
        let text = text.strip_prefix("WARNING: ").unwrap_or(text);
        let kind = Comment::WARNING | Comment::WARNINGHEADER;
        if comment.get_type() & kind != 0
            && said.len() < MOST_WARNINGS
            && !said.iter().any(|known| known == text)
        {
            said.push(text.to_owned());
        }
    }
    Ok(said)
}
