//! `scan`: many files through the same tools that clients call, with a journal that
//! survives whatever ends the process.
//!
//! The paths that were named can be anywhere: whoever types the command may read
//! them. The directory above them all is the workspace of the calls; the analysis is
//! confined as ever.

mod bar;
mod plan;
mod summary;
mod unpacked;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use reversecore_batch::{
    Batch, Format, Journal, JournalError, Ledger, LedgerError, Listed, Opened, Out, Progress, Run,
    RunError, Tally, Unrecorded, run as run_batch, take_up, walk,
};
use reversecore_jobs::Client;
use reversecore_server::config::{Config, Loaded};
use reversecore_tools::{BatchExaminer, Caller, check_tool, spelled};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::USAGE;
use crate::cli::{CommonOptions, ScanOptions};
use crate::{assemble, logging, output, settings, signals};
use plan::Plan;
use unpacked::Unpacked;

/// Some files could not be examined.
const TROUBLED: u8 = 3;
/// The scan could not go on.
const STUCK: u8 = 4;
/// As shells call it.
const INTERRUPTED: u8 = 130;
/// Chunks of files that are found before anybody looks at them.
const FOUND_AHEAD: usize = 16;

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
