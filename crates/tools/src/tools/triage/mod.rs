//! `triage`: what an analyst asks first of an unknown file, in one answer of a
//! bounded size. It finds nothing that the other tools don't; it chooses.

mod findings;
mod summary;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::bounded::Timeout;
use crate::embedded::present::{Tree, outline};
use crate::embedded::worker::{File, Request, Resident};
use crate::embedded::{Trouble, Work};
use crate::envelope::Coverage;
use crate::error::ToolError;
use crate::results::cache::Reuse;
use crate::schedule::{Workload, estimates};
use crate::schema;
use crate::tool::{Answer, Call, Tool};
use crate::tools::yara::configured::Verdict;
use summary::Summary;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct TriageFile;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<120>,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Triage;

impl Work for Triage {
    type Reply = Summary;
    const LARGEST: usize = 4 << 20;

    fn request(self) -> Request {
        Request::Triage(self)
    }

    fn perform(self, file: &mut File<'_, '_>, _: &mut Resident) -> Result<Summary, Trouble> {
        Ok(summary::summarize(file))
    }
}

impl Tool for TriageFile {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "triage";
    const TITLE: &'static str = "Triage a file";
    const DESCRIPTION: &'static str = "Start here with an unknown file: identity, hashes, suspicious facts with the evidence for each, capabilities by imported functions, indicators, packing and entropy, embedded files, YARA matches if rules are configured, and what to look at next. One call, at most 4,000 tokens.";

    fn report_schema() -> Value {
        schema::report::<summary::Summary>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        Workload {
            // The rules that it matches are those that the server was started with.
            reuse: Reuse::WhileServing,
            ..Workload::on(&params.file_path, estimates::TRIAGE, params.timeout)
        }
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<Tree>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let deadline = Instant::now() + timeout;
        let summary = call.examine(&params.file_path, timeout, Triage).await?;
        let verdict = match &call.services.triage_rules {
            Some(rules) => {
                let left = deadline.saturating_duration_since(Instant::now());
                rules.judge(call, &params.file_path, left).await?
            }
            None => Verdict::default(),
        };
        Ok(summary.answer(|summary| answer(summary, verdict)))
    }
}

fn answer(mut summary: Summary, verdict: Verdict) -> Answer<Tree> {
    summary.add_matches(verdict.matches);
    let warnings = std::mem::take(&mut summary.warnings);
    let shortened = summary.shorten();
    let mut answer = Answer::complete(Tree::new(&summary, outline));
    answer.add_warnings(warnings);
    if !verdict.warnings.is_empty() && answer.coverage == Coverage::Complete {
        answer.coverage = Coverage::Partial;
    }
    answer.warnings.extend(verdict.warnings);
    if shortened {
        answer.truncate();
        answer.warnings.push(
                "lists are cut to fit 4,000 tokens; `extract_iocs`, `parse_binary` and `run_binwalk` have them whole".into(),
            );
    }
    answer
}
