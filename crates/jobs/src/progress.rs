//! What is passed on of what work says of itself: never a step back, and not
//! more than anybody wants to read.

use std::time::Duration;

use tokio::time::Instant;

use crate::state::Progress;

/// Between two messages of one stage.
const EVERY: Duration = Duration::from_secs(1);
/// A stage's name is cut here, in characters.
const LONGEST: usize = 120;

/// When a job was last heard of.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: Option<Instant>,
}

/// What is known now, and whether to tell others.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) progress: Progress,
    pub(crate) tell: bool,
}

impl Throttle {
    /// Takes what the work says; `None` when it is nothing new.
    pub(crate) fn take(
        &mut self,
        known: &Option<Progress>,
        stage: &str,
        fraction: Option<f64>,
        now: Instant,
    ) -> Option<Step> {
        let fraction = fraction
            .filter(|fraction| fraction.is_finite())
            .map(|fraction| fraction.clamp(0.0, 1.0));
        let stage: String = stage.chars().take(LONGEST).collect();
        let before = known.as_ref().and_then(|known| known.fraction);
        // Where a later stage knows less, what is done stays done.
        let fraction = match (before, fraction) {
            (Some(before), Some(fraction)) => Some(before.max(fraction)),
            (before, fraction) => fraction.or(before),
        };
        let new_stage = known.as_ref().is_none_or(|known| known.stage != stage);
        if !new_stage && fraction == before {
            return None;
        }
        let due = self
            .last
            .is_none_or(|last| now.saturating_duration_since(last) >= EVERY);
        let tell = due || new_stage;
        if tell {
            self.last = Some(now);
        }
        Some(Step {
            progress: Progress { stage, fraction },
            tell,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_never_go_back_and_messages_are_seldom() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        let mut known = None;
        let mut told = Vec::new();
        for (milliseconds, stage, fraction) in [
            (0, "hashing", Some(0.1)),
            (10, "hashing", Some(0.2)),
            (20, "hashing", Some(0.15)),
            (30, "searching", None),
            (40, "searching", Some(f64::NAN)),
            (1100, "searching", Some(0.9)),
            (1200, "searching", Some(7.0)),
        ] {
            let now = start + Duration::from_millis(milliseconds);
            if let Some(step) = throttle.take(&known, stage, fraction, now) {
                if step.tell {
                    told.push((milliseconds, step.progress.fraction));
                }
                known = Some(step.progress);
            }
        }
        assert_eq!(told, [(0, Some(0.1)), (30, Some(0.2)), (1100, Some(0.9))]);
        assert_eq!(known.unwrap().fraction, Some(1.0));
    }
}
