//! The commands: each builds what it needs, runs, and says with which code the
//! process ends.

mod bench;
mod client;
mod doctor;
mod health;
mod help;
mod housekeeping;
mod jobs;
mod key;
mod report;
mod run;
mod scan;
mod serve;
mod tools;

use std::process::ExitCode;

use anyhow::Context as _;
use reversecore_server::config::{ConfigError, DEFAULTS};
use tokio::runtime::{Builder, Runtime};

use crate::cli::{Command, RunTool};
use crate::output;

/// Wrong usage.
const USAGE: u8 = 2;

/// Runs a command.
pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(options) => serve::run(&options),
        Command::Run {
            tool: RunTool::Named(words),
        } => run::run(&words),
        Command::Scan(options) => scan::run(&options),
        Command::McpConfig(options) => client::run(&options),
        Command::Completions { shell } => help::completions(shell),
        Command::Man { dir } => help::man(dir.as_deref()),
        Command::Tools { json } => tools::run(json),
        Command::Doctor { json, settings } => doctor::run(json, &settings),
        Command::Jobs(options) => jobs::run(&options),
        Command::Health(options) => health::run(&options),
        Command::Key { name } => key::run(&name),
        Command::Bench { what } => bench::run(what),
        Command::Defaults => {
            output::text(DEFAULTS)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A runtime for a command that does one thing.
fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")
}

/// The exit code for a command that could not do its work.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<ConfigError>() {
        ExitCode::from(USAGE)
    } else {
        ExitCode::FAILURE
    }
}
