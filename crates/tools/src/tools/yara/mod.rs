//! `run_yara`: which YARA rules match a file, by the embedded engine or by the
//! `yara` program.

pub(crate) mod configured;
pub(crate) mod embedded;
mod externals;
mod include;
mod output;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use reversecore_analysis::yara::ExternalValue;
use reversecore_exec::{Finished, Input, Keep, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments::invalid;
use crate::bounded::{Timeout, TimeoutSeconds};
use crate::embedded::engine::Engine;
use crate::envelope::Coverage;
use crate::error::{ErrorCode, ToolError};
use crate::external::Analysis;
use crate::programs::Program;
use crate::results::cache::Reuse;
use crate::schedule::{Workload, estimates};
use crate::schema::{self, List};
use crate::text::{diagnostics, escaped, quoted};
use crate::tool::{Answer, Call, Report, Tool};
use crate::workspace::{Kind, Refused, Scope, Walk, Workspace};
use externals::{Externals, definition};
use include::{Flat, Included, Source, flatten, flatten_all, parse_error};
use output::{Match, Slow};

/// The largest file of rules.
const LARGEST_RULES: u64 = 32 << 20;
/// How much of the program's output is reported.
const KEPT: usize = 4 << 20;
/// The rules come through the standard input: Landlock takes no rule for a
/// file without a file system, such as one in memory, and a file with one
/// would have to be put somewhere and removed again.
const RULES_PATH: &str = "/proc/self/fd/0";
/// How many warnings of the compiler are passed on.
const MOST_WARNINGS: usize = 10;

/// The tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunYara;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Path in the workspace.
    file_path: String,
    /// Path of a file with rules, or of a directory of such files; give this or `rules`.
    #[serde(default)]
    rule_file: Option<String>,
    /// The rules themselves.
    #[serde(default)]
    rules: Option<String>,
    /// Values of external variables, by name: number, truth value or text.
    #[serde(default)]
    externals: Externals,
    /// Name the rules that took longer than 0.1 s.
    #[serde(default)]
    slow_rules: bool,
    /// Seconds.
    #[serde(default)]
    timeout: Timeout<300>,
    /// Seconds for one rule, which is given up then; a tenth of `timeout` by default.
    #[serde(default)]
    rule_timeout: Option<TimeoutSeconds>,
    /// Which engine answers.
    #[serde(default)]
    engine: Engine,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct YaraReport {
    /// The rules that match.
    #[schemars(with = "List")]
    matches: Vec<Match>,
    /// The rules that took longest, when that was asked for or the time ran out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "List")]
    slow: Vec<Slow>,
    /// The rules that took too long and have no verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "List")]
    given_up: Vec<Slow>,
}

impl Report for YaraReport {
    fn text(&self) -> String {
        let mut text = String::new();
        for found in &self.matches {
            let tags = found.tags.join(",");
            // Writing to a String can't fail.
            writeln!(text, "{}:{} [{tags}]", found.namespace, found.rule).ok();
            for (key, value) in &found.meta {
                match value {
                    output::Meta::Boolean(value) => writeln!(text, "  {key} = {value}"),
                    output::Meta::Integer(value) => writeln!(text, "  {key} = {value}"),
                    output::Meta::Text(value) => writeln!(text, "  {key} = {value}"),
                }
                .ok();
            }
            for string in &found.strings {
                writeln!(
                    text,
                    "  0x{:x} {} ({} bytes): {}",
                    string.offset, string.identifier, string.length, string.data
                )
                .ok();
            }
        }
        if self.matches.is_empty() {
            text.push_str("no rule matches\n");
        }
        for (what, rules) in [("slow", &self.slow), ("given up", &self.given_up)] {
            for slow in rules {
                let Slow {
                    namespace,
                    rule,
                    patterns_ms,
                    condition_ms,
                } = slow;
                writeln!(
                    text,
                    "{what}: {namespace}:{rule} (patterns {patterns_ms} ms, condition {condition_ms} ms)"
                )
                .ok();
            }
        }
        text
    }
}

impl Tool for RunYara {
    type Params = Params;
    type Report = YaraReport;

    const NAME: &'static str = "run_yara";
    const TITLE: &'static str = "Match YARA rules";
    const DESCRIPTION: &'static str = "Match YARA rules against a file: give either `rule_file` (a path in the workspace or a rule directory) or `rules` (the text). Reports each matching rule with namespace, tags, metadata, and the offset, length and data of each matching string. `include` works within these directories.";

    fn report_schema() -> Value {
        schema::report::<YaraReport>()
    }

    fn workload(params: &Params) -> Workload<'_> {
        let kind = params.engine.kind(estimates::YARA, estimates::YARA_PROGRAM);
        Workload {
            reuse: match &params.rules {
                Some(rules) if params.rule_file.is_none() && !rules.contains("include") => {
                    Reuse::WhileServing
                }
                // Rules in files may change while the file under analysis does not.
                Some(_) | None => Reuse::Never,
            },
            ..Workload::on(&params.file_path, kind, params.timeout)
        }
    }

    async fn run(&self, call: &Call<'_>, params: Params) -> Result<Answer<YaraReport>, ToolError> {
        let timeout = params.timeout.resolve(call.services.default_timeout);
        let origin = Origin::of(params.rule_file, params.rules)?;
        let externals = params.externals.checked()?;
        if params.engine.is_embedded() {
            let flat = prepared(call, origin).await?;
            let question = embedded::Question {
                flat: &flat,
                externals,
                slow_rules: params.slow_rules,
                timeout,
                each: params
                    .rule_timeout
                    .map(|seconds| Duration::from_secs(seconds.get())),
            };
            return embedded::run(call, &params.file_path, question).await;
        }
        for (name, given) in [
            ("slow_rules", params.slow_rules),
            ("rule_timeout", params.rule_timeout.is_some()),
        ] {
            if given {
                return Err(invalid(
                    name,
                    "is not known to the program `yara`",
                    "Leave out `engine`: the embedded engine knows it.",
                ));
            }
        }
        let mut analysis = call
            .analysis(Program::Yara, &params.file_path, timeout)
            .await?;
        let mut flat = prepared(call, origin).await?;
        let rules = Bytes::from(std::mem::take(&mut flat.text));
        let finished = scan(call, &analysis, rules, &externals).await?;
        let scan_timed_out = timed_out(&finished);
        if !scan_timed_out && let Some(error) = analysis.judge(&finished, &[0]) {
            return Err(compile_error(&finished, &flat).unwrap_or(error));
        }
        call.settle(&mut analysis).await?;
        Ok(answer(&finished, &flat, scan_timed_out))
    }
}

/// Reads the rules, not on a runtime thread.
async fn prepared(call: &Call<'_>, origin: Origin) -> Result<Flat, ToolError> {
    let workspace = call.services.workspace.clone();
    let flattening = tokio::task::spawn_blocking(move || origin.flatten(workspace));
    tokio::select! {
        biased;
        () = call.cancel.cancelled() => Err(ToolError::cancelled()),
        done = flattening => done.map_err(internal)?,
    }
}

async fn scan(
    call: &Call<'_>,
    analysis: &Analysis<'_>,
    rules: Bytes,
    externals: &[(String, ExternalValue)],
) -> Result<Finished, ToolError> {
    let (command, target) = analysis.command()?;
    let limits = analysis.limits();
    let seconds = limits.timeout.as_secs().max(1);
    let command = command
        .args(["-g", "-m", "-s", "-L", "-e", "-p", "1"])
        .args(["-a", &seconds.to_string()])
        .args(
            externals
                .iter()
                .flat_map(|each| ["-d".to_owned(), definition(each)]),
        )
        .arg(RULES_PATH)
        .arg(target)
        .stdin(Input::Bytes(rules))
        .limits(limits)
        .keep_stdout(Keep::head(KEPT))
        .keep_stderr(Keep::head(64 << 10));
    call.run(analysis, command).await
}

fn answer(finished: &Finished, flat: &Flat, timed_out: bool) -> Answer<YaraReport> {
    let cut = finished.stdout.truncated() || timed_out;
    let (matches, strange) = output::parse(&finished.stdout.text(), cut);
    let mut answer = Answer::complete(YaraReport {
        matches,
        slow: Vec::new(),
        given_up: Vec::new(),
    });
    answer.warnings = warnings(&finished.stderr.text(), flat);
    if strange > 0 {
        answer.coverage = Coverage::Partial;
        answer
            .warnings
            .push(format!("{strange} lines of `yara` were not understood"));
    }
    if timed_out {
        answer.coverage = Coverage::TimedOut;
        answer.warnings.push(
            "the time ran out; the matches found until then are reported; raise `timeout` or use fewer rules".into(),
        );
    } else if finished.stdout.truncated() {
        answer.coverage = Coverage::Truncated;
        answer.warnings.push(
            "there are more matching strings than fit the report; use fewer or narrower rules"
                .into(),
        );
    } else {
        answer.total = u64::try_from(answer.report.matches.len()).ok();
    }
    answer
}

/// Whether the engine's clock or YARA's own ended the scan.
fn timed_out(finished: &Finished) -> bool {
    match finished.outcome {
        Outcome::TimedOut(_) => true,
        Outcome::Exited(_) => finished.stderr.text().contains("scanning timed out"),
        Outcome::Signaled(_)
        | Outcome::Idle(_)
        | Outcome::Cancelled
        | Outcome::LimitExceeded(_) => false,
    }
}

/// Where the rules come from.
#[derive(Debug)]
enum Origin {
    File(String),
    Inline(String),
}

impl Origin {
    fn of(rule_file: Option<String>, rules: Option<String>) -> Result<Self, ToolError> {
        const HINT: &str = "Give either `rule_file`, a path, or `rules`, the text of the rules.";
        match (rule_file, rules) {
            (Some(path), None) => Ok(Self::File(path)),
            (None, Some(text)) => Ok(Self::Inline(text)),
            (Some(_), Some(_)) => Err(invalid("rules", "is given together with `rule_file`", HINT)),
            (None, None) => Err(ToolError::new(
                ErrorCode::ValidationError,
                "one of the parameters `rule_file` and `rules` is missing",
                HINT,
            )),
        }
    }

    /// The rules with their includes in place. Blocking.
    fn flatten(self, workspace: Workspace) -> Result<Flat, ToolError> {
        let mut roots = Roots { workspace };
        match self {
            Self::Inline(text) => flatten(text.as_bytes(), None, &mut roots),
            Self::File(path) => {
                let shown = quoted(&path);
                let refused = |refused: Refused| refused.into_tool_error("rule_file", &shown);
                match roots.workspace.open_file(&path, Scope::Rules) {
                    Ok(file) => {
                        let text = read(file, &shown)?;
                        flatten(&text, Some(&path), &mut roots)
                    }
                    Err(Refused::NotA {
                        found: "a directory",
                        ..
                    }) => {
                        let names = rule_files(&roots.workspace, &path).map_err(refused)?;
                        if names.is_empty() {
                            return Err(invalid(
                                "rule_file",
                                format!(
                                    "the directory `{shown}` has no files named *.yar or *.yara"
                                ),
                                "Name a file with rules, or a directory of such files.",
                            ));
                        }
                        flatten_all(&names, &mut roots)
                    }
                    Err(other) => Err(refused(other)),
                }
            }
        }
    }
}

/// The files with rules in a directory and those below it, in order.
fn rule_files(workspace: &Workspace, directory: &str) -> Result<Vec<String>, Refused> {
    let walk = Walk {
        path: directory.to_owned(),
        pattern: None,
        recursive: true,
        scope: Scope::Rules,
    };
    let named = |path: &str| path.ends_with(".yar") || path.ends_with(".yara");
    let listing = workspace.list(&walk)?;
    Ok(listing
        .entries
        .into_iter()
        .filter(|entry| entry.kind == Kind::File && named(&entry.path))
        .map(|entry| format!("{}/{}", directory.trim_end_matches('/'), entry.path))
        .collect())
}

/// Included files come from the rule roots.
struct Roots {
    workspace: Workspace,
}

impl Source for Roots {
    fn open(&mut self, name: &str, including: Option<&str>) -> Result<Included, ToolError> {
        let shown = format!("include \"{}\"", quoted(name));
        let (file, name) = self
            .workspace
            .open_included(name, including)
            .map_err(|refused| refused.into_tool_error("rules", &shown))?;
        let text = read(file, &shown)?;
        Ok(Included { name, text })
    }
}

fn read(file: File, shown: &str) -> Result<Vec<u8>, ToolError> {
    let mut text = Vec::new();
    file.take(LARGEST_RULES + 1)
        .read_to_end(&mut text)
        .map_err(|error| {
            ToolError::new(
                ErrorCode::FileNotFound,
                format!("`{shown}` could not be read"),
                "Call again; if it persists, the file system has a fault.",
            )
            .log_detail(error)
        })?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > LARGEST_RULES {
        return Err(ToolError::new(
            ErrorCode::ResourceLimit,
            format!("`{shown}` is larger than 32 MiB"),
            "Use fewer rules in one call.",
        ));
    }
    Ok(text)
}

fn internal(error: impl std::fmt::Display) -> ToolError {
    ToolError::new(
        ErrorCode::Internal,
        "the rules could not be prepared",
        "Call again; if it persists, the server's log has the reason.",
    )
    .log_detail(error)
}

/// The error for rules that YARA does not compile.
fn compile_error(finished: &Finished, flat: &Flat) -> Option<ToolError> {
    said(&finished.stderr.text(), "error: ", flat)
        .into_iter()
        .next()
        .map(|Said { name, line, text }| parse_error(name.as_deref(), line, &text))
}

fn warnings(stderr: &str, flat: &Flat) -> Vec<String> {
    let mut said = said(stderr, "warning: ", flat).into_iter();
    let mut warnings: Vec<String> = said
        .by_ref()
        .take(MOST_WARNINGS)
        .map(|Said { name, line, text }| match name {
            Some(name) => format!("{}, line {line}: {text}", quoted(&name)),
            None => format!("line {line}: {text}"),
        })
        .collect();
    let more = said.count();
    if more > 0 {
        warnings.push(format!("{more} more warnings about the rules"));
    }
    warnings
}

/// What YARA says of a line of the rules.
struct Said {
    name: Option<String>,
    line: usize,
    text: String,
}

/// `error: rule "X" in /proc/self/fd/0(3): syntax error`, with the place put
/// in the terms of the caller.
fn said(stderr: &str, kind: &str, flat: &Flat) -> Vec<Said> {
    stderr
        .lines()
        .filter_map(|line| {
            // `FILE(1): error: …` where there is no rule yet to name.
            let place = format!("{RULES_PATH}(");
            let (before, after) = match line.strip_prefix(kind) {
                Some(rest) => rest.split_once(&place)?,
                None => ("", line.strip_prefix(&place)?),
            };
            let (number, after) = after.split_once(')')?;
            let after = if line.starts_with(&place) {
                after.strip_prefix(": ")?.strip_prefix(kind)?
            } else {
                after
            };
            let (name, line) = flat.origin(number.parse().ok()?);
            let rule = before.trim().trim_end_matches(" in").trim();
            let reason = diagnostics(after.trim_start_matches(':').trim());
            Some(Said {
                name: name.map(ToOwned::to_owned),
                line,
                text: if rule.is_empty() {
                    reason
                } else {
                    format!("{}: {reason}", escaped(rule))
                },
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Source for Nothing {
        fn open(&mut self, name: &str, _: Option<&str>) -> Result<Included, ToolError> {
            Ok(Included {
                name: name.into(),
                text: b"rule b { condition: nope }".to_vec(),
            })
        }
    }

    #[test]
    fn exactly_one_source_of_rules_is_taken() {
        let some = || Some("x".to_owned());
        for (file, rules) in [(some(), some()), (None, None)] {
            let error = Origin::of(file, rules).unwrap_err();
            assert_eq!(error.code, ErrorCode::ValidationError);
            assert!(error.message.contains("rule_file"), "{error}");
        }
        assert!(matches!(Origin::of(some(), None), Ok(Origin::File(_))));
    }

    #[test]
    fn what_the_compiler_says_is_put_in_the_callers_terms() {
        let flat = flatten(b"rule a {}\ninclude \"b\"\n", None, &mut Nothing).unwrap();
        let at = String::from_utf8_lossy(&flat.text)
            .lines()
            .position(|line| line.starts_with("rule b"))
            .unwrap();
        let stderr = format!(
            "warning: rule \"a\" in /proc/self/fd/0(1): string \"$b\" may slow down scanning\nerror: rule \"b\" in /proc/self/fd/0({}): undefined identifier \"nope\"\n",
            at + 1
        );
        let errors = said(&stderr, "error: ", &flat);
        assert_eq!(errors.len(), 1);
        assert_eq!((errors[0].name.as_deref(), errors[0].line), (Some("b"), 1));
        assert_eq!(errors[0].text, "rule \"b\": undefined identifier \"nope\"");
        assert_eq!(
            warnings(&stderr, &flat),
            ["line 1: rule \"a\": string \"$b\" may slow down scanning"]
        );
    }
}
