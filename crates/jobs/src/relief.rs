//! What must go when the machine is at its end: the newest batch job is stopped
//! where it is; if that does not help, it is ended. Whoever runs it runs it again
//! later, once. Pure; somebody else has the clock.
//!
//! The oldest batch job is never touched, so that something always gets done,
//! and nothing that somebody waits for is.

use crate::pressure::Pressure;
use crate::spec::JobId;

/// Steps from stopping or ending a job to ending one: it has to show first.
const SETTLE: u32 = 2;
/// Steps without an emergency before one that stands still goes on.
const CALM_STEPS: u32 = 5;

/// Decides what must go. One step is a second.
#[derive(Debug, Clone, Default)]
pub struct Relief {
    /// Those that stand still, in the order in which they were stopped.
    held: Vec<JobId>,
    /// Steps since one was ended, or the first was stopped.
    settled: u32,
    calm: u32,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Stop this job where it is.
    Hold(JobId),
    /// Let it go on.
    Release(JobId),
    /// End it.
    Evict(JobId),
}

impl Relief {
    /// A second has passed. `running`: the batch jobs that run, in any order.
    pub fn step(&mut self, pressure: Pressure, running: &[JobId]) -> Vec<Act> {
        self.held.retain(|held| running.contains(held));
        if pressure == Pressure::Emergency {
            self.calm = 0;
            return self.relieve(running);
        }
        self.calm = self.calm.saturating_add(1);
        if self.calm < CALM_STEPS || self.held.is_empty() {
            return Vec::new();
        }
        self.calm = 0;
        vec![Act::Release(self.held.remove(0))]
    }

    /// Whether further batch jobs may start.
    #[must_use]
    pub fn has_room(&self, pressure: Pressure) -> bool {
        pressure != Pressure::Emergency && self.held.is_empty()
    }

    /// One more stops each second, so that use grows no further; one of those
    /// goes each time that has not helped.
    fn relieve(&mut self, running: &[JobId]) -> Vec<Act> {
        let mut acts = Vec::new();
        let Some(oldest) = running.iter().min() else {
            return acts;
        };
        self.settled = if self.held.is_empty() {
            0
        } else {
            self.settled.saturating_add(1)
        };
        if self.settled >= SETTLE
            && let Some(newest) = self.held.iter().max().copied()
        {
            self.held.retain(|id| *id != newest);
            self.settled = 0;
            acts.push(Act::Evict(newest));
        }
        let goes_on = |id: &&JobId| *id != oldest && !self.held.contains(id);
        let gone = |id: &&JobId| !acts.contains(&Act::Evict(**id));
        if let Some(newest) = running.iter().filter(goes_on).filter(gone).max() {
            acts.push(Act::Hold(*newest));
            self.held.push(*newest);
        }
        acts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(ids: &[u64]) -> Vec<JobId> {
        ids.iter().copied().map(JobId).collect()
    }

    fn acts(relief: &mut Relief, pressure: Pressure, ids: &[u64], steps: usize) -> Vec<Vec<Act>> {
        let mut running = jobs(ids);
        (0..steps)
            .map(|_| {
                let acts = relief.step(pressure, &running);
                running.retain(|id| !acts.contains(&Act::Evict(*id)));
                acts
            })
            .collect()
    }

    #[test]
    fn the_newest_stop_then_go_and_the_oldest_stays() {
        let (hold, evict) = (|id| Act::Hold(JobId(id)), |id| Act::Evict(JobId(id)));
        let mut relief = Relief::default();
        let done = acts(&mut relief, Pressure::Emergency, &[7, 3, 9, 5], 8);
        assert_eq!(
            done,
            [
                vec![hold(9)],
                vec![hold(7)],
                vec![evict(9), hold(5)],
                vec![],
                vec![evict(7)],
                vec![],
                vec![evict(5)],
                vec![],
            ]
        );
    }

    #[test]
    fn what_stands_still_goes_on_one_by_one_when_it_is_over() {
        let mut relief = Relief::default();
        acts(&mut relief, Pressure::Emergency, &[1, 2, 3], 2);
        assert!(!relief.has_room(Pressure::Calm));
        let released = acts(&mut relief, Pressure::High, &[1, 2, 3], 20).concat();
        assert_eq!(released, [Act::Release(JobId(3)), Act::Release(JobId(2))]);
        assert!(relief.has_room(Pressure::Calm));
    }

    #[test]
    fn a_job_alone_is_left_alone() {
        assert!(
            acts(&mut Relief::default(), Pressure::Emergency, &[4], 60)
                .concat()
                .is_empty()
        );
    }
}
