//! What a server does for itself now and then: results that nobody asks for are
//! forgotten, what was learned of costs goes to the disk, what is kept no longer
//! goes away, and memory of a burst goes back to the system.
//!
//! When nothing runs that is free. A server that is never at rest does it too, but
//! less often, and leaves the memory to the allocator.

use std::sync::Arc;
use std::time::Duration;

use reversecore_tools::Services;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Between two looks for something to do.
const EVERY: Duration = Duration::from_secs(7);
/// Looks between two rounds of a server that always works, and looks without any
/// work until what nobody asks for is out of memory: results are remembered
/// for less than that.
const PATIENCE: u32 = 6;

/// Keeps house until it is dropped.
pub(super) async fn keep_house(services: Arc<Services>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = Looks::default();
    loop {
        ticks.tick().await;
        let stats = services.schedule.scheduler.stats();
        let due = looks.due(stats.running > 0, stats.admitted.iter().sum());
        if due == Due::default() {
            continue;
        }
        let services = Arc::clone(&services);
        let done = tokio::task::spawn_blocking(move || due.perform(&services));
        if let Err(error) = done.await {
            tracing::warn!(%error, "housekeeping failed");
        }
        if due.trim {
            wake_all().await;
        }
    }
}

/// Has the threads of the runtime go to sleep once more: on that way they give back
/// what they keep ([`reversecore_exec::memory::before_sleep`]). Each task that can't be
/// taken up at once wakes another thread; one that sleeps on is met the next time.
async fn wake_all() {
    let threads = tokio::runtime::Handle::current().metrics().num_workers();
    let mut tasks = JoinSet::new();
    for _ in 0..=2 * threads {
        tasks.spawn(std::future::ready(()));
    }
    tasks.join_all().await;
}

/// What was seen at the looks before.
#[derive(Debug, Default)]
struct Looks {
    /// How many there were.
    count: u32,
    admitted: u64,
    /// How many in a row saw no work, and none since the one before.
    quiet: u32,
}

/// What is to be done now.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Due {
    /// Costs to the disk, and old files away.
    keep: bool,
    /// Results out of memory.
    forget: bool,
    /// Free memory back to the system.
    trim: bool,
}

impl Looks {
    /// What is due at this look, with something running or not, and so many
    /// jobs admitted since the start.
    fn due(&mut self, running: bool, admitted: u64) -> Due {
        self.count = (self.count + 1) % PATIENCE;
        let round = self.count == 0;
        if running {
            return Due {
                keep: round,
                forget: round,
                trim: false,
            };
        }
        self.quiet = if admitted == self.admitted {
            self.quiet.saturating_add(1)
        } else {
            0
        };
        self.admitted = admitted;
        let (just, long) = (self.quiet == 0, self.quiet == PATIENCE);
        Due {
            keep: just,
            forget: round || long,
            trim: just || long,
        }
    }
}

impl Due {
    /// Blocks.
    fn perform(self, services: &Services) {
        if self.keep {
            services.schedule.save();
            services.results.sweep();
        }
        if self.forget {
            services.results.forget_idle();
        }
        if self.trim {
            reversecore_exec::memory::trim();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The looks, counted from one, at which there is something of this kind to do.
    fn when(what: fn(Due) -> bool, looks: impl IntoIterator<Item = (bool, u64)>) -> Vec<usize> {
        let mut seen = Looks::default();
        looks
            .into_iter()
            .enumerate()
            .filter_map(|(number, (running, admitted))| {
                what(seen.due(running, admitted)).then_some(number + 1)
            })
            .collect()
    }

    #[test]
    fn after_work_and_once_more_when_it_stays_quiet() {
        let looks = || [(true, 1), (true, 2)].into_iter().chain([(false, 2); 30]);
        assert_eq!(when(|due| due.trim, looks()), [3, 9]);
        assert_eq!(when(|due| due.keep, looks()), [3]);
        assert!(when(|due| due.forget, looks()).contains(&9));
    }

    #[test]
    fn a_server_that_always_works_keeps_house_too() {
        let looks = || (1..=20).map(|look| (true, look));
        assert_eq!(when(|due| due.forget, looks()), [6, 12, 18]);
        assert_eq!(when(|due| due.keep, looks()), [6, 12, 18]);
        assert!(when(|due| due.trim, looks()).is_empty());
    }

    #[test]
    fn moments_of_rest_put_off_nothing() {
        let looks = || (1..=20).map(|look| (look % 3 == 0, look));
        assert_eq!(when(|due| due.forget, looks()), [6, 12, 18]);
    }
}
