//! Decides which job runs next, and how many at one time. Called by `tools`
//! around every call that works on a file.
//!
//! A job is a future of the caller's, with a declared [`Cost`]; this crate knows
//! nothing of processes, files or protocols, and everything in it can be tested
//! on a paused clock.
//!
//! | module | knows |
//! |---|---|
//! | `scheduler` | the way in and out; the only one with a clock and locks |
//! | `table` | who waits, who runs, who is next |
//! | `order` | lanes, turns of clients, aging; pure |
//! | `budget` | slots, processors, memory, child processes; what may overtake; pure |
//! | `cost` | what jobs of a kind have used, and so will use |
//! | `pressure`, `scale`, `follow` | how hard the machine is pressed; how many slots that allows |
//! | `relief` | which batch job has to stop or go when nothing else helps; pure |
//! | `flight` | equal work that is done once |
//! | `state`, `events`, `progress`, `stats` | what others can see |
//!
//! How it decides, and the bound on the longest wait: `docs/scheduling.md`.

mod budget;
mod cost;
mod events;
mod flight;
mod follow;
mod memory;
mod order;
mod pressure;
mod progress;
mod refused;
mod relief;
mod scale;
mod scheduler;
mod spec;
mod state;
mod stats;
mod table;

pub use budget::{Capacity, Resource};
pub use cost::{CostModel, Estimate, LoadError, Measured};
pub use events::{Event, What};
pub use flight::{Flights, Landed};
pub use memory::memory_for_jobs;
pub use order::Patience;
pub use pressure::{Pressure, Reading};
pub use refused::Refused;
pub use relief::{Act, Relief};
pub use scale::Scale;
pub use scheduler::{Running, Scheduler, SchedulerConfig};
pub use spec::{Client, Cost, JobId, JobSpec, Lane};
pub use state::{CostView, Ending, JobView, Progress, StateView, Used};
pub use stats::{Histogram, RATIO_BOUNDS, Stats, WAIT_BOUNDS};
