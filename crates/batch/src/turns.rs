//! Who writes to the journal next. SQLite lets one connection write at a time, and
//! the others ask again now and then: whoever asks at the wrong moments waits for as
//! long as somebody else has something to write. So the connections of this process
//! take turns here first, in the order in which they came.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The queue of those who want to write. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    numbers: Mutex<Numbers>,
    over: Condvar,
}

#[derive(Debug, Default)]
struct Numbers {
    /// That the next one to come gets.
    next: u64,
    /// Whose turn it is.
    now: u64,
}

/// A turn, over when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Arc<Queue>);

impl Turns {
    /// Waits for its turn. Blocks, for as long as all turns before it take.
    pub(crate) fn take(&self) -> Turn {
        let mut numbers = self.0.numbers();
        let mine = numbers.next;
        numbers.next = numbers.next.wrapping_add(1);
        while numbers.now != mine {
            numbers = self
                .0
                .over
                .wait(numbers)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Turn(Arc::clone(&self.0))
    }
}

#[cfg(test)]
impl Turns {
    /// How many wait.
    pub(crate) fn waiting(&self) -> u64 {
        let numbers = self.0.numbers();
        (numbers.next - numbers.now).saturating_sub(1)
    }
}

impl Queue {
    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut numbers = self.0.numbers();
        numbers.now = numbers.now.wrapping_add(1);
        drop(numbers);
        self.0.over.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn turns_come_in_the_order_in_which_they_were_asked_for() {
        let turns = Turns::default();
        let first = turns.take();
        let (say, heard) = mpsc::channel();
        let mut threads = Vec::new();
        for number in 0..5 {
            let (theirs, say) = (turns.clone(), say.clone());
            threads.push(std::thread::spawn(move || {
                let _turn = theirs.take();
                say.send(number).unwrap();
            }));
            // The next one comes when this one waits.
            while turns.waiting() != number + 1 {
                std::thread::yield_now();
            }
        }
        assert!(heard.try_recv().is_err());
        drop(first);
        let order: Vec<u64> = heard.iter().take(5).collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
