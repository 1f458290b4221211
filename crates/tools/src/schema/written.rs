//! The schemas of all tools as they are written down in `schemas.json`, a line each.
//!
//! Making them of the types runs code of every tool, 2 MiB of it, which a server that
//! just starts would have to load for that alone. So it is done by a test, which also
//! writes the file anew; builds for development have no use for it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::Schemas;

const TEXT: &str = include_str!("schemas.json");

static WRITTEN: LazyLock<BTreeMap<String, Schemas>> = LazyLock::new(|| read(TEXT));

/// The schemas of a tool; `None` when they are to be made of its types.
pub(crate) fn of(tool: &str) -> Option<Schemas> {
    if cfg!(debug_assertions) {
        return None;
    }
    WRITTEN.get(tool).cloned()
}

/// What does not have the shape is left out, and made of the types then.
fn read(text: &str) -> BTreeMap<String, Schemas> {
    let tools: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_str(text).unwrap_or_default();
    tools
        .into_iter()
        .filter_map(|(name, mut schemas)| {
            let Some(Value::Object(input)) = schemas.remove("input") else {
                return None;
            };
            let report = schemas.remove("report")?;
            Some((
                name,
                Schemas {
                    input: Arc::new(input),
                    report,
                },
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/schema/schemas.json");

    #[test]
    fn schemas_are_written_as_the_types_have_them() {
        let lines: Vec<String> = tools::all()
            .iter()
            .map(|tool| {
                let Schemas { input, report } = tool.schemas();
                let written = json!({"input": *input, "report": report});
                format!("{}: {written}", Value::from(tool.name()))
            })
            .collect();
        let text = format!("{{\n{}\n}}\n", lines.join(",\n"));
        if std::env::var_os("WRITE_SCHEMAS").is_some() {
            std::fs::write(FILE, &text).unwrap();
        }
        let written = std::fs::read_to_string(FILE).unwrap();
        assert!(
            written == text,
            "a tool has changed: WRITE_SCHEMAS=1 cargo nextest run -p reversecore-tools schemas_are_written"
        );
        let read = read(&text);
        for tool in tools::all() {
            assert_eq!(read.get(tool.name()), Some(&tool.schemas()));
        }
    }
}
