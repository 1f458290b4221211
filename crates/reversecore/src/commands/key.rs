//! `key`: makes a key for a client. The key is shown once and kept nowhere; the
//! configuration has its hash.

use std::process::ExitCode;

use anyhow::Context as _;
use reversecore_server::config::{ApiKey, ClientName};

use crate::output;

pub(super) fn run(name: &ClientName) -> anyhow::Result<ExitCode> {
    let key = ApiKey::random().context("failed to get random numbers from the system")?;
    // Quoted: a bare key of TOML has no `.` and no `@`.
    output::text(&format!(
        "# For {name}, and nobody else:\n{key}\n\n# For the configuration:\n[http.keys]\n\"{name}\" = \"{hash}\"\n",
        name = name.as_str(),
        key = key.expose(),
        hash = key.hash(),
    ))?;
    Ok(ExitCode::SUCCESS)
}
