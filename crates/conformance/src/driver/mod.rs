//! One engine behind the protocol: reads requests, has the engine run them side
//! by side, answers each once.
//!
//! | file | engine |
//! |---|---|
//! | `ours` | `reversecore-exec` |
//! | `bare` | `tokio::process` |
//! | `wrap` | `process-wrap` |
//! | `kit` | `processkit` |
//! | `collect` | what the last three leave to their users: where the bytes go |
//!
//! A driver adds nothing that its engine lacks, except what its documentation
//! tells every user to write (reading both streams, `tokio::time::timeout`).

mod bare;
mod collect;
mod kit;
mod ours;
mod wrap;

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

use crate::protocol::{Ended, Ending, Hello, Reply, Request, Run};

/// The engines that have a driver here; the names are those of the command line.
pub const ENGINES: [&str; 4] = ["ours", "tokio", "process-wrap", "processkit"];

/// The hidden argument that makes the driver our engine's launcher.
pub const LAUNCHER_ARGUMENT: &str = "__launcher";

/// An engine, used as its documentation recommends.
trait Engine {
    async fn hello(&self) -> Hello;

    /// Runs to the end or until `cancel` fires. When the future is dropped, the
    /// engine is left alone with what that means.
    async fn run(&self, run: &Run, cancel: &CancellationToken) -> Ended;
}

/// Serves the engine that the arguments name, until standard input ends.
///
/// # Errors
/// When there is no such engine, it can't be started, or the judge is gone.
pub async fn serve(arguments: &[String]) -> io::Result<()> {
    let name = arguments.first().map_or("", String::as_str);
    match name {
        "ours" => answer(&ours::Ours::start(arguments.get(1..).unwrap_or_default())?).await,
        "tokio" => answer(&bare::Bare).await,
        "process-wrap" => answer(&wrap::Wrap).await,
        "processkit" => answer(&kit::Kit).await,
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "failed to choose an engine: `{name}` (use {})",
                ENGINES.join(", ")
            ),
        )),
    }
}

async fn answer(engine: &impl Engine) -> io::Result<()> {
    let mut requests = BufReader::new(tokio::io::stdin()).lines();
    let mut replies = tokio::io::stdout();
    let mut runs = FuturesUnordered::new();
    loop {
        let reply = tokio::select! {
            line = requests.next_line() => {
                let Some(line) = line? else { return Ok(()) };
                match serde_json::from_str(&line)? {
                    Request::Hello => Reply::Hello(engine.hello().await),
                    Request::Run(run) => {
                        runs.push(one(engine, run));
                        continue;
                    }
                }
            }
            Some(ended) = runs.next() => Reply::Ended(Box::new(ended)),
        };
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        replies.write_all(&line).await?;
        replies.flush().await?;
    }
}

/// One request to its reply: starts the clocks of the judge's interventions.
async fn one(engine: &impl Engine, run: Box<Run>) -> Ended {
    let cancel = CancellationToken::new();
    let fire = async {
        after(run.cancel_after_ms).await;
        cancel.cancel();
        std::future::pending::<()>().await;
    };
    let mut ended = tokio::select! {
        // So that a cancel after 0 ms has fired before the engine hears of the run.
        biased;
        () = fire => Ended::default(),
        // The engine's future is dropped by this.
        () = after(run.drop_after_ms) => Ended {
            ending: Ending::Dropped,
            ..Ended::default()
        },
        ended = engine.run(&run, &cancel) => ended,
    };
    ended.id = run.id;
    ended
}

/// Ends after so many milliseconds; never without a number.
async fn after(milliseconds: Option<u64>) {
    match milliseconds {
        Some(number) => tokio::time::sleep(Duration::from_millis(number)).await,
        None => std::future::pending().await,
    }
}

fn milliseconds(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// An error with its causes, in one line.
fn whole_message(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    text
}
