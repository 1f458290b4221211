//! How many requests a client may make: a number a minute, and a burst. One
//! time per client says all (the generic cell rate algorithm, ITU-T I.371):
//! the moment at which its requests so far would be used up at the even rate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Clients that are remembered. One whose requests are used up is forgotten;
/// when all have some left, a new one must wait: nobody gets more by being many.
const MOST_CLIENTS: usize = 10_000;
/// The part of a minute's requests that may come at once.
const BURST_PART: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// Counts requests by client.
#[derive(Debug, Clone)]
pub(super) struct Rates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Between two requests at the even rate.
    step: Duration,
    /// How far ahead of the even rate a client may be.
    ahead: Duration,
    // A std mutex: held for map operations only, never across an await.
    used_up: Mutex<HashMap<Arc<str>, Instant>>,
}

impl Rates {
    /// So many requests a minute; at least one.
    pub(super) fn new(per_minute: u32) -> Self {
        let step = MINUTE / per_minute.max(1);
        let burst = (per_minute / BURST_PART).max(1);
        Self(Arc::new(Inner {
            step,
            ahead: step * (burst - 1),
            used_up: Mutex::new(HashMap::new()),
        }))
    }

    /// Counts a request, or says when the next one may come.
    pub(super) fn count(&self, client: &Arc<str>) -> Result<(), Duration> {
        let Inner {
            step,
            ahead,
            used_up,
        } = &*self.0;
        let now = Instant::now();
        let mut used_up = used_up.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = used_up.get_mut(client) {
            let early = until.saturating_duration_since(now);
            if early > *ahead {
                return Err(early - *ahead);
            }
            *until = (*until).max(now) + *step;
            return Ok(());
        }
        if used_up.len() >= MOST_CLIENTS {
            used_up.retain(|_, until| *until > now);
            if used_up.len() >= MOST_CLIENTS {
                return Err(*step);
            }
        }
        used_up.insert(Arc::clone(client), now + *step);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(rates: &Rates, client: &Arc<str>, tries: usize) -> usize {
        (0..tries).filter(|_| rates.count(client).is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_the_even_rate() {
        let rates = Rates::new(60);
        let (one, other) = (Arc::from("one"), Arc::from("other"));
        assert_eq!(passed(&rates, &one, 100), 6);
        assert_eq!(rates.count(&one), Err(Duration::from_secs(1)));
        assert_eq!(passed(&rates, &other, 100), 6);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(passed(&rates, &one, 100), 2);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(passed(&rates, &one, 100), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded_and_frees_itself() {
        let rates = Rates::new(60);
        let client = |number: usize| Arc::from(format!("client {number}"));
        for number in 0..MOST_CLIENTS {
            assert_eq!(rates.count(&client(number)), Ok(()));
        }
        assert!(rates.count(&client(MOST_CLIENTS)).is_err());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(rates.count(&client(MOST_CLIENTS)), Ok(()));
        assert_eq!(rates.0.used_up.lock().unwrap().len(), 1);
    }
}
