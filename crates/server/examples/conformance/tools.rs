//! The suite's tools.

#![expect(deprecated, reason = "the suite exercises what 2026-07-28 has removed")]

use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ErrorData,
    LoggingMessageNotificationParam, ProgressNotificationParam, ServerRequest, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{Peer, RoleServer};
use serde_json::{Value, json};

use crate::contents::{PNG, WAV};
use crate::{asking, typed};

/// Between two messages of one call.
const PAUSE: Duration = Duration::from_millis(50);

/// Those without parameters; those that ask are added from their own list.
const PLAIN: [&str; 14] = [
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_tool_with_logging",
    "test_tool_with_progress",
    "test_error_handling",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_missing_capability",
    "test_logging_tool",
    "test_trigger_tool_change",
    "test_trigger_prompt_change",
];

pub(crate) fn list() -> Vec<Tool> {
    let asking = asking::ALL.iter().map(|(name, _)| *name);
    let nothing = json!({"type": "object", "properties": {}});
    let mut tools: Vec<Value> = PLAIN
        .into_iter()
        .chain(asking.filter(|name| !name.ends_with("prompt")))
        .map(|name| json!({"name": name, "description": "A fixture.", "inputSchema": nothing}))
        .collect();
    let with_one = [
        ("test_sampling", json!({"prompt": {"type": "string"}})),
        ("test_elicitation", json!({"message": {"type": "string"}})),
        (
            "test_custom_header",
            json!({"value": {"type": "string", "x-mcp-header": "Value"}}),
        ),
    ];
    for (name, properties) in with_one {
        let required: Vec<&String> = properties
            .as_object()
            .into_iter()
            .flat_map(|p| p.keys())
            .collect();
        let schema = json!({"type": "object", "properties": properties, "required": required});
        tools.push(json!({"name": name, "description": "A fixture.", "inputSchema": schema}));
    }
    tools.push(json!({
        "name": "json_schema_2020_12_tool",
        "description": "A fixture.",
        "inputSchema": full_schema(),
    }));
    typed(Value::Array(tools))
}

/// A schema with keywords that must reach the client as they are.
fn full_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

/// The answer of a tool without questions; `None` when it is none of the suite.
pub(crate) async fn call(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Option<Result<CallToolResponse, ErrorData>> {
    let argument = |name: &str| {
        let value = request.arguments.as_ref().and_then(|all| all.get(name));
        value.and_then(Value::as_str).unwrap_or_default()
    };
    let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    let answered = match request.name.as_ref() {
        "test_simple_text" => Ok(text("This is a simple text response for testing.")),
        "test_image_content" => Ok(contents(json!([image]))),
        "test_audio_content" => Ok(contents(json!([
            {"type": "audio", "data": WAV, "mimeType": "audio/wav"},
        ]))),
        "test_embedded_resource" => Ok(contents(json!([{"type": "resource", "resource": {
            "uri": "test://embedded-resource",
            "mimeType": "text/plain",
            "text": "This is an embedded resource content.",
        }}]))),
        "test_multiple_content_types" => Ok(contents(json!([
            {"type": "text", "text": "Multiple content types test:"},
            image,
            {"type": "resource", "resource": {
                "uri": "test://mixed-content-resource",
                "mimeType": "application/json",
                "text": json!({"test": "data", "value": 123}).to_string(),
            }},
        ]))),
        "test_tool_with_logging" => {
            for said in [
                "Tool execution started",
                "Tool processing data",
                "Tool execution completed",
            ] {
                log(&context.peer, "info", said).await;
                tokio::time::sleep(PAUSE).await;
            }
            Ok(text("logged three times"))
        }
        "test_logging_tool" => {
            if context.meta.log_level().is_some() {
                log(&context.peer, "info", "logged because it was asked for").await;
            }
            Ok(text("done"))
        }
        "test_tool_with_progress" => {
            if let Some(token) = context.meta.get_progress_token() {
                for step in [0.0, 50.0, 100.0] {
                    let mut progress = ProgressNotificationParam::new(token.clone(), step);
                    progress.total = Some(100.0);
                    context.peer.notify_progress(progress).await.ok();
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Ok(text("done in three steps"))
        }
        "test_error_handling" => Ok(typed::<CallToolResult>(
            json!({"resultType": "complete", "isError": true, "content": [
                {"type": "text", "text": "This tool intentionally returns an error for testing"},
            ]}),
        )
        .into()),
        "test_missing_capability" => match context.meta.client_capabilities() {
            Some(ClientCapabilities {
                sampling: Some(_), ..
            }) => Ok(text("the client can sample")),
            Some(_) | None => Err(ErrorData::missing_required_client_capability(typed(
                json!({"sampling": {}}),
            ))),
        },
        "test_sampling" => {
            let asked = ask(
                &context.peer,
                json!({"method": "sampling/createMessage", "params": {
                    "messages": [{"role": "user", "content": {"type": "text", "text": argument("prompt")}}],
                    "maxTokens": 100,
                }}),
            );
            asked
                .await
                .map(|answer| text(&format!("LLM response: {}", answer["content"]["text"])))
        }
        "test_elicitation" => {
            let username = json!({"username": {"type": "string", "description": "User's response"},
                "email": {"type": "string", "description": "User's email address"}});
            let schema = json!({"type": "object", "properties": username, "required": ["username", "email"]});
            elicit(&context.peer, argument("message"), schema).await
        }
        "test_elicitation_sep1034_defaults" => {
            elicit(&context.peer, "All have defaults.", defaults()).await
        }
        "test_elicitation_sep1330_enums" => elicit(&context.peer, "Choose.", choices()).await,
        "test_custom_header" => Ok(text(argument("value"))),
        "json_schema_2020_12_tool" => Ok(text(&format!("called with {:?}", request.arguments))),
        _ => return None,
    };
    Some(answered)
}

fn defaults() -> Value {
    json!({"type": "object", "required": [], "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    }})
}

fn choices() -> Value {
    let titled = |word: &str| {
        json!([
            {"const": "value1", "title": format!("First {word}")},
            {"const": "value2", "title": format!("Second {word}")},
            {"const": "value3", "title": format!("Third {word}")},
        ])
    };
    let plain = json!(["option1", "option2", "option3"]);
    json!({"type": "object", "required": [], "properties": {
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled("Option")},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"]},
        "untitledMulti": {"type": "array", "minItems": 1, "maxItems": 3,
            "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "minItems": 1, "maxItems": 3,
            "items": {"anyOf": titled("Choice")}},
    }})
}

/// An answer of one text.
pub(crate) fn text(text: &str) -> CallToolResponse {
    contents(json!([{"type": "text", "text": text}]))
}

fn contents(contents: Value) -> CallToolResponse {
    typed::<CallToolResult>(json!({"resultType": "complete", "content": contents})).into()
}

async fn log(peer: &Peer<RoleServer>, level: &str, said: &str) {
    let message: LoggingMessageNotificationParam =
        typed(json!({"level": level, "logger": "fixtures", "data": said}));
    // A client that is gone is not told.
    peer.notify_logging_message(message).await.ok();
}

/// Asks the client, in the manner of the older versions: while the call runs.
async fn ask(peer: &Peer<RoleServer>, request: Value) -> Result<Value, ErrorData> {
    let failed = |error: &dyn std::fmt::Display| ErrorData::internal_error(error.to_string(), None);
    let answer = peer
        .send_request(typed::<ServerRequest>(request))
        .await
        .map_err(|error| failed(&error))?;
    serde_json::to_value(answer).map_err(|error| failed(&error))
}

async fn elicit(
    peer: &Peer<RoleServer>,
    message: &str,
    schema: Value,
) -> Result<CallToolResponse, ErrorData> {
    let request = json!({"method": "elicitation/create", "params": {
        "mode": "form", "message": message, "requestedSchema": schema,
    }});
    let answer = ask(peer, request).await?;
    Ok(text(&format!(
        "User response: action={}, content={}",
        answer["action"], answer["content"]
    )))
}
