//! `triage`: what an analyst asks first of an unknown file, in one answer of a
//! bounded size. It finds nothing that the other tools don't; it chooses.

mod findings;
mod summary;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounded::Timeout;
use crate::embedded::present::{Tree, outline};
use crate::embedded::worker::{File, Request, Resident};
use crate::embedded::{Trouble, Work};
use crate::envelope::Coverage;
use crate::error::ToolError;
use crate::tool::{Answer, Call, Tool};
use summary::Summary;

/// The tool.
#[derive(Debug)]
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

    fn request(self) -> Request {
        Request::Triage(self)
    }

    fn perform(self, file: &mut File<'_>, _: &mut Resident) -> Result<Summary, Trouble> {
        Ok(summary::summarize(file))
    }
}

impl Tool for TriageFile {
    type Params = Params;
    type Report = Tree;

    const NAME: &'static str = "triage";
    const TITLE: &'static str = "Triage a file";
    const DESCRIPTION: &'static str = "Start here with an unknown file: identity, hashes, suspicious facts with the evidence for each, capabilities by imported functions, indicators, packing and entropy, embedded files, and what to look at next. One call, at most 4,000 tokens.";

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<Tree>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let mut summary = call
            .examine(&params.file_path, timeout, Triage)
            .await?
            .reply;
        let warnings = std::mem::take(&mut summary.warnings);
        let shortened = summary.shorten();
        let mut answer = Answer::complete(Tree::new(&summary, outline));
        answer.add_warnings(warnings);
        if shortened {
            answer.coverage = Coverage::Truncated;
            answer.warnings.push(
                "lists are cut to fit 4,000 tokens; `extract_iocs`, `parse_binary` and `run_binwalk` have them whole".into(),
            );
        }
        Ok(answer)
    }
}
