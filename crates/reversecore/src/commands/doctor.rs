//! `doctor`: which external programs and which protections this machine has,
//! and what is lost without the rest.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use reversecore_exec::{Engine, Mechanism, Mechanisms, SandboxMode, StartError};
use reversecore_server::config::{Config, Loaded};
use reversecore_tools::{ProgramState, ProgramStatus};
use serde::Serialize;

use crate::cli::CommonOptions;
use crate::{assemble, logging, output, settings};

/// Everything that was found out.
#[derive(Debug, Serialize)]
struct Findings {
    /// Whether the server can do its work under these settings.
    usable: bool,
    /// Why not.
    problem: Option<String>,
    sandbox: SandboxMode,
    mechanisms: Option<Mechanisms>,
    programs: Vec<ProgramStatus>,
}

pub(super) fn run(as_json: bool, options: &CommonOptions) -> anyhow::Result<ExitCode> {
    let Loaded { config, notes } = settings::for_command(options)?;
    let _writes_the_last_lines = logging::start(config.log);
    for note in notes {
        tracing::info!(%note, "configuration");
    }
    let findings = super::runtime()?.block_on(examine(config))?;
    if as_json {
        output::json(&serde_json::to_value(&findings)?)?;
    } else {
        output::text(&report(&findings)?)?;
    }
    Ok(if findings.usable {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Asks the engine; one that refuses to work is asked again without demands, to
/// see what is missing.
async fn examine(mut config: Config) -> anyhow::Result<Findings> {
    let sandbox = config.sandbox.mode;
    let mut engine = assemble::engine(&config)?;
    let asked = engine.mechanisms().await;
    let problem = asked.as_ref().err().map(ToString::to_string);
    let problem = problem.or_else(|| unopened(&config));
    let mut mechanisms = match asked {
        Ok(mechanisms) => Some(mechanisms),
        Err(StartError::SandboxUnavailable { .. }) => {
            config.sandbox.mode = SandboxMode::Auto;
            engine = assemble::engine(&config)?;
            engine.mechanisms().await.ok()
        }
        Err(_) => None,
    };
    if let Some(Mechanisms { list, .. }) = &mut mechanisms {
        list.push(workers(&engine, &config).await?);
    }
    let programs = assemble::programs(&config.tools).status(&engine).await;
    Ok(Findings {
        usable: problem.is_none(),
        problem,
        sandbox,
        mechanisms,
        programs,
    })
}

/// Why the workspace can't be served, if it can't; without one, any directory shows
/// whether the kernel can do what is needed.
fn unopened(config: &Config) -> Option<String> {
    let root = config.workspace.path.clone();
    let root = root.unwrap_or_else(|| PathBuf::from("/"));
    let opened = assemble::opened(&config.workspace, root);
    opened
        .err()
        .map(|error| format!("{:#}", anyhow::Error::from(error)))
}

/// How well the embedded engines are locked down, asked of one of them.
async fn workers(engine: &Engine, config: &Config) -> anyhow::Result<Mechanism> {
    let pool = assemble::pool(engine, &config.workers)?;
    Ok(match pool.mechanism().await {
        Ok(mechanism) => mechanism,
        Err(error) => Mechanism {
            name: "worker".to_owned(),
            purpose: "the embedded engines run in processes of their own".to_owned(),
            holds: false,
            detail: error.to_string(),
        },
    })
}

fn report(findings: &Findings) -> Result<String, std::fmt::Error> {
    let Findings {
        usable: _,
        problem,
        sandbox,
        mechanisms,
        programs,
    } = findings;
    let mut text = String::from("External programs\n");
    for ProgramStatus {
        program,
        path,
        state,
        lost_without,
        how_to_get,
    } in programs
    {
        let name = program.name();
        let path = path.as_deref().unwrap_or(Path::new("-")).display();
        match state {
            ProgramState::Found { version } => {
                writeln!(text, "  [ok]      {name:<18} {path} (version {version})")?;
                continue;
            }
            ProgramState::Broken => {
                writeln!(text, "  [broken]  {name:<18} {path} does not run here")?;
            }
            ProgramState::Missing => writeln!(text, "  [missing] {name}")?,
        }
        writeln!(
            text,
            "            {:<18} lost without it: {lost_without}",
            ""
        )?;
        writeln!(text, "            {:<18} get it: {how_to_get}", "")?;
    }
    let mode = match sandbox {
        SandboxMode::Auto => "auto: what holds is used",
        SandboxMode::Required => "required: the server does not start without it",
        SandboxMode::Off => "OFF: children are not confined",
    };
    writeln!(text, "\nProtections (sandbox {mode})")?;
    if let Some(Mechanisms { containment, list }) = mechanisms {
        writeln!(
            text,
            "  processes of a run are kept together by: {containment}"
        )?;
        for mechanism in list {
            let mark = if mechanism.holds {
                "[ok]     "
            } else {
                "[lacking]"
            };
            writeln!(
                text,
                "  {mark} {:<18} {}",
                mechanism.name, mechanism.purpose
            )?;
            writeln!(text, "            {:<18} {}", "", mechanism.detail)?;
        }
    }
    match problem {
        None => writeln!(text, "\nThe server can work here.")?,
        Some(problem) => writeln!(text, "\nThe server can't work here: {problem}")?,
    }
    Ok(text)
}
