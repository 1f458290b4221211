//! How many jobs may run at one time, between two bounds: fewer under pressure,
//! more when there is a backlog and room. Pure; somebody else has the clock.
//!
//! Growing until it hurts and shrinking until it does not would go on for ever.
//! So the number that hurt is remembered as a ceiling, which is not tried again
//! for a while, and for twice as long each time it hurts again.

use crate::pressure::Pressure;

/// Steps of calm before the number grows.
const CALM_STEPS: u32 = 3;
/// Steps between two reductions: the last one has to show first.
const PATIENCE: u32 = 5;
/// Steps for which a ceiling holds, at first and at most.
const CEILING_HOLDS: u32 = 60;
const CEILING_HOLDS_AT_MOST: u32 = 960;

/// Moves a number between two bounds. One step is a second.
#[derive(Debug, Clone)]
pub struct Scale {
    min: usize,
    max: usize,
    now: usize,
    calm: u32,
    since_shrink: u32,
    ceiling: Option<Ceiling>,
    holds: u32,
}

#[derive(Debug, Clone, Copy)]
struct Ceiling {
    /// This many hurt.
    at: usize,
    /// Steps left.
    left: u32,
}

impl Scale {
    /// Starts in the middle of the two.
    #[must_use]
    pub fn new(min: usize, max: usize) -> Self {
        let min = min.max(1);
        let max = max.max(min);
        Self {
            min,
            max,
            now: usize::midpoint(min, max),
            calm: 0,
            since_shrink: PATIENCE,
            ceiling: None,
            holds: CEILING_HOLDS,
        }
    }

    /// The number.
    #[must_use]
    pub fn now(&self) -> usize {
        self.now
    }

    /// A second has passed; returns the number from now on. `backlog`: jobs wait
    /// for a slot. `full`: all slots are in use.
    pub fn step(&mut self, pressure: Pressure, backlog: bool, full: bool) -> usize {
        self.since_shrink = self.since_shrink.saturating_add(1);
        if let Some(ceiling) = &mut self.ceiling {
            ceiling.left -= 1;
            if ceiling.left == 0 {
                self.ceiling = None;
            }
        }
        match pressure {
            Pressure::High | Pressure::Emergency => {
                self.calm = 0;
                if self.since_shrink >= PATIENCE && self.now > self.min {
                    // Pressure of others says nothing about our number.
                    if full {
                        self.remember();
                    }
                    self.now = (self.now * 7 / 10).max(self.min);
                    self.since_shrink = 0;
                }
            }
            Pressure::Fair => self.calm = 0,
            Pressure::Calm => {
                self.calm = self.calm.saturating_add(1);
                let below = self.ceiling.is_none_or(|ceiling| self.now + 1 < ceiling.at);
                if backlog && self.calm >= CALM_STEPS && self.now < self.max && below {
                    self.now += 1;
                    self.calm = 0;
                }
            }
        }
        self.now
    }

    fn remember(&mut self) {
        self.ceiling = Some(Ceiling {
            at: self.now,
            left: self.holds,
        });
        self.holds = (self.holds * 2).min(CEILING_HOLDS_AT_MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that copes with so many jobs; the more beyond, the more stall.
    fn pressure(jobs: usize, copes: usize) -> Pressure {
        match jobs.saturating_sub(copes) {
            0 => Pressure::Calm,
            1 => Pressure::Fair,
            2..=6 => Pressure::High,
            _ => Pressure::Emergency,
        }
    }

    fn run(scale: &mut Scale, copes: usize, steps: usize) -> Vec<usize> {
        (0..steps)
            .map(|_| scale.step(pressure(scale.now(), copes), true, true))
            .collect()
    }

    #[test]
    fn it_settles_and_does_not_swing() {
        for copes in [2, 5, 9, 20] {
            let mut scale = Scale::new(2, 16);
            let path = run(&mut scale, copes, 600);
            let late = &path[300..];
            let moves = late.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert!(moves <= 8, "{copes}: {moves} moves in 300 s");
            let least = *late.iter().min().unwrap();
            assert!(least >= (copes * 7 / 10).clamp(2, 16), "{copes}: {least}");
            let most = *late.iter().max().unwrap();
            assert!(most <= copes + 2, "{copes}: {most}");
        }
    }

    #[test]
    fn it_uses_all_there_is_when_calm() {
        let mut scale = Scale::new(1, 8);
        run(&mut scale, 100, 60);
        assert_eq!(scale.now(), 8);
        // Without a backlog there is no reason to grow.
        let mut idle = Scale::new(1, 8);
        for _ in 0..60 {
            idle.step(Pressure::Calm, false, false);
        }
        assert_eq!(idle.now(), 4);
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let mut scale = Scale::new(3, 5);
        for pressure in [Pressure::Emergency; 50]
            .into_iter()
            .chain([Pressure::Calm; 50])
        {
            let now = scale.step(pressure, true, true);
            assert!((3..=5).contains(&now));
        }
        assert_eq!(Scale::new(0, 0).now(), 1);
    }
}
