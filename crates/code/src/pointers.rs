//! Addresses that data holds: what relocations write, and aligned words that
//! happen to be addresses. Both are where handlers, tables of functions and
//! strings are reached from without any instruction that names them.

use reversecore_analysis::binary::{Endian, Format, Image};

use crate::memory::Memory;
use crate::read::{u64_at, word_at};

/// More are not kept; programs have some ten thousand.
const MOST_POINTERS: usize = 2_000_000;

/// Below this, numbers and addresses cannot be told apart, so that words are
/// not taken for addresses in an image that begins there, except where a
/// Mach-O library has its pointers.
const LOWEST_TELLING: u64 = 0x1_0000;

/// The first bytes of an image are its headers.
const HEADERS: u64 = 0x100;

/// A word of data that holds an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pointer {
    /// Where the word is.
    pub(crate) slot: u64,
    /// The address that it holds.
    pub(crate) target: u64,
}

/// All of them by slot, each slot once.
pub(crate) fn pointers(data: &[u8], image: &Image, memory: &Memory) -> Vec<Pointer> {
    let mut found = Vec::new();
    if image.format == Format::Elf {
        relocated(data, image, memory, &mut found);
    }
    words(data, image, memory, &mut found);
    found.sort_unstable();
    found.dedup_by_key(|pointer| pointer.slot);
    found
}

/// The number of the relocation that adds the base of the image, and of the
/// one whose value a function of the image computes, of an architecture.
fn relative(architecture: &str) -> Option<(u32, u32)> {
    Some(match architecture {
        "x86-64" => (8, 37),
        "x86" => (8, 42),
        "aarch64" => (1027, 1032),
        "arm" => (23, 160),
        "riscv" | "riscv64" | "riscv32" => (3, 58),
        "powerpc" | "powerpc64" => (22, 248),
        "s390x" => (12, 61),
        _ => return None,
    })
}

/// `RELA`, `REL` and `RELR` tables (System V ABI, chapter 5; RELR: generic ABI).
fn relocated(data: &[u8], image: &Image, memory: &Memory, found: &mut Vec<Pointer>) {
    let Some((relative, computed)) = relative(&image.architecture) else {
        return;
    };
    let endian = image.endian;
    let wide = image.bits == 64;
    let word = usize::from(image.bits / 8).max(4);
    let in_place = |slot: u64| -> Option<u64> {
        let bytes = memory.bytes_from(data, slot)?;
        word_at(bytes, 0, image.bits, endian)
    };
    for region in memory.regions() {
        let bytes = region.bytes(data);
        let name = &*region.name;
        let (entry, has_addend) = if name.starts_with(".rela.") {
            (word.saturating_mul(3), true)
        } else if name.starts_with(".rel.") {
            (word.saturating_mul(2), false)
        } else if name == ".relr.dyn" {
            packed(bytes, word, endian, |slot| {
                if let Some(target) = in_place(slot)
                    && memory.region(target).is_some()
                    && found.len() < MOST_POINTERS
                {
                    found.push(Pointer { slot, target });
                }
            });
            continue;
        } else {
            continue;
        };
        for number in 0..bytes.len() / entry {
            let position = number.saturating_mul(entry);
            let at = |field: usize| {
                let position = position.saturating_add(field.saturating_mul(word));
                word_at(bytes, position, image.bits, endian)
            };
            let (Some(slot), Some(information)) = (at(0), at(1)) else {
                break;
            };
            let kind = if wide {
                information & 0xffff_ffff
            } else {
                information & 0xff
            };
            if kind != u64::from(relative) && kind != u64::from(computed) {
                continue;
            }
            let target = if has_addend { at(2) } else { in_place(slot) };
            if let Some(target) = target
                && memory.region(target).is_some()
                && found.len() < MOST_POINTERS
            {
                found.push(Pointer { slot, target });
            }
        }
    }
}

/// An even entry is an address, an odd one a bit map of the words behind it.
fn packed(bytes: &[u8], word: usize, endian: Endian, mut each: impl FnMut(u64)) {
    let bits = (word * 8) as u64;
    let mut next = 0_u64;
    for number in 0..bytes.len() / word {
        let Some(entry) = word_at(bytes, number.saturating_mul(word), (word * 8) as u8, endian)
        else {
            return;
        };
        if entry & 1 == 0 {
            each(entry);
            next = entry.wrapping_add(word as u64);
        } else {
            for bit in 1..bits {
                if entry >> bit & 1 == 1 {
                    let distance = bit.saturating_sub(1).saturating_mul(word as u64);
                    each(next.wrapping_add(distance));
                }
            }
            next = next.wrapping_add(bits.saturating_sub(1).saturating_mul(word as u64));
        }
    }
}

/// Aligned words of data that are addresses of the image.
fn words(data: &[u8], image: &Image, memory: &Memory, found: &mut Vec<Pointer>) {
    let size = usize::from(image.bits / 8).max(4);
    let highest = memory.regions().last().map_or(0, |region| region.end());
    let lowest = memory.lowest();
    for region in memory.regions() {
        // Tables of the linker are no data of the program.
        let tables = [
            ".eh_frame",
            ".gcc_except",
            ".rel",
            ".dyn",
            ".gnu",
            ".note",
            ".pdata",
            ".reloc",
            ".hash",
            "__TEXT,__unwind",
            "__TEXT,__eh_frame",
            "__LINKEDIT",
            ".rsrc",
        ];
        let table = tables.iter().any(|table| region.name.starts_with(table));
        let telling = lowest >= LOWEST_TELLING || region.name.starts_with("__DATA");
        if region.permissions.execute || table || !telling {
            continue;
        }
        let bytes = region.bytes(data);
        let skip = (region.address.wrapping_neg() % size as u64) as usize;
        for (number, word) in bytes
            .get(skip..)
            .unwrap_or_default()
            .chunks_exact(size)
            .enumerate()
        {
            let target = if image.bits == 64 {
                u64_at(word, 0, image.endian)
            } else {
                word_at(word, 0, 32, image.endian)
            };
            let Some(target) = target else { break };
            // Nothing points to the headers, but small numbers would.
            if target > lowest.saturating_add(HEADERS)
                && target < highest
                && memory.region(target).is_some()
            {
                if found.len() >= MOST_POINTERS {
                    return;
                }
                let into = skip.saturating_add(number.saturating_mul(size)) as u64;
                found.push(Pointer {
                    slot: region.address.saturating_add(into),
                    target,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_maps_stand_for_the_words_behind_an_address() {
        let table: Vec<u8> = [0x1000_u64, 0b1011, 0x2000]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        let mut slots = Vec::new();
        packed(&table, 8, Endian::Little, |slot| slots.push(slot));
        assert_eq!(slots, [0x1000, 0x1008, 0x1018, 0x2000]);
    }
}
