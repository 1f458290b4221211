//! What is to be done, from what was typed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use reversecore_batch::{Format, Recursion, Spec, ToolCall, Walk};
use reversecore_server::config::Config;
use reversecore_tools::bounded::Bounded;
use reversecore_tools::spelled;
use serde_json::Value;

use crate::assemble;
use crate::cli::ScanOptions;

/// What is asked when nothing is said.
const DEFAULT_TOOL: &str = "triage";
const RULES_TOOL: &str = "run_yara";
const RULES_ARGUMENT: &str = "rule_file";

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) spec: Spec,
    pub(super) paths: Vec<PathBuf>,
    pub(super) out: Option<(PathBuf, Format)>,
    pub(super) data: Option<PathBuf>,
    pub(super) jobs: usize,
}

impl Plan {
    pub(super) fn make(options: &ScanOptions, config: &mut Config) -> anyhow::Result<Self> {
        let paths = Walk::resolve(&options.paths)?;
        let mut tools = options
            .tools
            .iter()
            .map(|text| tool(text))
            .collect::<anyhow::Result<Vec<_>>>()?;
        if tools.is_empty() {
            tools.push(ToolCall::named(DEFAULT_TOOL));
        }
        if let Some(rules) = &options.rules {
            tools.push(rules_call(rules, config)?);
        }
        let jobs = options.jobs.map_or_else(default_jobs, usize::from);
        adjust(config, &paths, jobs, !options.no_journal);
        if let Some(directory) = &options.data_dir {
            let absolute = std::path::absolute(directory);
            config.data.dir = Some(absolute.context("failed to make --data-dir absolute")?);
        }
        let data = if options.no_journal {
            None
        } else {
            let directory = assemble::data_dir(&config.data).context(
                "there is no place for the journal (name one with --data-dir, or scan with --no-journal)",
            )?;
            Some(directory)
        };
        let out = options.out.as_deref().map(row_file).transpose()?;
        Ok(Self {
            spec: Spec {
                inputs: paths.iter().map(|path| spelled(path.as_os_str())).collect(),
                tools,
                depth: options.depth,
                largest: Some(options.max_size.saturating_mul(1 << 20)),
                limit: None,
                recurse: options.recurse.then(Recursion::default),
                owner: None,
            },
            paths,
            out,
            data,
            jobs,
        })
    }

    pub(super) fn walk(&self) -> Walk {
        let mut except: Vec<PathBuf> = self.out.iter().map(|(path, _)| path.clone()).collect();
        let data = self.data.as_ref().and_then(|data| data.canonicalize().ok());
        except.extend(data);
        Walk {
            paths: self.paths.clone(),
            depth: self.spec.depth,
            largest: self.spec.largest,
            except,
            spell: spelled,
        }
    }
}

/// `NAME` or `NAME=JSON`.
fn tool(text: &str) -> anyhow::Result<ToolCall> {
    let Some((name, arguments)) = text.split_once('=') else {
        return Ok(ToolCall::named(text));
    };
    match serde_json::from_str(arguments) {
        Ok(Value::Object(arguments)) => Ok(ToolCall {
            name: name.to_owned(),
            arguments,
        }),
        Ok(_) => bail!(
            "--tool {name}: the arguments are no JSON object (as in --tool 'run_strings={{\"min_length\":8}}')"
        ),
        Err(error) => bail!("--tool {name}: the arguments are no JSON: {error}"),
    }
}

/// Rules may be anywhere too; their directory becomes one that rules are read from.
fn rules_call(rules: &Path, config: &mut Config) -> anyhow::Result<ToolCall> {
    let real = rules
        .canonicalize()
        .with_context(|| format!("--rules `{}` can't be read", rules.display()))?;
    let directory = if real.is_dir() {
        Some(real.as_path())
    } else {
        real.parent()
    };
    config
        .workspace
        .rule_dirs
        .extend(directory.map(Path::to_path_buf));
    let mut call = ToolCall::named(RULES_TOOL);
    call.arguments.insert(
        RULES_ARGUMENT.to_owned(),
        Value::String(spelled(real.as_os_str())),
    );
    Ok(call)
}

/// Where rows go: absolute, with the directory's links followed.
fn row_file(path: &Path) -> anyhow::Result<(PathBuf, Format)> {
    let Some(format) = Format::of(path) else {
        bail!(
            "--out `{}`: its ending says no format (.jsonl, .csv, .sarif and .html are known)",
            path.display()
        );
    };
    let absolute = std::path::absolute(path).context("failed to make --out absolute")?;
    let directory = absolute.parent().unwrap_or(Path::new("/"));
    let real = directory.canonicalize().with_context(|| {
        format!(
            "--out: the directory `{}` is not there",
            directory.display()
        )
    })?;
    let name = absolute.file_name().context("--out names no file")?;
    Ok((real.join(name), format))
}

fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from) + 2
}

/// The settings for many files: their directory is the workspace, as many calls run
/// as files are in work, and results are kept in the rows instead of elsewhere.
fn adjust(config: &mut Config, paths: &[PathBuf], jobs: usize, recorded: bool) {
    // Besides the slots that are kept for whoever waits for an answer.
    const RESERVED: u64 = 2;
    let calls = u64::try_from(jobs).unwrap_or(256).min(256);
    config.workspace.path = Some(above(paths));
    config.workspace.read_dirs.clear();
    config.execution.max_concurrent_requests = clamped(calls + RESERVED);
    config.results.budget_tokens = Bounded::new(0);
    config.results.cache_disk_mib = Bounded::new(0);
    if recorded {
        // The journal knows equal contents, whatever their number.
        config.results.cache_memory_mib = Bounded::new(0);
    }
    config.workers.min = clamped(calls.min(64));
    config.workers.max = Some(clamped(calls.clamp(1, 64)));
}

fn clamped<const MIN: u64, const MAX: u64>(number: u64) -> Bounded<MIN, MAX> {
    Bounded::new(number.clamp(MIN, MAX))
}

/// The deepest directory that all paths lie in.
fn above(paths: &[PathBuf]) -> PathBuf {
    let mut common: Option<PathBuf> = None;
    for path in paths {
        let directory = if path.is_dir() {
            path.as_path()
        } else {
            path.parent().unwrap_or(Path::new("/"))
        };
        common = Some(match common {
            None => directory.to_path_buf(),
            Some(common) => common
                .components()
                .zip(directory.components())
                .take_while(|(one, other)| one == other)
                .map(|(one, _)| one)
                .collect(),
        });
    }
    common.unwrap_or_else(|| PathBuf::from("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_the_deepest_directory_above_all() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir_all(root.join("a/c")).unwrap();
        std::fs::write(root.join("a/b/f"), "").unwrap();
        let under = |names: &[&str]| above(&names.iter().map(|n| root.join(n)).collect::<Vec<_>>());
        assert_eq!(under(&["a/b/f"]), root.join("a/b"));
        assert_eq!(under(&["a/b"]), root.join("a/b"));
        assert_eq!(under(&["a/b/f", "a/c"]), root.join("a"));
        assert_eq!(above(&[PathBuf::from("/bin"), root]), PathBuf::from("/"));
    }

    #[test]
    fn a_tool_may_have_arguments() {
        assert_eq!(tool("triage").unwrap(), ToolCall::named("triage"));
        let call = tool("run_strings={\"min_length\":8}").unwrap();
        assert_eq!(
            (call.name.as_str(), &call.arguments["min_length"]),
            ("run_strings", &8.into())
        );
        assert!(tool("run_strings=8").is_err() && tool("run_strings={").is_err());
    }
}
