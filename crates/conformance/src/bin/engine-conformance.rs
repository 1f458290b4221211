//! Puts process engines through E1 to E12 and prints who holds what.
//!
//! ```text
//! engine-conformance [--engine NAME]… [--case E3]… [--driver NAME=COMMAND]… [--full] [--json]
//! ```
//!
//! Exit code 1 when `ours` misses a case, 2 when the judge itself failed.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is the result"
)]

use std::io;
use std::process::ExitCode;

use reversecore_conformance::judge::{
    CASES, Case, Report, Scale, Stage, Subject, as_json, as_markdown, examine, subjects,
};
use reversecore_testkit::fixture;

const OURS: &str = "ours";

const HELP: &str = "\
Puts process engines through E1 to E12 (docs/process-engine.md) and prints who holds what.

  --engine NAME          only this engine; may be repeated
  --case E3              only this case; may be repeated
  --driver NAME=COMMAND  one more engine, by the command that starts its driver
  --full                 the sizes of the promise: 1 GiB, 10 GB, 10,000 runs
  --json                 everything, for programs
  --list                 the engines and cases";

#[derive(Default)]
struct Options {
    engines: Vec<String>,
    cases: Vec<String>,
    drivers: Vec<Subject>,
    full: bool,
    json: bool,
    list: bool,
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("engine-conformance: {wrong}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let judged = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(judge(&options)));
    match judged {
        Ok(code) => code,
        Err(error) => {
            eprintln!("engine-conformance: {error}");
            ExitCode::from(2)
        }
    }
}

async fn judge(options: &Options) -> io::Result<ExitCode> {
    let driver = std::env::current_exe()?.with_file_name("engine-driver");
    let stage = Stage::new(&driver, &fixture("hostile"))?;
    let subjects = chosen(options, &stage)?;
    let cases = chosen_cases(options)?;
    if options.list {
        for subject in &subjects {
            println!("{}", subject.name);
        }
        for case in &cases {
            println!("{}: {}", case.name, case.rows.join("; "));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut reports = Vec::new();
    for subject in &subjects {
        eprintln!("{}", subject.name);
        let scale = Scale { full: options.full };
        reports.push(tokio::select! {
            report = examine(&stage, subject, &cases, scale) => report?,
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::from(130)),
        });
    }
    print(options, &reports)?;
    let missed = reports
        .iter()
        .any(|report| report.name == OURS && report.misses().next().is_some());
    Ok(ExitCode::from(u8::from(missed)))
}

fn print(options: &Options, reports: &[Report]) -> io::Result<()> {
    if options.json {
        println!("{}", as_json(reports)?);
        return Ok(());
    }
    println!("{}", as_markdown(reports));
    for report in reports {
        match &report.hello {
            Ok(hello) => println!("- {}: {}. {}", report.name, hello.engine, hello.configured),
            Err(fault) => println!("- {}: {fault}", report.name),
        }
    }
    Ok(())
}

fn chosen(options: &Options, stage: &Stage) -> io::Result<Vec<Subject>> {
    let mut all = subjects(stage);
    all.extend(options.drivers.iter().cloned());
    if options.engines.is_empty() {
        return Ok(all);
    }
    options
        .engines
        .iter()
        .map(|name| {
            all.iter()
                .find(|subject| subject.name == *name)
                .cloned()
                .ok_or_else(|| io::Error::other(format!("no such engine: `{name}` (see --list)")))
        })
        .collect()
}

fn chosen_cases(options: &Options) -> io::Result<Vec<Case>> {
    if options.cases.is_empty() {
        return Ok(CASES.to_vec());
    }
    options
        .cases
        .iter()
        .map(|name| {
            CASES
                .into_iter()
                .find(|case| case.name.eq_ignore_ascii_case(name))
                .ok_or_else(|| io::Error::other(format!("no such case: `{name}` (see --list)")))
        })
        .collect()
}

impl Options {
    /// `None` when help was asked for.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("`{argument}` wants a value"))
            };
            match argument.as_str() {
                "--engine" => options.engines.push(value()?),
                "--case" => options.cases.push(value()?),
                "--driver" => {
                    let text = value()?;
                    options.drivers.push(
                        Subject::parse(&text)
                            .ok_or_else(|| format!("no NAME=COMMAND: `{text}`"))?,
                    );
                }
                "--full" => options.full = true,
                "--json" => options.json = true,
                "--list" => options.list = true,
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("unknown argument: `{argument}`")),
            }
        }
        Ok(Some(options))
    }
}
