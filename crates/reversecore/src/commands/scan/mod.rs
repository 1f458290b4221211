//! `scan`: many files through the same tools that clients call, with a journal that
//! survives whatever ends the process.
//!
//! The paths that were named can be anywhere: whoever types the command may read
//! them. The directory above them all is the workspace of the calls; the analysis is
//! confined as ever.

mod bar;
mod summary;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use reversecore_batch::{
    Batch, Format, Journal, JournalError, Ledger, LedgerError, Listed, Opened, Out, Progress,
    Recursion, Run, RunError, Spec, Tally, ToolCall, Unrecorded, Walk, run as run_batch, take_up,
    walk,
};
use reversecore_jobs::Client;
use reversecore_server::config::{Config, Loaded};
use reversecore_tools::bounded::Bounded;
use reversecore_tools::{BatchExaminer, Caller, check_tool, spelled};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::USAGE;
use crate::cli::{CommonOptions, ScanOptions};
use crate::{assemble, logging, output, settings, signals};

/// Some files could not be examined.
const TROUBLED: u8 = 3;
/// The scan could not go on.
const STUCK: u8 = 4;
/// As shells call it.
const INTERRUPTED: u8 = 130;
/// Chunks of files that are found before anybody looks at them.
const FOUND_AHEAD: usize = 16;
/// What is asked when nothing is said.
const DEFAULT_TOOL: &str = "triage";
/// The directory for files out of archives.
const UNPACKED: &str = "reversecore-unpacked";
const RULES_TOOL: &str = "run_yara";
const RULES_ARGUMENT: &str = "rule_file";

pub(super) fn run(options: &ScanOptions) -> anyhow::Result<ExitCode> {
    let common = CommonOptions {
        workspace: None,
        config: options.config.clone(),
        log_level: options.log_level.clone().or_else(|| Some("error".into())),
    };
    let Loaded { mut config, notes } = settings::for_command(&common)?;
    let _writes_the_last_lines = logging::start(config.log);
    for note in notes {
        tracing::info!(%note, "configuration");
    }
    let plan = match Plan::make(options, &mut config) {
        Ok(plan) => plan,
        Err(error) => {
            output::complain(&error);
            return Ok(ExitCode::from(USAGE));
        }
    };
    let runtime = runtime()?;
    let done = scan(&runtime, options, &config, plan);
    match done {
        Ok(code) => Ok(code),
        Err(error) if error.is::<JournalError>() || error.is::<LedgerError>() => {
            output::complain(&error);
            Ok(ExitCode::from(STUCK))
        }
        Err(error) => Err(error),
    }
}

/// What is to be done.
#[derive(Debug)]
struct Plan {
    spec: Spec,
    paths: Vec<PathBuf>,
    out: Option<(PathBuf, Format)>,
    data: Option<PathBuf>,
    jobs: usize,
}

impl Plan {
    fn make(options: &ScanOptions, config: &mut Config) -> anyhow::Result<Self> {
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
        adjust(config, &paths, jobs);
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

    fn walk(&self) -> Walk {
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
fn adjust(config: &mut Config, paths: &[PathBuf], jobs: usize) {
    // Besides the slots that are kept for whoever waits for an answer.
    const RESERVED: u64 = 2;
    let calls = u64::try_from(jobs).unwrap_or(256).min(256);
    config.workspace.path = Some(above(paths));
    config.workspace.read_dirs.clear();
    config.execution.max_concurrent_requests = clamped(calls + RESERVED);
    config.results.budget_tokens = Bounded::new(0);
    config.results.cache_disk_mib = Bounded::new(0);
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

fn runtime() -> anyhow::Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(processors.min(8))
        .max_blocking_threads(64)
        .thread_name("scan")
        .enable_all()
        .build()
        .context("failed to start the runtime")
}

fn scan(
    runtime: &Runtime,
    options: &ScanOptions,
    config: &Config,
    plan: Plan,
) -> anyhow::Result<ExitCode> {
    for tool in &plan.spec.tools {
        if let Err(error) = check_tool(tool) {
            output::note(&format!("error: {} ({})", error.message, error.hint));
            return Ok(ExitCode::from(USAGE));
        }
    }
    let _guard = runtime.enter();
    // Before anything is started: somebody else may have the directory.
    let journal = match &plan.data {
        Some(directory) => Some(opened(directory)?),
        None => None,
    };
    let unpacked = match plan.spec.recurse {
        Some(_) => Some(Unpacked::ready(plan.data.as_deref(), options.resume)?),
        None => None,
    };
    let mut config = config.clone();
    let directories = unpacked.iter().map(|unpacked| unpacked.directory.clone());
    config.workspace.read_dirs.extend(directories);
    let services = assemble::services(&config, assemble::engine(&config)?)?;
    let mut examiner = BatchExaminer::new(Arc::clone(&services), Caller::new(Client::new("scan")));
    if let Some(unpacked) = &unpacked {
        examiner = examiner.with_unpacking(unpacked.directory.clone());
    }
    let done = match journal {
        Some(journal) => {
            let (batch, out) = begin(&journal, &plan, options.resume)?;
            go(runtime, options, &plan, examiner, batch, out)
        }
        None => {
            let create = |(path, format): &(PathBuf, Format)| Out::create(path, *format);
            let out = plan.out.as_ref().map(create).transpose();
            let out = out.map_err(LedgerError::from)?;
            go(
                runtime,
                options,
                &plan,
                examiner,
                Unrecorded::default(),
                out,
            )
        }
    };
    services.schedule.save();
    done
}

/// Where files out of archives lie while they are examined. What is left of a scan
/// that was stopped stays for the next; without a journal there is no next.
#[derive(Debug)]
struct Unpacked {
    directory: PathBuf,
    passing: bool,
}

impl Unpacked {
    fn ready(data: Option<&Path>, resume: bool) -> anyhow::Result<Self> {
        let directory = match data {
            Some(data) => data.join(UNPACKED),
            None => std::env::temp_dir().join(format!("{UNPACKED}-{}", std::process::id())),
        };
        let emptied = if resume {
            Ok(())
        } else {
            match std::fs::remove_dir_all(&directory) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
        };
        // A directory for everybody's files may have one of that name: it is refused.
        let mut make = DirBuilder::new();
        make.mode(0o700).recursive(data.is_some());
        emptied
            .and_then(|()| make.create(&directory))
            .with_context(|| format!("failed to make `{}`", directory.display()))?;
        let directory = directory
            .canonicalize()
            .context("failed to find it again")?;
        Ok(Self {
            directory,
            passing: data.is_none(),
        })
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        if self.passing {
            std::fs::remove_dir_all(&self.directory).ok();
        }
    }
}

fn opened(directory: &Path) -> Result<Journal, JournalError> {
    let Opened { journal, set_aside } = Journal::open(directory)?;
    if let Some((aside, damage)) = set_aside {
        output::note(&format!(
            "warning: the journal was damaged ({damage}); it is kept as `{}`, and a new one is begun",
            aside.display()
        ));
    }
    Ok(journal)
}

/// The batch, begun or taken up again, and its row file.
fn begin(journal: &Journal, plan: &Plan, resume: bool) -> anyhow::Result<(Batch, Option<Out>)> {
    let name = plan.out.as_ref().map(|(path, _)| spelled(path.as_os_str()));
    let found = if resume {
        let found = journal.resume(&plan.spec, name.as_deref())?;
        if found.is_none() {
            output::note("note: there is nothing to resume; the scan begins anew");
        }
        found
    } else {
        if journal.unfinished(&plan.spec)?.is_some() {
            output::note(
                "note: an earlier scan of the same was not finished; --resume would have gone on with it",
            );
        }
        None
    };
    let (mut batch, fresh) = match found {
        Some(batch) => (batch, false),
        None => (journal.begin(&plan.spec, name.as_deref())?, true),
    };
    let out = match &plan.out {
        Some((path, format)) if fresh => {
            Some(Out::create(path, *format).map_err(LedgerError::from)?)
        }
        Some((path, format)) => Some(take_up(&mut batch, &plan.spec, path, *format)?),
        None => None,
    };
    Ok((batch, out))
}

/// Whether all files have been found that are to be found.
trait Standing: Ledger {
    fn is_listed(&self) -> Result<bool, LedgerError>;
}

impl Standing for Batch {
    fn is_listed(&self) -> Result<bool, LedgerError> {
        Ok(self.standing()?.0)
    }
}

impl Standing for Unrecorded {
    fn is_listed(&self) -> Result<bool, LedgerError> {
        Ok(false)
    }
}

fn go<L: Standing>(
    runtime: &Runtime,
    options: &ScanOptions,
    plan: &Plan,
    examiner: BatchExaminer,
    mut ledger: L,
    mut out: Option<Out>,
) -> anyhow::Result<ExitCode> {
    let stop = CancellationToken::new();
    let (progress, seen) = watch::channel(Progress::default());
    let inputs = find(plan, ledger.is_listed()?, &stop);
    let mut beside = JoinSet::new();
    let interrupt = stop.clone();
    beside.spawn(async move {
        if let Err(error) = signals::on_each(|| interrupt.cancel()).await {
            tracing::warn!(%error, "Ctrl-C is not listened for");
        }
    });
    let bar = (!options.quiet).then(|| bar::Bar::show(seen.clone(), &mut beside));
    let begun = tokio::time::Instant::now();
    let before = ledger.tally()?.ended();
    let run = Run {
        spec: plan.spec.clone(),
        examiner: Arc::new(examiner),
        concurrency: plan.jobs,
        inputs,
        stop,
        progress,
        runtime: runtime.handle().clone(),
    };
    let ended = runtime.block_on(run_batch(run, &mut ledger, &mut out));
    beside.abort_all();
    if let Some(bar) = bar {
        bar.clear();
    }
    let complete = match ended {
        Ok(complete) => complete,
        Err(RunError::Ledger(error)) => return Err(error.into()),
        Err(error) => return Err(error.into()),
    };
    let tally = ledger.tally()?;
    if complete && let Some(out) = out {
        out.complete(&tally).map_err(LedgerError::from)?;
    }
    if !options.quiet {
        let here = tally.ended().saturating_sub(before);
        let took = begun.elapsed();
        output::text(&summary::text(&tally, here, took, plan.out.as_ref()))?;
    }
    if !complete {
        output::note(&stopped(options));
    }
    Ok(code(&tally, complete))
}

/// Begins to look for files, if that was not done before.
fn find(plan: &Plan, listed: bool, stop: &CancellationToken) -> mpsc::Receiver<Vec<Listed>> {
    let (to, inputs) = mpsc::channel(FOUND_AHEAD);
    if !listed {
        let (over, stop) = (plan.walk(), stop.clone());
        tokio::task::spawn_blocking(move || walk(&over, &to, &stop));
    }
    inputs
}

fn stopped(options: &ScanOptions) -> String {
    if options.no_journal {
        "stopped; without a journal the scan begins anew next time".to_owned()
    } else if options.resume {
        "stopped; the same command goes on".to_owned()
    } else {
        "stopped; the same command with --resume goes on".to_owned()
    }
}

fn code(tally: &Tally, complete: bool) -> ExitCode {
    if !complete {
        ExitCode::from(INTERRUPTED)
    } else if tally.failed + tally.poison > 0 {
        ExitCode::from(TROUBLED)
    } else if tally.with_findings() > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
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

    #[test]
    fn the_worst_of_what_happened_is_the_exit_code() {
        let with = |failed, high| Tally {
            failed,
            high,
            ..Tally::default()
        };
        let same = |one: ExitCode, other: ExitCode| format!("{one:?}") == format!("{other:?}");
        assert!(same(code(&with(0, 0), true), ExitCode::SUCCESS));
        assert!(same(code(&with(0, 1), true), ExitCode::from(1)));
        assert!(same(code(&with(1, 1), true), ExitCode::from(TROUBLED)));
        assert!(same(code(&with(0, 0), false), ExitCode::from(INTERRUPTED)));
    }
}
