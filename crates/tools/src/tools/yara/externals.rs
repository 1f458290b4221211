//! The external variables of rules: values that the caller gives by name.

use std::collections::BTreeMap;

use reversecore_analysis::yara::ExternalValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arguments::invalid;
use crate::error::ToolError;
use crate::text::quoted;

const MOST: usize = 64;
const LONGEST: usize = 4096;

/// Values by name.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Externals(BTreeMap<String, External>);

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
enum External {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl Externals {
    /// The values, checked: both engines take them as they are then.
    pub(super) fn checked(self) -> Result<Vec<(String, ExternalValue)>, ToolError> {
        const HINT: &str = "Give up to 64 names of letters, digits and `_` with a number, a truth value or a short text.";
        let bad = |reason: String| Err(invalid("externals", reason, HINT));
        if self.0.len() > MOST {
            return bad(format!("has more than {MOST} names"));
        }
        let mut checked = Vec::new();
        for (name, value) in self.0 {
            if !is_identifier(&name) {
                return bad(format!("`{}` is no name of a variable", quoted(&name)));
            }
            let value = match value {
                External::Bool(value) => ExternalValue::Bool(value),
                External::Int(value) => ExternalValue::Int(value),
                External::Float(value) if value.is_finite() => ExternalValue::Float(value),
                External::Text(text) if text.len() <= LONGEST && !text.contains('\0') => {
                    ExternalValue::String(text)
                }
                External::Float(_) | External::Text(_) => {
                    return bad(format!(
                        "the value of `{name}` is not one that rules can have"
                    ));
                }
            };
            checked.push((name, value));
        }
        Ok(checked)
    }
}

fn is_identifier(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&name.len())
        && name.bytes().all(word)
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// What the program `yara` takes after `-d`.
pub(super) fn definition((name, value): &(String, ExternalValue)) -> String {
    match value {
        ExternalValue::Bool(value) => format!("{name}={value}"),
        ExternalValue::Int(value) => format!("{name}={value}"),
        // With a point, or `yara` takes it for an integer.
        ExternalValue::Float(value) => format!("{name}={value:?}"),
        ExternalValue::String(text) => format!("{name}={text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Vec<(String, ExternalValue)>, ToolError> {
        serde_json::from_str::<Externals>(json).unwrap().checked()
    }

    #[test]
    fn values_keep_their_types() {
        let values = read(r#"{"a":true,"b":-1,"c":1.0,"d":"x=y","_e1":"7"}"#).unwrap();
        let words: Vec<_> = values.iter().map(definition).collect();
        assert_eq!(words, ["_e1=7", "a=true", "b=-1", "c=1.0", "d=x=y"]);
        assert!(matches!(values[3].1, ExternalValue::Float(_)));
    }

    #[test]
    fn names_that_are_none_are_refused() {
        for bad in [
            r#"{"":1}"#,
            r#"{"1a":1}"#,
            r#"{"a b":1}"#,
            r#"{"-d":1}"#,
            r#"{"a":"\u0000"}"#,
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.message.contains("externals"), "{error}");
        }
    }
}
