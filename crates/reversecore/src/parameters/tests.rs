//! Schemas as the tools have them, and what can be typed with each.

use serde_json::json;

use super::*;

fn schema() -> Map<String, Value> {
    let schema = json!({
        "type": "object",
        "required": ["file_path", "r2_command"],
        "properties": {
            "file_path": {"type": "string"},
            "r2_command": {"type": "string", "description": "What to run."},
            "min_length": {
                "type": "integer", "minimum": 1, "maximum": 1024, "default": 4,
                "description": "Shortest string."
            },
            "timeout": {"type": ["integer", "null"], "minimum": 1, "maximum": 3600},
            "ratio": {"type": "number"},
            "encoding": {"enum": ["ascii", "all"], "default": "ascii"},
            "order": {"oneOf": [{"const": "size"}, {"const": "name"}]},
            "pattern": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "deep": {"type": "boolean", "default": false},
            "parts": {"type": "array", "items": {"type": "string", "enum": ["imports", "exports"]}},
            "kinds": {"type": "array", "items": {"type": "string"}},
        },
    });
    schema.as_object().unwrap().clone()
}

fn syntax(schema: &Map<String, Value>) -> ToolSyntax<'_> {
    ToolSyntax {
        name: "run_thing",
        description: "Runs a thing.",
        schema,
    }
}

fn parsed(words: &[&str]) -> clap::error::Result<Invocation> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    parse(syntax(&schema()), &words)
}

#[test]
fn the_flags_are_consistent() {
    command(syntax(&schema())).debug_assert();
}

#[test]
fn what_is_typed_becomes_the_arguments_of_a_call() {
    let invocation = parsed(&[
        "a.bin",
        "--r2-command",
        "-i;afl",
        "--min-length=8",
        "--timeout",
        "5",
        "--ratio",
        "0.5",
        "--encoding",
        "all",
        "--order",
        "name",
        "--pattern",
        "--x",
        "--deep",
        "--json",
    ])
    .unwrap();
    assert_eq!(invocation.file, Some(PathBuf::from("a.bin")));
    assert!(invocation.json);
    assert_eq!(
        Value::Object(invocation.arguments),
        json!({
            "r2_command": "-i;afl", "min_length": 8, "timeout": 5, "ratio": 0.5,
            "encoding": "all", "order": "name", "pattern": "--x", "deep": true,
        })
    );
}

#[test]
fn what_is_not_typed_is_not_sent() {
    let invocation = parsed(&["a.bin", "--r2-command", "i"]).unwrap();
    assert_eq!(
        Value::Object(invocation.arguments),
        json!({"r2_command": "i"})
    );
    assert!(!invocation.json);
}

#[test]
fn a_switch_can_be_switched_off_and_takes_no_file_for_its_value() {
    let invocation = parsed(&["--deep", "a.bin", "--r2-command", "i"]).unwrap();
    assert_eq!(invocation.file, Some(PathBuf::from("a.bin")));
    let invocation = parsed(&["--deep=false", "a.bin", "--r2-command", "i"]).unwrap();
    assert_eq!(invocation.arguments["deep"], false);
}

#[test]
fn bounds_are_left_to_the_tool() {
    let invocation = parsed(&["a.bin", "--r2-command", "i", "--min-length", "-1"]).unwrap();
    assert_eq!(invocation.arguments["min_length"], -1);
}

#[test]
fn wrong_usage_is_told_apart() {
    use clap::error::ErrorKind;
    for (words, kind) in [
        (&["a.bin"][..], ErrorKind::MissingRequiredArgument),
        (&["--r2-command", "i"], ErrorKind::MissingRequiredArgument),
        (
            &["a.bin", "--r2-command", "i", "--encoding", "utf-7"],
            ErrorKind::InvalidValue,
        ),
        (
            &["a.bin", "--r2-command", "i", "--min-length", "many"],
            ErrorKind::ValueValidation,
        ),
        (
            &["a.bin", "--r2-command", "i", "--colour", "red"],
            ErrorKind::UnknownArgument,
        ),
        (
            &["a.bin", "b.bin", "--r2-command", "i"],
            ErrorKind::UnknownArgument,
        ),
        (&["--help"], ErrorKind::DisplayHelp),
    ] {
        assert_eq!(parsed(words).unwrap_err().kind(), kind, "{words:?}");
    }
}

#[test]
fn help_shows_descriptions_bounds_and_defaults() {
    let help = command(syntax(&schema())).render_help().to_string();
    for part in [
        "Runs a thing.",
        "Shortest string. [at least 1] [at most 1024] [default: 4]",
        "[possible values: ascii, all]",
        "--r2-command",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
}

#[test]
fn a_tool_without_a_file_takes_none() {
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    let schema = schema.as_object().unwrap();
    let words: Vec<OsString> = vec!["a.bin".into()];
    assert!(parse(syntax(schema), &words).is_err());
    let none = parse(syntax(schema), &[]).unwrap();
    assert_eq!(none.file, None);
}

#[test]
fn lists_are_written_with_commas_or_one_by_one() {
    for words in [
        &[
            "a",
            "--r2-command",
            "i",
            "--parts",
            "imports,exports",
            "--kinds=x",
        ][..],
        &[
            "a",
            "--r2-command",
            "i",
            "--parts",
            "imports",
            "--parts",
            "exports",
            "--kinds",
            "x",
        ][..],
    ] {
        let given = parsed(words).unwrap().arguments;
        assert_eq!(given["parts"], json!(["imports", "exports"]), "{words:?}");
        assert_eq!(given["kinds"], json!(["x"]));
    }
    let error = parsed(&["a", "--r2-command", "i", "--parts", "nonsense"]).unwrap_err();
    assert!(error.to_string().contains("imports"), "{error}");
}
