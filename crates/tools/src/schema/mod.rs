//! JSON schemas of parameters and results, as lean as clients can read them: every
//! token of a schema is paid for by every conversation. Those of results go one
//! level deep: which members a report has, and of which kind they are.
//!
//! Here they are made of the types; a server that starts takes them from [`written`].

pub(crate) mod written;

use std::sync::Arc;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::bounded::TimeoutSeconds;
use crate::catalogue::{BYPASS, CACHE_PARAMETER};

/// Those of one tool.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Schemas {
    /// Of its parameters.
    pub(crate) input: Map<String, Value>,
    /// Of its reports, without what is around each ([`result`]).
    pub(crate) report: Value,
}

/// The schema of `P`. `remembered` is whether results are.
pub(crate) fn of<P: JsonSchema>(remembered: bool) -> Map<String, Value> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.meta_schema = None;
    settings.inline_subschemas = true;
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<P>()
        .to_value();
    prune(&mut schema);
    let Value::Object(mut schema) = schema else {
        // Parameters are structs, and a struct's schema is an object.
        return Map::default();
    };
    schema.remove("description");
    // Without parameters schemars leaves it out; some clients want it.
    schema
        .entry("properties")
        .or_insert_with(|| Value::Object(Map::new()));
    if remembered && let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.insert(CACHE_PARAMETER.into(), cache_parameter());
    }
    schema
}

/// The schema that clients get of such parameters, where the configuration may say
/// what calls without a timeout get.
pub(crate) fn parameters(
    mut input: Map<String, Value>,
    default_timeout: Option<TimeoutSeconds>,
) -> Arc<Map<String, Value>> {
    if let Some(seconds) = default_timeout
        && let Some(Value::Object(timeout)) = input
            .get_mut("properties")
            .and_then(|properties| properties.get_mut("timeout"))
    {
        timeout.insert("default".into(), seconds.get().into());
    }
    Arc::new(input)
}

/// An object whose members schemas don't spell out.
#[derive(Debug, JsonSchema)]
pub(crate) struct Object {}

/// A list of them.
pub(crate) type List = Vec<Object>;

/// The schema of a report: its members, and of which kind they are.
pub(crate) fn report<R: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.meta_schema = None;
    settings.inline_subschemas = true;
    let schema = settings
        .into_generator()
        .into_root_schema_for::<R>()
        .to_value();
    let members = schema.get("properties").and_then(Value::as_object);
    let members = members.into_iter().flatten();
    let members: Map<_, _> = members
        .map(|(name, member)| (name.clone(), Value::Object(kind(member))))
        .collect();
    json!({"type": "object", "properties": members})
}

/// Of which kind a value is.
fn kind(schema: &Value) -> Map<String, Value> {
    let mut kind = Map::new();
    if let Some(named) = schema.get("type") {
        kind.insert("type".to_owned(), named.clone());
    }
    kind
}

/// The schema of a tool's results: the envelope around this report. An error has
/// the shape of an error, whichever tool it is; see [`crate::envelope`].
pub(crate) fn result(report: Value) -> Arc<Map<String, Value>> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    let members = json!({
        "status": {"enum": ["success", "running", "error"]},
        "data": report,
        "metadata": {"type": "object"},
        "job_id": {"type": "string"},
    });
    schema.insert("properties".to_owned(), members);
    schema.insert("required".to_owned(), json!(["status", "metadata"]));
    Arc::new(schema)
}

fn cache_parameter() -> Value {
    json!({
        "type": "string",
        "enum": ["use", BYPASS],
        "default": "use",
        "description": "`bypass` computes anew."
    })
}

/// Takes out what tells a reader nothing: titles, integer formats, the `null`
/// of optional parameters (which is left out, not passed).
fn prune(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if !object.get("title").is_some_and(Value::is_object) {
                object.remove("title");
            }
            if object.get("format").is_some_and(Value::is_string) {
                object.remove("format");
            }
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            if let Some(Value::Array(types)) = object.get("type")
                && let [Value::String(first), Value::String(second)] = types.as_slice()
                && second == "null"
            {
                let first = Value::String(first.clone());
                object.insert("type".into(), first);
            }
            object.values_mut().for_each(prune);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is of interest")]
    struct Sample {
        /// Words that cost.
        name: String,
        size: Option<u64>,
        items: List,
        rows: Vec<(u64, String)>,
        any: Value,
    }

    #[test]
    fn a_reports_schema_is_one_level_deep() {
        let expected = json!({"type": "object", "properties": {
            "name": {"type": "string"},
            "size": {"type": ["integer", "null"]},
            "items": {"type": "array"},
            "rows": {"type": "array"},
            "any": {},
        }});
        assert_eq!(report::<Sample>(), expected);
    }
}
