//! What a name or an address given by a caller means in a program.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::function::{Function, Kind};
use crate::program::Program;

/// So many near names stand in an error.
const MOST_SIMILAR: usize = 5;

/// So many places of one text are found.
const MOST_PLACES: usize = 1000;

/// No function has a name or address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no function `{wanted}`{}", hint(.similar))]
pub struct NotFound {
    /// What was asked for.
    pub wanted: String,
    /// Names of functions that come near.
    pub similar: Vec<String>,
}

fn hint(similar: &[String]) -> String {
    if similar.is_empty() {
        String::new()
    } else {
        format!(" (similar: {})", similar.join(", "))
    }
}

/// What an address that was found for a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// It was given as a number.
    Address,
    /// A function of this name.
    Function,
    /// A stub of an import of this name.
    ImportThunk,
    /// The slot of an import of this name: import address table, GOT.
    ImportSlot,
    /// A string with this text begins or continues there.
    String,
}

/// Addresses that a text stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The first address.
    pub address: u64,
    /// Size in bytes; references to any of them count.
    pub size: u64,
    /// What it is.
    pub kind: TargetKind,
    /// Its name, or the text of the string.
    pub name: String,
}

impl Target {
    /// The addresses.
    pub fn range(&self) -> Range<u64> {
        self.address..self.address.saturating_add(self.size.max(1))
    }
}

impl Program {
    /// The function with a name, or with an address as `0x401000` or decimal:
    /// the one that begins there, or else has it inside. Names win; of several
    /// with one name those that are no stubs win, then the lowest address.
    pub fn find(&self, wanted: &str) -> Result<&Function, NotFound> {
        let wanted = wanted.trim();
        let named = self
            .functions()
            .iter()
            .filter(|function| self.name(function) == wanted)
            .min_by_key(|function| (function.kind == Kind::ImportThunk, function.address));
        if let Some(function) = named {
            return Ok(function);
        }
        if let Some(address) = number(wanted) {
            let found = self.function_at(address);
            if let Some(function) = found.or_else(|| self.function_with(address)) {
                return Ok(function);
            }
        }
        Err(NotFound {
            wanted: wanted.to_owned(),
            similar: self.similar(wanted),
        })
    }

    /// Names of functions that contain what was asked for, or that it
    /// contains; for an address, the functions around it.
    fn similar(&self, wanted: &str) -> Vec<String> {
        if let Some(address) = number(wanted) {
            let after = self
                .functions()
                .partition_point(|function| function.address <= address);
            let around = after.saturating_sub(1)..after.saturating_add(1);
            return around
                .filter_map(|number| self.functions().get(number))
                .map(|function| format!("{} at {:#x}", self.name(function), function.address))
                .collect();
        }
        let wanted = wanted.to_lowercase();
        let mut near: Vec<(usize, String)> = Vec::new();
        if wanted.is_empty() {
            return Vec::new();
        }
        for function in self.functions() {
            let name = self.name(function);
            let lower = name.to_lowercase();
            let contains = lower.contains(&wanted) || (lower.len() > 2 && wanted.contains(&*lower));
            let distance = if contains {
                lower.len().abs_diff(wanted.len())
            } else if common_prefix(&lower, &wanted) * 2 > wanted.len() {
                lower.len().max(wanted.len())
            } else {
                continue;
            };
            if !near.iter().any(|(_, known)| *known == name) {
                near.push((distance, name.into_owned()));
                near.sort();
                near.truncate(MOST_SIMILAR);
            }
        }
        near.into_iter().map(|(_, name)| name).collect()
    }

    /// What a text stands for: an address, functions, imports (by their stubs
    /// and slots), or else the places of the text in data, as ASCII or UTF-16.
    pub fn resolve(&self, data: &[u8], text: &str) -> Vec<Target> {
        let text = text.trim();
        let mut found = Vec::new();
        if text.is_empty() {
            return found;
        }
        let add = |found: &mut Vec<Target>, address, size, kind| {
            if found.len() < MOST_PLACES {
                found.push(Target {
                    address,
                    size,
                    kind,
                    name: text.to_owned(),
                });
            }
        };
        for function in self.functions() {
            if self.name(function) == text {
                let kind = match function.kind {
                    Kind::ImportThunk => TargetKind::ImportThunk,
                    Kind::Function | Kind::Entry | Kind::Import => TargetKind::Function,
                };
                add(&mut found, function.address, 1, kind);
            }
        }
        for import in self.imports() {
            if let Some(slot) = import.slot.filter(|_| &*import.name == text) {
                add(&mut found, slot, 1, TargetKind::ImportSlot);
            }
        }
        if found.is_empty()
            && let Some(address) = number(text)
        {
            add(&mut found, address, 1, TargetKind::Address);
        }
        if found.is_empty() {
            self.find_text(data, text, &mut found);
        }
        found
    }

    fn find_text(&self, data: &[u8], text: &str, found: &mut Vec<Target>) {
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for region in self.memory_map().regions() {
            for pattern in [text.as_bytes(), &wide] {
                let bytes = region.bytes(data);
                let mut at = 0;
                while let Some(next) = find(bytes.get(at..).unwrap_or_default(), pattern) {
                    if found.len() >= MOST_PLACES {
                        return;
                    }
                    let place = at.saturating_add(next);
                    // The string may begin before what was asked for, and
                    // references are to its beginning.
                    let before = bytes.get(..place).unwrap_or_default();
                    let start = place.saturating_sub(printable(before, pattern.len() > text.len()));
                    let end = place.saturating_add(pattern.len());
                    found.push(Target {
                        address: region.address.saturating_add(start as u64),
                        size: end.saturating_sub(start) as u64,
                        kind: TargetKind::String,
                        name: text.to_owned(),
                    });
                    at = place.saturating_add(1);
                }
            }
        }
    }
}

/// How many bytes of text stand at the end, at most a screen.
fn printable(bytes: &[u8], wide: bool) -> usize {
    const MOST: usize = 4096;
    let text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..);
    if wide {
        let (_, pairs) = bytes.as_rchunks::<2>();
        let pairs = pairs.iter().rev().take(MOST);
        pairs
            .take_while(|[low, high]| *high == 0 && text(low))
            .count()
            .saturating_mul(2)
    } else {
        bytes
            .iter()
            .rev()
            .take(MOST)
            .take_while(|byte| text(byte))
            .count()
    }
}

/// The first place of a pattern.
pub(crate) fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, pattern)
}

fn common_prefix(left: &str, right: &str) -> usize {
    left.bytes()
        .zip(right.bytes())
        .take_while(|(left, right)| left == right)
        .count()
}

/// An address as people write it.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_begin_before_what_was_asked_for() {
        assert_eq!(printable(b"\0usage: ", false), 7);
        assert_eq!(printable(b"\0\0a\0b\0", true), 4);
        assert_eq!(number("0x10"), Some(16));
        assert_eq!(number("x10"), None);
    }
}
