//! All tools behind one door: what they are called, what they take, and how a
//! call goes. The server and the command line use this and nothing else.

//!
//! | file | knows |
//! |---|---|
//! | `call` | one call, from its arguments to its reply |
//! | `job` | the part of it that waits for its turn and works |
//! | `write` | the reply: text and JSON within the budget |
//! | `running` | the reply to a call that is not done |

mod call;
mod job;
pub(crate) mod running;
mod write;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bounded::TimeoutSeconds;
use crate::envelope::Stage;
use crate::handles::{HandleView, Work};
use crate::schedule::Caller;
use crate::schema::Schemas;
use crate::services::Services;
use crate::tool::Tool;
use crate::{schema, tools};

pub(crate) use call::{BYPASS, CACHE_PARAMETER};
pub(crate) use job::Done;
pub(crate) use write::Success;

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
    /// The JSON schema of its results.
    #[serde(serialize_with = "shared")]
    pub output_schema: Arc<Map<String, Value>>,
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
    /// The [`Envelope`](crate::envelope::Envelope) as JSON text, written straight from the report: a tree
    /// of `serde_json::Value` in between costs more than most analyses.
    pub json: String,
    /// The same for a reader: compact, no JSON.
    pub text: String,
}

/// What a call has come to within the inline budget.
#[derive(Debug)]
pub enum Called {
    /// It is answered.
    Done(Reply),
    /// It goes on by itself.
    HandedOut {
        /// The name of its handle.
        id: String,
        /// What a caller is told who knows no other way to follow it.
        reply: Reply,
    },
}

impl Catalogue {
    /// All tools, working with these services.
    pub fn new(services: Arc<Services>) -> Self {
        let tools = tools::all();
        let descriptors: Vec<Descriptor> = tools
            .iter()
            .map(|tool| tool.descriptor(services.default_timeout))
            .collect();
        services.batches.serve(&services);
        services.telemetry.watch(&services.schedule.scheduler);
        services.telemetry.watch_sessions(&services.sessions);
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
        let tool = self.find(name)?;
        Some(self.begin(tool, arguments, caller, cancel).await)
    }

    /// The same; a call that is not done within the inline budget goes on by
    /// itself, and the reply says how to ask for its answer.
    pub async fn call_or_hand_out(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        caller: &Caller,
        cancel: &CancellationToken,
    ) -> Option<Called> {
        let tool = self.find(name)?;
        let handles = &self.inner.services.handles;
        let Some(inline) = handles.inline().filter(|_| tool.is_queued()) else {
            let reply = self.begin(tool, arguments, caller, cancel).await;
            return Some(Called::Done(reply));
        };
        // The request's own token fires when the request is over.
        let (begun, own) = (Instant::now(), CancellationToken::new());
        let mut work = self.begin(tool, arguments, caller, &own);
        // Without a budget nothing is waited for, whatever may be there already: how
        // quick a call is does not decide what kind of answer it has.
        if !inline.is_zero() {
            let patience = tokio::time::sleep(inline);
            if let Some(reply) = done_within(&mut work, patience, cancel, &own).await {
                return Some(Called::Done(reply));
            }
        }
        match handles.keep(tool.name(), caller.clone(), begun, own.clone(), work) {
            Ok(id) => {
                let reply = running::handed_out(&self.inner.services, &id, caller);
                Some(Called::HandedOut { id, reply })
            }
            // Too many: this one is waited for.
            Err(mut work) => {
                let reply = done_within(&mut work, std::future::pending(), cancel, &own).await;
                reply.map(Called::Done)
            }
        }
    }

    /// How far a call has got that goes on by itself.
    pub fn stage(&self, handle: &HandleView) -> Stage {
        running::stage_of(&self.inner.services, handle.tool, &handle.caller)
    }

    fn find(&self, name: &str) -> Option<&dyn Erased> {
        let mut tools = self.inner.tools.iter();
        tools.find(|tool| tool.answers_to(name)).map(|tool| &**tool)
    }

    fn begin(
        &self,
        tool: &dyn Erased,
        arguments: Map<String, Value>,
        caller: &Caller,
        cancel: &CancellationToken,
    ) -> Work {
        let services = Arc::clone(&self.inner.services);
        tool.call(services, arguments, caller.clone(), cancel.clone())
    }
}

/// The reply of a call, or `None` when `patience` ends first. When `cancel` fires,
/// so does the call's own token; it has the last word then, however long it takes.
async fn done_within(
    work: &mut Work,
    patience: impl Future<Output = ()>,
    cancel: &CancellationToken,
    own: &CancellationToken,
) -> Option<Reply> {
    tokio::select! {
        biased;
        reply = &mut *work => Some(reply),
        () = cancel.cancelled() => {
            own.cancel();
            Some(work.await)
        }
        () = patience => None,
    }
}

/// A tool without its types.
pub(crate) trait Erased: Send + Sync {
    fn name(&self) -> &'static str;
    fn answers_to(&self, name: &str) -> bool;
    /// The schemas, made of its types.
    fn schemas(&self) -> Schemas;
    /// The same as they are written down, where they are.
    fn ready_schemas(&self) -> Schemas {
        schema::written::of(self.name()).unwrap_or_else(|| self.schemas())
    }
    fn descriptor(&self, default_timeout: Option<TimeoutSeconds>) -> Descriptor;
    /// Whether its calls wait for their turn, and may take long.
    fn is_queued(&self) -> bool;
    fn call(
        &self,
        services: Arc<Services>,
        arguments: Map<String, Value>,
        caller: Caller,
        cancel: CancellationToken,
    ) -> Work;
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

    fn schemas(&self) -> Schemas {
        Schemas {
            input: schema::of::<T::Params>(T::REMEMBERED),
            report: T::report_schema(),
        }
    }

    fn descriptor(&self, default_timeout: Option<TimeoutSeconds>) -> Descriptor {
        let Schemas { input, report } = self.ready_schemas();
        Descriptor {
            name: T::NAME,
            title: T::TITLE,
            description: T::DESCRIPTION,
            input_schema: schema::parameters(input, default_timeout),
            output_schema: schema::result(report),
            annotations: Annotations {
                read_only: T::READ_ONLY,
                destructive: false,
                idempotent: T::IDEMPOTENT,
                open_world: false,
            },
        }
    }

    fn is_queued(&self) -> bool {
        T::QUEUED
    }

    fn call(
        &self,
        services: Arc<Services>,
        arguments: Map<String, Value>,
        caller: Caller,
        cancel: CancellationToken,
    ) -> Work {
        let tool = *self;
        Box::pin(async move { call::call(tool, &services, arguments, &caller, &cancel).await })
    }
}

fn shared<S: serde::Serializer>(
    schema: &Arc<Map<String, Value>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    schema.as_ref().serialize(serializer)
}
