//! How much of a file [`parse`](super::parse) reports.

/// Options of [`parse`](super::parse).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseOptions {
    /// Each list of the report (sections, symbols, imports, …) ends after so
    /// many items, with a warning that names it. The bound is on memory: a
    /// hostile file of some megabytes can describe far more items than it has
    /// bytes, by naming the same ones again and again.
    pub most_items: usize,
    /// Whether sections get their entropy, which means reading all their bytes.
    pub entropy: bool,
}

impl Default for ParseOptions {
    /// All that an ordinary program has: 200,000 items a list, with entropy.
    fn default() -> Self {
        Self {
            most_items: 200_000,
            entropy: true,
        }
    }
}
