//! `submit_batch`.

use std::time::Duration;

use reversecore_batch::{Spec, ToolCall};
use reversecore_jobs::Progress;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::apart;
use super::progress::BatchReport;
use crate::arguments::invalid;
use crate::batch::{Batches, Bounds, Input, check_tool};
use crate::bounded::Bounded;
use crate::error::ToolError;
use crate::schema::{self, Object};
use crate::tool::{Answer, Call, Report, Tool};

/// Paths and patterns of one batch.
const MOST_PATHS: usize = 1000;
/// Tools of one batch.
const MOST_TOOLS: usize = 8;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(in crate::tools) struct SubmitBatch;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct SubmitParams {
    /// Files, directories, globs such as `fw/**/*.bin`, or `sha256:…`.
    paths: Vec<String>,
    /// Tools by name, or `{"name":…,"arguments":{…}}` [triage].
    #[serde(default)]
    #[schemars(with = "Vec<Asked>")]
    tools: Vec<Value>,
    /// Levels of directories.
    #[serde(default = "sixteen")]
    depth: Bounded<1, 16>,
    /// Most files.
    #[serde(default = "ten_thousand")]
    limit: Bounded<1, 100_000>,
    /// Pass over larger files.
    #[serde(default = "one_gib")]
    max_size_mib: Bounded<1, 65_536>,
    /// Seconds to wait, with progress.
    #[serde(default = "zero")]
    wait: Bounded<0, 600>,
}

/// What an entry of `tools` may be.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
#[expect(dead_code, reason = "only its schema is used")]
enum Asked {
    Name(String),
    Call(Object),
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct SubmitReport {
    job_id: String,
    /// An equal one was interrupted before, and is gone on with.
    resumed: bool,
    /// How far it is, where it was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Object")]
    batch: Option<BatchReport>,
}

impl Report for SubmitReport {
    fn text(&self) -> String {
        if let Some(batch) = &self.batch {
            return batch.described();
        }
        let how = if self.resumed { "goes on" } else { "has begun" };
        format!(
            "{} {how}; `get_job` says how far it is, `get_batch_results` has what is done, `cancel_job` ends it\n",
            self.job_id
        )
    }
}

impl SubmitParams {
    fn read(self, owner: Option<String>) -> Result<(Spec, Vec<Input>, Bounds), ToolError> {
        let Self {
            paths,
            tools,
            depth,
            limit,
            max_size_mib,
            wait: _,
        } = self;
        if paths.is_empty() || paths.len() > MOST_PATHS {
            return Err(invalid(
                "paths",
                format!("has {} entries, not 1 to {MOST_PATHS}", paths.len()),
                "Name a directory or a pattern instead of each file.",
            ));
        }
        let inputs = paths
            .iter()
            .map(|path| Input::parse(path))
            .collect::<Result<Vec<_>, _>>()?;
        if tools.len() > MOST_TOOLS {
            return Err(invalid(
                "tools",
                format!("has more than {MOST_TOOLS} entries"),
                "Ask for less at one time.",
            ));
        }
        let mut tools = tools.into_iter().map(tool).collect::<Result<Vec<_>, _>>()?;
        if tools.is_empty() {
            tools.push(ToolCall::named("triage"));
        }
        for tool in &tools {
            check_tool(tool)?;
        }
        let bounds = Bounds {
            depth: depth.count(),
            files: limit.get(),
            largest: max_size_mib.get() << 20,
        };
        let spec = Spec {
            inputs: paths,
            tools,
            depth: Some(bounds.depth),
            largest: Some(bounds.largest),
            limit: Some(bounds.files),
            // What comes out of archives would lie where every client may look.
            recurse: None,
            owner,
        };
        Ok((spec, inputs, bounds))
    }
}

fn tool(value: Value) -> Result<ToolCall, ToolError> {
    if let Some(name) = value.as_str() {
        return Ok(ToolCall::named(name));
    }
    serde_json::from_value(value).map_err(|error| {
        invalid(
            "tools",
            crate::text::quoted(&error.to_string()),
            "Give a tool's name, or `{\"name\": …, \"arguments\": {…}}`.",
        )
    })
}

impl Tool for SubmitBatch {
    type Params = SubmitParams;
    type Report = SubmitReport;

    const NAME: &'static str = "submit_batch";
    const TITLE: &'static str = "Examine many files";
    const DESCRIPTION: &'static str = "Ask the same tools about many files. Answers with a `job_id`: `get_job` has counts and the latest findings, `get_batch_results` pages of what is done, `cancel_job` keeps what is done. After a restart, submit the same to go on.";
    const QUEUED: bool = false;
    const REMEMBERED: bool = false;
    const READ_ONLY: bool = false;
    const IDEMPOTENT: bool = false;

    fn report_schema() -> Value {
        schema::report::<SubmitReport>()
    }

    async fn run(
        &self,
        call: &Call<'_>,
        params: SubmitParams,
    ) -> Result<Answer<SubmitReport>, ToolError> {
        let owner = call.caller.named.as_deref().map(ToOwned::to_owned);
        let wait = Duration::from_secs(params.wait.get());
        let (spec, inputs, bounds) = params.read(owner)?;
        let (id, resumed) = apart(call, move |batches, caller| {
            batches.submit(spec, inputs, bounds, caller)
        })
        .await?;
        let mut batch = None;
        if !wait.is_zero() {
            tokio::select! {
                () = call.cancel.cancelled() => return Err(ToolError::cancelled()),
                () = tokio::time::sleep(wait) => {}
                () = over(call, id) => {}
            }
            let view = apart(call, move |batches, caller| batches.look(id, caller)).await?;
            batch = Some(BatchReport::of(id, view));
        }
        Ok(Answer::complete(SubmitReport {
            job_id: Batches::name(id),
            resumed,
            batch,
        }))
    }
}

/// Waits for the end of a batch, and says how far it is meanwhile.
async fn over(call: &Call<'_>, id: i64) {
    let Some(mut progress) = call.services.batches.watch(id) else {
        return;
    };
    loop {
        let said = {
            let now = progress.borrow_and_update();
            let (ended, total) = (now.tally.ended(), now.tally.total);
            #[expect(clippy::cast_precision_loss, reason = "a fraction for people")]
            let fraction = (now.listed && total > 0).then(|| ended as f64 / total as f64);
            Progress {
                stage: format!(
                    "{ended} of {total} files, {} with findings",
                    now.tally.with_findings()
                ),
                fraction,
            }
        };
        call.caller.say(said);
        // The sender goes when all is done.
        if progress.changed().await.is_err() {
            return;
        }
    }
}

fn zero() -> Bounded<0, 600> {
    Bounded::new(0)
}

fn sixteen() -> Bounded<1, 16> {
    Bounded::new(16)
}

fn ten_thousand() -> Bounded<1, 100_000> {
    Bounded::new(10_000)
}

fn one_gib() -> Bounded<1, 65_536> {
    Bounded::new(1024)
}
