//! What a batch is: which files, which questions. Two batches with equal
//! specifications are the same work, which is how one is found again.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A batch, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Files and directories: absolute paths, or patterns of the workspace.
    pub inputs: Vec<String>,
    /// What is asked of each file, in this order.
    pub tools: Vec<ToolCall>,
    /// How deep directories are walked; `None` for all the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Larger files are passed over, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest: Option<u64>,
    /// Further files are passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Whether archives are opened, and how far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurse: Option<Recursion>,
    /// Whose it is, where clients have names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// Its arguments but the file.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub arguments: Map<String, Value>,
}

impl ToolCall {
    /// The tool with its defaults.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            arguments: Map::new(),
        }
    }
}

/// What may come out of one file that was named, however deep it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recursion {
    /// Archives in archives.
    pub depth: u32,
    /// Files.
    pub files: u64,
    /// Bytes, unpacked.
    pub bytes: u64,
    /// Bytes that come out of each byte of an archive.
    pub ratio: u64,
}

impl Default for Recursion {
    /// Enough for firmware and installers, too little for a bomb.
    fn default() -> Self {
        Self {
            depth: 5,
            files: 10_000,
            bytes: 1 << 30,
            ratio: 200,
        }
    }
}

impl Spec {
    /// The columns of the tools: their names, numbered where one is asked twice.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let mut columns: Vec<String> = Vec::new();
        for (index, tool) in self.tools.iter().enumerate() {
            let before = self.tools.iter().take(index);
            let same = before.filter(|other| other.name == tool.name).count();
            columns.push(if same == 0 {
                tool.name.clone()
            } else {
                format!("{}#{}", tool.name, same + 1)
            });
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_is_asked_twice_has_two_columns() {
        let spec = Spec {
            inputs: Vec::new(),
            tools: ["triage", "run_yara", "run_yara"]
                .map(ToolCall::named)
                .into(),
            depth: None,
            largest: None,
            limit: None,
            recurse: None,
            owner: None,
        };
        assert_eq!(spec.columns(), ["triage", "run_yara", "run_yara#2"]);
    }
}
