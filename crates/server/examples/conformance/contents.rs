//! The suite's prompts and resources.

use rmcp::model::{
    ErrorData, GetPromptResponse, GetPromptResult, JsonObject, Prompt, ReadResourceResult,
    Resource, ResourceTemplate,
};
use serde_json::{Value, json};

use crate::typed;

/// One grey pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg==";
/// Two samples of silence.
pub(crate) const WAV: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA==";

const TEXT_URI: &str = "test://static-text";
const BINARY_URI: &str = "test://static-binary";
const WATCHED_URI: &str = "test://watched-resource";
const TEMPLATE: (&str, &str) = ("test://template/", "/data");

pub(crate) fn prompts() -> Vec<Prompt> {
    typed(json!([
        {"name": "test_simple_prompt", "description": "Has no arguments."},
        {"name": "test_prompt_with_arguments", "description": "Repeats its arguments.", "arguments": [
            {"name": "arg1", "description": "The first.", "required": true},
            {"name": "arg2", "description": "The second.", "required": true},
        ]},
        {"name": "test_prompt_with_embedded_resource", "description": "Has a resource in it.", "arguments": [
            {"name": "resourceUri", "description": "Which.", "required": true},
        ]},
        {"name": "test_prompt_with_image", "description": "Has an image in it."},
        {"name": "test_input_required_result_prompt", "description": "Asks before it answers."},
    ]))
}

/// A prompt of the suite; `None` when it is none, or answered elsewhere.
pub(crate) fn prompt(
    name: &str,
    arguments: Option<&JsonObject>,
) -> Option<Result<GetPromptResponse, ErrorData>> {
    let argument = |name: &str| {
        let value = arguments.and_then(|arguments| arguments.get(name));
        value.and_then(Value::as_str).unwrap_or_default()
    };
    let contents = match name {
        "test_simple_prompt" => {
            vec![json!({"type": "text", "text": "This is a simple prompt for testing."})]
        }
        "test_prompt_with_arguments" => vec![json!({"type": "text", "text": format!(
            "Prompt with arguments: arg1='{}', arg2='{}'", argument("arg1"), argument("arg2"))})],
        "test_prompt_with_embedded_resource" => vec![
            json!({"type": "resource", "resource": {
                "uri": argument("resourceUri"),
                "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            }}),
            json!({"type": "text", "text": "Please process the embedded resource above."}),
        ],
        "test_prompt_with_image" => vec![
            json!({"type": "image", "data": PNG, "mimeType": "image/png"}),
            json!({"type": "text", "text": "Please analyze the image above."}),
        ],
        _ => return None,
    };
    Some(Ok(answered(contents)))
}

/// A prompt with one message for each content.
pub(crate) fn answered(contents: Vec<Value>) -> GetPromptResponse {
    let messages: Vec<Value> = contents
        .into_iter()
        .map(|content| json!({"role": "user", "content": content}))
        .collect();
    typed::<GetPromptResult>(json!({"resultType": "complete", "messages": messages})).into()
}

pub(crate) fn resources() -> Vec<Resource> {
    typed(json!([
        {"uri": TEXT_URI, "name": "static-text", "description": "Text.", "mimeType": "text/plain"},
        {"uri": BINARY_URI, "name": "static-binary", "description": "Bytes.", "mimeType": "image/png"},
        {"uri": WATCHED_URI, "name": "watched", "description": "To be subscribed to.", "mimeType": "text/plain"},
    ]))
}

pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let (before, after) = TEMPLATE;
    typed(json!([{
        "uriTemplate": format!("{before}{{id}}{after}"),
        "name": "template",
        "description": "Says its id.",
        "mimeType": "application/json",
    }]))
}

/// A resource of the suite; `None` when it is none.
pub(crate) fn resource(uri: &str) -> Option<ReadResourceResult> {
    let content = match uri {
        TEXT_URI => {
            json!({"uri": uri, "mimeType": "text/plain", "text": "This is the content of the static text resource."})
        }
        BINARY_URI => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
        WATCHED_URI => json!({"uri": uri, "mimeType": "text/plain", "text": "Nothing changes."}),
        _ => {
            let (before, after) = TEMPLATE;
            let id = uri.strip_prefix(before)?.strip_suffix(after)?;
            let text =
                json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            json!({"uri": uri, "mimeType": "application/json", "text": text.to_string()})
        }
    };
    Some(typed(
        json!({"resultType": "complete", "contents": [content]}),
    ))
}
