//! `health`: whether a running server can be given work. For what starts and
//! watches servers, where there is no `curl`: a container's health check, a script.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use reversecore_load::{Client, ClientError, Era, Method, Target};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::runtime;
use crate::cli::HealthOptions;
use crate::output;

/// Between two questions to a server that is not ready.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn run(options: &HealthOptions) -> anyhow::Result<ExitCode> {
    let HealthOptions { url, seconds, wait } = options;
    // No key: the pages below /health need none.
    let target = Target::parse(url, None)?;
    let limit = Duration::from_secs(u64::from(*seconds));
    let answer = runtime()?.block_on(async {
        let deadline = Instant::now() + limit;
        loop {
            let asked = timeout_at(deadline, ask(&target)).await;
            let asked = asked.with_context(|| {
                format!("{} did not answer within {seconds} s", target.authority)
            })?;
            match asked {
                Err(_) if *wait && Instant::now() + PAUSE < deadline => sleep(PAUSE).await,
                asked => return asked.map_err(anyhow::Error::from),
            }
        }
    })?;
    let answer: Value = serde_json::from_slice(&answer)
        .context("the server answers with something else than JSON")?;
    anyhow::ensure!(answer["status"] == "ready", "it is no server of this kind");
    output::text("ready")?;
    Ok(ExitCode::SUCCESS)
}

async fn ask(target: &Target) -> Result<Vec<u8>, ClientError> {
    let mut client = Client::connect(target, Era::Stateless).await?;
    let answer = client.fetch(Method::GET, "/health/ready").await?;
    Ok(answer.to_vec())
}
