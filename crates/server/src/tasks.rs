//! The extension `io.modelcontextprotocol/tasks`: for a client that declares it, a
//! call that goes on by itself is a task, and the task's id is the handle's name.
//! There is no second book: tasks are handles, with their owner, their time and
//! their end, and `get_job_result` and `cancel_job` work on them as well.
//!
//! A task never asks for input, so what `tasks/update` brings is not used.

use std::time::Duration;

use reversecore_tools::{
    Caller, Catalogue, HandleView, POLL_AFTER_MS, Reply, error::ToolError, timestamp,
};
use rmcp::RoleServer;
use rmcp::model::{
    CallToolResult, CreateTaskResult, DetailedTask, ErrorData, GetTaskResult, Task, TaskPayload,
    TaskStatus,
};
use rmcp::service::RequestContext;
use serde_json::Value;

/// Whether the client knows what to do with a task.
pub(crate) fn declared(context: &RequestContext<RoleServer>) -> bool {
    context
        .client_capabilities()
        .is_some_and(|capabilities| capabilities.supports_tasks())
}

/// What a client is told whose call has become a task; `None` when it is gone again.
pub(crate) fn created(
    catalogue: &Catalogue,
    id: &str,
    caller: &Caller,
) -> Option<CreateTaskResult> {
    let handle = catalogue.services().handles.look(id, caller).ok()?;
    Some(CreateTaskResult::new(task(catalogue, id, &handle)))
}

/// The state of a task, with its result when there is one. `result` makes one of a
/// reply.
///
/// # Errors
/// When there is no such task of this client.
pub(crate) fn look(
    catalogue: &Catalogue,
    id: &str,
    caller: &Caller,
    result: impl FnOnce(Reply) -> CallToolResult,
) -> Result<GetTaskResult, ErrorData> {
    let handle = catalogue.services().handles.look(id, caller);
    let handle = handle.map_err(unknown)?;
    let payload = match &handle.reply {
        None => TaskPayload::Working,
        Some(_) if handle.cancelled => TaskPayload::Cancelled,
        Some(reply) => match serde_json::to_value(result(Reply::clone(reply))) {
            Ok(Value::Object(result)) => TaskPayload::Completed { result },
            Ok(_) | Err(_) => return Err(ErrorData::internal_error("the result is lost", None)),
        },
    };
    let task = task(catalogue, id, &handle);
    Ok(GetTaskResult::new(DetailedTask::new(task, payload)))
}

/// Cancels a task; one that has ended stays as it is.
///
/// # Errors
/// When there is no such task of this client.
pub(crate) fn cancel(catalogue: &Catalogue, id: &str, caller: &Caller) -> Result<(), ErrorData> {
    let cancelled = catalogue.services().handles.cancel(id, caller);
    cancelled.map(drop).map_err(unknown)
}

/// Takes answers that nobody has asked for.
///
/// # Errors
/// When there is no such task of this client.
pub(crate) fn update(catalogue: &Catalogue, id: &str, caller: &Caller) -> Result<(), ErrorData> {
    let looked = catalogue.services().handles.look(id, caller);
    looked.map(drop).map_err(unknown)
}

fn task(catalogue: &Catalogue, id: &str, handle: &HandleView) -> Task {
    let status = match handle.reply {
        None => TaskStatus::Working,
        Some(_) if handle.cancelled => TaskStatus::Cancelled,
        Some(_) => TaskStatus::Completed,
    };
    let so_far = handle.took.unwrap_or_else(|| handle.begun.elapsed());
    let begun = timestamp(handle.begun_at);
    let changed = timestamp(handle.begun_at + so_far);
    let mut task = Task::new(id, status, begun, changed).with_poll_interval_ms(POLL_AFTER_MS);
    match handle.took {
        // It is kept for as long as it goes on.
        None => task.status_message = Some(said(catalogue, handle)),
        Some(took) => {
            task.ttl_ms = Some(milliseconds(took + catalogue.services().handles.kept()));
        }
    }
    task
}

fn said(catalogue: &Catalogue, handle: &HandleView) -> String {
    let stage = catalogue.stage(handle);
    match stage.progress {
        Some(progress) => format!("{}: {}, {:.0} %", stage.tool, stage.stage, progress * 100.0),
        None => format!("{}: {}", stage.tool, stage.stage),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn unknown(error: ToolError) -> ErrorData {
    ErrorData::invalid_params(error.message, None)
}
