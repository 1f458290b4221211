//! How many calls may be in progress and how many may wait: a bounded semaphore
//! that stands in for the scheduler. Called around every queued tool.
//!
//! First come, first served; it knows neither priorities nor resources.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{ErrorCode, ToolError};

/// What a call is taken to last before one has been seen.
const FIRST_GUESS_MICROS: u64 = 500_000;
const SHORTEST_RETRY_MS: u64 = 100;
const LONGEST_RETRY_MS: u64 = 60_000;

/// Admits calls. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Admission {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    slots: Arc<Semaphore>,
    max_concurrent: NonZeroUsize,
    queue: usize,
    waiting: AtomicUsize,
    /// Moving average of how long a slot is held.
    held_micros: AtomicU64,
}

/// A slot. Dropping it lets the next call in.
#[derive(Debug)]
pub struct Admitted {
    // Held for its effect on the semaphore when it is dropped.
    _permit: OwnedSemaphorePermit,
    inner: Arc<Inner>,
    since: Instant,
}

/// Counts a waiting call for as long as it waits, however that ends.
struct Waiting<'a>(&'a AtomicUsize);

impl Admission {
    /// Admits `max_concurrent` calls at a time; `queue` more may wait.
    pub fn new(max_concurrent: NonZeroUsize, queue: usize) -> Self {
        let slots = max_concurrent.get().min(Semaphore::MAX_PERMITS);
        Self {
            inner: Arc::new(Inner {
                slots: Arc::new(Semaphore::new(slots)),
                max_concurrent,
                queue,
                waiting: AtomicUsize::new(0),
                held_micros: AtomicU64::new(FIRST_GUESS_MICROS),
            }),
        }
    }

    /// Waits for a slot.
    ///
    /// # Errors
    /// `QUEUE_FULL` at once when too many wait already, `CANCELLED` when
    /// `cancel` fires first.
    pub async fn enter(&self, cancel: &CancellationToken) -> Result<Admitted, ToolError> {
        let inner = &self.inner;
        if let Ok(permit) = Arc::clone(&inner.slots).try_acquire_owned() {
            return Ok(self.admitted(permit));
        }
        let waiting = Waiting::begin(&inner.waiting, inner.queue).ok_or_else(|| self.full())?;
        let permit = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(ToolError::cancelled()),
            permit = Arc::clone(&inner.slots).acquire_owned() => permit,
        };
        drop(waiting);
        // The semaphore is never closed; were it, the call could not run.
        let permit = permit.map_err(|_| ToolError::cancelled())?;
        Ok(self.admitted(permit))
    }

    /// Calls in progress.
    pub fn running(&self) -> usize {
        self.max_concurrent()
            .saturating_sub(self.inner.slots.available_permits())
    }

    /// Calls that wait.
    pub fn waiting(&self) -> usize {
        self.inner.waiting.load(Ordering::Relaxed)
    }

    /// Calls that may be in progress at one time.
    pub fn max_concurrent(&self) -> usize {
        self.inner.max_concurrent.get()
    }

    /// Calls that may wait.
    pub fn queue(&self) -> usize {
        self.inner.queue
    }

    fn admitted(&self, permit: OwnedSemaphorePermit) -> Admitted {
        Admitted {
            _permit: permit,
            inner: Arc::clone(&self.inner),
            since: Instant::now(),
        }
    }

    fn full(&self) -> ToolError {
        let retry = retry_after_ms(
            self.inner.held_micros.load(Ordering::Relaxed),
            self.inner.queue,
            self.max_concurrent(),
        );
        ToolError::new(
            ErrorCode::QueueFull,
            format!(
                "{} calls are in progress and {} are waiting",
                self.max_concurrent(),
                self.inner.queue
            ),
            "Retry after `retry_after_ms`, with fewer calls at one time.",
        )
        .retry_after_ms(retry)
    }
}

/// Half the time in which the whole queue moves on: by then there is room.
fn retry_after_ms(held_micros: u64, queue: usize, max_concurrent: usize) -> u64 {
    let queue = u64::try_from(queue).unwrap_or(u64::MAX);
    let slots = u64::try_from(max_concurrent).unwrap_or(u64::MAX).max(1);
    let drained = held_micros.saturating_mul(queue.saturating_add(1)) / slots / 1000;
    (drained / 2).clamp(SHORTEST_RETRY_MS, LONGEST_RETRY_MS)
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let held = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        // One eighth of the new value. A lost update between two threads
        // costs one sample of an estimate.
        let old = self.inner.held_micros.load(Ordering::Relaxed);
        let new = (old - old / 8).saturating_add(held / 8);
        self.inner.held_micros.store(new, Ordering::Relaxed);
    }
}

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize, limit: usize) -> Option<Self> {
        count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < limit).then_some(waiting + 1)
            })
            .ok()
            .map(|_| Self(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};

    use super::*;

    fn admission(slots: usize, queue: usize) -> Admission {
        Admission::new(NonZeroUsize::new(slots).unwrap(), queue)
    }

    async fn pending<F: Future>(mut future: Pin<&mut F>) -> bool {
        std::future::poll_fn(move |context| {
            std::task::Poll::Ready(future.as_mut().poll(context).is_pending())
        })
        .await
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_moves_on() {
        let admission = admission(1, 1);
        let cancel = CancellationToken::new();
        let first = admission.enter(&cancel).await.unwrap();
        let mut second = pin!(admission.enter(&cancel));
        assert!(pending(second.as_mut()).await);
        assert_eq!((admission.running(), admission.waiting()), (1, 1));
        let refused = admission.enter(&cancel).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::QueueFull);
        assert!(refused.retry_after_ms.unwrap() >= SHORTEST_RETRY_MS);
        drop(first);
        let second = second.await.unwrap();
        assert_eq!((admission.running(), admission.waiting()), (1, 0));
        drop(second);
        assert_eq!(admission.running(), 0);
    }

    #[tokio::test]
    async fn cancelling_or_dropping_a_waiting_call_frees_its_place() {
        let admission = admission(1, 1);
        let (never, cancel) = (CancellationToken::new(), CancellationToken::new());
        let held = admission.enter(&never).await.unwrap();
        {
            let mut waiting = pin!(admission.enter(&cancel));
            assert!(pending(waiting.as_mut()).await);
            cancel.cancel();
            assert_eq!(waiting.await.unwrap_err().code, ErrorCode::Cancelled);
        }
        assert_eq!(admission.waiting(), 0);
        {
            let mut waiting = pin!(admission.enter(&never));
            assert!(pending(waiting.as_mut()).await);
            assert_eq!(admission.waiting(), 1);
        }
        assert_eq!(admission.waiting(), 0);
        drop(held);
    }

    #[test]
    fn the_time_to_retry_grows_with_the_queue_and_is_bounded() {
        assert_eq!(retry_after_ms(1_000_000, 100, 10), 5050);
        assert_eq!(retry_after_ms(0, 0, 10), SHORTEST_RETRY_MS);
        assert_eq!(retry_after_ms(u64::MAX, usize::MAX, 1), LONGEST_RETRY_MS);
    }
}
