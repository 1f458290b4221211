//! `submit_batch` and `get_batch_results`: the same tools over many files, beside the
//! client's other calls. `get_job` says how far a batch is, `cancel_job` ends it.

use std::fmt::Write as _;
use std::time::Duration;

use reversecore_batch::{Filter, Finding, Severity, Spec, Stored, ToolCall, findings};
use reversecore_jobs::Progress;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::arguments::invalid;
use crate::batch::{BatchView, Batches, Bounds, Input, Standing, check_tool};
use crate::bounded::Bounded;
use crate::error::{ErrorCode, ToolError};
use crate::schedule::Caller;
use crate::schema::{self, List, Object};
use crate::text::escaped;
use crate::tool::{Answer, Call, Report, Tool};

/// Paths and patterns of one batch.
const MOST_PATHS: usize = 1000;
/// Tools of one batch.
const MOST_TOOLS: usize = 8;
/// Findings of one file in a page.
const MOST_FINDINGS: usize = 6;
/// Files that are named where a batch is looked at.
const SHOWN: usize = 10;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct SubmitBatch;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct GetBatchResults;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitParams {
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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultsParams {
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
pub(super) struct SubmitReport {
    job_id: String,
    /// An equal one was interrupted before, and is gone on with.
    resumed: bool,
    /// How far it is, where it was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Object")]
    batch: Option<BatchReport>,
}

/// How far a batch is.
#[derive(Debug, Serialize)]
pub(super) struct BatchReport {
    job_id: String,
    state: Standing,
    /// Whether all files have been found that are to be found.
    listed: bool,
    total: u64,
    done: u64,
    failed: u64,
    poison: u64,
    suspicious: u64,
    high: u64,
    running: Vec<String>,
    /// The last findings while it runs, else the worst.
    findings: Vec<Noted>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    troubled: Vec<Troubled>,
}

/// Its members, as clients are told of them where it may be a job too.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct BatchShape {
    job_id: String,
    listed: bool,
    total: u64,
    done: u64,
    failed: u64,
    poison: u64,
    suspicious: u64,
    high: u64,
    running: Vec<String>,
    findings: List,
    troubled: List,
}

#[derive(Debug, Serialize)]
struct Noted {
    path: String,
    severity: Severity,
    what: String,
}

#[derive(Debug, Serialize)]
struct Troubled {
    path: String,
    why: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ResultsReport {
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

impl BatchReport {
    pub(super) fn of(id: i64, view: BatchView) -> Self {
        let BatchView {
            standing,
            written,
            progress,
        } = view;
        let runs = standing == Standing::Running;
        // What the journal has is some milliseconds behind.
        let tally = if runs && progress.tally.total > 0 {
            progress.tally
        } else {
            written.tally
        };
        let noted = if runs {
            Vec::from(progress.latest)
        } else {
            tally.worst.clone()
        };
        Self {
            job_id: Batches::name(id),
            state: standing,
            listed: progress.listed || !runs,
            total: tally.total,
            done: tally.done,
            failed: tally.failed,
            poison: tally.poison,
            suspicious: tally.suspicious,
            high: tally.high,
            running: progress.running.iter().map(|path| shown(path)).collect(),
            findings: noted
                .into_iter()
                .take(SHOWN)
                .map(|worst| Noted {
                    path: shown(&worst.path),
                    severity: worst.severity,
                    what: shown(&worst.what),
                })
                .collect(),
            troubled: tally
                .troubled
                .iter()
                .take(SHOWN)
                .map(|(path, why)| Troubled {
                    path: shown(path),
                    why: shown(why),
                })
                .collect(),
        }
    }

    pub(super) fn described(&self) -> String {
        let Self {
            job_id,
            state,
            listed,
            total,
            done,
            failed,
            poison,
            suspicious,
            high,
            running,
            findings,
            troubled,
        } = self;
        let state = crate::embedded::present::word(state);
        let more = if *listed { "" } else { " found so far" };
        let mut text = format!(
            "{job_id} {state}: {} of {total} files{more}; {done} done, {failed} failed, {poison} poison; {high} high, {suspicious} suspicious\n",
            done + failed + poison
        );
        // Writing to a String can't fail.
        if !running.is_empty() {
            writeln!(text, "in work: {}", running.join(", ")).ok();
        }
        for noted in findings {
            writeln!(
                text,
                "{} {}: {}",
                noted.severity.name(),
                noted.path,
                noted.what
            )
            .ok();
        }
        for troubled in troubled {
            writeln!(text, "not examined: {}: {}", troubled.path, troubled.why).ok();
        }
        text
    }
}

fn shown(text: &str) -> String {
    escaped(text).into_owned()
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

pub(super) fn no_batch(name: &str) -> ToolError {
    invalid(
        "job_id",
        format!("`{}` is the name of no batch", crate::text::quoted(name)),
        "`submit_batch` says the names of batches.",
    )
}

/// Asks the batches for this caller, on a thread that may wait for the disk.
pub(super) async fn apart<T: Send + 'static>(
    call: &Call<'_>,
    work: impl FnOnce(&Batches, &Caller) -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    let (batches, caller) = (call.services.batches.clone(), call.caller.clone());
    let working = tokio::task::spawn_blocking(move || work(&batches, &caller));
    working.await.unwrap_or_else(|error| {
        let failed = ToolError::new(
            ErrorCode::Internal,
            "the batch could not be looked at",
            "Call again; if it persists, the server's log has the reason.",
        );
        Err(failed.log_detail(error))
    })
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

fn twenty() -> Bounded<1, 200> {
    Bounded::new(20)
}
