//! `bench load`: this process is the client of a server that runs elsewhere.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use reversecore_load::{Era, Load, Pace, Pipes, Target, Template, Way};
use tokio::runtime::Builder;

use crate::cli::{Bench, LoadOptions};
use crate::output;

pub(super) fn run(what: Bench) -> anyhow::Result<ExitCode> {
    let Bench::Load(options) = what;
    let LoadOptions {
        url,
        pipes,
        key,
        tool,
        args,
        files,
        concurrency,
        rate,
        duration,
        calls,
        timeout,
        session,
        pid,
    } = options;
    let way = match <[_; 2]>::try_from(pipes) {
        Ok([to, from]) => Way::Pipes(Pipes { to, from }),
        Err(_) => Way::Http(Target::parse(&url, key)?),
    };
    let load = Load {
        way,
        era: if session {
            Era::Session
        } else {
            Era::Stateless
        },
        tool,
        template: Template::parse(&args, files)?,
        concurrency,
        pace: rate.map_or(Pace::Closed, Pace::Open),
        duration: Duration::try_from_secs_f64(duration)
            .context("`--duration` is no number of seconds")?,
        calls: calls.unwrap_or(u64::MAX),
        patience: Duration::try_from_secs_f64(timeout)
            .context("`--timeout` is no number of seconds")?,
        pid,
    };
    // One thread: the client is to leave the machine to the server.
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let report = runtime.block_on(reversecore_load::run(load))?;
    output::json(&serde_json::to_value(&report)?)?;
    Ok(if report.errors.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
