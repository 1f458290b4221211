//! The entropy of sections, on a budget: sections may overlap, so that a small
//! file can have a hundred thousand which each cover all of it.
//!
//! Called by the parsers of ELF and Mach-O for one image at a time.

use crate::Warnings;
use crate::entropy::bits_per_byte;

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
        Some(bits_per_byte(bytes))
    }

    /// Says so when the budget was spent.
    pub(super) fn finish(self, warnings: &mut Warnings) {
        if self.exhausted {
            warnings
                .add("sections overlap or are so large that the entropy of some was not measured");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_that_of_the_distribution() {
        let all: Vec<u8> = (0..=255).collect();
        assert!((bits_per_byte(&all) - 8.0).abs() < 1e-9);
        assert!(bits_per_byte(&[7; 1001]).abs() < 1e-9);
        assert!((bits_per_byte(b"ababababab") - 1.0).abs() < 1e-9);
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
