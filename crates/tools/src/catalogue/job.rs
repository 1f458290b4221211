//! A call as a job: it waits for its turn, works, and gives its share back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reversecore_jobs::{Cost, Ending, Measured, Running, Used};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call::metadata;
use super::write::{Success, Times};
use crate::error::{ErrorCode, ToolError};
use crate::schedule::estimates::Kind;
use crate::schedule::{Caller, Mode, processors, refusal};
use crate::services::Services;
use crate::tool::{Call, Facts, Record, Tool};
use crate::workspace::Target;

/// A call, its arguments read.
pub(super) struct Asked<T: Tool> {
    pub(super) tool: T,
    pub(super) params: T::Params,
    /// As JSON.
    pub(super) arguments: String,
    /// It was ended for want of room before.
    pub(super) again: bool,
}

/// A call that has ended; shared by all that made the same one.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(super) outcome: Result<Arc<Success>, ToolError>,
    pub(super) facts: Facts,
    pub(super) times: Times,
    /// It was ended for want of room.
    pub(super) evicted: bool,
}

impl Done {
    pub(super) fn failed(error: ToolError) -> Self {
        Self {
            outcome: Err(error),
            facts: Facts::default(),
            times: Times::default(),
            evicted: false,
        }
    }
}

fn no_room() -> ToolError {
    ToolError::new(
        ErrorCode::ResourceLimit,
        "the machine ran out of memory while this and other batch work ran, twice",
        "Run fewer files at one time, or this one alone.",
    )
}

pub(super) fn failed_unexpectedly() -> ToolError {
    ToolError::new(
        ErrorCode::Internal,
        "the call failed unexpectedly",
        "Call again; if it persists, the server's log has the reason.",
    )
}

/// Waits for its turn, works, and gives its share back. In the sync mode the
/// work blocks a thread of its own; waiting never does.
pub(super) async fn run<T: Tool>(
    asked: Asked<T>,
    services: Arc<Services>,
    opened: Option<(String, Target)>,
    caller: Caller,
    cancel: CancellationToken,
) -> Done {
    let schedule = &services.schedule;
    let workload = match &opened {
        Some((_, target)) => {
            let content = target.known_hash();
            T::workload_when_open(&services, &asked.params, content.as_deref(), target.size())
        }
        None => T::workload(&asked.params),
    };
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
    let evicted = running.evicted();
    let done = match schedule.mode {
        Mode::Async => tokio::select! {
            biased;
            done = working => done,
            () = evicted => {
                let mut done = Done::failed(no_room());
                done.evicted = true;
                done
            }
        },
        Mode::Sync => {
            let runtime = tokio::runtime::Handle::current();
            tokio::task::spawn_blocking(move || runtime.block_on(working))
                .await
                .unwrap_or_else(|error| Done::failed(failed_unexpectedly().log_detail(error)))
        }
    };
    let measured = measured(&done, &estimate.of(size));
    let ending = match &done.outcome {
        _ if done.evicted => Ending::Evicted,
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
    let most = done
        .times
        .ran
        .saturating_mul(u32::try_from(processors()).unwrap_or(u32::MAX));
    Measured {
        cpu: done.facts.cpu.min(most),
        wall: done.times.ran,
        memory: if estimated.subprocesses == 0 {
            estimated.memory
        } else {
            done.facts.peak_rss
        },
    }
}

/// Has the tool work, and writes its answer.
pub(super) async fn finish<T: Tool>(
    tool: T,
    params: T::Params,
    call: &Call<'_>,
    queued: Duration,
) -> Done {
    let started = Instant::now();
    let result = if call.cancel.is_cancelled() {
        Err(ToolError::cancelled())
    } else {
        tool.run(call, params).await
    };
    let ran = started.elapsed();
    let facts = call.record.facts();
    let outcome = match result {
        Ok(answer) => {
            let (report, known) = answer.into_parts();
            let mut metadata = metadata::<T>(&facts);
            metadata.engine = known.engine.or(metadata.engine);
            metadata.coverage = known.coverage;
            metadata.truncated = known.truncated;
            metadata.total = known.total;
            metadata.next_cursor = known.next_cursor;
            metadata.warnings = known.warnings;
            metadata.warnings.extend(facts.warnings.iter().cloned());
            let written = Success::write(report, metadata, &call.services.results).await;
            written.map(Arc::new)
        }
        Err(error) => Err(error),
    };
    Done {
        outcome,
        facts,
        times: Times { queued, ran },
        evicted: false,
    }
}
