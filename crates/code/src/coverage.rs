//! How much of the executable bytes is part of functions, and what is not.

use serde::{Deserialize, Serialize};

use crate::memory::Memory;

/// So many of the largest unexamined ranges are named.
const MOST_RANGES: usize = 16;

/// Where an analysis stopped before it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// The caller ended it.
    Caller,
    /// As many instructions were decoded as the options allow.
    Instructions,
    /// As many references were found as the options allow.
    References,
}

/// A range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncovered {
    /// The section.
    pub section: String,
    /// The first address.
    pub address: u64,
    /// Size in bytes.
    pub size: u64,
}

/// What of the code is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Bytes of executable sections, as far as the file has them.
    pub executable: u64,
    /// Bytes of those that are instructions of functions.
    pub functions: u64,
    /// Bytes of those that are tables of switches.
    pub tables: u64,
    /// Bytes of those between functions that are filling.
    pub padding: u64,
    /// The rest: data among the code, or code that nothing leads to.
    pub unknown: u64,
    /// The largest ranges of the rest, the largest first.
    pub largest_unknown: Vec<Uncovered>,
    /// Set when the analysis ended before it was done.
    pub stopped: Option<Stopped>,
}

impl Coverage {
    /// Of ranges of instructions and of tables.
    pub(crate) fn of(
        data: &[u8],
        memory: &Memory,
        mut code: Vec<(u64, u64)>,
        mut tables: Vec<(u64, u64)>,
    ) -> Self {
        code.sort_unstable();
        tables.sort_unstable();
        let mut coverage = Self::default();
        for region in memory.regions() {
            if !region.permissions.execute {
                continue;
            }
            let (from, to) = (region.address, region.file_end());
            coverage.executable = coverage.executable.saturating_add(to.saturating_sub(from));
            let mut at = from;
            let mut all: Vec<(u64, u64, bool)> = within(&code, from, to, true)
                .chain(within(&tables, from, to, false))
                .collect();
            all.sort_unstable();
            let bytes = region.bytes(data);
            for (start, end, is_code) in all.into_iter().chain([(to, to, true)]) {
                if start > at {
                    coverage.gap(&region.name, bytes, at, start, from);
                }
                let new = end.saturating_sub(start.max(at));
                if is_code {
                    coverage.functions = coverage.functions.saturating_add(new);
                } else {
                    coverage.tables = coverage.tables.saturating_add(new);
                }
                at = at.max(end);
            }
        }
        coverage
            .largest_unknown
            .sort_by_key(|range| (u64::MAX - range.size, range.address));
        coverage.largest_unknown.truncate(MOST_RANGES);
        coverage
    }

    fn gap(&mut self, section: &str, bytes: &[u8], start: u64, end: u64, base: u64) {
        let place = |address: u64| usize::try_from(address.saturating_sub(base)).unwrap_or(0);
        let gap = bytes.get(place(start)..place(end)).unwrap_or_default();
        let size = end.saturating_sub(start);
        if is_filling(gap) {
            self.padding = self.padding.saturating_add(size);
            return;
        }
        self.unknown = self.unknown.saturating_add(size);
        let smallest = self.largest_unknown.last().map_or(0, |range| range.size);
        if self.largest_unknown.len() < MOST_RANGES || size > smallest {
            self.largest_unknown.push(Uncovered {
                section: section.to_owned(),
                address: start,
                size,
            });
            self.largest_unknown
                .sort_by_key(|range| (u64::MAX - range.size, range.address));
            self.largest_unknown.truncate(MOST_RANGES);
        }
    }
}

/// The parts of sorted ranges between two addresses.
fn within(
    ranges: &[(u64, u64)],
    from: u64,
    to: u64,
    is_code: bool,
) -> impl Iterator<Item = (u64, u64, bool)> + '_ {
    let first = ranges.partition_point(|&(start, _)| start < from);
    ranges
        .get(first..)
        .unwrap_or_default()
        .iter()
        .take_while(move |&&(start, _)| start < to)
        .map(move |&(start, end)| (start, end.min(to), is_code))
}

/// Zeros, `int3`, and the `nop`s of x86 with which compilers align.
fn is_filling(bytes: &[u8]) -> bool {
    const NOPS: [&[u8]; 9] = [
        b"\x0f\x1f\x84\x00\x00\x00\x00\x00",
        b"\x0f\x1f\x80\x00\x00\x00\x00",
        b"\x0f\x1f\x44\x00\x00",
        b"\x0f\x1f\x40\x00",
        b"\x0f\x1f\x00",
        b"\x90",
        b"\xcc",
        b"\x00",
        b"\x1f\x20\x03\xd5",
    ];
    let mut rest = bytes;
    while !rest.is_empty() {
        // Prefixes make longer ones.
        let prefixes = rest
            .iter()
            .take_while(|byte| matches!(byte, 0x66 | 0x2e))
            .count();
        let body = rest.get(prefixes..).unwrap_or_default();
        let Some(nop) = NOPS.iter().find(|nop| body.starts_with(nop)) else {
            // The end of one that a region cuts off.
            return body.is_empty();
        };
        rest = body.get(nop.len()..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filling_is_told_from_code() {
        assert!(is_filling(b"\x66\x2e\x0f\x1f\x84\0\0\0\0\0\x90\xcc\0\0"));
        assert!(!is_filling(b"\x90\xc3"));
    }
}
