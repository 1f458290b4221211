//! Counts since the start, for metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pressure::Pressure;
use crate::refused::Refused;
use crate::spec::{Cost, Lane};
use crate::state::{Ending, Used};

/// Upper bounds of the classes of waits, in seconds; a longer one counts in the
/// last class only.
pub const WAIT_BOUNDS: [f64; 10] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0, 60.0, 300.0];
/// Upper bounds of the classes of ratios of what was used to what was expected.
pub const RATIO_BOUNDS: [f64; 9] = [0.125, 0.25, 0.5, 0.8, 1.25, 2.0, 4.0, 8.0, 16.0];

/// Counts by class, not cumulated.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// One more than there are bounds: the last is beyond all of them.
    pub counts: Vec<u64>,
    /// The sum of all values.
    pub sum: f64,
}

impl Histogram {
    fn add(&mut self, bounds: &[f64], value: f64) {
        if self.counts.is_empty() {
            self.counts = vec![0; bounds.len() + 1];
        }
        let class = bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(class) {
            *count += 1;
        }
        self.sum += value;
    }
}

/// What the scheduler has done so far, and how things are now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stats {
    /// Jobs that wait, by lane as in [`Lane::ALL`].
    pub queued: [usize; 3],
    /// Jobs that run.
    pub running: usize,
    /// Jobs that may run at one time.
    pub slots: usize,
    /// Jobs that were started, by lane.
    pub admitted: [u64; 3],
    /// Jobs that were not, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Jobs that ended, by ending.
    pub ended: BTreeMap<&'static str, u64>,
    /// How long jobs waited, by lane.
    pub waits: [Histogram; 3],
    /// What jobs used, as a multiple of what was expected: wall time.
    pub wall_ratio: Histogram,
    /// CPU time, where it was measured.
    pub cpu_ratio: Histogram,
    /// Memory, where it was measured.
    pub memory_ratio: Histogram,
    /// How hard the machine was pressed when it was last looked at, where it is.
    pub pressure: Option<Pressure>,
    /// How often the number of slots was changed.
    pub scale_moves: u64,
    /// How often a batch job was stopped where it was, for want of room.
    pub holds: u64,
    /// How often one was ended for that, to be run again.
    pub evictions: u64,
}

impl Stats {
    pub(crate) fn refused(&mut self, refused: &Refused) {
        let reason = match refused {
            Refused::QueueFull { .. } => "queue_full",
            Refused::Late { .. } => "late",
            Refused::Expired { .. } => "expired",
            Refused::Cancelled => "cancelled",
            Refused::ShutDown => "shut_down",
        };
        *self.refused.entry(reason).or_default() += 1;
    }

    pub(crate) fn started(&mut self, lane: Lane, waited: Duration) {
        if let Some(count) = self.admitted.get_mut(lane.index()) {
            *count += 1;
        }
        if let Some(waits) = self.waits.get_mut(lane.index()) {
            waits.add(&WAIT_BOUNDS, waited.as_secs_f64());
        }
    }

    pub(crate) fn ended(&mut self, ending: Ending, cost: &Cost, ran: Duration, used: &Used) {
        let name = match ending {
            Ending::Succeeded => "succeeded",
            Ending::Failed => "failed",
            Ending::TimedOut => "timed_out",
            Ending::Cancelled => "cancelled",
            Ending::Evicted => "evicted",
        };
        *self.ended.entry(name).or_default() += 1;
        if ending != Ending::Succeeded {
            return;
        }
        let ratio = |used: Duration, expected: Duration| {
            used.as_secs_f64() / expected.as_secs_f64().max(1e-6)
        };
        self.wall_ratio.add(&RATIO_BOUNDS, ratio(ran, cost.wall));
        if !used.cpu.is_zero() {
            self.cpu_ratio.add(&RATIO_BOUNDS, ratio(used.cpu, cost.cpu));
        }
        if used.memory > 0 {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a ratio needs a few digits only"
            )]
            let ratio = used.memory as f64 / cost.memory.max(1) as f64;
            self.memory_ratio.add(&RATIO_BOUNDS, ratio);
        }
    }
}
