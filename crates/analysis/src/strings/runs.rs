//! From bits to runs: where enough characters follow each other. Called by
//! `scanner` for every encoding; knows nothing of bytes.
//!
//! A character has one bit, on its last byte; characters of a run are `stride`
//! bits apart. Ands of the bits with themselves, moved up, leave only bits at
//! which a run has reached 1, 2, 4 or 8 characters (its *reach*), which most
//! short runs in program code never do. Changes in what is left are the starts
//! and ends of runs. Wide characters of the two alignments can't mix: between
//! their bytes stands the other kind of byte.

use multiversion::multiversion;

use super::classify::{BLOCK, up};

/// What is carried from word to word.
#[derive(Debug, Clone)]
pub(super) struct Runs {
    kernel: Kernel,
    before: [u64; 4],
    /// Position at which the run began that is not over yet.
    pub(super) open: Option<u64>,
    /// From the start of a run to the bit at which it is seen.
    lead: u64,
    /// From the end of a run to the bit at which that is seen.
    lag: u64,
}

type Kernel = fn(&[u64], &mut [u64; 4], &mut [u64; BLOCK]) -> bool;

impl Runs {
    /// For runs of at least `characters` bits that are `stride` (1 or 2) apart
    /// and are set `late` places after the character's last byte.
    pub(super) fn new(characters: usize, stride: u32, late: u32) -> Self {
        let (reach, [narrow, wide]): (u32, [Kernel; 2]) = match characters {
            0 | 1 => (1, [changes_of::<1, 0>, changes_of::<2, 0>]),
            2 | 3 => (2, [changes_of::<1, 1>, changes_of::<2, 1>]),
            4..8 => (4, [changes_of::<1, 2>, changes_of::<2, 2>]),
            _ => (8, [changes_of::<1, 3>, changes_of::<2, 3>]),
        };
        Self {
            kernel: if stride == 1 { narrow } else { wide },
            before: [0; 4],
            open: None,
            lead: u64::from(reach * stride - 1 + late),
            lag: u64::from(stride - 1 + late),
        }
    }

    /// Writes the starts and ends of runs in `characters` to `changes`, and
    /// says whether there are any.
    pub(super) fn changes(&mut self, characters: &[u64], changes: &mut [u64; BLOCK]) -> bool {
        (self.kernel)(characters, &mut self.before, changes)
    }

    /// Hands on every run that ends at one of `changes`, whose first bit is at
    /// position `at`, as the positions of its first byte and after its last.
    // Inlined into the scanner's loop it would keep its variables in memory.
    #[inline(never)]
    pub(super) fn walk(&mut self, changes: &[u64], at: u64, mut ended: impl FnMut(u64, u64)) {
        let (lead, lag) = (self.lead, self.lag);
        let mut base = at;
        let mut open = self.open;
        for word in changes {
            let mut left = *word;
            while left != 0 {
                let position = base + u64::from(left.trailing_zeros());
                left &= left - 1;
                match open.take() {
                    // The run has as many bytes behind it as it leads by.
                    None => open = Some(position.wrapping_sub(lead)),
                    Some(start) => ended(start, position.wrapping_sub(lag)),
                }
            }
            base = base.wrapping_add(64);
        }
        self.open = open;
    }
}

/// With the bits `STRIDE` apart, and twice as many of them taken together in
/// each of `STEPS`.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
fn changes_of<const STRIDE: u32, const STEPS: u32>(
    characters: &[u64],
    before: &mut [u64; 4],
    changes: &mut [u64; BLOCK],
) -> bool {
    let [mut one, mut two, mut four, mut eight] = *before;
    let mut any = 0;
    for (character, change) in characters.iter().zip(changes) {
        let twos = match STEPS {
            0 => *character,
            _ => character & up(*character, one, STRIDE),
        };
        let fours = match STEPS {
            0 | 1 => twos,
            _ => twos & up(twos, two, STRIDE * 2),
        };
        let eights = match STEPS {
            0..3 => fours,
            _ => fours & up(fours, four, STRIDE * 4),
        };
        *change = eights ^ up(eights, eight, STRIDE);
        any |= *change;
        (one, two, four, eight) = (*character, twos, fours, eights);
    }
    *before = [one, two, four, eight];
    any != 0
}
