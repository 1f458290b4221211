//! `search_code`: bytes, instructions and constants in the code of a program.

use reversecore_code::{BytePattern, Found, Pattern, PatternError, Query, SearchOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::models::Model;
use super::question::{Question, Reply, no_such};
use super::{answer, ask, hundred};
use crate::arguments::invalid;
use crate::bounded::{Bounded, Timeout};
use crate::embedded::Trouble;
use crate::embedded::present::Tree;
use crate::embedded::worker::{File, Stage};
use crate::error::ToolError;
use crate::schedule::{Workload, estimates};
use crate::schema::{self, List};
use crate::tool::{Answer, Call, Tool};
use crate::tools::disassemble::number_of;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(in crate::tools) struct SearchCode;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Bytes with wildcards: `48 8b ?? 0?`.
    #[serde(default)]
    bytes: Option<String>,
    /// Instructions with `*` and `?`, parted by `;`: `mov e*x, *; syscall`.
    #[serde(default)]
    instructions: Option<String>,
    /// A number that an instruction has: `0xedb88320`.
    #[serde(default)]
    constant: Option<String>,
    /// Only in the function of this name or address.
    #[serde(default)]
    function: Option<String>,
    /// Search for bytes in data too.
    #[serde(default)]
    data: bool,
    /// Most hits.
    #[serde(default = "hundred")]
    limit: Bounded<1, 100_000>,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<300>,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Search {
    what: What,
    function: Option<String>,
    data: bool,
    limit: usize,
}

#[derive(Debug, Serialize, Deserialize)]
enum What {
    Bytes(String),
    Instructions(String),
    Constant(u64),
}

impl What {
    fn query(&self) -> Result<Query, (&'static str, PatternError)> {
        match self {
            Self::Bytes(text) => BytePattern::parse(text)
                .map(Query::Bytes)
                .map_err(|error| ("bytes", error)),
            Self::Instructions(text) => Pattern::parse(text)
                .map(Query::Instructions)
                .map_err(|error| ("instructions", error)),
            Self::Constant(value) => Ok(Query::Constant(*value)),
        }
    }
}

impl Search {
    pub(super) fn answer(self, model: &Model, file: &mut File<'_, '_>) -> Result<Found, Trouble> {
        let query = self
            .what
            .query()
            .map_err(|(name, error)| Trouble::Parameter {
                name: name.to_owned(),
                reason: error.to_string(),
            })?;
        let program = &model.program;
        let function = self.function.as_deref().map(|name| program.find(name));
        let function = function
            .transpose()
            .map_err(|error| no_such("function", &error))?;
        let options = SearchOptions {
            within: function.map(|function| function.address..function.end),
            data: self.data,
            most_hits: self.limit,
            ..SearchOptions::default()
        };
        let bytes = file.bytes();
        let mut watch = file.watch_work(Stage::only("searching code"), bytes.len() as u64);
        Ok(program.search(bytes, &query, &options, &mut watch))
    }
}

/// The members of the report.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Shape {
    hits: List,
    truncated: bool,
}

impl Tool for SearchCode {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "search_code";
    const TITLE: &'static str = "Search in code";
    const DESCRIPTION: &'static str = "Find code by `bytes` with wildcards, by `instructions` (names and operands with `*`, several in a row), or by a `constant` that it uses (a CRC polynomial, a magic number, an error code). Each hit with address, offset and function.";

    fn report_schema() -> Value {
        schema::report::<Shape>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        Workload::on(&params.file_path, estimates::CODE, params.timeout)
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<Tree>, ToolError> {
        let what = match (params.bytes, params.instructions, params.constant) {
            (Some(bytes), None, None) => What::Bytes(bytes),
            (None, Some(instructions), None) => What::Instructions(instructions),
            (None, None, Some(constant)) => What::Constant(number_of("constant", &constant)?),
            _ => {
                return Err(invalid(
                    "bytes",
                    "`instructions` and `constant`: one of the three is needed",
                    "Give what to search for as one of `bytes`, `instructions` and `constant`.",
                ));
            }
        };
        // What is wrong with it is said before any work is done.
        if let Err((name, error)) = what.query() {
            return Err(invalid(
                name,
                crate::text::quoted(&error.to_string()),
                "Bytes are written `48 8b ?? 0?`, instructions `mov e*x, *; syscall`.",
            ));
        }
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let question = Question::Search(Search {
            what,
            function: params.function,
            data: params.data,
            limit: params.limit.count(),
        });
        let said = ask(call, &params.file_path, timeout, question).await?;
        let Reply::Search(found) = said.reply else {
            return Err(crate::embedded::misbehaved("another reply than asked for"));
        };
        let (total, truncated) = (found.hits.len() as u64, found.truncated);
        let mut answer = answer(Tree::new(&found, text), &said.known, said.warnings);
        if truncated {
            answer.truncate();
            answer
                .warnings
                .push("there are more hits: raise `limit`, or search in one function".to_owned());
        } else {
            answer.total = Some(total);
        }
        Ok(answer)
    }
}

fn text(report: &Value) -> String {
    let mut text = String::new();
    for hit in report["hits"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "{:#x}  {}  {}\n",
            hit["address"].as_u64().unwrap_or_default(),
            hit["name"].as_str().unwrap_or("-"),
            hit["text"].as_str().unwrap_or_default(),
        ));
    }
    if text.is_empty() {
        text.push_str("nothing found\n");
    }
    text
}
