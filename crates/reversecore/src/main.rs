//! The binary: hands over to the launcher when it was started as one, else to
//! the command line. Owns nothing.

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

fn main() -> ExitCode {
    // Before anything else: the launcher must not inherit threads, and its
    // memory is what every child is forked from.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == assemble::LAUNCHER_ARGUMENT)
    {
        return reversecore_exec::launcher::main();
    }
    let cli = cli::Cli::parse();
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error);
            commands::exit_code(&error)
        }
    }
}
