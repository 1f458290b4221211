//! Numbers for damage and for generated input: the same in every run of a seed, so
//! that a failure can be repeated.

/// A generator of pseudo-random numbers: xorshift64* (Vigna, "An experimental
/// exploration of Marsaglia's xorshift generators, scrambled", 2016).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// A generator whose numbers the seed decides; an even seed is the next odd one.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // A state of 0 would stay 0.
        Self(seed | 1)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}
