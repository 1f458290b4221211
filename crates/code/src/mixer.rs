//! A hash for fingerprints of code: fast, and the same in every build. It
//! resists no attack; two functions that were made to collide look equal.

use std::hash::Hasher;

/// An odd number without a pattern (from the digits of the golden ratio).
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Multiplies and mixes words.
#[derive(Debug, Default)]
pub(crate) struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(29) ^ word).wrapping_mul(FACTOR);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_values_matter() {
        let hash = |words: &[u64]| {
            let mut mixer = Mixer::default();
            words.iter().for_each(|&word| mixer.write_u64(word));
            mixer.finish()
        };
        assert_ne!(hash(&[1, 2]), hash(&[2, 1]));
        assert_ne!(hash(&[0x100]), hash(&[0x1_0000]));
    }
}
