//! The binary: hands over to the launcher or a worker when it was started as
//! one, else to the command line. Owns nothing.

mod assemble;
mod cli;
mod commands;
mod logging;
mod output;
mod parameters;
mod settings;
mod signals;

use std::process::ExitCode;

use clap::Parser as _;
use reversecore_exec::memory::{self, Allocator};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    // Before anything else: the launcher must not inherit threads, and its
    // memory is what every child is forked from.
    let first = std::env::args_os().nth(1).unwrap_or_default();
    if first == assemble::LAUNCHER_ARGUMENT {
        return reversecore_exec::launcher::main();
    }
    if first == assemble::WORKER_ARGUMENT {
        return reversecore_tools::worker_main();
    }
    memory::be_frugal();
    let cli = cli::Cli::parse();
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error);
            commands::exit_code(&error)
        }
    }
}
