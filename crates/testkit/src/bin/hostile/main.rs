//! A program that behaves as badly as programs and samples do: one subcommand
//! per kind of trouble. The engine's tests run it as the child.
//!
//! ```text
//! hostile SUBCOMMAND [ARGUMENTS] [anything more is ignored]
//! ```
//!
//! Surplus arguments are ignored on purpose, so that a test can add a unique
//! mark by which `testkit::processes::marked` finds all descendants. The
//! subcommands are listed in [`run`]; what each does stands at its function.
//!
//! Exit codes: 0 done, 1 the system refused (its error's name is on standard
//! error), 2 wrong usage. Standard C behaviour is restored first: `SIGPIPE`
//! kills, as it does any program that is not written in Rust.

mod converse;
mod errno;
mod files;
mod filter;
mod memory;
mod output;
mod probes;
mod processes;
mod reports;
mod show;
mod signals;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use errno::Refused;

fn main() -> ExitCode {
    signals::restore_default(libc::SIGPIPE);
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let Some((subcommand, rest)) = arguments.split_first() else {
        return usage("a subcommand is missing");
    };
    let arguments = Arguments { rest };
    match run(&subcommand.to_string_lossy(), &arguments) {
        Ok(code) => code,
        Err(Failure::Usage(what)) => usage(what),
        Err(Failure::Refused(error)) => {
            output::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(subcommand: &str, arguments: &Arguments<'_>) -> Result<ExitCode, Failure> {
    match subcommand {
        // Ordinary behaviour.
        "exit" => return Ok(ExitCode::from(arguments.number::<u8>(0)?)),
        "echo" => output::echo(arguments.rest)?,
        "cat" => output::cat(arguments.rest)?,
        "bytes" => output::awkward_bytes()?,
        // Output.
        "flood" => output::flood(arguments.stream(0)?, arguments.number(1)?)?,
        "flood-both" => output::flood_both(arguments.number(0)?, arguments.number(1)?)?,
        "silent-after" => output::silent_after(arguments.number(0)?)?,
        "drip" => output::drip(arguments.number(0)?, arguments.number(1)?)?,
        "converse" => return converse::converse(),
        // Time and signals.
        "spin" => processes::spin(),
        "spin-threads" => processes::spin_threads(arguments.number(0)?)?,
        "hang" | "never-reads" => processes::hang(),
        "ignore-term" => signals::ignore_term()?,
        "on-term" => return signals::on_term(arguments.number(0)?),
        "stop-self" => signals::stop_self(),
        "raise" => signals::raise(arguments.number(0)?),
        "abort" => signals::abort(),
        "segv" => signals::segv(),
        // Processes.
        "grandchild" => processes::grandchild(&arguments.text(0)?)?,
        "leak-pipe" => processes::leak_pipe()?,
        "fork-bomb" => processes::fork_bomb(),
        "fork-tree" => processes::fork_tree(arguments.number(0)?),
        "fork-many" => processes::fork_many(arguments.number(0)?)?,
        "nested" => return processes::nested(arguments.rest),
        "exec" => return Err(processes::exec(arguments.rest)?.into()),
        "without-clone3" => {
            filter::without(libc::SYS_clone3)?;
            return Err(processes::exec(arguments.rest)?.into());
        }
        // Memory, files, descriptors.
        "memory-bomb" => memory::bomb()?,
        "memory" => memory::touch(arguments.number(0)?)?,
        "memory-hold" => memory::hold(arguments.number(0)?)?,
        "file-flood" => files::flood()?,
        "file-big" => files::big()?,
        "file-sparse" => files::sparse(arguments.number(0)?)?,
        "dir-deep" => files::deep(arguments.number(0)?)?,
        "dir-locked" => files::locked()?,
        "fd-hoard" => files::hoard(),
        // What the program finds around itself.
        "print-env" => show::environment()?,
        "print-cwd" => show::working_directory()?,
        "print-fds" => show::descriptors()?,
        "print-limits" => show::limits()?,
        "print-ids" => show::identity()?,
        "print-signals" => show::signals()?,
        // What it is allowed to do.
        probe if probe.starts_with("try-") => probes::run(probe, arguments)?,
        _ => return Err(Failure::Usage("unknown subcommand")),
    }
    Ok(ExitCode::SUCCESS)
}

/// The arguments after the subcommand.
struct Arguments<'a> {
    rest: &'a [OsString],
}

impl Arguments<'_> {
    fn os(&self, index: usize) -> Result<&OsStr, Failure> {
        self.rest
            .get(index)
            .map(OsString::as_os_str)
            .ok_or(Failure::Usage("an argument is missing"))
    }

    fn text(&self, index: usize) -> Result<String, Failure> {
        Ok(self.os(index)?.to_string_lossy().into_owned())
    }

    fn number<N: std::str::FromStr>(&self, index: usize) -> Result<N, Failure> {
        self.text(index)?
            .parse()
            .map_err(|_| Failure::Usage("an argument is no number in range"))
    }

    fn stream(&self, index: usize) -> Result<output::Stream, Failure> {
        match self.text(index)?.as_str() {
            "stdout" => Ok(output::Stream::Out),
            "stderr" => Ok(output::Stream::Err),
            _ => Err(Failure::Usage("a stream is `stdout` or `stderr`")),
        }
    }
}

/// Why a subcommand did not do its work.
enum Failure {
    Usage(&'static str),
    Refused(Refused),
}

impl From<Refused> for Failure {
    fn from(error: Refused) -> Self {
        Self::Refused(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Refused(error.into())
    }
}

fn usage(what: &str) -> ExitCode {
    output::complain(what);
    ExitCode::from(2)
}
