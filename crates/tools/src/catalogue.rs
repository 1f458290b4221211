//! All tools behind one door: what they are called, what they take, and how a
//! call goes. The server and the command line use this and nothing else.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::envelope::{Envelope, Metadata};
use crate::error::{ErrorCode, ToolError};
use crate::services::Services;
use crate::telemetry::InFlight;
use crate::tool::{Answer, Call, Record, Report, Tool};
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
    /// Dropping the future ends the call and what it runs; it is then counted
    /// as cancelled.
    pub async fn call(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        cancel: &CancellationToken,
    ) -> Option<Reply> {
        let inner = &*self.inner;
        let tool = inner.tools.iter().find(|tool| tool.answers_to(name))?;
        Some(tool.call(&inner.services, arguments, cancel).await)
    }
}

/// A tool without its types.
pub(crate) trait Erased: Send + Sync {
    fn name(&self) -> &'static str;
    fn answers_to(&self, name: &str) -> bool;
    fn descriptor(&self, default_timeout: Option<crate::bounded::TimeoutSeconds>) -> Descriptor;
    fn call<'a>(
        &'a self,
        services: &'a Services,
        arguments: Map<String, Value>,
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
                read_only: true,
                destructive: false,
                idempotent: T::IDEMPOTENT,
                open_world: false,
            },
        }
    }

    fn call<'a>(
        &'a self,
        services: &'a Services,
        arguments: Map<String, Value>,
        cancel: &'a CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
        Box::pin(call(self, services, arguments, cancel))
    }
}

async fn call<T: Tool>(
    tool: &T,
    services: &Services,
    arguments: Map<String, Value>,
    cancel: &CancellationToken,
) -> Reply {
    let record = Record::default();
    let call = Call {
        services,
        cancel,
        record: &record,
    };
    let mut in_flight = services.telemetry.begin(T::NAME, &record);
    let result = answer(tool, &call, arguments, &mut in_flight).await;
    let facts = record.facts();
    let mut metadata = Metadata {
        tool: T::NAME.into(),
        engine: facts.engine,
        sha256: facts.sha256,
        elapsed_ms: milliseconds(in_flight.elapsed()),
        queue_ms: milliseconds(in_flight.queued()),
        ..Metadata::default()
    };
    match result {
        Ok(answer) => {
            let (report, known) = answer.into_parts();
            metadata.engine = known.engine.or(metadata.engine);
            metadata.coverage = known.coverage;
            metadata.truncated = known.truncated;
            metadata.total = known.total;
            metadata.next_cursor = known.next_cursor;
            metadata.warnings = known.warnings;
            metadata.warnings.extend(facts.warnings);
            match success(report, metadata.clone()) {
                Ok(reply) => {
                    in_flight.succeeded(metadata.coverage);
                    reply
                }
                Err(error) => failure(error, metadata, in_flight),
            }
        }
        Err(error) => failure(error, metadata, in_flight),
    }
}

async fn answer<T: Tool>(
    tool: &T,
    call: &Call<'_>,
    arguments: Map<String, Value>,
    in_flight: &mut InFlight<'_>,
) -> Result<Answer<T::Report>, ToolError> {
    let params = arguments::read::<T::Params>(arguments)?;
    if !T::QUEUED {
        return tool.run(call, params).await;
    }
    let waiting = call.services.telemetry.waiting();
    let slot = call.services.admission.enter(call.cancel).await;
    drop(waiting);
    in_flight.starts(Instant::now());
    let slot = slot?;
    if call.cancel.is_cancelled() {
        return Err(ToolError::cancelled());
    }
    let answer = tool.run(call, params).await;
    drop(slot);
    answer
}

fn success<R: Report>(report: R, metadata: Metadata) -> Result<Reply, ToolError> {
    let text = success_text(&report, &metadata);
    let json = success_json(&report, &metadata).map_err(|error| {
        ToolError::new(
            ErrorCode::Internal,
            "the report could not be written as JSON",
            "This is a fault of the server; its log has the details.",
        )
        .log_detail(error)
    })?;
    Ok(Reply {
        is_error: false,
        json,
        text,
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
