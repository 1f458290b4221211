//! The suite's tasks: calls that go on by themselves. What one has come to follows from
//! when it was begun and what has been said to it, so nothing runs in between.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use reversecore_tools::timestamp;
use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientCapabilities, CreateTaskResult, DetailedTask,
    ErrorData, GetTaskResult, InputRequests, InputResponses, Task, TaskPayload, Tool,
};
use rmcp::service::RequestContext;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::asking::Question;
use crate::{tools, typed};

/// Asks first, as those of `asking` do, and is a task then.
pub(crate) const AFTER_ASKING: &str = "test_tool_with_task";
/// How long those take that say nothing of it.
const SHORT: Duration = Duration::from_secs(1);
/// How long tasks are kept, as clients are told; here they are kept until the end.
const KEPT_MS: u64 = 600_000;
const POLL_MS: u64 = 200;

/// What a task does.
#[derive(Debug)]
enum Kind {
    Computes(Duration),
    /// Its tool answers with an error.
    Fails,
    /// It has no answer at all.
    Breaks,
    /// Waits until all of these are answered.
    Asks(&'static [&'static str]),
    /// Says what it was told before it became a task.
    Knows(String),
}

#[derive(Debug)]
struct Begun {
    kind: Kind,
    at: Instant,
    timestamp: String,
    said: InputResponses,
    cancelled: bool,
}

/// All tasks.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    // A std mutex: held for map operations only, never across an await.
    all: Mutex<HashMap<String, Begun>>,
    numbers: AtomicU64,
}

pub(crate) fn list() -> Vec<Tool> {
    let of = |name: &str, field: &str, kind: &str| {
        let properties = if field.is_empty() {
            json!({})
        } else {
            json!({field: {"type": kind}})
        };
        json!({"name": name, "description": "A fixture.",
            "inputSchema": {"type": "object", "properties": properties}})
    };
    typed(json!([
        of("greet", "name", "string"),
        of("slow_compute", "seconds", "number"),
        of("failing_job", "", ""),
        of("protocol_error_job", "", ""),
        of("confirm_delete", "filename", "string"),
        of("multi_input", "", ""),
    ]))
}

impl Tasks {
    /// The answer of one of these tools; `None` when it is another.
    pub(crate) async fn call(
        &self,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Option<Result<CallToolResponse, ErrorData>> {
        let argument = |name: &str| request.arguments.as_ref().and_then(|all| all.get(name));
        let seconds = argument("seconds").and_then(Value::as_f64).unwrap_or(1.0);
        let kind = match request.name.as_ref() {
            "greet" => {
                let name = argument("name").and_then(Value::as_str).unwrap_or_default();
                return Some(Ok(tools::text(&format!("Hello, {name}!"))));
            }
            "slow_compute" => Kind::Computes(Duration::from_secs_f64(seconds.clamp(0.0, 300.0))),
            "failing_job" => Kind::Fails,
            "protocol_error_job" => Kind::Breaks,
            "confirm_delete" => Kind::Asks(&["confirm"]),
            "multi_input" => Kind::Asks(&["first", "second"]),
            _ => return None,
        };
        let declared = context.client_capabilities();
        if declared.is_some_and(|declared| declared.supports_tasks()) {
            return Some(Ok(self.begin(kind)));
        }
        Some(match kind {
            Kind::Computes(time) => {
                tokio::time::sleep(time).await;
                Ok(tools::text("computed"))
            }
            Kind::Fails | Kind::Breaks | Kind::Asks(_) | Kind::Knows(_) => Err(undeclared()),
        })
    }

    /// A call that has asked, and knows this now, goes on as a task.
    pub(crate) fn knowing(&self, known: String) -> CallToolResponse {
        self.begin(Kind::Knows(known))
    }

    fn begin(&self, kind: Kind) -> CallToolResponse {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let id = format!("fixture-{number}");
        let begun = Begun {
            kind,
            at: Instant::now(),
            timestamp: timestamp(SystemTime::now()),
            said: InputResponses::default(),
            cancelled: false,
        };
        let task = begun.task(&id);
        self.all().insert(id, begun);
        CreateTaskResult::new(task).into()
    }

    /// The state of a task; `None` when it is none of these.
    pub(crate) fn look(&self, id: &str) -> Option<GetTaskResult> {
        let all = self.all();
        let begun = all.get(id)?;
        Some(GetTaskResult::new(DetailedTask::new(
            begun.task(id),
            begun.payload(),
        )))
    }

    /// Notes what a client has said; says whether there is such a task.
    pub(crate) fn update(&self, id: &str, said: InputResponses) -> bool {
        let mut all = self.all();
        let begun = all.get_mut(id);
        begun.is_some_and(|begun| {
            begun.said.extend(said);
            true
        })
    }

    /// Cancels a task that goes on; says whether there is one of this name.
    pub(crate) fn cancel(&self, id: &str) -> bool {
        let mut all = self.all();
        let Some(begun) = all.get_mut(id) else {
            return false;
        };
        begun.cancelled |= matches!(
            begun.payload(),
            TaskPayload::Working | TaskPayload::InputRequired { .. }
        );
        true
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Begun>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Begun {
    fn task(&self, id: &str) -> Task {
        let status = self.payload().status();
        let mut task = Task::new(id, status, &*self.timestamp, &*self.timestamp);
        task.ttl_ms = Some(KEPT_MS);
        task.with_poll_interval_ms(POLL_MS)
    }

    fn payload(&self) -> TaskPayload {
        if self.cancelled {
            return TaskPayload::Cancelled;
        }
        let over = |after: Duration| self.at.elapsed() >= after;
        match &self.kind {
            Kind::Computes(time) if over(*time) => completed("computed", false),
            Kind::Fails if over(SHORT) => completed("it failed, as it always does", true),
            Kind::Breaks if over(SHORT) => TaskPayload::Failed {
                error: typed(json!({"code": -32603, "message": "it broke, as it always does"})),
            },
            Kind::Knows(known) if over(SHORT) => completed(&format!("told: {known}"), false),
            Kind::Asks(questions) => self.asking(questions),
            Kind::Computes(_) | Kind::Fails | Kind::Breaks | Kind::Knows(_) => TaskPayload::Working,
        }
    }

    fn asking(&self, questions: &[&str]) -> TaskPayload {
        let open = questions
            .iter()
            .filter(|key| !self.said.contains_key(**key));
        let requests: Map<String, Value> = open
            .map(|key| {
                (
                    (*key).to_owned(),
                    Question::Form("value", "string").request(),
                )
            })
            .collect();
        if requests.is_empty() {
            return completed(&format!("told: {}", json!(self.said)), false);
        }
        TaskPayload::InputRequired {
            input_requests: typed::<InputRequests>(Value::Object(requests)),
        }
    }
}

fn completed(text: &str, is_error: bool) -> TaskPayload {
    let content = json!([{"type": "text", "text": text}]);
    TaskPayload::Completed {
        result: typed(json!({"content": content, "isError": is_error})),
    }
}

/// For a client that could not read a task.
fn undeclared() -> ErrorData {
    let tasks = ClientCapabilities::builder().enable_tasks().build();
    ErrorData::missing_required_client_capability(tasks)
}
