//! All tools behind one door: what they are called, what they take, and how a
//! call goes. The server and the command line use this and nothing else.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reversecore_jobs::{Cost, Ending, Landed, Measured, Running, Used};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::envelope::{Coverage, Envelope, Metadata};
use crate::error::{ErrorCode, ToolError};
use crate::schedule::estimates::Kind;
use crate::schedule::{Caller, Key, Mode, refusal};
use crate::services::Services;
use crate::telemetry::InFlight;
use crate::tool::{Call, Facts, Record, Report, Tool};
use crate::workspace::Target;
use crate::{arguments, schema, tools};

/// All tools, in a fixed order. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalogue {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    services: Arc<Services>,
    tools: Vec<Box<dyn Erased>>,
    descriptors: Vec<Descriptor>,
}

/// What a client is told about a tool.
#[derive(Debug, Clone, Serialize)]
pub struct Descriptor {
    /// The name that clients call.
    pub name: &'static str,
    /// A short name for people.
    pub title: &'static str,
    /// What it does and when to choose it.
    pub description: &'static str,
    /// The JSON schema of its parameters.
    #[serde(serialize_with = "shared")]
    pub input_schema: Arc<Map<String, Value>>,
    /// What a client may assume about calls.
    pub annotations: Annotations,
}

/// What a client may assume about calls of a tool: the protocol's four hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Annotations {
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy something.
    pub destructive: bool,
    /// Repeating a call has no further effect.
    pub idempotent: bool,
    /// It reaches beyond this server.
    pub open_world: bool,
}

/// The answer to a call.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Whether the call failed.
    pub is_error: bool,
    /// The [`Envelope`] as JSON text, written straight from the report: a tree
    /// of `serde_json::Value` in between costs more than most analyses.
    pub json: String,
    /// The same for a reader: compact, no JSON.
    pub text: String,
}

impl Catalogue {
    /// All tools, working with these services.
    pub fn new(services: Arc<Services>) -> Self {
        let tools = tools::all();
        let descriptors: Vec<Descriptor> = tools
            .iter()
            .map(|tool| tool.descriptor(services.default_timeout))
            .collect();
        services.telemetry.watch(&services.schedule.scheduler);
        services
            .telemetry
            .expect_tools(descriptors.iter().map(|descriptor| descriptor.name));
        Self {
            inner: Arc::new(Inner {
                services,
                tools,
                descriptors,
            }),
        }
    }

    /// What clients are told about the tools.
    pub fn descriptors(&self) -> &[Descriptor] {
        &self.inner.descriptors
    }

    /// What the tools work with.
    pub fn services(&self) -> &Services {
        &self.inner.services
    }

    /// Calls a tool; `None` when there is none of this name.
    ///
    /// Dropping the future ends the call; what it runs is cancelled, unless the
    /// same is wanted by another call. It is then counted as cancelled.
    pub async fn call(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        caller: &Caller,
        cancel: &CancellationToken,
    ) -> Option<Reply> {
        let inner = &*self.inner;
        let tool = inner.tools.iter().find(|tool| tool.answers_to(name))?;
        Some(tool.call(&inner.services, arguments, caller, cancel).await)
    }
}

/// A tool without its types.
pub(crate) trait Erased: Send + Sync {
    fn name(&self) -> &'static str;
    fn answers_to(&self, name: &str) -> bool;
    fn descriptor(&self, default_timeout: Option<crate::bounded::TimeoutSeconds>) -> Descriptor;
    fn call<'a>(
        &'a self,
        services: &'a Arc<Services>,
        arguments: Map<String, Value>,
        caller: &'a Caller,
        cancel: &'a CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>>;
}

impl fmt::Debug for dyn Erased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<T: Tool> Erased for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn answers_to(&self, name: &str) -> bool {
        name == T::NAME || T::ALIASES.contains(&name)
    }

    fn descriptor(&self, default_timeout: Option<crate::bounded::TimeoutSeconds>) -> Descriptor {
        Descriptor {
            name: T::NAME,
            title: T::TITLE,
            description: T::DESCRIPTION,
            input_schema: schema::of::<T::Params>(default_timeout),
            annotations: Annotations {
                read_only: T::READ_ONLY,
                destructive: false,
                idempotent: T::IDEMPOTENT,
                open_world: false,
            },
        }
    }

    fn call<'a>(
        &'a self,
        services: &'a Arc<Services>,
        arguments: Map<String, Value>,
        caller: &'a Caller,
        cancel: &'a CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
        Box::pin(call(*self, services, arguments, caller, cancel))
    }
}

/// A call that has ended; shared by all that made the same one.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    outcome: Result<Success, ToolError>,
    facts: Facts,
    queued: Duration,
    ran: Duration,
}

#[derive(Debug, Clone)]
struct Success {
    json: String,
    text: String,
    coverage: Coverage,
}

async fn call<T: Tool>(
    tool: T,
    services: &Arc<Services>,
    arguments: Map<String, Value>,
    caller: &Caller,
    cancel: &CancellationToken,
) -> Reply {
    let record = Record::default();
    let mut in_flight = services.telemetry.begin(T::NAME, &record);
    let done = match arguments::read_keeping::<T::Params>(arguments) {
        Ok((params, arguments)) => {
            let asked = Asked {
                tool,
                params,
                arguments,
            };
            if T::QUEUED {
                as_job_again(asked, services, caller, cancel).await
            } else {
                Arc::new(at_once(asked, services, caller, cancel).await)
            }
        }
        Err(error) => Arc::new(Done::failed(error)),
    };
    let Done {
        outcome,
        facts,
        queued,
        ran,
    } = Arc::unwrap_or_clone(done);
    record.replace(facts);
    in_flight.took(queued, ran);
    match outcome {
        Ok(Success {
            json,
            text,
            coverage,
        }) => {
            in_flight.succeeded(coverage);
            Reply {
                is_error: false,
                json,
                text,
            }
        }
        Err(error) => failure(
            error,
            metadata::<T>(&record.facts(), queued, ran),
            in_flight,
        ),
    }
}

/// A call, its arguments read.
struct Asked<T: Tool> {
    tool: T,
    params: T::Params,
    /// As JSON.
    arguments: String,
}

impl Done {
    fn failed(error: ToolError) -> Self {
        Self {
            outcome: Err(error),
            facts: Facts::default(),
            queued: Duration::ZERO,
            ran: Duration::ZERO,
        }
    }
}

/// A tool that answers from memory.
async fn at_once<T: Tool>(
    asked: Asked<T>,
    services: &Services,
    caller: &Caller,
    cancel: &CancellationToken,
) -> Done {
    let record = Record::default();
    let call = Call {
        services,
        cancel,
        caller,
        record: &record,
        job: None,
        opened: Mutex::default(),
    };
    finish(asked.tool, asked.params, &call, Duration::ZERO).await
}

/// A call that becomes a job. When the one that it shared is cancelled by
/// somebody else, it becomes another.
async fn as_job_again<T: Tool>(
    asked: Asked<T>,
    services: &Arc<Services>,
    caller: &Caller,
    cancel: &CancellationToken,
) -> Arc<Done> {
    /// Nobody is that unlucky.
    const TRIES: usize = 5;
    let (tool, arguments) = (asked.tool, asked.arguments.clone());
    let mut asked = asked;
    for _ in 0..TRIES {
        if let Some(done) = as_job(asked, services, caller, cancel).await {
            return done;
        }
        let again = serde_json::from_str(&arguments).unwrap_or_default();
        asked = match arguments::read_keeping::<T::Params>(again) {
            Ok((params, arguments)) => Asked {
                tool,
                params,
                arguments,
            },
            Err(error) => return Arc::new(Done::failed(error)),
        };
    }
    Arc::new(Done::failed(ToolError::cancelled()))
}

/// A call that becomes a job, or waits for one that is the same; `None` when
/// that was cancelled by somebody else.
async fn as_job<T: Tool>(
    asked: Asked<T>,
    services: &Arc<Services>,
    caller: &Caller,
    cancel: &CancellationToken,
) -> Option<Arc<Done>> {
    let file = T::workload(&asked.params).file.map(ToOwned::to_owned);
    let opened = match file {
        Some(path) => match services.workspace.target("file_path", &path, cancel).await {
            Ok(target) => Some((path, target)),
            Err(error) => {
                let mut done = Done::failed(error);
                done.facts.file = Some(crate::text::quoted(&path));
                return Some(Arc::new(done));
            }
        },
        None => None,
    };
    let key = opened
        .as_ref()
        .filter(|_| T::IDEMPOTENT && T::workload(&asked.params).shared)
        .map(|(_, target)| Key {
            tool: T::NAME,
            arguments: asked.arguments.clone(),
            file: target.identity(),
        });
    let schedule = &services.schedule;
    let (shared, caller) = (Arc::clone(services), caller.clone());
    let work = move |stop: CancellationToken| job(asked, shared, opened, caller, stop);
    let Some(key) = key else {
        return Some(Arc::new(work(cancel.child_token()).await));
    };
    let landed = schedule
        .flights
        .join(key, |stop| async move { Arc::new(work(stop).await) });
    let done = tokio::select! {
        biased;
        () = cancel.cancelled() => Arc::new(Done::failed(ToolError::cancelled())),
        landed = landed => match landed {
            Landed::Own(done) => done,
            Landed::Shared(done) => match &done.outcome {
                // By another that wanted the same; this one still wants it.
                Err(error) if error.code == ErrorCode::Cancelled => return None,
                Ok(_) | Err(_) => done,
            },
            Landed::Lost => Arc::new(Done::failed(failed_unexpectedly())),
        },
    };
    Some(done)
}

fn failed_unexpectedly() -> ToolError {
    ToolError::new(
        ErrorCode::Internal,
        "the call failed unexpectedly",
        "Call again; if it persists, the server's log has the reason.",
    )
}

/// Waits for its turn, works, and gives its share back. In the sync mode the
/// work blocks a thread of its own; waiting never does.
async fn job<T: Tool>(
    asked: Asked<T>,
    services: Arc<Services>,
    opened: Option<(String, Target)>,
    caller: Caller,
    cancel: CancellationToken,
) -> Done {
    let schedule = &services.schedule;
    let workload = T::workload(&asked.params);
    let Kind { engine, estimate } = workload.kind;
    let size = opened.as_ref().map_or(0, |(_, target)| target.size());
    let spec = schedule.spec(T::NAME, &workload, size, &caller);
    let admitted = schedule
        .scheduler
        .admit_noting(spec, &cancel, |id| caller.became(id));
    let running = match admitted.await {
        Ok(running) => running,
        Err(refused) => {
            let mut done = Done::failed(refusal(&refused));
            done.facts.file = opened.map(|(path, _)| crate::text::quoted(&path));
            return done;
        }
    };
    let running = Arc::new(running);
    let working = working(
        asked,
        Arc::clone(&services),
        opened,
        caller,
        cancel,
        Arc::clone(&running),
    );
    let done = match schedule.mode {
        Mode::Async => working.await,
        Mode::Sync => {
            let runtime = tokio::runtime::Handle::current();
            tokio::task::spawn_blocking(move || runtime.block_on(working))
                .await
                .unwrap_or_else(|error| Done::failed(failed_unexpectedly().log_detail(error)))
        }
    };
    let measured = measured(&done, &estimate.of(size));
    let ending = match &done.outcome {
        Ok(_) => Ending::Succeeded,
        Err(error) if error.code == ErrorCode::Cancelled => Ending::Cancelled,
        Err(error) if error.code == ErrorCode::Timeout => Ending::TimedOut,
        Err(_) => Ending::Failed,
    };
    // One that ran out of time would have used more.
    if matches!(ending, Ending::Succeeded | Ending::TimedOut) {
        schedule.learn(engine, size, measured);
    }
    let used = Used {
        cpu: measured.cpu,
        memory: done.facts.peak_rss,
    };
    if let Some(running) = Arc::into_inner(running) {
        running.end(ending, used);
    }
    done
}

/// The work itself.
async fn working<T: Tool>(
    asked: Asked<T>,
    services: Arc<Services>,
    opened: Option<(String, Target)>,
    caller: Caller,
    cancel: CancellationToken,
    running: Arc<Running>,
) -> Done {
    let record = Record::default();
    let opened = opened.map(|(path, mut target)| {
        target.start_hashing(&services.workspace);
        (path, target)
    });
    let call = Call {
        services: &services,
        cancel: &cancel,
        caller: &caller,
        record: &record,
        job: Some(&running),
        opened: Mutex::new(opened),
    };
    finish(asked.tool, asked.params, &call, running.waited()).await
}

/// What a job used, as far as it is to be believed: a worker's word for its CPU
/// time is bounded by what the machine could give it, and its peak of memory is
/// that of all its jobs, so what is expected of the next is not learned from it.
fn measured(done: &Done, estimated: &Cost) -> Measured {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let most = done
        .ran
        .saturating_mul(u32::try_from(processors).unwrap_or(u32::MAX));
    Measured {
        cpu: done.facts.cpu.min(most),
        wall: done.ran,
        memory: if estimated.subprocesses == 0 {
            estimated.memory
        } else {
            done.facts.peak_rss
        },
    }
}

/// Has the tool work, and writes its answer.
async fn finish<T: Tool>(tool: T, params: T::Params, call: &Call<'_>, queued: Duration) -> Done {
    let started = Instant::now();
    let result = if call.cancel.is_cancelled() {
        Err(ToolError::cancelled())
    } else {
        tool.run(call, params).await
    };
    let ran = started.elapsed();
    let facts = call.record.facts();
    let outcome = result.and_then(|answer| {
        let (report, known) = answer.into_parts();
        let mut metadata = metadata::<T>(&facts, queued, ran);
        metadata.engine = known.engine.or(metadata.engine);
        metadata.coverage = known.coverage;
        metadata.truncated = known.truncated;
        metadata.total = known.total;
        metadata.next_cursor = known.next_cursor;
        metadata.warnings = known.warnings;
        metadata.warnings.extend(facts.warnings.iter().cloned());
        success(&report, &metadata)
    });
    Done {
        outcome,
        facts,
        queued,
        ran,
    }
}

fn metadata<T: Tool>(facts: &Facts, queued: Duration, ran: Duration) -> Metadata {
    Metadata {
        tool: T::NAME.into(),
        engine: facts.engine.clone(),
        sha256: facts.sha256.clone(),
        elapsed_ms: milliseconds(ran),
        queue_ms: milliseconds(queued),
        ..Metadata::default()
    }
}

fn success<R: Report>(report: &R, metadata: &Metadata) -> Result<Success, ToolError> {
    let text = success_text(report, metadata);
    let json = success_json(report, metadata).map_err(|error| {
        ToolError::new(
            ErrorCode::Internal,
            "the report could not be written as JSON",
            "This is a fault of the server; its log has the details.",
        )
        .log_detail(error)
    })?;
    Ok(Success {
        json,
        text,
        coverage: metadata.coverage,
    })
}

/// [`Envelope::Success`], with the report written in its own way.
fn success_json<R: Report>(
    report: &R,
    metadata: &Metadata,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut json = br#"{"status":"success","data":"#.to_vec();
    report.write_json(&mut json)?;
    json.extend_from_slice(br#","metadata":"#);
    serde_json::to_writer(&mut json, metadata)?;
    json.push(b'}');
    Ok(String::from_utf8(json)?)
}

fn success_text<R: Report>(report: &R, metadata: &Metadata) -> String {
    let mut text = report.text();
    let mut line = |words: &str| {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(words);
    };
    if metadata.truncated {
        match metadata.total {
            Some(total) => line(&format!("[truncated: {total} in total]")),
            None => line("[truncated]"),
        }
    }
    if let Some(cursor) = &metadata.next_cursor {
        line(&format!("[next page: cursor={cursor}]"));
    }
    for warning in &metadata.warnings {
        line(&format!("[warning: {warning}]"));
    }
    text
}

fn failure(error: ToolError, metadata: Metadata, in_flight: InFlight<'_>) -> Reply {
    in_flight.failed(&error);
    let code = error.code.as_str();
    let text = format!("{code}: {}\n{}", error.message, error.hint);
    let json = serde_json::to_string(&Envelope::<()>::error(error, metadata))
        .unwrap_or_else(|_| format!("{{\"status\":\"error\",\"error_code\":\"{code}\"}}"));
    Reply {
        is_error: true,
        json,
        text,
    }
}

fn shared<S: serde::Serializer>(
    schema: &Arc<Map<String, Value>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    schema.as_ref().serialize(serializer)
}

/// With three decimals: the clock's noise is not worth its digits.
fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Sample {
        items: Vec<u32>,
    }

    impl Report for Sample {
        fn text(&self) -> String {
            String::new()
        }
    }

    #[test]
    fn a_success_is_written_as_the_envelope_says() {
        let metadata = Metadata {
            tool: "sample".to_owned(),
            total: Some(2),
            ..Metadata::default()
        };
        let data = Sample { items: vec![1, 2] };
        let json = success_json(&data, &metadata).unwrap();
        let envelope = Envelope::Success { data, metadata };
        assert_eq!(json, serde_json::to_string(&envelope).unwrap());
    }
}
