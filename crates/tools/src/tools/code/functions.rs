//! `list_functions`: the functions of a program.

use std::cmp::Reverse;

use reversecore_analysis::Warnings;
use reversecore_code::{Coverage, Kind, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::models::Model;
use super::question::{Question, Reply};
use super::{answer, ask, goes_on, hundred, none, page, radare2};
use crate::bounded::{Bounded, Timeout};
use crate::embedded::Trouble;
use crate::embedded::engine::Engine;
use crate::embedded::present::Tree;
use crate::error::ToolError;
use crate::schedule::{Workload, estimates};
use crate::schema::{self, Object};
use crate::services::Services;
use crate::tool::{Answer, Call, Tool};
use crate::tools::radare2::workload_when_analysed;
use crate::tools::strings::compiled;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(in crate::tools) struct ListFunctions;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Regular expression; only functions with a name that it matches.
    #[serde(default)]
    pattern: Option<String>,
    /// Only functions of this kind.
    #[serde(default)]
    kind: Which,
    /// What comes first: the lowest address, or the largest of the others.
    #[serde(default)]
    sort: Sort,
    /// Most functions.
    #[serde(default = "hundred")]
    limit: Bounded<1, 100_000>,
    /// Functions to skip.
    #[serde(default = "none")]
    skip: Bounded<0, 100_000_000>,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<300>,
    /// Which engine answers.
    #[serde(default)]
    engine: Engine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Which {
    #[default]
    Any,
    /// Of the program's own.
    Function,
    ImportThunk,
}

impl Which {
    fn takes(self, kind: Kind) -> bool {
        match self {
            Self::Any => true,
            Self::Function => kind != Kind::ImportThunk,
            Self::ImportThunk => kind == Kind::ImportThunk,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    #[default]
    Address,
    Name,
    Size,
    Complexity,
    Callers,
    Callees,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listing {
    pattern: Option<String>,
    kind: Which,
    sort: Sort,
    limit: usize,
    skip: usize,
}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listed {
    functions: Vec<Row>,
    total: u64,
    more: bool,
}

/// A function.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    address: u64,
    size: u64,
    name: String,
    kind: Kind,
    source: Option<Source>,
    blocks: usize,
    instructions: u32,
    complexity: u32,
    callers: usize,
    callees: usize,
    returns: bool,
}

/// The members of a row of the report.
const COLUMNS: [&str; 11] = [
    "address",
    "size",
    "name",
    "kind",
    "found_by",
    "blocks",
    "instructions",
    "complexity",
    "callers",
    "callees",
    "returns",
];

impl Listing {
    pub(super) fn answer(self, model: &Model) -> Result<Listed, Trouble> {
        let pattern = Trouble::pattern(self.pattern.as_deref())?;
        let program = &model.program;
        let all = program.functions().iter();
        let rows = all
            .filter(|function| self.kind.takes(function.kind))
            .filter(|function| {
                let pattern = pattern.as_ref();
                pattern.is_none_or(|pattern| pattern.is_match(&program.name(function)))
            })
            .map(|function| Row {
                address: function.address,
                size: function.size,
                name: program.name(function).into_owned(),
                kind: function.kind,
                source: Some(function.source),
                blocks: function.block_count(),
                instructions: function.instructions,
                complexity: function.complexity,
                callers: program.callers(function).count(),
                callees: program.callees(function).count() + program.imported(function).count(),
                returns: function.returns,
            });
        Ok(self.page(rows.collect()))
    }

    /// From what radare2 says.
    fn of_radare2(self, functions: Vec<radare2::Function>) -> Result<Listed, ToolError> {
        let pattern = self.pattern.as_deref().map(compiled).transpose()?;
        let rows = functions
            .into_iter()
            .filter(|function| self.kind.takes(function.kind()))
            .filter(|function| {
                let pattern = pattern.as_ref();
                pattern.is_none_or(|pattern| pattern.is_match(function.plain_name()))
            })
            .map(|function| Row {
                address: function.addr,
                size: function.realsz,
                name: function.plain_name().to_owned(),
                kind: function.kind(),
                source: None,
                blocks: function.nbbs,
                instructions: function.ninstrs,
                complexity: function.cc,
                callers: function.indegree,
                callees: function.outdegree,
                returns: !function.noreturn,
            });
        let mut rows: Vec<Row> = rows.collect();
        rows.sort_by_key(|row| row.address);
        Ok(self.page(rows))
    }

    /// What is asked for of functions that are sorted by address.
    fn page(&self, mut functions: Vec<Row>) -> Listed {
        match self.sort {
            Sort::Address => {}
            Sort::Name => functions.sort_by(|a, b| a.name.cmp(&b.name)),
            Sort::Size => functions.sort_by_key(|row| Reverse(row.size)),
            Sort::Complexity => functions.sort_by_key(|row| Reverse(row.complexity)),
            Sort::Callers => functions.sort_by_key(|row| Reverse(row.callers)),
            Sort::Callees => functions.sort_by_key(|row| Reverse(row.callees)),
        }
        let (total, more) = page(&mut functions, self.skip, self.limit);
        Listed {
            functions,
            total,
            more,
        }
    }
}

impl Tool for ListFunctions {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "list_functions";
    const TITLE: &'static str = "List functions";
    const DESCRIPTION: &'static str = "The functions of an executable (x86, ARM, AArch64, MIPS, …), stripped ones too: address, size, name, kind, how it was found, blocks, instructions, cyclomatic complexity, callers and callees. `sort`=complexity or callers shows what matters first; `pattern` filters names.";

    fn report_schema() -> Value {
        schema::report::<Report<'_>>()
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
        // What is wrong with it is said before any work is done.
        params.pattern.as_deref().map(compiled).transpose()?;
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let listing = Listing {
            pattern: params.pattern,
            kind: params.kind,
            sort: params.sort,
            limit: params.limit.count(),
            skip: params.skip.count(),
        };
        let (listed, known, warnings) = if params.engine.is_embedded() {
            let question = Question::Functions(listing);
            let said = ask(call, &params.file_path, timeout, question).await?;
            let Reply::Functions(listed) = said.reply else {
                return Err(crate::embedded::misbehaved("another reply than asked for"));
            };
            (listed, said.known, said.warnings)
        } else {
            let functions = radare2::functions(call, &params.file_path, timeout).await?;
            let listed = listing.of_radare2(functions)?;
            // It does not say what it has not looked at.
            (listed, Coverage::default(), Warnings::default())
        };
        let Listed {
            functions,
            total,
            more,
        } = listed;
        let report = Report {
            columns: COLUMNS,
            functions,
            known: &known,
        };
        let shown = report.functions.len() as u64;
        let tree = Tree::new(&report, text);
        let mut answer = answer(tree, &known, warnings);
        answer.total = Some(total);
        if more {
            goes_on(&mut answer, "functions", params.skip.get() + shown);
        }
        Ok(answer)
    }
}

/// As the caller sees it: rows without the names of their members.
#[derive(Debug, Serialize, JsonSchema)]
struct Report<'a> {
    columns: [&'static str; COLUMNS.len()],
    #[serde(serialize_with = "rows")]
    #[schemars(with = "Vec<Vec<Value>>")]
    functions: Vec<Row>,
    #[schemars(with = "Object")]
    known: &'a reversecore_code::Coverage,
}

fn rows<S: serde::Serializer>(rows: &[Row], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().map(|row| {
        (
            row.address,
            row.size,
            &row.name,
            row.kind,
            row.source,
            row.blocks,
            row.instructions,
            row.complexity,
            row.callers,
            row.callees,
            row.returns,
        )
    }))
}

fn text(report: &Value) -> String {
    let mut text = String::from("address  size  complexity  callers  callees  name\n");
    for row in report["functions"].as_array().into_iter().flatten() {
        let number = |place: usize| row[place].as_u64().unwrap_or_default();
        let kind = match row[3].as_str() {
            Some("import_thunk") => "  (import)",
            Some("entry") => "  (entry)",
            _ => "",
        };
        let returns = if row[10].as_bool() == Some(false) {
            "  (does not return)"
        } else {
            ""
        };
        text.push_str(&format!(
            "{:#x}  {}  {}  {}  {}  {}{kind}{returns}\n",
            number(0),
            number(1),
            number(7),
            number(8),
            number(9),
            row[2].as_str().unwrap_or_default()
        ));
    }
    text
}
