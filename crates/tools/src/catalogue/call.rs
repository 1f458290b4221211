//! One call, from its arguments to its reply: remembered, shared with an equal
//! one that is in progress, or run as a job of its own.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reversecore_jobs::Landed;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::Reply;
use super::job::{Asked, Done, finish, run};
use super::write::{Success, Times, failure};
use crate::arguments::{self, invalid};
use crate::envelope::Metadata;
use crate::error::{ErrorCode, ToolError};
use crate::results::cache::{Question, Reuse};
use crate::schedule::{Caller, Key};
use crate::services::Services;
use crate::tool::{Call, Facts, Record, Tool};
use crate::workspace::Target;

/// The parameter that every tool has whose results are remembered.
pub(crate) const CACHE_PARAMETER: &str = "cache";
/// The results of a call that has this for it are computed anew.
pub(crate) const BYPASS: &str = "bypass";
/// Parameters that change nothing in a complete result.
const WITHOUT_EFFECT: &str = "timeout";
/// How often a call becomes another job. Nobody is that unlucky.
const TRIES: usize = 5;

/// A call that has become a job.
type Working = Pin<Box<dyn Future<Output = Arc<Done>> + Send>>;

/// What a call has come to.
enum Settled {
    /// A job of its own, or one that it shared.
    Done(Arc<Done>),
    /// Somebody asked before.
    Remembered(Arc<Success>),
}

pub(super) async fn call<T: Tool>(
    tool: T,
    services: &Arc<Services>,
    mut arguments: Map<String, Value>,
    caller: &Caller,
    cancel: &CancellationToken,
) -> Reply {
    let record = Record::default();
    let mut in_flight = services.telemetry.begin(T::NAME, &record);
    let asked = bypasses::<T>(&mut arguments).and_then(|bypass| {
        let (params, arguments) = arguments::read_keeping::<T::Params>(arguments)?;
        let asked = Asked {
            tool,
            params,
            arguments,
            again: false,
        };
        Ok((asked, bypass))
    });
    let settled = match asked {
        Ok((asked, bypass)) if T::QUEUED => {
            as_job_again(asked, bypass, services, caller, cancel).await
        }
        Ok((asked, _)) => Settled::Done(Arc::new(at_once(asked, services, caller, cancel).await)),
        Err(error) => Settled::Done(Arc::new(Done::failed(error))),
    };
    match settled {
        Settled::Remembered(success) => {
            record.note(|facts| facts.sha256.clone_from(&success.metadata.sha256));
            in_flight.remembered();
            in_flight.succeeded(success.metadata.coverage);
            success.reply(Times::default(), true)
        }
        Settled::Done(done) => {
            let Done {
                outcome,
                facts,
                times,
                evicted: _,
            } = Arc::unwrap_or_clone(done);
            record.replace(facts);
            in_flight.took(times.queued, times.ran);
            match outcome {
                Ok(success) => {
                    in_flight.succeeded(success.metadata.coverage);
                    success.reply(times, false)
                }
                Err(error) => {
                    in_flight.failed(&error);
                    failure(error, metadata::<T>(&record.facts()), times)
                }
            }
        }
    }
}

/// Takes the parameter out that no tool knows of: whether a remembered result is
/// not wanted.
fn bypasses<T: Tool>(arguments: &mut Map<String, Value>) -> Result<bool, ToolError> {
    if !T::REMEMBERED {
        return Ok(false);
    }
    match arguments.remove(CACHE_PARAMETER) {
        None => Ok(false),
        Some(Value::String(word)) if word == "use" => Ok(false),
        Some(Value::String(word)) if word == BYPASS => Ok(true),
        Some(_) => Err(invalid(
            CACHE_PARAMETER,
            "is neither `use` nor `bypass`",
            "Leave it out, or say `bypass` to have the result computed anew.",
        )),
    }
}

/// What is known of a call, for its metadata.
pub(super) fn metadata<T: Tool>(facts: &Facts) -> Metadata {
    Metadata {
        tool: T::NAME.into(),
        engine: facts.engine.clone(),
        sha256: facts.sha256.clone(),
        ..Metadata::default()
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

/// A call that becomes a job. When that has to go for want of room, or the one
/// that it shared is cancelled by somebody else, it becomes another.
async fn as_job_again<T: Tool>(
    asked: Asked<T>,
    bypass: bool,
    services: &Arc<Services>,
    caller: &Caller,
    cancel: &CancellationToken,
) -> Settled {
    let (tool, arguments) = (asked.tool, asked.arguments.clone());
    let mut asked = asked;
    for _ in 0..TRIES {
        if let Some(settled) = as_job(asked, bypass, services, caller, cancel).await {
            return settled;
        }
        let again = serde_json::from_str(&arguments).unwrap_or_default();
        asked = match arguments::read_keeping::<T::Params>(again) {
            Ok((params, arguments)) => Asked {
                tool,
                params,
                arguments,
                again: true,
            },
            Err(error) => return Settled::Done(Arc::new(Done::failed(error))),
        };
    }
    Settled::Done(Arc::new(Done::failed(ToolError::cancelled())))
}

/// A call that is remembered, becomes a job, or waits for one that is the same;
/// `None` when that was cancelled by somebody else, or had to go for want of room.
async fn as_job<T: Tool>(
    asked: Asked<T>,
    bypass: bool,
    services: &Arc<Services>,
    caller: &Caller,
    cancel: &CancellationToken,
) -> Option<Settled> {
    let workload = T::workload(&asked.params);
    let reuse = workload.reuse;
    let again = asked.again;
    let file = workload.file.map(ToOwned::to_owned);
    let opened = match file {
        Some(path) => match services.workspace.target("file_path", &path, cancel).await {
            Ok(target) => Some((path, target)),
            Err(error) => {
                let mut done = Done::failed(error);
                done.facts.file = Some(crate::text::quoted(&path));
                return Some(Settled::Done(Arc::new(done)));
            }
        },
        None => None,
    };
    let memory = Remembering::of(T::NAME, &asked.arguments, reuse, services);
    if let Some(memory) = memory.as_ref().filter(|_| !bypass)
        && let Some((_, target)) = &opened
        && let Some(success) = memory.recall(target).await
    {
        return Some(Settled::Remembered(success));
    }
    let key = opened
        .as_ref()
        .filter(|_| reuse >= Reuse::WhileItRuns)
        .map(|(_, target)| Key {
            tool: T::NAME,
            arguments: asked.arguments.clone(),
            file: target.identity(),
        });
    let (shared, caller) = (Arc::clone(services), caller.clone());
    // On the heap, as it is handed on several times before it runs.
    let work = move |stop: CancellationToken| -> Working {
        Box::pin(async move {
            let done = run(asked, shared, opened, caller, stop).await;
            if let Some(memory) = memory {
                memory.remember(&done);
            }
            Arc::new(done)
        })
    };
    let Some(key) = key else {
        let done = work(cancel.child_token()).await;
        return (!done.evicted || again).then_some(Settled::Done(done));
    };
    let landed = services.schedule.flights.join(key, work);
    let done = tokio::select! {
        biased;
        () = cancel.cancelled() => Arc::new(Done::failed(ToolError::cancelled())),
        landed = landed => match landed {
            Landed::Own(done) | Landed::Shared(done) if done.evicted && !again => return None,
            Landed::Own(done) => done,
            Landed::Shared(done) => match &done.outcome {
                // By another that wanted the same; this one still wants it.
                Err(error) if error.code == ErrorCode::Cancelled => return None,
                Ok(_) | Err(_) => done,
            },
            Landed::Lost => Arc::new(Done::failed(super::job::failed_unexpectedly())),
        },
    };
    Some(Settled::Done(done))
}

/// How a call whose result may be remembered asks for it, and remembers it.
struct Remembering {
    services: Arc<Services>,
    tool: &'static str,
    arguments: String,
    reuse: Reuse,
}

impl Remembering {
    fn of(
        tool: &'static str,
        arguments: &str,
        reuse: Reuse,
        services: &Arc<Services>,
    ) -> Option<Self> {
        (reuse >= Reuse::WhileServing && services.results.cache.is_on()).then(|| Self {
            services: Arc::clone(services),
            tool,
            arguments: lasting(arguments),
            reuse,
        })
    }

    fn question(&self, content: &str) -> Question {
        let cache = &self.services.results.cache;
        cache.question(self.tool, &self.arguments, content)
    }

    /// The result for this file, where its content is known.
    async fn recall(&self, target: &Target) -> Option<Arc<Success>> {
        let question = self.question(&target.known_hash()?);
        let cache = &self.services.results.cache;
        match cache.recall(&question) {
            Some(success) => Some(success),
            None if self.reuse == Reuse::Always => cache.recall_from_disk(&question).await,
            None => None,
        }
    }

    fn remember(&self, done: &Done) {
        if let Ok(success) = &done.outcome
            && let Some(content) = &done.facts.sha256
            && success.is_final()
        {
            let question = self.question(content);
            let cache = &self.services.results.cache;
            cache.remember(question, success, self.reuse, done.times.ran);
        }
    }
}

/// The arguments that a complete result depends on.
fn lasting(arguments: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(arguments) else {
        return arguments.to_owned();
    };
    fields.remove(WITHOUT_EFFECT);
    Value::Object(fields).to_string()
}
