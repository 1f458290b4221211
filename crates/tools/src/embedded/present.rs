//! From an engine's report to what a caller reads: text of the file escaped,
//! and what is not there left out.
//!
//! Engines' reports say `null` and `[]` for what a file does not have; an agent
//! pays for each of those words. For reports of thousands of items this detour
//! over a tree is too slow: `run_strings` writes its own.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::text::escaped;
use crate::tool::Report;

/// A report as a tree, and as text.
#[derive(Debug)]
pub(crate) struct Tree {
    value: Value,
    text: String,
}

impl Tree {
    /// Of an engine's report; `text` renders what is left of it.
    pub(crate) fn new(report: &impl Serialize, text: impl FnOnce(&Value) -> String) -> Self {
        Self::edited(report, |_| {}, text)
    }

    /// One text under one key, whose own lines stay as they are.
    pub(crate) fn verbatim(key: &str, text: String) -> Self {
        let mut fields = Map::new();
        fields.insert(key.to_owned(), Value::String(text.clone()));
        Self {
            value: Value::Object(fields),
            text,
        }
    }

    /// The same, with something taken out of the tree first.
    pub(crate) fn edited(
        report: &impl Serialize,
        edit: impl FnOnce(&mut Value),
        text: impl FnOnce(&Value) -> String,
    ) -> Self {
        let mut value = tree(report);
        edit(&mut value);
        let text = text(&value);
        Self { value, text }
    }
}

impl Serialize for Tree {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl Report for Tree {
    fn text(&self) -> String {
        self.text.clone()
    }
}

/// The tree of a report, without what is absent and with all text escaped.
pub(crate) fn tree(report: &impl Serialize) -> Value {
    // Reports are plain data with string keys; no serializer of theirs fails.
    clean(serde_json::to_value(report).unwrap_or(Value::Null)).unwrap_or(Value::Object(Map::new()))
}

fn clean(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some(value),
        Value::Number(number) => Some(Value::Number(rounded(number))),
        Value::String(text) => Some(Value::String(escaped(&text).into_owned())),
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => Some(Value::Array(
            items
                .into_iter()
                // Inside a list a gap would shift what follows.
                .map(|item| clean(item).unwrap_or(Value::Null))
                .collect(),
        )),
        Value::Object(fields) => {
            let fields: Map<_, _> = fields
                .into_iter()
                .filter_map(|(key, value)| Some((escaped(&key).into_owned(), clean(value)?)))
                .collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
    }
}

/// The name of a value in reports.
pub(crate) fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(ToOwned::to_owned))
        .unwrap_or_default()
}

/// Measures have four decimals: more are noise, and digits cost tokens.
fn rounded(number: serde_json::Number) -> serde_json::Number {
    if !number.is_f64() {
        return number;
    }
    number
        .as_f64()
        .and_then(|value| serde_json::Number::from_f64((value * 1e4).round() / 1e4))
        .unwrap_or(number)
}

/// The tree as indented lines, `key: value`: the same facts in fewer characters
/// than JSON. A list of plain values is one line, a list of objects one line
/// each.
pub(crate) fn outline(value: &Value) -> String {
    let mut text = String::new();
    write_fields(&mut text, value, 0);
    text
}

fn write_fields(text: &mut String, value: &Value, depth: usize) {
    let Value::Object(fields) = value else {
        text.push_str(&inline(value));
        text.push('\n');
        return;
    };
    for (key, value) in fields {
        text.extend(std::iter::repeat_n("  ", depth));
        text.push_str(key);
        text.push(':');
        match value {
            Value::Object(_) => {
                text.push('\n');
                write_fields(text, value, depth + 1);
            }
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                text.push('\n');
                for item in items {
                    text.extend(std::iter::repeat_n("  ", depth + 1));
                    text.push_str(&inline(item));
                    text.push('\n');
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                text.push(' ');
                text.push_str(&inline(value));
                text.push('\n');
            }
        }
    }
}

/// A value in one line.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(inline).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match value {
                Value::Number(number) if is_place(key) => match number.as_u64() {
                    Some(number) => format!("{key}={number:#x}"),
                    None => format!("{key}={number}"),
                },
                Value::Object(_) => format!("{key}=({})", inline(value)),
                Value::Array(_) => format!("{key}=[{}]", inline(value)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    format!("{key}={}", inline(value))
                }
            })
            .collect::<Vec<_>>()
            .join(" "),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Places are written in hexadecimal, as everywhere in the field.
fn is_place(key: &str) -> bool {
    ["address", "offset", "target", "image_base"].contains(&key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_absent_goes_and_text_is_escaped() {
        let report = json!({
            "a": null, "b": [], "c": {"d": null}, "e": "x\u{1b}[0m", "f": [null, {"g": 1}], "h": 7.123456,
        });
        assert_eq!(
            tree(&report),
            json!({"e": "x\\x1b[0m", "f": [null, {"g": 1}], "h": 7.1235})
        );
        assert_eq!(tree(&json!(null)), json!({}));
    }

    #[test]
    fn an_outline_has_all_facts() {
        let value = json!({"a": {"b": 1, "c": ["x", "y"]}, "d": [{"offset": 16, "e": "f"}]});
        assert_eq!(
            outline(&value),
            "a:\n  b: 1\n  c: x, y\nd:\n  offset=0x10 e=f\n"
        );
    }
}
