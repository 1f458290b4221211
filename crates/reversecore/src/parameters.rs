//! The flags of `run TOOL`, made from the JSON schema of the tool's arguments:
//! the tool's parameter type stays the only source. The answer of the parser is
//! the JSON object that an MCP client would send; bounds are checked where
//! every call's arguments are.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, StyledStr};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use serde_json::{Map, Value};

use crate::cli::CommonOptions;

/// The argument that names the file to analyse.
pub(crate) const FILE_ARGUMENT: &str = "file_path";
const FILE: &str = "FILE";

/// A parsed command line of one tool.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The arguments, without the file.
    pub(crate) arguments: Map<String, Value>,
    /// The file, for tools that take one.
    pub(crate) file: Option<PathBuf>,
    /// Whether to print the envelope.
    pub(crate) json: bool,
    /// Settings of the process.
    pub(crate) settings: CommonOptions,
}

/// One tool, as far as the command line is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToolSyntax<'a> {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) description: &'static str,
    /// The schema of its arguments.
    pub(crate) schema: &'a Map<String, Value>,
}

/// How a parameter is written.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Switch,
    Integer,
    Number,
    Text,
    OneOf(Vec<String>),
    /// Several, of these names or, when there are none, of any.
    List(Vec<String>),
}

/// Parses what stands after the tool's name.
///
/// # Errors
/// clap's own error, which knows how to print itself and the exit code.
pub(crate) fn parse(tool: ToolSyntax<'_>, words: &[OsString]) -> clap::error::Result<Invocation> {
    let name = OsString::from(tool.name);
    let words = std::iter::once(&name).chain(words);
    let matches = command(tool).try_get_matches_from(words)?;
    let arguments = properties(tool.schema)
        .filter(|(name, _)| name.as_str() != FILE_ARGUMENT)
        .filter_map(|(name, schema)| Some((name.clone(), value(&matches, name, schema)?)))
        .collect();
    let file = takes_file(tool.schema).then(|| matches.get_one::<PathBuf>(FILE).cloned());
    Ok(Invocation {
        arguments,
        file: file.flatten(),
        json: matches.get_flag("json"),
        settings: CommonOptions {
            workspace: matches.get_one("workspace").cloned(),
            config: matches.get_one("config").cloned(),
            log_level: matches.get_one("log-level").cloned(),
        },
    })
}

fn command(tool: ToolSyntax<'_>) -> Command {
    let mut command = Command::new(tool.name)
        .bin_name(format!("reversecore run {}", tool.name))
        .about(tool.description)
        .disable_version_flag(true);
    if takes_file(tool.schema) {
        command = command.arg(
            Arg::new(FILE)
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath)
                .help("The file to analyse"),
        );
    }
    let required = required(tool.schema);
    for (name, schema) in properties(tool.schema) {
        if name != FILE_ARGUMENT {
            command = command.arg(flag(name, schema).required(required.contains(&name.as_str())));
        }
    }
    let path = || value_parser!(PathBuf);
    command.args([
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Print the envelope that MCP clients get"),
        Arg::new("workspace")
            .long("workspace")
            .value_name("DIR")
            .value_parser(path())
            .help("A directory whose files may be read, besides FILE's own [default: the current one]"),
        Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(path())
            .help("A configuration file"),
        Arg::new("log-level")
            .long("log-level")
            .value_name("LEVEL")
            .help("What to log: error, warn, info, debug or trace [default: warn]"),
    ])
}

fn flag(name: &str, schema: &Value) -> Arg {
    let arg = Arg::new(name.to_owned())
        .long(name.replace('_', "-"))
        .help(help(schema))
        .help_heading("Parameters");
    let named = |arg: Arg, value: &'static str| arg.value_name(value).allow_hyphen_values(true);
    match kind(schema) {
        Kind::Switch => named(arg, "BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(value_parser!(bool)),
        Kind::Integer => named(arg, "N").value_parser(value_parser!(i64)),
        Kind::Number => named(arg, "X").value_parser(value_parser!(f64)),
        Kind::Text => named(arg, "TEXT"),
        Kind::OneOf(values) => arg
            .value_name("NAME")
            .value_parser(PossibleValuesParser::new(values)),
        Kind::List(values) => {
            let list = arg
                .value_name("NAME,…")
                .value_delimiter(',')
                .action(ArgAction::Append);
            if values.is_empty() {
                list
            } else {
                list.value_parser(PossibleValuesParser::new(values))
            }
        }
    }
}

fn help(schema: &Value) -> StyledStr {
    let mut help = text(schema, "description").replace('\n', " ");
    let bounds: Vec<String> = [("minimum", "at least"), ("maximum", "at most")]
        .into_iter()
        .filter_map(|(key, word)| Some(format!("{word} {}", constraint(schema, key)?)))
        .collect();
    let default = schema.get("default").filter(|default| !default.is_null());
    let default = default.map(|default| match default.as_str() {
        Some(text) => format!("default: {text}"),
        None => format!("default: {default}"),
    });
    for note in bounds.into_iter().chain(default) {
        help.push_str(" [");
        help.push_str(&note);
        help.push(']');
    }
    help.trim().to_owned().into()
}

fn value(matches: &ArgMatches, name: &str, schema: &Value) -> Option<Value> {
    match kind(schema) {
        Kind::Switch => matches.get_one::<bool>(name).map(|on| Value::Bool(*on)),
        Kind::Integer => matches.get_one::<i64>(name).map(|n| Value::from(*n)),
        Kind::Number => matches.get_one::<f64>(name).map(|x| Value::from(*x)),
        Kind::Text | Kind::OneOf(_) => matches
            .get_one::<String>(name)
            .map(|text| Value::String(text.clone())),
        Kind::List(_) => matches
            .get_many::<String>(name)
            .map(|texts| texts.map(|text| Value::String(text.clone())).collect()),
    }
}

// === Reading the schema ===

/// Whether the tool takes a file.
pub(crate) fn takes_file(schema: &Map<String, Value>) -> bool {
    properties(schema).any(|(name, _)| name == FILE_ARGUMENT)
}

fn properties(schema: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten()
}

fn required(schema: &Map<String, Value>) -> Vec<&str> {
    let required = schema.get("required").and_then(Value::as_array);
    required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Parameters that can be left out have `null` as a second type, or are one of
/// two alternatives; the other one says how they are written.
fn kind(schema: &Value) -> Kind {
    if let Some(items) = schema.get("items") {
        return Kind::List(
            alternatives(items)
                .flat_map(enumerated)
                .map(str::to_owned)
                .collect(),
        );
    }
    let names: Vec<String> = alternatives(schema)
        .flat_map(enumerated)
        .map(str::to_owned)
        .collect();
    if !names.is_empty() {
        return Kind::OneOf(names);
    }
    let mut types = alternatives(schema).flat_map(types);
    match types.find(|name| *name != "null") {
        Some("boolean") => Kind::Switch,
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Number,
        Some(_) | None => Kind::Text,
    }
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let nested = ["anyOf", "oneOf"]
        .into_iter()
        .filter_map(|key| schema.get(key)?.as_array())
        .flatten();
    std::iter::once(schema).chain(nested)
}

fn enumerated(schema: &Value) -> impl Iterator<Item = &str> {
    let list = schema.get("enum").and_then(Value::as_array);
    let single = schema.get("const");
    list.into_iter()
        .flatten()
        .chain(single)
        .filter_map(Value::as_str)
}

fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let (one, many) = match schema.get("type") {
        Some(Value::Array(many)) => (None, many.as_slice()),
        Some(one) => (Some(one), &[][..]),
        None => (None, &[][..]),
    };
    one.into_iter().chain(many).filter_map(Value::as_str)
}

fn constraint<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    alternatives(schema).find_map(|alternative| alternative.get(key))
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
