//! The catalogue as an MCP server: what rmcp asks, the catalogue answers.
//!
//! An unknown tool is a protocol error; whatever else can go wrong with a call
//! is a tool result, in which `isError`, `structuredContent` and the text
//! agree. Transports are elsewhere.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use reversecore_jobs::Client;
use reversecore_tools::{Called, Caller, Catalogue, Descriptor, Reply};
use rmcp::model::{
    ArgumentInfo, CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams,
    CompleteRequestParams, CompleteResult, CompletionInfo, ContentBlock, ErrorData,
    GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult, Implementation,
    ListPromptsResult, ListResourceTemplatesResult, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, Tool, ToolAnnotations, UpdateTaskParams,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use crate::calls::Calls;
use crate::http::{Client as Named, ConnectionNumber, RequestId, TraceId, request_span};
use crate::progress::{self, Said};
use crate::verbatim;
use crate::{prompts, resources, tasks};

const INSTRUCTIONS: &str = include_str!("instructions.txt");
pub(crate) const SESSION_HEADER: &str = "mcp-session-id";
const VERSION_HEADER: &str = "mcp-protocol-version";
/// From this version on there are no sessions.
const FIRST_STATELESS: &str = "2026-07-28";
/// Parameters that a client adds to every tool's and sends along (Gemini CLI); no tool
/// has one of such a name.
const OF_CLIENTS: [&str; 1] = ["wait_for_previous"];
/// How much of an unknown tool's name is said back.
const NAME_IN_MESSAGE: usize = 64;

/// Answers MCP requests from the catalogue. Cheap to clone; all clones share
/// the calls in progress.
#[derive(Debug, Clone)]
pub struct Handler {
    catalogue: Arc<Catalogue>,
    tools: Arc<[Tool]>,
    calls: Calls,
    /// Whether the transport takes wrappers off; see [`verbatim`].
    verbatim: bool,
}

/// A handler that can be served over HTTP: [`Handler`], or one that has it inside
/// and answers more.
pub trait Served: ServerHandler + Clone {
    /// The handler of the catalogue; it counts the calls and knows the sessions.
    fn core(&mut self) -> &mut Handler;
}

impl Served for Handler {
    fn core(&mut self) -> &mut Handler {
        self
    }
}

impl Handler {
    /// A handler for this catalogue.
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        let tools = catalogue.descriptors().iter().map(describe).collect();
        Self {
            catalogue,
            tools,
            calls: Calls::default(),
            verbatim: false,
        }
    }

    /// A clone for a transport that unwraps what it sends.
    pub(crate) fn verbatim(&self) -> Self {
        Self {
            verbatim: true,
            ..self.clone()
        }
    }

    /// How many tool calls are in progress.
    pub fn in_progress(&self) -> usize {
        self.calls.in_progress()
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    pub(crate) fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    async fn call(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Option<Called> {
        let mut arguments = request.arguments.unwrap_or_default();
        for added in OF_CLIENTS {
            arguments.remove(added);
        }
        let call = self.calls.enter(session_of(context));
        let cancel = context.ct.child_token();
        let caller = self.caller(context);
        let work = self
            .catalogue
            .call_or_hand_out(&request.name, arguments, &caller, &cancel);
        let work = cancelled_with(&call.session_closed, &cancel, work);
        let Some(token) = context.meta.get_progress_token() else {
            return work.await;
        };
        let scheduler = &self.catalogue.services().schedule.scheduler;
        progress::while_running(work, |elapsed| {
            let Said { message, total } = match caller.progress() {
                Some(own) => progress::of_stage(&request.name, elapsed, elapsed, &own),
                None => {
                    let job = caller.job().and_then(|id| scheduler.job(id));
                    progress::said(&request.name, elapsed, job.as_ref())
                }
            };
            let mut progress =
                ProgressNotificationParam::new(token.clone(), elapsed.as_secs_f64().round())
                    .with_message(message);
            progress.total = total;
            async { context.peer.notify_progress(progress).await.is_ok() }
        })
        .await
    }

    fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
        let mut caller = Caller::new(client_of(&self.calls, context));
        caller.named = name_of(context);
        caller
    }

    fn unknown(&self, name: &str) -> ErrorData {
        let name: String = name.chars().take(NAME_IN_MESSAGE).collect();
        let known: Vec<&str> = self.tools.iter().map(|tool| tool.name.as_ref()).collect();
        ErrorData::invalid_params(
            format!(
                "unknown tool `{}` (known are {})",
                name.escape_debug(),
                known.join(", ")
            ),
            None,
        )
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let identity = Implementation::new("reversecore", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(
            ServerCapabilities::builder()
                .enable_tools()
                .enable_prompts()
                .enable_resources()
                .enable_completions()
                .enable_tasks()
                .build(),
        )
        .with_server_info(identity)
        .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|request| request.cursor.is_some()) {
            return Err(ErrorData::invalid_params(
                "unknown cursor (the list of tools has one page)",
                None,
            ));
        }
        Ok(ListToolsResult::with_all_items(self.tools.to_vec()))
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::list()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        prompts::get(&request.name, request.arguments.as_ref()).map(Into::into)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(
            resources::templates(),
        ))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let call = self.calls.enter(session_of(&context));
        let (caller, cancel) = (self.caller(&context), context.ct.child_token());
        let work = resources::read(&self.catalogue, &request.uri, &caller, &cancel);
        // On the heap, like a call of a tool.
        Box::pin(cancelled_with(&call.session_closed, &cancel, work))
            .await
            .map(Into::into)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let ArgumentInfo { name, value, .. } = request.argument;
        let values = if name.ends_with("path") {
            let caller = self.caller(&context);
            resources::paths(&self.catalogue, &value, &caller, &context.ct).await
        } else {
            Vec::new()
        };
        let completion =
            CompletionInfo::new(values).map_err(|error| ErrorData::internal_error(error, None))?;
        Ok(CompleteResult::new(completion))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.clone();
        // On the heap: rmcp moves the future of a request a dozen times before it runs.
        let call = Box::pin(self.call(request, &context));
        // Without this, a panic would leave the client without any answer:
        // rmcp runs each request in a task that nobody waits for.
        let reply = AssertUnwindSafe(call)
            .catch_unwind()
            .instrument(span_of(&context))
            .await
            .map_err(|_| {
                tracing::error!(tool = %name.escape_debug(), "a tool call panicked");
                ErrorData::internal_error("the tool failed unexpectedly (see the log)", None)
            })?;
        match reply {
            Some(Called::Done(reply)) => Ok(result(reply, self.verbatim).into()),
            Some(Called::HandedOut { id, reply }) => {
                let task = tasks::declared(&context)
                    .then(|| tasks::created(&self.catalogue, &id, &self.caller(&context)))
                    .flatten();
                Ok(task.map_or_else(|| result(reply, self.verbatim).into(), Into::into))
            }
            None => Err(self.unknown(&name)),
        }
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let caller = self.caller(&context);
        tasks::look(&self.catalogue, &request.task_id, &caller, |reply| {
            result(reply, self.verbatim)
        })
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let caller = self.caller(&context);
        tasks::update(&self.catalogue, &request.task_id, &caller)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let caller = self.caller(&context);
        tasks::cancel(&self.catalogue, &request.task_id, &caller)
    }
}

/// Runs `work`, and fires `cancel` when `closed` fires; the work still has the
/// last word, because it knows what is to be cleaned up.
async fn cancelled_with<T>(
    closed: &CancellationToken,
    cancel: &CancellationToken,
    work: impl Future<Output = T>,
) -> T {
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = closed.cancelled() => cancel.cancel(),
    }
    work.await
}

/// Who calls, for fairness: the owner of a key or token, a session, a connection
/// of its own, or whoever has started the server. A session counts only when it is open: what a header says
/// besides is the client's invention.
fn client_of(calls: &Calls, context: &RequestContext<RoleServer>) -> Client {
    let Some(parts) = context.extensions.get::<http::request::Parts>() else {
        return Client::new("stdio");
    };
    if let Some(client) = parts.extensions.get::<Named>() {
        return Client::new(client.name());
    }
    let stateless = parts
        .headers
        .get(VERSION_HEADER)
        .is_some_and(|version| version.as_bytes() >= FIRST_STATELESS.as_bytes());
    let session = session_of(context).filter(|_| !stateless);
    if let Some(number) = session.and_then(|id| calls.session_number(id)) {
        return Client::new(format!("session {number}"));
    }
    match parts.extensions.get::<ConnectionNumber>() {
        Some(ConnectionNumber(number)) => Client::new(format!("connection {number}")),
        None => Client::new("http"),
    }
}

/// The owner of the key or token that came with the request.
fn name_of(context: &RequestContext<RoleServer>) -> Option<Arc<str>> {
    let parts = context.extensions.get::<http::request::Parts>()?;
    Some(parts.extensions.get::<Named>()?.name().into())
}

/// What the log lines of a call have in common: the id of its HTTP request.
fn span_of(context: &RequestContext<RoleServer>) -> Span {
    let extensions = context
        .extensions
        .get::<http::request::Parts>()
        .map(|parts| &parts.extensions);
    match extensions.and_then(|extensions| extensions.get::<RequestId>().zip(Some(extensions))) {
        Some((id, extensions)) => request_span(id, extensions.get::<TraceId>()),
        None => Span::none(),
    }
}

/// The session that a request came in, when it came over HTTP in one.
fn session_of(context: &RequestContext<RoleServer>) -> Option<&str> {
    context
        .extensions
        .get::<http::request::Parts>()?
        .headers
        .get(SESSION_HEADER)?
        .to_str()
        .ok()
}

fn result(reply: Reply, verbatim: bool) -> CallToolResult {
    let Reply {
        is_error,
        json,
        text,
    } = reply;
    let content = vec![ContentBlock::text(text)];
    let mut result = if is_error {
        CallToolResult::error(content)
    } else {
        CallToolResult::success(content)
    };
    result.structured_content = Some(if verbatim {
        verbatim::wrap(json)
    } else {
        verbatim::parse(&json)
    });
    result
}

fn describe(descriptor: &Descriptor) -> Tool {
    let hints = descriptor.annotations;
    Tool::new_with_raw(
        descriptor.name,
        Some(Cow::Borrowed(descriptor.description)),
        Arc::clone(&descriptor.input_schema),
    )
    .with_title(descriptor.title)
    .with_raw_output_schema(Arc::clone(&descriptor.output_schema))
    .with_annotations(ToolAnnotations::from_raw(
        None,
        Some(hints.read_only),
        Some(hints.destructive),
        Some(hints.idempotent),
        Some(hints.open_world),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instructions_are_short() {
        assert!(INSTRUCTIONS.len() <= 2048, "{}", INSTRUCTIONS.len());
        assert!(INSTRUCTIONS.contains("untrusted"));
    }

    #[tokio::test]
    async fn closing_the_session_cancels_and_still_waits_for_the_work() {
        let (closed, cancel) = (CancellationToken::new(), CancellationToken::new());
        closed.cancel();
        let work = async {
            cancel.cancelled().await;
            "cleaned up"
        };
        assert_eq!(cancelled_with(&closed, &cancel, work).await, "cleaned up");
    }
}
