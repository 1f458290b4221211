//! The entropy of sections, on a budget: sections may overlap, so that a small
//! file can have a hundred thousand which each cover all of it.
//!
//! Called by the parsers of ELF and Mach-O for one image at a time.

use crate::Warnings;

/// How often the bytes of a file may be read for the entropy of its sections.
const MOST_PASSES: u64 = 4;
/// How many bytes are read at all: a second or two.
const MOST_BYTES: u64 = 2 << 30;

/// Measures the sections of one image until its budget is spent.
#[derive(Debug)]
pub(super) struct Density {
    left: u64,
    wanted: bool,
    exhausted: bool,
}

impl Density {
    /// For an image of so many bytes.
    pub(super) fn new(image_size: usize, wanted: bool) -> Self {
        Self {
            left: (image_size as u64)
                .saturating_mul(MOST_PASSES)
                .min(MOST_BYTES),
            wanted,
            exhausted: false,
        }
    }

    /// The entropy of a section's bytes, in bits per byte.
    pub(super) fn of(&mut self, bytes: &[u8]) -> Option<f64> {
        if !self.wanted || bytes.is_empty() {
            return None;
        }
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            self.exhausted = true;
            return None;
        };
        self.left = left;
        Some(shannon(bytes))
    }

    /// Says so when the budget was spent.
    pub(super) fn finish(self, warnings: &mut Warnings) {
        if self.exhausted {
            warnings
                .add("sections overlap or are so large that the entropy of some was not measured");
        }
    }
}

/// Shannon entropy in bits per byte; 0 for no bytes.
fn shannon(bytes: &[u8]) -> f64 {
    // Four histograms, so that runs of one value don't wait for one counter.
    let mut counts = [[0_u64; 256]; 4];
    let [first, second, third, fourth] = &mut counts;
    let mut quads = bytes.chunks_exact(4);
    let count = |table: &mut [u64; 256], byte: u8| {
        if let Some(slot) = table.get_mut(usize::from(byte)) {
            *slot += 1;
        }
    };
    for quad in &mut quads {
        if let &[a, b, c, d] = quad {
            count(first, a);
            count(second, b);
            count(third, c);
            count(fourth, d);
        }
    }
    for &byte in quads.remainder() {
        count(first, byte);
    }
    let total = bytes.len() as f64;
    let each = first
        .iter()
        .zip(second.iter())
        .zip(third.iter())
        .zip(fourth.iter());
    each.map(|(((a, b), c), d)| a + b + c + d)
        .filter(|&count| count > 0)
        .map(|count| {
            let share = count as f64 / total;
            -share * share.log2()
        })
        .sum::<f64>()
        .max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_that_of_the_distribution() {
        let all: Vec<u8> = (0..=255).collect();
        assert!((shannon(&all) - 8.0).abs() < 1e-9);
        assert!(shannon(&[7; 1001]).abs() < 1e-9);
        assert!((shannon(b"ababababab") - 1.0).abs() < 1e-9);
    }

    #[test]
    fn overlapping_sections_are_measured_a_few_times_only() {
        let mut density = Density::new(1000, true);
        let measured = (0..100).filter(|_| density.of(&[0; 1000]).is_some());
        assert_eq!(measured.count(), 4);
        let mut warnings = Warnings::default();
        density.finish(&mut warnings);
        assert_eq!(warnings.messages().len(), 1);
        assert_eq!(Density::new(1000, false).of(&[0; 10]), None);
    }
}
