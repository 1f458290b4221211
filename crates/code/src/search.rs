//! Searches in code: bytes with wildcards, instructions by their text, and
//! constants. Bytes are searched in all executable sections or everywhere; the
//! others in the instructions of functions.

use std::ops::Range;

use reversecore_analysis::Watch;
use reversecore_analysis::disassemble::Family;
use serde::{Deserialize, Serialize};

use crate::code::{Code, Decoders};
use crate::pattern::{BytePattern, Pattern, without_spaces};
use crate::program::Program;

/// What to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Bytes.
    Bytes(BytePattern),
    /// Instructions, one behind the other.
    Instructions(Pattern),
    /// An immediate operand. A number that fits 32 bits is also found where
    /// the processor extends it.
    Constant(u64),
}

/// Where to search, and how much to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchOptions {
    /// Only at these addresses.
    pub within: Option<Range<u64>>,
    /// Bytes are searched in data as well.
    pub data: bool,
    /// At most so many hits.
    pub most_hits: usize,
    /// At most so many instructions are decoded.
    pub most_instructions: u64,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            within: None,
            data: false,
            most_hits: 1000,
            most_instructions: 50_000_000,
        }
    }
}

/// A place that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// Its address.
    pub address: u64,
    /// Its offset in the file.
    pub offset: Option<u64>,
    /// Address of the function that has it.
    pub function: Option<u64>,
    /// Name of that function: text of the file.
    pub name: Option<String>,
    /// The first instruction there; empty for bytes.
    pub text: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Hits by address.
    pub hits: Vec<Hit>,
    /// There are more than were asked for, or the search was ended.
    pub truncated: bool,
}

impl Program {
    /// Searches the code of the program whose bytes are `data`. `watch` is
    /// asked as by [`Program::analyze`].
    pub fn search(
        &self,
        data: &[u8],
        query: &Query,
        options: &SearchOptions,
        watch: Watch<'_>,
    ) -> Found {
        let mut found = Found::default();
        if let Query::Bytes(pattern) = query {
            self.search_bytes(data, pattern, options, watch, &mut found);
            return found;
        }
        // The same architecture had decoders when the model was made.
        let Ok(decoders) = Decoders::of(self.architecture) else {
            return found;
        };
        let mut code = Code::new(
            &decoders,
            data,
            &self.memory,
            options.most_instructions,
            watch,
        );
        let mut last = None;
        'blocks: for &(start, number) in &self.block_owners {
            let Some(function) = self.functions.get(number as usize) else {
                continue;
            };
            let blocks = self.blocks(function);
            let Some(block) = blocks
                .binary_search_by_key(&start, |block| block.start)
                .ok()
                .and_then(|index| blocks.get(index))
            else {
                continue;
            };
            if !meets(&options.within, start, block.end()) {
                continue;
            }
            let mut at = start;
            while at < block.end() {
                let Some(fact) = code.at(at, function.thumb).filter(|fact| fact.valid) else {
                    break;
                };
                let next = at.saturating_add(u64::from(fact.length));
                let hit = match query {
                    Query::Bytes(_) => false,
                    Query::Constant(value) => {
                        let family = self.architecture.family;
                        match fact.immediate {
                            Some(immediate) => same(immediate, *value),
                            None if family == Family::X86 => false,
                            None => has_number(code.text().1, *value),
                        }
                    }
                    Query::Instructions(pattern) => {
                        matches_at(&mut code, pattern, at, function.thumb)
                    }
                };
                if hit && last < Some(at) && within(&options.within, at) {
                    if found.hits.len() >= options.most_hits {
                        found.truncated = true;
                        break 'blocks;
                    }
                    code.at(at, function.thumb);
                    let (mnemonic, operands) = code.text();
                    let text = format!("{mnemonic} {operands}").trim_end().to_owned();
                    found.hits.push(self.hit(at, text));
                    last = Some(at);
                }
                at = next;
            }
        }
        found.truncated |= code.ended().is_some();
        found
    }

    fn hit(&self, address: u64, text: String) -> Hit {
        let function = self.function_with(address);
        Hit {
            address,
            offset: self.memory.offset(address),
            function: function.map(|function| function.address),
            name: function.map(|function| self.name(function).into_owned()),
            text,
        }
    }

    fn search_bytes(
        &self,
        data: &[u8],
        pattern: &BytePattern,
        options: &SearchOptions,
        watch: Watch<'_>,
        found: &mut Found,
    ) {
        let mut done = 0_u64;
        for region in self.memory.regions() {
            if !(region.permissions.execute || options.data)
                || !meets(&options.within, region.address, region.end())
            {
                continue;
            }
            let bytes = region.bytes(data);
            let mut at = 0_usize;
            while let Some(next) = pattern.find(bytes, at) {
                let address = region.address.saturating_add(next as u64);
                if within(&options.within, address) {
                    if found.hits.len() >= options.most_hits {
                        found.truncated = true;
                        return;
                    }
                    found.hits.push(self.hit(address, String::new()));
                }
                at = next.saturating_add(1);
            }
            done = done.saturating_add(bytes.len() as u64);
            if !watch(done) {
                found.truncated = true;
                return;
            }
        }
    }
}

fn within(range: &Option<Range<u64>>, address: u64) -> bool {
    range.as_ref().is_none_or(|range| range.contains(&address))
}

fn meets(range: &Option<Range<u64>>, start: u64, end: u64) -> bool {
    range
        .as_ref()
        .is_none_or(|range| start < range.end && range.start < end)
}

fn same(immediate: u64, value: u64) -> bool {
    immediate == value
        || (value >> 32 == 0 && immediate as u32 == value as u32 && {
            // Extended from 32 bits, not cut to them.
            let high = immediate >> 32;
            high == 0 || high == u64::from(u32::MAX)
        })
}

/// Whether operands have a number.
fn has_number(operands: &str, value: u64) -> bool {
    operands
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
        .any(|word| {
            let (negative, digits) = match word.strip_prefix('-') {
                Some(rest) => (true, rest),
                None => (false, word),
            };
            let number = match digits.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok(),
                None => digits.parse().ok(),
            };
            number.is_some_and(|number: u64| {
                let number = if negative {
                    number.wrapping_neg()
                } else {
                    number
                };
                same(number, value)
            })
        })
}

/// Whether instructions from an address on match.
fn matches_at(code: &mut Code<'_, '_>, pattern: &Pattern, address: u64, thumb: bool) -> bool {
    let mut at = address;
    let mut operands = String::new();
    for (index, step) in pattern.steps().iter().enumerate() {
        // The first one is decoded already.
        if index > 0 && !code.at(at, thumb).is_some_and(|fact| fact.valid) {
            return false;
        }
        let length = code.last_length();
        let (mnemonic, text) = code.text();
        if !step.mnemonic.matches(mnemonic) {
            return false;
        }
        without_spaces(text, &mut operands);
        if !step.operands.matches(&operands) {
            return false;
        }
        at = at.saturating_add(length);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_found_as_the_processor_extends_them() {
        assert!(same(0xffff_ffff_8000_0000, 0x8000_0000));
        assert!(!same(0x1_8000_0000, 0x8000_0000));
        assert!(has_number("w0, #0x10", 16));
        assert!(has_number("r0, [r1, #-4]", 4_u64.wrapping_neg()));
        assert!(!has_number("x16, x0", 16));
    }
}
