//! Ctrl-C and SIGTERM as calls of a function: the first asks to end, the
//! second insists.

use tokio::signal::unix::{SignalKind, signal};

/// Calls `each` for every SIGINT, SIGTERM or SIGHUP, for ever.
///
/// # Errors
/// When the signals can't be listened for.
pub(crate) async fn on_each(each: impl Fn()) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        each();
    }
}
