//! `serve`: the server's process. Nothing slow stands before the transport.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use reversecore_server::config::{Config, Loaded};
use reversecore_server::{Handler, Shutdown};
use reversecore_tools::Catalogue;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::housekeeping::keep_house;
use crate::cli::ServeOptions;
use crate::{assemble, logging, settings, signals};

/// More threads would serve nobody: the work is done by other processes.
const MAX_WORKERS: usize = 8;
/// Threads for work that blocks, such as hashing a file.
const MAX_BLOCKING: usize = 32;
/// A read of a terminal or file as stdin can't be taken back; it is left behind.
const LEAVE_BEHIND: Duration = Duration::from_millis(500);
/// How long cancelled jobs may take to clean up.
const LAST_JOBS: Duration = Duration::from_secs(4);

pub(super) fn run(options: &ServeOptions) -> anyhow::Result<ExitCode> {
    let Loaded { config, notes } = settings::for_serve(options)?;
    let _writes_the_last_lines = logging::start(config.log);
    for note in notes {
        tracing::warn!(%note, "configuration");
    }
    // Answering, even when programs keep all processors busy.
    reversecore_exec::turns::be_prompt();
    let runtime = runtime().context("failed to start the runtime")?;
    let served = runtime.block_on(serve(&config));
    runtime.shutdown_timeout(LEAVE_BEHIND);
    served.map(|()| ExitCode::SUCCESS)
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let services = assemble::services(config, assemble::engine(config)?)?;
    let handler = Handler::new(Arc::new(Catalogue::new(Arc::clone(&services))));
    let shutdown = Shutdown::new();
    let mut housekeeping = JoinSet::new();
    housekeeping.spawn(keep_house(Arc::clone(&services)));
    let served = tokio::select! {
        served = reversecore_server::serve(handler, config, shutdown.clone()) => {
            served.map_err(anyhow::Error::from)
        }
        failed = signals::on_each(|| shutdown.request()) => {
            failed.context("failed to listen for signals")
        }
    };
    // What still runs has nobody left to answer to.
    let scheduler = &services.schedule.scheduler;
    scheduler.close();
    scheduler.cancel_all();
    services.handles.cancel_all();
    let batches = Arc::clone(&services.batches);
    let stopped = tokio::task::spawn_blocking(move || batches.stop_all());
    if tokio::time::timeout(LAST_JOBS, stopped).await.is_err() {
        tracing::warn!("batches did not end in time; they are gone on with all the same");
    }
    let idle = tokio::time::timeout(LAST_JOBS, scheduler.idle());
    if idle.await.is_err() {
        tracing::warn!("jobs did not end in time after they were cancelled");
    }
    services.schedule.save();
    served
}

fn runtime() -> std::io::Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Builder::new_multi_thread()
        .worker_threads(processors.min(MAX_WORKERS))
        .max_blocking_threads(MAX_BLOCKING)
        .thread_name("work")
        .on_thread_park(reversecore_exec::memory::before_sleep)
        .enable_all()
        .build()
}
