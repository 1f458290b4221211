//! `jobs`: what a running server does, as its operator sees it.

use std::process::ExitCode;

use anyhow::Context as _;
use reversecore_load::{Client, Era, Method, Target};
use serde_json::Value;

use super::runtime;
use crate::cli::JobsOptions;
use crate::output;

pub(super) fn run(options: &JobsOptions) -> anyhow::Result<ExitCode> {
    let JobsOptions {
        url,
        key,
        cancel,
        limit,
        json,
    } = options;
    let target = Target::parse(url, key.clone())?;
    let (method, path) = match cancel {
        Some(id) => (Method::DELETE, format!("/jobs/{id}")),
        None => (Method::GET, format!("/jobs?limit={limit}")),
    };
    let answer = runtime()?.block_on(async {
        let mut client = Client::connect(&target, Era::Stateless).await?;
        client.fetch(method, &path).await
    })?;
    let answer: Value = serde_json::from_slice(&answer)
        .context("the server answers with something else than JSON")?;
    if *json {
        output::json(&answer)?;
    } else {
        output::text(answer["text"].as_str().unwrap_or_default())?;
    }
    Ok(ExitCode::SUCCESS)
}
