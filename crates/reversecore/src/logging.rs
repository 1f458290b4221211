//! Logs go to the standard error: the standard output belongs to MCP, or to
//! the answer of a command.
//!
//! A thread of its own writes them. Some clients start a server with a pipe as
//! its standard error and never read it: the pipe fills up, and a server that
//! wrote to it directly would stop there. Here lines are dropped instead.

use std::io::{self, Write};
use std::time::Duration;

use reversecore_server::config::{LogConfig, LogFormat, LogLevel};
use tracing::Level;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Lines that wait to be written; further ones are dropped.
const WAITING_LINES: usize = 1024;
/// How long lines are gathered after some were written. A thread that waits for
/// the next line would be woken for each, which costs a busy server more than the
/// writing.
const PAUSE: Duration = Duration::from_millis(10);
/// Bytes that are written at one time; longer lines are written alone.
const GATHERED: usize = 64 << 10;

/// Starts logging for the rest of the process's life. Dropping what is returned
/// writes the lines that still wait, within a second.
pub(crate) fn start(config: LogConfig) -> WorkerGuard {
    let LogConfig { level, format } = config;
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(Gathering(io::BufWriter::with_capacity(
            GATHERED,
            io::stderr(),
        )));
    let filter = filter(level);
    match format {
        LogFormat::Text => {
            let lines = tracing_subscriber::fmt::layer()
                .with_writer(writer)
                .with_ansi(false);
            registry().with(lines).with(filter).init();
        }
        LogFormat::Json => {
            let lines = tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_writer(writer);
            registry().with(lines).with(filter).init();
        }
    }
    guard
}

/// Writes what has come up to each flush at once, and then pauses, so that more
/// can come.
struct Gathering<W: Write>(io::BufWriter<W>);

impl<W: Write> Write for Gathering<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        std::thread::park_timeout(PAUSE);
        Ok(())
    }
}

/// Our own messages at the chosen level. The protocol library calls it an error
/// when a client hangs up, writes more than one line per message at `info`, and
/// whole messages from `debug` on.
fn filter(level: LogLevel) -> Targets {
    let (own, protocol) = match level {
        LogLevel::Error => (Level::ERROR, LevelFilter::OFF),
        LogLevel::Warn => (Level::WARN, LevelFilter::OFF),
        LogLevel::Info => (Level::INFO, LevelFilter::OFF),
        LogLevel::Debug => (Level::DEBUG, LevelFilter::INFO),
        LogLevel::Trace => (Level::TRACE, LevelFilter::TRACE),
    };
    Targets::new()
        .with_default(own)
        .with_target("rmcp", protocol)
}
