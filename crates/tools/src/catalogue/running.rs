//! The reply to a call that goes on as a handle, and `get_job_result`, which has
//! its answer when there is one.

use std::sync::Arc;
use std::time::Duration;

use reversecore_jobs::{JobView, StateView};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::write::{Times, failure};
use super::{Annotations, Descriptor, Erased, Reply};
use crate::arguments;
use crate::bounded::{Bounded, TimeoutSeconds};
use crate::envelope::{Envelope, Metadata, Stage};
use crate::handles::Work;
use crate::schedule::Caller;
use crate::schema::{self, Schemas};
use crate::services::Services;
use crate::tool::Record;

/// When to ask again for the answer of a call that goes on, in milliseconds.
pub const POLL_AFTER_MS: u64 = 2000;

/// The tool. It passes a reply on as it is, so it is not made as the others are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GetJobResult;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// From the reply that said `running`.
    job_id: String,
    /// Seconds to wait for its end.
    #[serde(default = "twenty")]
    wait: Bounded<0, 50>,
}

/// What a caller is told whose call is not done.
pub(super) fn handed_out(services: &Services, id: &str, caller: &Caller) -> Reply {
    match services.handles.look(id, caller) {
        Ok(view) => running(services, id, view.tool, &view.caller),
        Err(error) => failure(error, Metadata::default(), Times::default()),
    }
}

fn running(services: &Services, id: &str, tool: &str, caller: &Caller) -> Reply {
    let metadata = stage_of(services, tool, caller);
    let mut text = format!("{tool} is {}", metadata.stage);
    if let Some(progress) = metadata.progress {
        text.push_str(&format!(", {:.0} %", progress * 100.0));
    }
    text.push_str(&format!(
        "\n[running: `get_job_result` with job_id={id} waits for the answer; `cancel_job` ends it]\n"
    ));
    let envelope = Envelope::<()>::Running {
        job_id: id.to_owned(),
        poll_after_ms: POLL_AFTER_MS,
        metadata,
    };
    Reply {
        is_error: false,
        // Plain data with string keys.
        json: serde_json::to_string(&envelope).unwrap_or_default(),
        text,
    }
}

/// How far a call has got.
pub(super) fn stage_of(services: &Services, tool: &str, caller: &Caller) -> Stage {
    let job = caller
        .job()
        .and_then(|id| services.schedule.scheduler.job(id));
    stage(tool, job.as_ref())
}

fn stage(tool: &str, job: Option<&JobView>) -> Stage {
    let (stage, progress) = match job.map(|job| &job.state) {
        Some(StateView::Queued { position, .. }) => {
            (format!("waiting, {position} calls before it"), None)
        }
        Some(StateView::Running {
            progress: Some(progress),
            ..
        }) => (progress.stage.clone(), progress.fraction),
        Some(StateView::Running { progress: None, .. } | StateView::Ended { .. }) | None => {
            ("running".to_owned(), None)
        }
    };
    Stage {
        tool: tool.to_owned(),
        stage,
        progress,
    }
}

async fn result(services: &Services, params: Params, caller: &Caller) -> Reply {
    let Params { job_id, wait } = params;
    let wait = Duration::from_secs(wait.get());
    match services.handles.wait(&job_id, caller, wait).await {
        Ok(view) => match view.reply {
            Some(reply) => Reply::clone(&reply),
            None => running(services, &job_id, view.tool, &view.caller),
        },
        Err(error) => failed(error),
    }
}

fn failed(error: crate::error::ToolError) -> Reply {
    let metadata = Metadata {
        tool: NAME.to_owned(),
        ..Metadata::default()
    };
    failure(error, metadata, Times::default())
}

const NAME: &str = "get_job_result";

impl Erased for GetJobResult {
    fn name(&self) -> &'static str {
        NAME
    }

    fn answers_to(&self, name: &str) -> bool {
        name == NAME
    }

    fn schemas(&self) -> Schemas {
        Schemas {
            input: schema::of::<Params>(false),
            // It has the report of any tool.
            report: schema::report::<schema::Object>(),
        }
    }

    fn descriptor(&self, default_timeout: Option<TimeoutSeconds>) -> Descriptor {
        let Schemas { input, report } = self.ready_schemas();
        Descriptor {
            name: NAME,
            title: "Get a job's result",
            description: "The answer to a call that was not done in time and said `running` with a `job_id`: waits for it, and says how far it is if it is still not done.",
            input_schema: schema::parameters(input, default_timeout),
            output_schema: schema::result(report),
            annotations: Annotations {
                read_only: true,
                destructive: false,
                idempotent: true,
                open_world: false,
            },
        }
    }

    fn is_queued(&self) -> bool {
        false
    }

    fn call(
        &self,
        services: Arc<Services>,
        arguments: Map<String, Value>,
        caller: Caller,
        cancel: CancellationToken,
    ) -> Work {
        Box::pin(async move {
            let record = Record::default();
            let in_flight = services.telemetry.begin(NAME, &record);
            let reply = match arguments::read::<Params>(arguments) {
                Ok(params) => tokio::select! {
                    biased;
                    () = cancel.cancelled() => failed(crate::error::ToolError::cancelled()),
                    reply = result(&services, params, &caller) => reply,
                },
                Err(error) => failed(error),
            };
            // The call itself is counted where it ends.
            in_flight.succeeded(crate::envelope::Coverage::Complete);
            reply
        })
    }
}

fn twenty() -> Bounded<0, 50> {
    Bounded::new(20)
}
