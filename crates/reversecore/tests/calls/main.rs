//! Calls through the real binary. Whatever a caller or a sample comes up with
//! gets a clear typed error or the right answer: it never hangs, and never
//! discloses a path of the host. And what the configuration says holds.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

mod alone;
mod arguments;
mod batch;
mod bytes;
mod code;
mod compare;
mod configured;
mod decompile;
mod handles;
mod huge;
mod jobs;
mod load;
mod names;
mod paths;
mod prompts;
mod radare2;
mod results;
mod rules;
mod tasks;

#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value, json};

/// Every tool that takes a file, with what else it needs.
const FILE_TOOLS: [&str; 12] = [
    "compare_files",
    "disassemble",
    "extract_iocs",
    "get_file_info",
    "parse_binary",
    "read_bytes",
    "triage",
    "run_binwalk",
    "run_file",
    "run_radare2",
    "run_strings",
    "run_yara",
];

/// A rule that matches every ELF file.
const ELF_RULE: &str = "rule elf { strings: $magic = { 7f 45 4c 46 } condition: $magic at 0 }";

/// Arguments that are right but for the path.
fn arguments(tool: &str, path: &str) -> Value {
    let mut arguments = json!({"file_path": path});
    if tool == "run_yara" {
        arguments["rules"] = ELF_RULE.into();
    }
    if tool == "compare_files" {
        arguments["other_path"] = path.into();
    }
    if tool == "run_radare2" {
        arguments["r2_command"] = "iI".into();
    }
    arguments
}
