//! What holds for all tools: names, sizes, strictness.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::catalogue::Descriptor;

fn descriptors() -> Vec<Descriptor> {
    all().iter().map(|tool| tool.descriptor(None)).collect()
}

#[test]
fn what_every_conversation_pays_for_is_small() {
    const A_TOOL: usize = 1520;
    let descriptors = descriptors();
    let size = serde_json::to_string(&descriptors).unwrap().len();
    assert!(size <= A_TOOL * descriptors.len(), "{size} bytes");
}

#[test]
fn schemas_are_closed_flat_and_say_bounds_and_defaults() {
    for descriptor in descriptors() {
        let text = serde_json::to_string(&*descriptor.input_schema).unwrap();
        for noise in [
            "$schema",
            "$defs",
            "$ref",
            "\"title\"",
            "\"format\"",
            "null",
        ] {
            assert!(!text.contains(noise), "{}: {text}", descriptor.name);
        }
        assert_eq!(descriptor.input_schema["type"], "object");
        assert_eq!(descriptor.input_schema["additionalProperties"], false);
    }
}

#[test]
fn parameters_and_defaults_are_those_that_were_promised() {
    let expected = [
        (
            "run_file",
            json!({"file_path": null, "timeout": 30, "engine": "auto"}),
        ),
        ("triage", json!({"file_path": null, "timeout": 120})),
        (
            "get_file_info",
            json!({"file_path": null, "entropy_curve": false, "timeout": 120}),
        ),
        (
            "parse_binary",
            json!({"file_path": null, "parts": [], "pattern": null, "limit": 50, "skip": 0,
                   "timeout": 120}),
        ),
        (
            "read_bytes",
            json!({"file_path": null, "address": null, "offset": null, "length": 256, "skip": 0,
                   "decode": [], "show": "auto", "timeout": 60}),
        ),
        (
            "disassemble",
            json!({"file_path": null, "address": null, "offset": null, "symbol": null, "function": null,
                   "count": 64, "architecture": null, "timeout": 60}),
        ),
        (
            "list_functions",
            json!({"file_path": null, "pattern": null, "kind": "any", "sort": "address",
                   "limit": 100, "skip": 0, "timeout": 300, "engine": "auto"}),
        ),
        (
            "find_xrefs",
            json!({"file_path": null, "to": null, "from": null, "limit": 100, "skip": 0,
                   "timeout": 300, "engine": "auto"}),
        ),
        (
            "get_call_graph",
            json!({"file_path": null, "function": null, "direction": "callees", "depth": 3,
                   "limit": 100, "render": "json", "timeout": 300}),
        ),
        (
            "get_control_flow_graph",
            json!({"file_path": null, "function": null, "limit": 100, "instructions": false,
                   "render": "json", "timeout": 300}),
        ),
        (
            "search_code",
            json!({"file_path": null, "bytes": null, "instructions": null, "constant": null,
                   "function": null, "data": false, "limit": 100, "timeout": 300}),
        ),
        (
            "decompile",
            json!({"file_path": null, "function": null, "limit": 10_000, "timeout": 300,
                   "engine": "auto"}),
        ),
        (
            "diff_binaries",
            json!({"file_path": null, "other_path": null, "limit": 50, "timeout": 600}),
        ),
        (
            "compare_files",
            json!({"file_path": null, "other_path": null, "timeout": 120}),
        ),
        (
            "extract_iocs",
            json!({"file_path": null, "kinds": [], "min_confidence": "low", "limit": 500,
                   "timeout": 300}),
        ),
        (
            "run_strings",
            json!({"file_path": null, "min_length": 4, "encoding": "ascii", "pattern": null,
                   "sections": false, "cursor": null, "max_output_size": null, "timeout": 300, "engine": "auto"}),
        ),
        (
            "run_binwalk",
            json!({"file_path": null, "depth": 8, "max_output_size": 10_000_000, "timeout": 300, "engine": "auto"}),
        ),
        (
            "run_yara",
            json!({"file_path": null, "rule_file": null, "rules": null, "externals": {},
                   "slow_rules": false, "timeout": 300, "rule_timeout": null, "engine": "auto"}),
        ),
        (
            "run_radare2",
            json!({"file_path": null, "r2_command": null, "analysis": null, "max_output_size": 10_000_000,
                   "timeout": 300, "engine": "auto"}),
        ),
        (
            "list_workspace",
            json!({"path": ".", "pattern": null, "cursor": null, "limit": 100}),
        ),
        (
            "read_artifact",
            json!({"artifact": null, "from_line": null, "limit": 1000, "pattern": null,
                   "context": 0, "count": false, "offset": null}),
        ),
        (
            "submit_batch",
            json!({"paths": null, "tools": [], "depth": 16, "limit": 10_000, "max_size_mib": 1024, "wait": 0}),
        ),
        (
            "get_batch_results",
            json!({"job_id": null, "only": "all", "full": false, "cursor": null, "limit": 20}),
        ),
        ("list_jobs", json!({"limit": 20})),
        ("get_job", json!({"job_id": null})),
        ("get_job_result", json!({"job_id": null, "wait": 20})),
        ("cancel_job", json!({"job_id": null})),
        ("get_server_health", json!({})),
        ("get_tool_metrics", json!({"tool": null})),
    ];
    let descriptors = descriptors();
    assert_eq!(descriptors.len(), expected.len());
    for (name, defaults) in expected {
        let descriptor = descriptors.iter().find(|tool| tool.name == name).unwrap();
        let found = descriptor.input_schema["properties"].as_object().unwrap();
        let mut expected = defaults.as_object().unwrap().clone();
        if ![
            "list_workspace",
            "read_artifact",
            "submit_batch",
            "get_batch_results",
            "list_jobs",
            "get_job",
            "get_job_result",
            "cancel_job",
        ]
        .contains(&name)
            && !name.starts_with("get_server")
            && !name.starts_with("get_tool")
        {
            expected.insert("cache".to_owned(), json!("use"));
        }
        let expected = &expected;
        let names = |map: &serde_json::Map<String, Value>| {
            map.keys().cloned().collect::<BTreeSet<String>>()
        };
        assert_eq!(names(found), names(expected), "{name}");
        for (parameter, default) in expected {
            let found = found[parameter].get("default").unwrap_or(&Value::Null);
            assert_eq!(found, default, "{name}.{parameter}");
        }
    }
}

#[test]
fn the_configured_timeout_stands_in_the_schema() {
    let seconds = crate::bounded::TimeoutSeconds::new(77);
    for tool in all() {
        let descriptor = tool.descriptor(Some(seconds));
        if let Some(timeout) = descriptor.input_schema["properties"].get("timeout") {
            assert_eq!(timeout["default"], 77);
            assert_eq!(
                (&timeout["minimum"], &timeout["maximum"]),
                (&json!(1), &json!(3600))
            );
        }
    }
}
