//! What a job will use: learned from what jobs of the same kind have used, by
//! engine and by the size of the file, with estimates to begin with.
//!
//! A *kind* is an engine and a class of sizes (powers of two). Of each kind the
//! last [`SAMPLES`] measurements are kept. What is expected of CPU time is their
//! mean, because it is charged; of wall time and memory the 95th percentile,
//! because it is promised. Until there are [`ENOUGH`] of them, what is expected
//! is the larger of that and the estimate.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::Cost;

/// Measurements that are kept of a kind.
const SAMPLES: usize = 64;
/// Measurements that are worth more than an estimate.
const ENOUGH: usize = 5;
/// Kinds that are kept; a program has some ten engines and forty classes.
const MOST_KINDS: usize = 2048;
/// The form of the saved file.
const VERSION: u32 = 1;

/// What an engine is taken to use before it has been seen: a part that is always
/// used and a part for each byte of the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// CPU time whatever the file.
    pub cpu: Duration,
    /// CPU time for each mebibyte of the file.
    pub cpu_per_mib: Duration,
    /// Memory whatever the file, in bytes.
    pub memory: u64,
    /// Bytes of memory for each byte of the file.
    pub memory_per_byte: f64,
    /// Child processes at one time.
    pub subprocesses: u32,
}

/// What was measured of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// CPU time.
    pub cpu: Duration,
    /// Time from start to end.
    pub wall: Duration,
    /// Memory at its peak, in bytes.
    pub memory: u64,
}

/// Learns what jobs use.
#[derive(Debug, Clone, Default)]
pub struct CostModel {
    kinds: HashMap<Kind, Samples>,
    changed: bool,
}

/// An engine, and the class of a file's size.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Kind {
    engine: String,
    class: u32,
}

#[derive(Debug, Clone, Default)]
struct Samples {
    /// The oldest is replaced next.
    last: Vec<Measured>,
    next: usize,
    expected: Option<(Duration, Duration, u64)>,
}

/// The saved form.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    version: u32,
    kinds: Vec<SavedKind>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedKind {
    engine: String,
    class: u32,
    /// Microseconds of CPU and wall time, bytes of memory.
    samples: Vec<(u64, u64, u64)>,
}

/// The saved form could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is no JSON of the right form.
    #[error("the saved costs can't be read: {0}")]
    Form(#[from] serde_json::Error),
    /// It is of another version.
    #[error("the saved costs have version {found}, this program reads version {VERSION}")]
    Version {
        /// The version that was found.
        found: u32,
    },
}

impl CostModel {
    /// What a job is expected to use.
    #[must_use]
    pub fn expect(&self, engine: &str, size: u64, estimate: &Estimate) -> Cost {
        let estimated = estimate.of(size);
        let kind = Kind {
            engine: engine.to_owned(),
            class: class(size),
        };
        let Some((samples, (cpu, wall, memory))) = self
            .kinds
            .get(&kind)
            .and_then(|samples| Some((samples, samples.expected?)))
        else {
            return estimated;
        };
        let known = samples.last.len() >= ENOUGH;
        let cautious = |learned: u64, estimated: u64| {
            if known {
                learned
            } else {
                learned.max(estimated)
            }
        };
        let (cpu, wall) = if known {
            (cpu, wall)
        } else {
            (cpu.max(estimated.cpu), wall.max(estimated.wall))
        };
        Cost {
            cpu,
            wall,
            memory: cautious(memory, estimated.memory),
            subprocesses: estimated.subprocesses,
        }
    }

    /// Takes a measurement.
    pub fn learn(&mut self, engine: &str, size: u64, measured: Measured) {
        let kind = Kind {
            engine: engine.to_owned(),
            class: class(size),
        };
        if self.kinds.len() >= MOST_KINDS && !self.kinds.contains_key(&kind) {
            return;
        }
        self.kinds.entry(kind).or_default().add(measured);
        self.changed = true;
    }

    /// Kinds that have been seen.
    #[must_use]
    pub fn kinds(&self) -> usize {
        self.kinds.len()
    }

    /// The saved form, if anything has been learned since the last time.
    pub fn save(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let mut kinds: Vec<SavedKind> = self
            .kinds
            .iter()
            .map(|(kind, samples)| SavedKind {
                engine: kind.engine.clone(),
                class: kind.class,
                samples: samples
                    .last
                    .iter()
                    .map(|each| (micros(each.cpu), micros(each.wall), each.memory))
                    .collect(),
            })
            .collect();
        kinds.sort_by(|a, b| (&a.engine, a.class).cmp(&(&b.engine, b.class)));
        let version = VERSION;
        serde_json::to_string(&Saved { version, kinds }).ok()
    }

    /// Reads the saved form.
    ///
    /// # Errors
    /// When it is damaged or of another version.
    pub fn load(text: &str) -> Result<Self, LoadError> {
        let saved: Saved = serde_json::from_str(text)?;
        if saved.version != VERSION {
            return Err(LoadError::Version {
                found: saved.version,
            });
        }
        let mut model = Self::default();
        for kind in saved.kinds.into_iter().take(MOST_KINDS) {
            let SavedKind {
                engine,
                class,
                samples,
            } = kind;
            let entry = model.kinds.entry(Kind { engine, class }).or_default();
            for (cpu, wall, memory) in samples.into_iter().take(SAMPLES) {
                entry.add(Measured {
                    cpu: Duration::from_micros(cpu),
                    wall: Duration::from_micros(wall),
                    memory,
                });
            }
        }
        Ok(model)
    }
}

impl Estimate {
    /// For a file of this size.
    #[must_use]
    pub fn of(&self, size: u64) -> Cost {
        #[expect(
            clippy::cast_precision_loss,
            reason = "an estimate needs a few digits only"
        )]
        let bytes = size as f64;
        let cpu = self.cpu + self.cpu_per_mib.mul_f64(bytes / f64::from(1 << 20));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast is bounded by its target"
        )]
        let growth = (bytes * self.memory_per_byte.max(0.0)) as u64;
        Cost {
            cpu,
            wall: cpu.saturating_mul(2),
            memory: self.memory.saturating_add(growth),
            subprocesses: self.subprocesses,
        }
    }
}

impl Samples {
    fn add(&mut self, measured: Measured) {
        if let Some(oldest) = self.last.get_mut(self.next) {
            *oldest = measured;
        } else {
            self.last.push(measured);
        }
        self.next = (self.next + 1) % SAMPLES;
        // Sorting for every sample would cost more than it is worth.
        let count = self.last.len();
        if count <= ENOUGH || self.next.is_multiple_of(8) || self.expected.is_none() {
            self.expected = Some(self.summary());
        }
    }

    fn summary(&self) -> (Duration, Duration, u64) {
        let count = u32::try_from(self.last.len().max(1)).unwrap_or(u32::MAX);
        let cpu: Duration = self.last.iter().map(|each| each.cpu).sum();
        let mut walls: Vec<_> = self.last.iter().map(|each| each.wall).collect();
        let mut memory: Vec<_> = self.last.iter().map(|each| each.memory).collect();
        (
            cpu / count,
            percentile_95(&mut walls).unwrap_or_default(),
            percentile_95(&mut memory).unwrap_or_default(),
        )
    }
}

fn percentile_95<T: Ord + Copy>(values: &mut [T]) -> Option<T> {
    let place = (values.len() * 95).div_ceil(100).checked_sub(1)?;
    Some(*values.select_nth_unstable(place).1)
}

/// The class of a size: 0 for an empty file, else one more than its logarithm.
fn class(size: u64) -> u32 {
    u64::BITS - size.leading_zeros()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESTIMATE: Estimate = Estimate {
        cpu: Duration::from_millis(1),
        cpu_per_mib: Duration::from_millis(10),
        memory: 1 << 20,
        memory_per_byte: 2.0,
        subprocesses: 1,
    };

    fn measured(milliseconds: u64) -> Measured {
        Measured {
            cpu: Duration::from_millis(milliseconds),
            wall: Duration::from_millis(2 * milliseconds),
            memory: milliseconds << 20,
        }
    }

    #[test]
    fn an_estimate_is_for_a_size() {
        let cost = CostModel::default().expect("strings", 2 << 20, &ESTIMATE);
        assert_eq!(cost.cpu, Duration::from_millis(21));
        assert_eq!((cost.memory, cost.subprocesses), (5 << 20, 1));
    }

    #[test]
    fn what_was_measured_takes_over_from_the_estimate() {
        let mut model = CostModel::default();
        let expect = |model: &CostModel| model.expect("strings", 1 << 20, &ESTIMATE);
        model.learn("strings", (1 << 20) + 5, measured(1));
        // One measurement is not worth more than the estimate, where it is lower.
        assert_eq!(expect(&model).memory, 3 << 20);
        assert_eq!(expect(&model).cpu, Duration::from_millis(11));
        for _ in 0..SAMPLES {
            model.learn("strings", 1 << 20, measured(2));
        }
        assert_eq!(expect(&model).memory, 2 << 20);
        assert_eq!(expect(&model).wall, Duration::from_millis(4));
        // Other sizes and engines are other kinds.
        assert_eq!(model.expect("strings", 9 << 20, &ESTIMATE).memory, 19 << 20);
        assert_eq!(model.expect("yara", 1 << 20, &ESTIMATE).memory, 3 << 20);
    }

    #[test]
    fn the_promise_is_the_percentile_and_the_charge_the_mean() {
        let mut model = CostModel::default();
        for number in 1..=40 {
            model.learn("yara", 0, measured(number));
        }
        let cost = model.expect("yara", 0, &ESTIMATE);
        assert_eq!(cost.cpu, Duration::from_micros(20_500));
        assert_eq!(cost.memory, 38 << 20);
    }

    #[test]
    fn what_is_saved_is_what_is_loaded() {
        let mut model = CostModel::default();
        assert_eq!(model.save(), None);
        for number in 0..100 {
            model.learn("strings", 1 << (number % 60), measured(number));
        }
        let text = model.save().unwrap();
        assert_eq!(model.save(), None, "nothing has changed");
        let mut loaded = CostModel::load(&text).unwrap();
        assert_eq!(loaded.kinds(), model.kinds());
        let expected = model.expect("strings", 1 << 20, &ESTIMATE);
        assert_eq!(loaded.expect("strings", 1 << 20, &ESTIMATE), expected);
        loaded.learn("x", 0, measured(1));
        assert!(loaded.save().is_some());
        for bad in ["", "{}", "{\"version\":2,\"kinds\":[]}"] {
            assert!(CostModel::load(bad).is_err(), "{bad}");
        }
    }
}
