//! `get_batch_results`.

use std::fmt::Write as _;

use reversecore_batch::{Filter, Finding, Spec, Stored, findings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{apart, no_batch, shown};
use crate::arguments::invalid;
use crate::batch::Batches;
use crate::bounded::Bounded;
use crate::error::ToolError;
use crate::schema::{self, List};
use crate::tool::{Answer, Call, Report, Tool};

/// Findings of one file in a page.
const MOST_FINDINGS: usize = 6;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(in crate::tools) struct GetBatchResults;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct ResultsParams {
    /// From `submit_batch`.
    job_id: String,
    /// Which files.
    #[serde(default)]
    only: Only,
    /// Each tool's whole answer, not only what was found.
    #[serde(default)]
    full: bool,
    /// `next_cursor` of the previous page.
    #[serde(default)]
    cursor: Option<String>,
    /// Files in one page.
    #[serde(default = "twenty")]
    limit: Bounded<1, 200>,
}

/// Which files a page holds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Only {
    #[default]
    All,
    Findings,
    Failed,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct ResultsReport {
    #[schemars(with = "List")]
    files: Vec<File>,
}

#[derive(Debug, Serialize)]
struct File {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    size: u64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    results: Map<String, Value>,
}

impl Report for ResultsReport {
    fn text(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            // Writing to a String can't fail.
            write!(text, "{} {} {} bytes", file.path, file.state, file.size).ok();
            if let Some(sha256) = &file.sha256 {
                write!(text, " {sha256}").ok();
            }
            text.push('\n');
            if let Some(error) = &file.error {
                writeln!(text, "  error: {error}").ok();
            }
            for finding in &file.findings {
                let Finding {
                    severity,
                    what,
                    evidence,
                    tool: _,
                    offset: _,
                } = finding;
                writeln!(text, "  {}: {what}: {evidence}", severity.name()).ok();
            }
            for (tool, envelope) in &file.results {
                writeln!(text, "  {tool}: {envelope}").ok();
            }
        }
        if self.files.is_empty() {
            text.push_str("no files\n");
        }
        text
    }
}

impl Tool for GetBatchResults {
    type Params = ResultsParams;
    type Report = ResultsReport;

    const NAME: &'static str = "get_batch_results";
    const TITLE: &'static str = "Read a batch's results";
    const DESCRIPTION: &'static str = "The files of a batch that have ended, in pages: state, SHA-256, what was found in each; with `full` also each tool's answer. While it runs, later pages grow.";
    const QUEUED: bool = false;
    const REMEMBERED: bool = false;

    fn report_schema() -> Value {
        schema::report::<ResultsReport>()
    }

    async fn run(
        &self,
        call: &Call<'_>,
        params: ResultsParams,
    ) -> Result<Answer<ResultsReport>, ToolError> {
        let ResultsParams {
            job_id,
            only,
            full,
            cursor,
            limit,
        } = params;
        let id = Batches::named(&job_id).ok_or_else(|| no_batch(&job_id))?;
        let after = match cursor {
            Some(cursor) => cursor.parse().map_err(|_| {
                invalid(
                    "cursor",
                    "is none of this tool's",
                    "Pass `next_cursor` on as it is.",
                )
            })?,
            None => 0,
        };
        let filter = match only {
            Only::All => Filter::Ended,
            Only::Findings => Filter::Findings,
            Only::Failed => Filter::Troubled,
        };
        let most = limit.count();
        let (spec, mut page) = apart(call, move |batches, caller| {
            batches.page(id, caller, after, filter, most + 1)
        })
        .await?;
        let more = page.len() > most;
        page.truncate(most);
        let next = page
            .last()
            .filter(|_| more)
            .map(|last| last.item.id.to_string());
        let columns = spec.columns();
        let files = page
            .into_iter()
            .map(|stored| file(stored, &spec, &columns, full))
            .collect();
        let mut answer = Answer::complete(ResultsReport { files });
        if next.is_some() {
            answer.truncate();
        }
        answer.next_cursor = next;
        Ok(answer)
    }
}

fn file(stored: Stored, spec: &Spec, columns: &[String], full: bool) -> File {
    let Stored {
        item,
        state,
        evidence,
        parent_path,
        results,
    } = stored;
    let mut found: Vec<Finding> = Vec::new();
    let mut whole = Map::new();
    for (index, envelope) in results {
        let Some(tool) = spec.tools.get(index) else {
            continue;
        };
        found.extend(findings(&tool.name, &envelope));
        if full
            && let (Some(column), Ok(value)) = (columns.get(index), serde_json::from_str(&envelope))
        {
            whole.insert(column.clone(), value);
        }
    }
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found.truncate(MOST_FINDINGS);
    File {
        path: shown(&item.path),
        parent: parent_path.map(|path| shown(&path)),
        sha256: item.content.map(|content| content.to_string()),
        size: item.size,
        state: state.name(),
        error: evidence.map(|why| shown(&why)),
        findings: found,
        results: whole,
    }
}

fn twenty() -> Bounded<1, 200> {
    Bounded::new(20)
}
