//! Tells the client that a call is still running, so that its clock does not
//! run out. Knows neither tools nor rmcp: the handler says what to run and how
//! to notify.

use std::time::Duration;

use reversecore_jobs::{JobView, Progress, StateView};
use tokio::time::{Instant, MissedTickBehavior};

/// Between two notifications: often enough for clients that want one in 5 s,
/// and not more than one in a second.
const INTERVAL: Duration = Duration::from_secs(3);

/// What a notification says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) message: String,
    /// How many seconds the call is likely to take in all.
    pub(crate) total: Option<f64>,
}

/// What to say of a call after so long: what its job waits for, or how far it
/// has got. Progress is counted in seconds, which only grow.
pub(crate) fn said(tool: &str, elapsed: Duration, job: Option<&JobView>) -> Said {
    let seconds = elapsed.as_secs();
    let mut said = Said {
        message: format!("{tool}: running for {seconds} s"),
        total: None,
    };
    match job.map(|job| &job.state) {
        Some(StateView::Queued {
            position,
            predicted_start,
            ..
        }) => {
            said.message = format!(
                "{tool}: waiting for its turn, {position} calls before it, expected to start in {:.0} s",
                predicted_start.as_secs_f64()
            );
        }
        Some(StateView::Running {
            progress: Some(progress),
            ran,
            ..
        }) => {
            return of_stage(tool, elapsed, *ran, progress);
        }
        Some(StateView::Running { .. } | StateView::Ended { .. }) | None => {}
    }
    said
}

/// What to say of a call that runs for so long of its time, and says itself how far
/// it has got.
pub(crate) fn of_stage(tool: &str, elapsed: Duration, ran: Duration, progress: &Progress) -> Said {
    let seconds = elapsed.as_secs();
    let Progress { stage, fraction } = progress;
    let Some(fraction) = fraction.filter(|fraction| *fraction > 0.01) else {
        return Said {
            message: format!("{tool}: {stage} ({seconds} s)"),
            total: None,
        };
    };
    let waited = elapsed.saturating_sub(ran).as_secs_f64();
    let total = (waited + ran.as_secs_f64() / fraction).ceil();
    Said {
        message: format!("{tool}: {stage}, {:.0} % ({seconds} s)", fraction * 100.0),
        total: Some(total.max(elapsed.as_secs_f64().ceil())),
    }
}

/// Runs `work` to its end. Meanwhile calls `notify` every few seconds with the
/// time since the start, until a notification fails. A notification
/// that can't be sent does not hold the work up.
pub(crate) async fn while_running<W, F, N>(work: W, mut notify: impl FnMut(Duration) -> N) -> F
where
    W: Future<Output = F>,
    N: Future<Output = bool>,
{
    tokio::pin!(work);
    let start = Instant::now();
    let mut ticks = tokio::time::interval_at(start + INTERVAL, INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = ticks.tick() => {}
        }
        let sent = tokio::select! {
            biased;
            done = &mut work => return done,
            sent = notify(start.elapsed()) => sent,
        };
        if !sent {
            return work.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    async fn notified(work: Duration, answer: bool) -> Vec<u64> {
        let mut seconds = Vec::new();
        while_running(tokio::time::sleep(work), |elapsed| {
            seconds.push(elapsed.as_secs());
            ready(answer)
        })
        .await;
        seconds
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_call_is_told_about_in_growing_numbers() {
        assert_eq!(notified(Duration::from_secs(1), true).await, [] as [u64; 0]);
        assert_eq!(notified(Duration::from_secs(10), true).await, [3, 6, 9]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_gone_is_told_once() {
        assert_eq!(notified(Duration::from_secs(10), false).await, [3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_notification_that_hangs_does_not_hold_the_work_up() {
        let start = Instant::now();
        while_running(tokio::time::sleep(Duration::from_secs(7)), |_| pending()).await;
        assert_eq!(start.elapsed(), Duration::from_secs(7));
    }
}
