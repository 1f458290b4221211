//! How much work an analysis may do, and how much it may keep.

/// Bounds of [`Program::analyze`](crate::Program::analyze). What a bound cut
/// off is said in the [`Coverage`](crate::Coverage).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Instructions decoded in all passes together. A program of 10 MB has
    /// about 2 million, and each is decoded about three times.
    pub most_instructions: u64,
    /// Functions kept.
    pub most_functions: usize,
    /// Blocks kept, of all functions together.
    pub most_blocks: usize,
    /// References kept.
    pub most_references: usize,
    /// Whether gaps between functions are searched for code that looks like
    /// the beginning of one.
    pub gaps: bool,
}

impl Default for Options {
    /// Enough for 100 MB of code, in less than 1 GB.
    fn default() -> Self {
        Self {
            most_instructions: 100_000_000,
            most_functions: 500_000,
            most_blocks: 6_000_000,
            most_references: 10_000_000,
            gaps: true,
        }
    }
}
