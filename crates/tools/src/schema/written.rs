//! The schemas of all tools as they are written down in `schemas.json`, a line each.
//!
//! Making them of the types runs code of every tool, 2 MiB of it, which a server that
//! just starts would have to load for that alone. So it is done by a test, which also
//! writes the file anew; builds for development have no use for it.

use super::Schemas;

const TEXT: &str = include_str!("schemas.json");

/// The schemas of a tool; `None` when they are to be made of its types.
pub(crate) fn of(tool: &str) -> Option<Schemas> {
    if cfg!(debug_assertions) {
        return None;
    }
    find(TEXT, tool)
}

/// Reads the line of the tool, and no other.
fn find(text: &str, tool: &str) -> Option<Schemas> {
    let mut lines = text.lines().filter_map(|line| line.split_once(": "));
    let (_, schemas) = lines.find(|(name, _)| name.trim_matches('"') == tool)?;
    serde_json::from_str(schemas.trim_end_matches(',')).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::tools;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/schema/schemas.json");

    #[test]
    fn schemas_are_written_as_the_types_have_them() {
        let lines: Vec<String> = tools::all()
            .iter()
            .map(|tool| {
                let schemas = serde_json::to_string(&tool.schemas()).unwrap();
                format!("\"{}\": {schemas}", tool.name())
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
        let whole: BTreeMap<String, Schemas> = serde_json::from_str(&text).unwrap();
        for tool in tools::all() {
            assert_eq!(whole.get(tool.name()), Some(&tool.schemas()));
            assert_eq!(find(&text, tool.name()), Some(tool.schemas()));
        }
        assert_eq!(find(&text, "no_tool"), None);
    }
}
