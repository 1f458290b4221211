//! Single flight: equal work that is wanted at the same time is done once. Each
//! that wants it waits for itself, and may stop waiting; the work is cancelled
//! with the last.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The work in progress, by what makes it equal. Cheap to clone; all clones are
/// one.
#[derive(Debug)]
pub struct Flights<K, T> {
    inner: Arc<Mutex<Board<K, T>>>,
}

#[derive(Debug)]
struct Board<K, T> {
    flights: HashMap<K, Flight<T>>,
    /// Never used twice: a waiter of a flight that is over must not be taken for
    /// one of the next with the same key.
    next: u64,
}

impl<K, T> Default for Board<K, T> {
    fn default() -> Self {
        Self {
            flights: HashMap::new(),
            next: 0,
        }
    }
}

impl<K, T> Clone for Flights<K, T> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self {
            inner: Arc::default(),
        }
    }
}

#[derive(Debug)]
struct Flight<T> {
    number: u64,
    result: watch::Receiver<Option<T>>,
    cancel: CancellationToken,
    waiters: usize,
}

/// How a result was come by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landed<T> {
    /// By work begun for this caller.
    Own(T),
    /// By work that was in progress already.
    Shared(T),
    /// Not at all: the work ended without a result, as it does when it panics.
    Lost,
}

impl<K, T> Flights<K, T>
where
    K: Eq + Hash + Clone + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Waits for the result of the work with this key. If none is in progress,
    /// `work` begins in a task of its own; its token fires when nobody wants the
    /// result any more. Must be called within a tokio runtime.
    ///
    /// Dropping the future is how a caller stops waiting.
    pub async fn join<F>(&self, key: K, work: impl FnOnce(CancellationToken) -> F) -> Landed<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (mut result, own, _waiter) = self.board(key, work);
        let landed = match result.wait_for(Option::is_some).await {
            Ok(result) => result.clone(),
            Err(_) => None,
        };
        match landed {
            Some(result) if own => Landed::Own(result),
            Some(result) => Landed::Shared(result),
            None => Landed::Lost,
        }
    }

    /// Work in progress.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().flights.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Callers that wait for work another caller began.
    #[must_use]
    pub fn passengers(&self) -> usize {
        let board = self.lock();
        let flights = board.flights.values();
        flights.map(|flight| flight.waiters.saturating_sub(1)).sum()
    }

    fn board<F>(
        &self,
        key: K,
        work: impl FnOnce(CancellationToken) -> F,
    ) -> (watch::Receiver<Option<T>>, bool, Waiter<K, T>)
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut board = self.lock();
        // One whose last waiter has just gone is on its way down.
        if let Some(flight) = board.flights.get_mut(&key)
            && flight.waiters > 0
            && !flight.cancel.is_cancelled()
            && flight.result.has_changed().is_ok()
        {
            flight.waiters += 1;
            let result = flight.result.clone();
            let number = flight.number;
            drop(board);
            return (result, false, self.waiter(key, number));
        }
        let number = board.next;
        board.next += 1;
        let cancel = CancellationToken::new();
        let (sender, result) = watch::channel(None);
        let flight = Flight {
            number,
            result: result.clone(),
            cancel: cancel.clone(),
            waiters: 1,
        };
        board.flights.insert(key.clone(), flight);
        drop(board);
        let waiter = self.waiter(key.clone(), number);
        let work = work(cancel);
        let over = Over {
            flights: self.clone(),
            key,
            number,
        };
        // It must outlive whoever began it; the last waiter ends it by its token.
        Handle::current().spawn(async move {
            let done = work.await;
            // Nobody new may come aboard when the result is out.
            drop(over);
            sender.send_replace(Some(done));
        });
        (result, true, waiter)
    }

    fn waiter(&self, key: K, number: u64) -> Waiter<K, T> {
        Waiter {
            flights: self.clone(),
            key,
            number,
        }
    }
}

impl<K, T> Flights<K, T> {
    fn lock(&self) -> MutexGuard<'_, Board<K, T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that waits, for as long as it does.
#[derive(Debug)]
struct Waiter<K: Eq + Hash, T> {
    flights: Flights<K, T>,
    key: K,
    number: u64,
}

impl<K: Eq + Hash, T> Drop for Waiter<K, T> {
    fn drop(&mut self) {
        let mut board = self.flights.lock();
        let Some(flight) = board.flights.get_mut(&self.key) else {
            return;
        };
        if flight.number != self.number {
            return;
        }
        flight.waiters -= 1;
        let last: Option<DropGuard> =
            (flight.waiters == 0).then(|| flight.cancel.clone().drop_guard());
        drop(board);
        drop(last);
    }
}

/// Takes the flight off the board when the work is over, however it ended.
#[derive(Debug)]
struct Over<K: Eq + Hash, T> {
    flights: Flights<K, T>,
    key: K,
    number: u64,
}

impl<K: Eq + Hash, T> Drop for Over<K, T> {
    fn drop(&mut self) {
        let mut board = self.flights.lock();
        if board
            .flights
            .get(&self.key)
            .is_some_and(|flight| flight.number == self.number)
        {
            board.flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    type Numbers = Flights<&'static str, usize>;

    #[tokio::test]
    async fn equal_work_is_done_once() {
        let flights = Numbers::default();
        let runs = Arc::new(AtomicUsize::new(0));
        let go = Arc::new(Notify::new());
        let join = |key| {
            let (flights, runs, go) = (flights.clone(), Arc::clone(&runs), Arc::clone(&go));
            Handle::current().spawn(async move {
                flights
                    .join(key, |_| async move {
                        let number = runs.fetch_add(1, Ordering::Relaxed);
                        go.notified().await;
                        number
                    })
                    .await
            })
        };
        let first = join("a");
        tokio::task::yield_now().await;
        let others = [join("a"), join("a")];
        tokio::task::yield_now().await;
        assert_eq!(flights.passengers(), 2);
        go.notify_one();
        assert_eq!(first.await.unwrap(), Landed::Own(0));
        for other in others {
            assert_eq!(other.await.unwrap(), Landed::Shared(0));
        }
        assert_eq!(flights.passengers(), 0);
        assert!(flights.is_empty());
        let again = join("a");
        go.notify_one();
        assert_eq!(again.await.unwrap(), Landed::Own(1));
    }

    #[tokio::test]
    async fn the_work_ends_with_the_last_that_wants_it() {
        let flights = Numbers::default();
        let (ended, done) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let work = |cancel: CancellationToken| {
            let (ended, done) = (Arc::clone(&ended), Arc::clone(&done));
            async move {
                cancel.cancelled().await;
                done.fetch_add(1, Ordering::Relaxed);
                ended.notify_one();
                7
            }
        };
        let mut first = Box::pin(flights.join("a", work));
        let mut second = Box::pin(flights.join("a", work));
        for future in [&mut first, &mut second] {
            std::future::poll_fn(|context| {
                assert!(future.as_mut().poll(context).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
        drop(first);
        tokio::task::yield_now().await;
        assert_eq!(done.load(Ordering::Relaxed), 0, "somebody still waits");
        drop(second);
        ended.notified().await;
        assert_eq!(done.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_that_lands_late_does_not_end_the_next() {
        let flights = Numbers::default();
        let callers = (0..64).map(|_| {
            let flights = flights.clone();
            Handle::current().spawn(async move {
                for _ in 0..200 {
                    let landed = flights.join("a", |cancel| async move {
                        tokio::task::yield_now().await;
                        // What the work would make of it.
                        usize::from(cancel.is_cancelled())
                    });
                    match landed.await {
                        Landed::Own(cancelled) | Landed::Shared(cancelled) => {
                            assert_eq!(cancelled, 0, "somebody was waiting");
                        }
                        Landed::Lost => panic!("nothing panicked"),
                    }
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn work_that_panics_is_lost_and_not_in_the_way() {
        let flights = Numbers::default();
        let lost = flights.join("a", |_| async { panic!("on purpose") }).await;
        assert_eq!(lost, Landed::Lost);
        assert_eq!(flights.join("a", |_| async { 1 }).await, Landed::Own(1));
    }
}
