//! `find_xrefs`: what refers to a place in a program, or what a place refers to.

use reversecore_analysis::Warnings;
use reversecore_analysis::disassemble::{Disassembler, Request, Start};
use reversecore_code::{Coverage, Program, Reference, ReferenceKind, Target};
use std::collections::HashMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::models::Model;
use super::question::{Question, Reply, no_such};
use super::{answer, ask, goes_on, hundred, none, page, radare2};
use crate::arguments::{invalid, number};
use crate::bounded::{Bounded, Timeout};
use crate::embedded::Trouble;
use crate::embedded::engine::Engine;
use crate::embedded::present::Tree;
use crate::error::ToolError;
use crate::schedule::{Workload, estimates};
use crate::schema::{self, List};
use crate::services::Services;
use crate::tool::{Answer, Call, Tool};
use crate::tools::radare2::workload_when_analysed;

/// Places that a text stands for and that are reported.
const MOST_TARGETS: usize = 50;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(in crate::tools) struct FindXrefs;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// What is referred to: an address (0x401000), a function, an import, or the text of a string.
    #[serde(default)]
    to: Option<String>,
    /// What refers: a function or an address in one, instead of `to`.
    #[serde(default)]
    from: Option<String>,
    /// Most references.
    #[serde(default = "hundred")]
    limit: Bounded<1, 100_000>,
    /// References to skip.
    #[serde(default = "none")]
    skip: Bounded<0, 100_000_000>,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<300>,
    /// Which engine answers.
    #[serde(default)]
    engine: Engine,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Search {
    end: End,
    limit: usize,
    skip: usize,
}

#[derive(Debug, Serialize, Deserialize)]
enum End {
    To(String),
    From(String),
}

/// What it says.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Listed {
    /// What the text stands for.
    #[schemars(with = "List")]
    targets: Vec<Target>,
    #[schemars(with = "List")]
    references: Vec<Row>,
    total: u64,
    more: bool,
}

/// A reference.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    from: u64,
    /// The function that refers.
    function: Option<String>,
    to: u64,
    /// What is there.
    target: Option<String>,
    kind: ReferenceKind,
    /// The instruction; none for data.
    instruction: Option<String>,
}

impl Search {
    pub(super) fn answer(self, model: &Model, bytes: &[u8]) -> Result<Listed, Trouble> {
        let program = &model.program;
        let all = program.references();
        let mut targets = Vec::new();
        let mut found: Vec<Reference> = match &self.end {
            End::To(text) => {
                targets = program.resolve(bytes, text);
                if targets.is_empty() {
                    let similar = program.find(text).err();
                    let similar = similar.map_or_else(String::new, |error| format!("; {error}"));
                    return Err(Trouble::Parameter {
                        name: "to".to_owned(),
                        reason: format!(
                            "is no address, function, import or string of the program{similar}"
                        ),
                    });
                }
                let to = targets
                    .iter()
                    .flat_map(|target| all.to_range(target.range()));
                to.collect()
            }
            End::From(text) => {
                let function = program
                    .find(text)
                    .map_err(|error| no_such("from", &error))?;
                let blocks = program.blocks(function).iter();
                blocks
                    .flat_map(|block| all.from_range(block.start..block.end()))
                    .copied()
                    .collect()
            }
        };
        found.sort_unstable();
        found.dedup();
        let (total, more) = page(&mut found, self.skip, self.limit);
        let code = Disassembler::new(bytes, Some(&model.image));
        let slots: HashMap<u64, &str> = program
            .imports()
            .iter()
            .rev()
            .filter_map(|import| Some((import.slot?, &*import.name)))
            .collect();
        let references = found
            .into_iter()
            .map(|reference| row(program, &code, &slots, reference))
            .collect();
        targets.truncate(MOST_TARGETS);
        Ok(Listed {
            targets,
            references,
            total,
            more,
        })
    }
}

impl Search {
    /// From what radare2 says.
    async fn of_radare2(
        self,
        call: &Call<'_>,
        file_path: &str,
        timeout: Duration,
    ) -> Result<Listed, ToolError> {
        let End::To(to) = self.end else {
            return Err(invalid(
                "from",
                "is not asked of radare2",
                "Leave out `engine`, or ask `to`.",
            ));
        };
        let mut found = radare2::references(call, file_path, timeout, &to).await?;
        let (total, more) = page(&mut found, self.skip, self.limit);
        let target = number(&to).unwrap_or_default();
        let rows = found.into_iter();
        let references = rows
            .map(|reference| Row {
                from: reference.from,
                kind: reference.kind(),
                function: reference
                    .fcn_name
                    .as_deref()
                    .map(|name| radare2::plain(name).to_owned()),
                to: target,
                target: Some(to.clone()),
                instruction: reference.opcode,
            })
            .collect();
        Ok(Listed {
            targets: Vec::new(),
            references,
            total,
            more,
        })
    }
}

/// `slots`: the names of imports by the slots that get their addresses.
fn row(
    program: &Program,
    code: &Disassembler<'_>,
    slots: &HashMap<u64, &str>,
    reference: Reference,
) -> Row {
    let Reference { from, to, kind } = reference;
    let function = program.function_with(from);
    let instruction = (kind != ReferenceKind::Pointer)
        .then(|| instruction(code, from))
        .flatten();
    Row {
        from,
        function: function.map(|function| program.name(function).into_owned()),
        to,
        target: match program.function_at(to) {
            Some(function) => Some(program.name(function).into_owned()),
            None => slots.get(&to).map(|name| (*name).to_owned()),
        },
        kind,
        instruction,
    }
}

fn instruction(code: &Disassembler<'_>, address: u64) -> Option<String> {
    let request = Request {
        at: Start::Address(address),
        count: 1,
        bytes: None,
        architecture: None,
    };
    let listing = code.list(&request).ok()?;
    let first = listing.instructions.first()?;
    Some(
        format!("{} {}", first.mnemonic, first.operands)
            .trim_end()
            .to_owned(),
    )
}

impl Tool for FindXrefs {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "find_xrefs";
    const TITLE: &'static str = "Find cross-references";
    const DESCRIPTION: &'static str = "Who refers to something (`to`: an address, a function, an import such as `system`, or the text of a string), or what a function refers to (`from`): calls, jumps, reads, writes, addresses taken, pointers in data, each with its instruction and the function that it is in.";

    fn report_schema() -> Value {
        schema::report::<Listed>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        let kind = params
            .engine
            .kind(estimates::CODE, estimates::RADARE2_PROGRAM);
        Workload::on(&params.file_path, kind, params.timeout)
    }

    fn workload_when_open<'p>(
        services: &Services,
        params: &'p Params,
        content: Option<&str>,
        _: u64,
    ) -> Workload<'p> {
        workload_when_analysed(params.engine, Self::workload(params), services, content)
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<Tree>, ToolError> {
        let end = match (params.to, params.from) {
            (Some(to), None) => End::To(to),
            (None, Some(from)) => End::From(from),
            (None, None) | (Some(_), Some(_)) => {
                return Err(invalid(
                    "to",
                    "and `from`: one of the two is needed",
                    "Give what is referred to as `to`, or what refers as `from`.",
                ));
            }
        };
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let search = Search {
            end,
            limit: params.limit.count(),
            skip: params.skip.count(),
        };
        let (listed, known, warnings) = if params.engine.is_embedded() {
            let question = Question::References(search);
            let said = ask(call, &params.file_path, timeout, question).await?;
            let Reply::References(listed) = said.reply else {
                return Err(crate::embedded::misbehaved("another reply than asked for"));
            };
            (listed, said.known, said.warnings)
        } else {
            let listed = search.of_radare2(call, &params.file_path, timeout).await?;
            (listed, Coverage::default(), Warnings::default())
        };
        let (total, more) = (listed.total, listed.more);
        let shown = listed.references.len() as u64;
        let tree = Tree::new(&listed, text);
        let mut answer = answer(tree, &known, warnings);
        answer.total = Some(total);
        if more {
            goes_on(&mut answer, "references", params.skip.get() + shown);
        }
        Ok(answer)
    }
}

fn text(report: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut text = String::new();
    for target in report["targets"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "{} {} at {:#x}\n",
            word(&target["kind"]),
            word(&target["name"]),
            target["address"].as_u64().unwrap_or_default()
        ));
    }
    for row in report["references"].as_array().into_iter().flatten() {
        let number = |key: &str| row[key].as_u64().unwrap_or_default();
        text.push_str(&format!(
            "{:#x}  {}  {} -> {:#x} {}  {}\n",
            number("from"),
            row["function"].as_str().unwrap_or("(data)"),
            word(&row["kind"]),
            number("to"),
            word(&row["target"]),
            word(&row["instruction"]),
        ));
    }
    text
}
