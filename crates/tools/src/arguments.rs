//! From a caller's JSON to typed parameters. Whatever is wrong is a
//! `VALIDATION_ERROR` that names the parameter.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{ErrorCode, ToolError};
use crate::text::quoted;

/// Reads the arguments of a call.
pub(crate) fn read<P: DeserializeOwned>(arguments: Map<String, Value>) -> Result<P, ToolError> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let path = error.path().to_string();
        let reason = quoted(&error.inner().to_string());
        // A missing or unknown field stands in the reason; its path is the
        // object that lacks or has it.
        let message = if path == "." || reason.starts_with("unknown field") {
            reason.replacen("field", "parameter", 1)
        } else {
            format!("parameter `{}`: {reason}", quoted(&path))
        };
        ToolError::new(
            ErrorCode::ValidationError,
            message,
            "Correct the argument; the tool's input schema has names, types, bounds and defaults. Leave out what should have its default.",
        )
    })
}

/// The same, and the arguments as JSON, in the order of their names: equal for
/// equal calls.
pub(crate) fn read_keeping<P: DeserializeOwned>(
    arguments: Map<String, Value>,
) -> Result<(P, String), ToolError> {
    let sorted: std::collections::BTreeMap<&String, &Value> = arguments.iter().collect();
    // Plain data with string keys.
    let json = serde_json::to_string(&sorted).unwrap_or_default();
    Ok((read(arguments)?, json))
}

/// A number as people write it: hexadecimal with 0x, or decimal.
pub(crate) fn number(text: &str) -> Option<u64> {
    let digits = text.trim();
    let hexadecimal = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    }
    .ok()
}

/// The error for an argument that was read and is still wrong.
pub(crate) fn invalid(
    parameter: &str,
    reason: impl std::fmt::Display,
    hint: impl Into<String>,
) -> ToolError {
    ToolError::new(
        ErrorCode::ValidationError,
        format!("parameter `{parameter}`: {reason}"),
        hint,
    )
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::bounded::TimeoutSeconds;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Params {
        #[expect(dead_code, reason = "only read by serde")]
        file_path: String,
        #[expect(dead_code, reason = "only read by serde")]
        timeout: Option<TimeoutSeconds>,
    }

    #[test]
    fn every_failure_names_the_parameter() {
        for (given, expected) in [
            (json!({}), "missing parameter `file_path`"),
            (
                json!({"file_path": 1}),
                "parameter `file_path`: invalid type: integer `1`, expected a string",
            ),
            (
                json!({"file_path": "a", "timeout": 0}),
                "parameter `timeout`: invalid value: integer `0`, expected an integer from 1 to 3600",
            ),
            (
                json!({"file_path": "a", "timeout": "9"}),
                "parameter `timeout`: invalid type: string \"9\", expected an integer from 1 to 3600",
            ),
            (
                json!({"file_path": "a", "file": 0}),
                "unknown parameter `file`, expected `file_path` or `timeout`",
            ),
        ] {
            let Value::Object(given) = given else {
                unreachable!()
            };
            let error = read::<Params>(given).unwrap_err();
            assert_eq!(error.code, ErrorCode::ValidationError);
            assert_eq!(error.message, expected);
        }
    }
}
