//! `list_jobs`, `get_job` and `cancel_job`: what runs, what waits and for what.
//!
//! A client sees and cancels its own jobs; of the others it learns how many there
//! are. What other agents look at is not its business.

use std::fmt::Write as _;

use reversecore_batch::BatchId;
use reversecore_jobs::{Client, JobId, JobView, Scheduler, StateView, Stats};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::batch::{BatchReport, BatchShape, apart};
use crate::batch::Batches;
use crate::bounded::Bounded;
use crate::embedded::present::word;
use crate::error::{ErrorCode, ToolError};
use crate::schema::{self, List, Object};
use crate::tool::{Answer, Call, Report, Tool};

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListJobs;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct GetJob;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct CancelJob;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// Most jobs that run, that wait, and that have ended.
    #[serde(default = "twenty")]
    limit: Bounded<1, 500>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JobParams {
    /// A number from `list_jobs`, or what a call said that is `running`.
    job_id: Named,
}

/// How a job is named.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Named {
    Number(u64),
    Handle(String),
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ListReport {
    /// Those that run, those that wait, and the last that ended.
    #[schemars(with = "List")]
    jobs: Vec<JobView>,
    /// Jobs of all clients.
    running: usize,
    slots: usize,
    waiting: Waiting,
    /// Calls of all clients that wait for the run of an equal call.
    sharing: usize,
}

/// Waiting jobs of all clients, by lane.
#[derive(Debug, Serialize, JsonSchema)]
struct Waiting {
    interactive: usize,
    normal: usize,
    batch: usize,
}

/// One job, or one batch.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum JobReport {
    Job(Box<JobView>),
    Batch(BatchReport),
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CancelReport {
    #[schemars(with = "Value")]
    job_id: Cancelled,
    /// Whether it was there to be cancelled; one that has ended is not.
    cancelled: bool,
}

/// The members of the report, of a job and then of a batch.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct JobShape {
    id: u64,
    tool: String,
    subject: String,
    client: String,
    lane: String,
    state: String,
    predicted: Object,
    position: u64,
    waits_for: Value,
    waited_ms: f64,
    predicted_start_ms: f64,
    ran_ms: f64,
    progress: Object,
    ending: String,
    used: Object,
    #[serde(flatten)]
    batch: BatchShape,
}

impl Report for ListReport {
    fn text(&self) -> String {
        let Waiting {
            interactive,
            normal,
            batch,
        } = self.waiting;
        let mut text = format!(
            "{} of {} slots in use; waiting: {interactive} interactive, {normal} normal, {batch} batch; sharing a run: {}\n",
            self.running, self.slots, self.sharing
        );
        for job in &self.jobs {
            text.push_str(&described(job));
        }
        text
    }
}

/// What was to be cancelled.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Cancelled {
    Job(JobId),
    Batch(String),
}

impl Report for JobReport {
    fn text(&self) -> String {
        match self {
            Self::Job(job) => described(job),
            Self::Batch(batch) => batch.described(),
        }
    }
}

impl Report for CancelReport {
    fn text(&self) -> String {
        let what = match &self.job_id {
            Cancelled::Job(id) => format!("job {id}"),
            Cancelled::Batch(name) => name.clone(),
        };
        if self.cancelled {
            format!("{what} is being cancelled\n")
        } else {
            format!("{what} has ended already\n")
        }
    }
}

/// A job in one line.
pub fn described(job: &JobView) -> String {
    let mut text = format!("{} {} ({})", job.id, job.tool, job.lane.name());
    // Writing to a String can't fail.
    if let Some(subject) = &job.subject {
        write!(text, " on {subject}").ok();
    }
    match &job.state {
        StateView::Queued {
            position,
            waits_for,
            waited,
            predicted_start,
        } => write!(
            text,
            ": waiting for {:.1} s, {position} before it, lacks {}, expected to start in {:.1} s",
            waited.as_secs_f64(),
            word(waits_for),
            predicted_start.as_secs_f64()
        ),
        StateView::Running { ran, progress, .. } => {
            write!(text, ": running for {:.1} s", ran.as_secs_f64()).ok();
            if let Some(progress) = progress {
                write!(text, ", {}", progress.stage).ok();
                if let Some(fraction) = progress.fraction {
                    write!(text, " ({:.0} %)", fraction * 100.0).ok();
                }
            }
            Ok(())
        }
        StateView::Ended { ending, ran, .. } => {
            write!(text, ": {} after {:.2} s", word(ending), ran.as_secs_f64())
        }
    }
    .ok();
    text.push('\n');
    text
}

/// The batch of this name, if it is the name of one.
fn batch(named: &Named) -> Option<BatchId> {
    match named {
        Named::Handle(name) => Batches::named(name),
        Named::Number(_) => None,
    }
}

/// The caller's job of this name.
fn own(call: &Call<'_>, named: &Named) -> Result<JobView, ToolError> {
    let scheduler = &call.services.schedule.scheduler;
    match named {
        Named::Number(id) => numbered(scheduler, &call.caller.client, *id),
        // Digits are a number, however they are written.
        Named::Handle(name) => match name.trim().parse() {
            Ok(id) => numbered(scheduler, &call.caller.client, id),
            Err(_) => handed_out(call, name),
        },
    }
}

/// The job that a handle has become.
fn handed_out(call: &Call<'_>, name: &str) -> Result<JobView, ToolError> {
    let view = call.services.handles.look(name, call.caller)?;
    let job = view.caller.job();
    job.and_then(|id| call.services.schedule.scheduler.job(id))
        .ok_or_else(|| {
            ToolError::new(
                ErrorCode::ValidationError,
                "parameter `job_id`: the job ended so long ago that it is forgotten",
                "`get_job_result` may still have its answer.",
            )
        })
}

/// The client's job of this number.
fn numbered(scheduler: &Scheduler, client: &Client, id: u64) -> Result<JobView, ToolError> {
    scheduler
        .job(JobId(id))
        .filter(|job| job.client == *client)
        .ok_or_else(|| {
            ToolError::new(
                ErrorCode::ValidationError,
                format!("parameter `job_id`: there is no job {id} of yours"),
                "`list_jobs` names the jobs; the last 500 that ended are remembered.",
            )
        })
}

impl Tool for ListJobs {
    type Params = ListParams;
    type Report = ListReport;

    const NAME: &'static str = "list_jobs";
    const TITLE: &'static str = "List jobs";
    const DESCRIPTION: &'static str = "Your calls that run, wait or have ended: state, stage and progress, position and what a waiting one lacks, when it should start, what it used. Also how busy the server is.";
    const QUEUED: bool = false;
    const REMEMBERED: bool = false;

    fn report_schema() -> Value {
        schema::report::<ListReport>()
    }

    async fn run(
        &self,
        call: &Call<'_>,
        params: ListParams,
    ) -> Result<Answer<ListReport>, ToolError> {
        let scheduler = &call.services.schedule.scheduler;
        let most = params.limit.count();
        let Stats {
            queued: [interactive, normal, batch],
            running,
            slots,
            ..
        } = scheduler.stats();
        let jobs = scheduler.jobs_of(&call.caller.client, most);
        let total = u64::try_from(jobs.len()).ok();
        let mut answer = Answer::complete(ListReport {
            jobs,
            running,
            slots,
            waiting: Waiting {
                interactive,
                normal,
                batch,
            },
            sharing: call.services.schedule.flights.passengers(),
        });
        answer.total = total;
        Ok(answer)
    }
}

impl Tool for GetJob {
    type Params = JobParams;
    type Report = JobReport;

    const NAME: &'static str = "get_job";
    const TITLE: &'static str = "Look at a job";
    const DESCRIPTION: &'static str = "One of your calls: state, stage and progress, position, what it waits for and when it should start, what it used and what was expected. Of a batch: counts, files in work, the latest findings.";
    const QUEUED: bool = false;
    const REMEMBERED: bool = false;

    fn report_schema() -> Value {
        schema::report::<JobShape>()
    }

    async fn run(
        &self,
        call: &Call<'_>,
        params: JobParams,
    ) -> Result<Answer<JobReport>, ToolError> {
        if let Some(id) = batch(&params.job_id) {
            let view = apart(call, move |batches, caller| batches.look(id, caller)).await?;
            return Ok(Answer::complete(JobReport::Batch(BatchReport::of(
                id, view,
            ))));
        }
        let job = own(call, &params.job_id)?;
        Ok(Answer::complete(JobReport::Job(Box::new(job))))
    }
}

impl Tool for CancelJob {
    type Params = JobParams;
    type Report = CancelReport;

    const NAME: &'static str = "cancel_job";
    const TITLE: &'static str = "Cancel a job";
    const DESCRIPTION: &'static str = "Cancel one of your calls or batches, whether it waits or runs. Its processes are ended; what a batch has done is kept.";
    const QUEUED: bool = false;
    const REMEMBERED: bool = false;
    const READ_ONLY: bool = false;

    fn report_schema() -> Value {
        schema::report::<CancelReport>()
    }

    async fn run(
        &self,
        call: &Call<'_>,
        params: JobParams,
    ) -> Result<Answer<CancelReport>, ToolError> {
        if let Some(id) = batch(&params.job_id) {
            let cancelled = apart(call, move |batches, caller| batches.cancel(id, caller)).await?;
            return Ok(Answer::complete(CancelReport {
                job_id: Cancelled::Batch(Batches::name(id)),
                cancelled,
            }));
        }
        let job = own(call, &params.job_id)?;
        let cancelled = match &params.job_id {
            // The call with all that it still waits for, not only its job.
            Named::Handle(name) if name.parse::<u64>().is_err() => {
                call.services.handles.cancel(name, call.caller)?
            }
            Named::Handle(_) | Named::Number(_) => call.services.schedule.scheduler.cancel(job.id),
        };
        Ok(Answer::complete(CancelReport {
            job_id: Cancelled::Job(job.id),
            cancelled,
        }))
    }
}

fn twenty() -> Bounded<1, 500> {
    Bounded::new(20)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reversecore_jobs::{Cost, CostView, Ending, Lane, Progress, Resource, Used};

    use super::*;

    fn job(state: StateView) -> JobView {
        JobView {
            id: JobId(7),
            tool: "run_strings",
            subject: Some("a.bin".to_owned()),
            client: Client::new("c"),
            lane: Lane::Normal,
            state,
            predicted: CostView::from(&Cost::light()),
        }
    }

    #[test]
    fn a_line_says_what_a_job_is_doing() {
        let second = Duration::from_secs(1);
        let waiting = job(StateView::Queued {
            position: 3,
            waits_for: Resource::UnreservedSlot,
            waited: second,
            predicted_start: 2 * second,
        });
        assert_eq!(
            described(&waiting),
            "7 run_strings (normal) on a.bin: waiting for 1.0 s, 3 before it, lacks unreserved_slot, expected to start in 2.0 s\n"
        );
        let running = job(StateView::Running {
            waited: second,
            ran: second,
            progress: Some(Progress {
                stage: "hashing".to_owned(),
                fraction: Some(0.25),
            }),
        });
        assert!(described(&running).ends_with(": running for 1.0 s, hashing (25 %)\n"));
        let ended = job(StateView::Ended {
            ending: Ending::TimedOut,
            waited: second,
            ran: second,
            used: Used::default(),
        });
        assert!(described(&ended).ends_with(": timed_out after 1.00 s\n"));
    }
}
