//! Tells the client that a call is still running, so that its clock does not
//! run out. Knows neither tools nor rmcp: the handler says what to run and how
//! to notify.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

/// Between two notifications: often enough for clients that want one in 5 s,
/// and not more than one in a second.
const INTERVAL: Duration = Duration::from_secs(3);

/// Runs `work` to its end. Meanwhile calls `notify` every few seconds with the
/// whole seconds since the start, until a notification fails. A notification
/// that can't be sent does not hold the work up.
pub(crate) async fn while_running<W, F, N>(work: W, mut notify: impl FnMut(u64) -> N) -> F
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
            sent = notify(start.elapsed().as_secs()) => sent,
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
            seconds.push(elapsed);
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
