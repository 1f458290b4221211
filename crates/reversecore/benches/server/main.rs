//! What the server costs its users, against the targets of the project:
//! start, memory, size of the catalogue, throughput and latency over HTTP.
//!
//! ```text
//! cargo bench -p reversecore --bench server
//! ```
//!
//! Runs the release binary as a process of its own; this process is the client.
//! A ratio is always taken within one run, in interleaved rounds, because the
//! absolute numbers say more about the machine than about the program.
//! Prints a Markdown table; ends with exit code 1 when a call failed, not when
//! a target was missed.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that can't run has nothing to report"
)]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod baseline;
mod client;
mod measures;
mod server;
mod statistics;

use std::process::ExitCode;

use reversecore_testkit::samples::Workspace;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let workspace = Workspace::with_ls();
    let mut rows = Vec::new();
    let errors = runtime.block_on(async {
        rows.extend(measures::starts(workspace.path()).await);
        rows.extend(measures::at_rest(workspace.path()).await);
        rows.extend(measures::latency(workspace.path()).await);
        let (throughput, errors) = measures::throughput(&workspace).await;
        rows.extend(throughput);
        errors
    });
    println!("\n| measure | result | target | met |");
    println!("|---|---|---|---|");
    for row in rows {
        println!("{row}");
    }
    if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
