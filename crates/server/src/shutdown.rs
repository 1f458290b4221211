//! The two steps of ending: `begin` (accept nothing new, let calls finish
//! within the grace) and `force` (cancel them now). The binary turns signals
//! into these; the transports obey.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How long cancelled calls may take to kill their processes and answer. Past
/// it the server ends anyway, and the launcher kills what is left.
pub(crate) const CANCEL_GRACE: Duration = Duration::from_secs(4);

/// A handle on the end of the server; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    begin: CancellationToken,
    force: CancellationToken,
}

impl Shutdown {
    /// A server that is to go on until told otherwise.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next step: the first call begins the shutdown, the second
    /// skips the grace.
    pub fn request(&self) {
        if self.begin.is_cancelled() {
            self.force.cancel();
        } else {
            self.begin.cancel();
        }
    }

    /// Waits until the shutdown has begun.
    pub async fn begun(&self) {
        self.begin.cancelled().await;
    }

    /// Waits until the grace is over: `grace` has passed, or somebody is in a
    /// hurry.
    pub(crate) async fn grace_over(&self, grace: Duration) {
        tokio::select! {
            () = self.force.cancelled() => {}
            () = tokio::time::sleep(grace) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_second_request_skips_the_grace() {
        let shutdown = Shutdown::new();
        shutdown.request();
        shutdown.begun().await;
        let start = tokio::time::Instant::now();
        shutdown.grace_over(Duration::from_secs(10)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(10));
        shutdown.clone().request();
        shutdown.grace_over(Duration::from_secs(10)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(10));
    }
}
