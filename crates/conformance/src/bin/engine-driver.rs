//! One engine behind the protocol: `engine-driver ours|tokio|process-wrap|processkit`.
//! Started by `engine-conformance`; also our engine's launcher, as the server is.

#![expect(
    clippy::print_stderr,
    reason = "the judge shows what a driver says last"
)]

use std::process::ExitCode;

use reversecore_conformance::driver;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|first| first == driver::LAUNCHER_ARGUMENT)
    {
        return reversecore_exec::launcher::main();
    }
    // One thread: a parent-death signal is sent when the thread ends that
    // started the program.
    let served = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(driver::serve(&arguments)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("engine-driver: {error}");
            ExitCode::FAILURE
        }
    }
}
