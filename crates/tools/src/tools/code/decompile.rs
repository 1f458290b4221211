//! `decompile`: a function as C.

use std::time::Duration;

use reversecore_analysis::Warnings;
use reversecore_code::Coverage;
use reversecore_decompile::{Cut, Decompiled, Decompiler, Failure, Options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::models::Model;
use super::question::{Question, Reply, no_such};
use super::{answer, ask, ghidra, radare2};
use crate::arguments::number;
use crate::bounded::{Bounded, Timeout};
use crate::embedded::present::Tree;
use crate::embedded::worker::{File, Stage};
use crate::embedded::{Trouble, misbehaved};
use crate::error::{ErrorCode, ToolError};
use crate::schedule::{Workload, estimates};
use crate::schema;
use crate::text::escaped_lines;
use crate::tool::{Answer, Call, Tool};

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(in crate::tools) struct Decompile;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Name or address of the function.
    function: String,
    /// Most instructions that are followed.
    #[serde(default = "ten_thousand")]
    limit: Bounded<1, 100_000>,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<300>,
    /// Which engine answers.
    #[serde(default)]
    engine: By,
}

/// The engines that decompile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum By {
    /// The embedded one.
    #[default]
    Auto,
    /// The embedded one.
    Embedded,
    /// radare2 (pdc).
    External,
    /// Ghidra, where it is installed: 20 s and more.
    Ghidra,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wanted {
    function: String,
    limit: u32,
}

/// Which function is meant: what a worker is asked when another program is to
/// decompile it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Which {
    function: String,
}

/// What it says: the function, without a text.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    name: String,
    address: u64,
    size: u64,
    instructions: u32,
}

impl Wanted {
    pub(super) fn answer(
        self,
        model: &Model,
        file: &mut File<'_, '_>,
    ) -> Result<Decompiled, Trouble> {
        let program = &model.program;
        let function = program
            .find(&self.function)
            .map_err(|error| no_such("function", &error))?;
        let mut kept = model.decompiler.borrow_mut();
        let decompiler = match kept.take() {
            Some(decompiler) => decompiler,
            None => Decompiler::new(file.bytes(), &model.image, program)
                .map_err(|error| trouble(error.into()))?,
        };
        let decompiler = kept.insert(decompiler);
        let options = Options {
            most_instructions: self.limit,
            ..Options::default()
        };
        let mut watch = file.watch_work(Stage::only("decompiling"), EXPECTED_STEPS);
        decompiler
            .decompile(program, function, &options, &mut watch)
            .map_err(trouble)
    }
}

/// About so many steps a function takes; for the fraction in progress messages.
const EXPECTED_STEPS: u64 = 200;

fn trouble(failure: Failure) -> Trouble {
    let parameter = |name: &str, reason: String| Trouble::Parameter {
        name: name.to_owned(),
        reason,
    };
    match failure {
        Failure::Unsupported(error) => parameter("file_path", error.to_string()),
        Failure::NoCode { .. } => parameter("function", failure.to_string()),
        Failure::OutOfTime => Trouble::OutOfTime {
            hint: "Raise `timeout`, lower `limit`, or read the function with `disassemble`."
                .to_owned(),
        },
        Failure::GaveUp { .. } | Failure::Fault { .. } => Trouble::Engine {
            message: failure.to_string(),
            hint: "Use `engine`=external, or read the function with `disassemble` and `get_control_flow_graph`."
                .to_owned(),
        },
    }
}

impl Which {
    pub(super) fn answer(self, model: &Model) -> Result<Found, Trouble> {
        let program = &model.program;
        let function = program
            .find(&self.function)
            .map_err(|error| no_such("function", &error))?;
        Ok(Found {
            name: program.name(function).into_owned(),
            address: function.address,
            size: function.size,
            instructions: function.instructions,
        })
    }
}

/// The members of the report.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Shape {
    name: String,
    address: u64,
    size: u64,
    instructions: u32,
    code: String,
}

impl Tool for Decompile {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "decompile";
    const TITLE: &'static str = "Decompile a function";
    const DESCRIPTION: &'static str = "A function as C (x86, ARM, AArch64, MIPS, PowerPC, RISC-V), with the names of functions, imports and data and the texts of strings; nothing needs to be installed. Read `disassemble` with `function` where every instruction counts.";

    fn report_schema() -> Value {
        schema::report::<Shape>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        let kind = match params.engine {
            By::Auto | By::Embedded => estimates::DECOMPILE,
            By::External => estimates::RADARE2_PROGRAM,
            By::Ghidra => estimates::GHIDRA_PROGRAM,
        };
        Workload::on(&params.file_path, kind, params.timeout)
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<Tree>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        match params.engine {
            By::Auto | By::Embedded => {}
            By::External | By::Ghidra => return by_program(call, params, timeout).await,
        }
        let limit = params.limit.get();
        let question = Question::Decompile(Wanted {
            function: params.function,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        });
        let said = ask(call, &params.file_path, timeout, question).await?;
        let Reply::Decompiled(decompiled) = said.reply else {
            return Err(misbehaved("another reply than asked for"));
        };
        let Decompiled {
            name,
            address,
            size,
            instructions,
            text,
            cut,
            warnings,
        } = decompiled;
        let found = Found {
            name,
            address,
            size,
            instructions,
        };
        let mut answer = answer(found.with(&text), &said.known, said.warnings);
        if let Some(cut) = cut {
            answer.truncate();
            answer.warnings.push(match cut {
                Cut::Instructions => format!(
                    "the function has more than {limit} instructions, and what lies behind them is left out: raise `limit` (and `timeout`), or read the rest with `disassemble` and `function`={address:#x}"
                ),
                Cut::Text => format!(
                    "the text was cut: lower `limit` shows less of the function, `disassemble` with `function`={address:#x} all of it"
                ),
            });
        }
        // They stand in the text too.
        let said = warnings.iter().map(|text| escaped_lines(text));
        answer.warnings.extend(said);
        Ok(answer)
    }
}

/// A program is told the address: what the function is called, it may know otherwise.
async fn by_program(
    call: &Call<'_>,
    params: Params,
    timeout: Duration,
) -> Result<Answer<Tree>, ToolError> {
    let started = tokio::time::Instant::now();
    let question = Question::Which(Which {
        function: params.function.clone(),
    });
    let asked = ask(call, &params.file_path, timeout, question).await;
    let (found, known, warnings) = match (asked, number(&params.function)) {
        (Ok(said), _) => {
            let Reply::Which(found) = said.reply else {
                return Err(misbehaved("another reply than asked for"));
            };
            (found, said.known, said.warnings)
        }
        // A processor that only the program knows, or code that only it takes for a
        // function.
        (Err(error), Some(address)) if error.code == ErrorCode::ValidationError => {
            let found = Found {
                name: format!("sub_{address:x}"),
                address,
                size: 0,
                instructions: 0,
            };
            (found, Coverage::default(), Warnings::default())
        }
        (Err(error), _) => return Err(error),
    };
    let left = timeout
        .saturating_sub(started.elapsed())
        .max(Duration::from_secs(1));
    let (path, address) = (&params.file_path, found.address);
    if params.engine != By::Ghidra {
        let text = radare2::decompiled(call, path, left, address).await?;
        return Ok(answer(found.with(&text), &known, warnings));
    }
    let ghidra::Text { code, partial } = ghidra::decompiled(call, path, left, address).await?;
    let mut answer = answer(found.with(&code), &known, warnings);
    if partial {
        answer.warnings.push(
            "Ghidra's analysis of the program was ended for want of time: names and types may be missing (raise `timeout`)"
                .to_owned(),
        );
    }
    Ok(answer)
}

impl Found {
    /// The report: the text's own lines stay as they are.
    fn with(&self, text: &str) -> Tree {
        let mut report = json!({"name": self.name, "address": self.address});
        if self.size > 0 {
            report["size"] = self.size.into();
            report["instructions"] = self.instructions.into();
        }
        let code = escaped_lines(text);
        Tree::edited(&report, |report| report["code"] = code.into(), as_text)
    }
}

fn as_text(report: &Value) -> String {
    let mut text = format!(
        "// {} at {:#x}",
        report["name"].as_str().unwrap_or_default(),
        report["address"].as_u64().unwrap_or_default(),
    );
    if let Some(size) = report["size"].as_u64() {
        text.push_str(&format!(
            ", {size} bytes, {} instructions",
            report["instructions"].as_u64().unwrap_or_default()
        ));
    }
    text.push('\n');
    text.push_str(report["code"].as_str().unwrap_or_default());
    text
}

fn ten_thousand() -> Bounded<1, 100_000> {
    Bounded::new(10_000)
}
