//! `diff_binaries`: what changed between two programs, function by function.

use reversecore_code::{Diff, diff};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer;
use super::models::Model;
use super::question::{Ask, Question, Reply};
use crate::bounded::{Bounded, Timeout};
use crate::embedded::present::Tree;
use crate::embedded::worker::{File, Stage};
use crate::error::ToolError;
use crate::schedule::{Workload, estimates};
use crate::schema::{self, List};
use crate::tool::{Answer, Call, Tool};

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(in crate::tools) struct DiffBinaries;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Params {
    /// Path of the old program in the workspace.
    file_path: String,
    /// Path of the new one.
    other_path: String,
    /// Most functions in each list.
    #[serde(default = "fifty")]
    limit: Bounded<1, 10_000>,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<600>,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Comparison {
    limit: usize,
}

impl Comparison {
    pub(super) fn answer(self, old: &Model, new: &Model, file: &mut File<'_, '_>) -> Diff {
        let functions = old.program.functions().len() + new.program.functions().len();
        let stage = Stage::only("comparing functions");
        let mut watch = file.watch_work(stage, functions as u64);
        diff(&old.program, &new.program, self.limit, &mut watch)
    }
}

/// The members of the report.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Shape {
    unchanged: usize,
    changed_count: usize,
    changed: List,
    added_count: usize,
    added: List,
    removed_count: usize,
    removed: List,
    similarity: f64,
    truncated: bool,
}

impl Tool for DiffBinaries {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "diff_binaries";
    const TITLE: &'static str = "Compare two programs";
    const DESCRIPTION: &'static str = "What changed between two versions of a program (`file_path` old, `other_path` new): functions that changed with their similarity and changed blocks, added, removed, and how many are the same. Works without symbols; for patches, variants of malware, rebuilt libraries.";

    fn report_schema() -> Value {
        schema::report::<Shape>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        // The other file may change while this one does not.
        Workload {
            reuse: crate::results::cache::Reuse::Never,
            ..Workload::on(&params.file_path, estimates::DIFF, params.timeout)
        }
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<Tree>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let other = call.other_target("other_path", &params.other_path).await?;
        let keys = vec![call.identity_key(&params.file_path).await?, other.key()];
        let question = Question::Diff(Comparison {
            limit: params.limit.count(),
        });
        let ask = Ask::new(keys, question);
        let worked = call
            .examine_with(&params.file_path, timeout, ask, vec![other])
            .await?;
        let said = worked.reply;
        let Reply::Diff(diff) = said.reply else {
            return Err(crate::embedded::misbehaved("another reply than asked for"));
        };
        let (truncated, total) = (diff.truncated, diff.changed_count);
        let mut answer = answer(Tree::new(&diff, text), &said.known, said.warnings);
        answer.total = Some(total as u64);
        if truncated {
            answer.truncate();
            answer
                .warnings
                .push("not all functions are listed: raise `limit`".to_owned());
        }
        Ok(answer)
    }
}

fn text(report: &Value) -> String {
    let number = |key: &str| report[key].as_u64().unwrap_or_default();
    let mut text = format!(
        "similarity {:.3}: {} functions unchanged, {} changed, {} added, {} removed\n",
        report["similarity"].as_f64().unwrap_or_default(),
        number("unchanged"),
        number("changed_count"),
        number("added_count"),
        number("removed_count"),
    );
    let side = |side: &Value| {
        let name = side["name"].as_str().unwrap_or_default();
        format!(
            "{name} ({:#x})",
            side["address"].as_u64().unwrap_or_default()
        )
    };
    for changed in report["changed"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "changed {:.2}  {} -> {}\n",
            changed["similarity"].as_f64().unwrap_or_default(),
            side(&changed["old"]),
            side(&changed["new"]),
        ));
    }
    for (word, key) in [("added", "added"), ("removed", "removed")] {
        for function in report[key].as_array().into_iter().flatten() {
            text.push_str(&format!("{word}  {}\n", side(function)));
        }
    }
    text
}

fn fifty() -> Bounded<1, 10_000> {
    Bounded::new(50)
}
