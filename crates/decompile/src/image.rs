//! The bytes of a program by address, as the decompiler reads them. It asks for
//! them long after the file is gone, so they are copied.

use std::sync::{Arc, OnceLock};

use ghidra_decompiler::address::{Address, RangeList};
use ghidra_decompiler::error::{Error, Result};
use ghidra_decompiler::loadimage::LoadImage;
use ghidra_decompiler::space::SpaceRef;
use reversecore_code::{Memory, Program};

/// Bytes that are copied of one program; code comes first.
const MOST_BYTES: u64 = 256 << 20;
/// So many bytes are read for an instruction, whatever its size.
const FETCHED: usize = 16;
/// Slots of imports nearer to each other than this are taken for one table.
const SAME_TABLE: u64 = 64;

/// A stretch of addresses.
#[derive(Debug)]
struct Part {
    address: u64,
    /// The first address behind it.
    end: u64,
    /// What lies behind its bytes is zero.
    bytes: Box<[u8]>,
    /// Whether it is known what it has when the program runs: nothing writes it.
    constant: bool,
    code: bool,
}

/// The bytes of a program.
#[derive(Debug)]
pub(crate) struct Bytes {
    /// By address; they do not overlap.
    parts: Vec<Part>,
    /// Tables of imports: filled in when the program is loaded, even where the
    /// file says that nothing may write there.
    tables: Vec<(u64, u64)>,
    left_out: u64,
}

impl Bytes {
    /// Of a program in the file `data`.
    pub(crate) fn of(data: &[u8], program: &Program, pointer: u8) -> Self {
        let memory = program.memory_map();
        let mut room = MOST_BYTES;
        let mut left_out = 0_u64;
        let mut parts = Vec::new();
        for code in [true, false] {
            for region in memory.regions() {
                if region.permissions.execute != code {
                    continue;
                }
                let bytes = region.bytes(data);
                let size = bytes.len() as u64;
                if size > room {
                    left_out = left_out.saturating_add(size);
                    continue;
                }
                room -= size;
                parts.push(Part {
                    address: region.address,
                    end: region.end(),
                    bytes: bytes.into(),
                    constant: !region.permissions.write,
                    code,
                });
            }
        }
        parts.sort_by_key(|part| part.address);
        Self {
            parts,
            tables: tables(program, u64::from(pointer)),
            left_out,
        }
    }

    /// Bytes that were not copied.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Bytes held.
    pub(crate) fn memory(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes.len() as u64).sum()
    }

    /// Whether what lies at an address stays what the file has there.
    pub(crate) fn is_constant(&self, address: u64) -> bool {
        self.part(address).is_some_and(|part| part.constant)
            && !self
                .tables
                .iter()
                .any(|&(start, end)| (start..end).contains(&address))
    }

    /// Whether an address is one of the program's.
    pub(crate) fn has(&self, address: u64) -> bool {
        self.part(address).is_some()
    }

    /// The bytes from an address to the end of those in the file.
    pub(crate) fn from(&self, address: u64) -> &[u8] {
        let found = self.part(address).and_then(|part| {
            let into = usize::try_from(address.saturating_sub(part.address)).ok()?;
            part.bytes.get(into..)
        });
        found.unwrap_or_default()
    }

    fn part(&self, address: u64) -> Option<&Part> {
        let before = self
            .parts
            .partition_point(|part| part.address <= address)
            .checked_sub(1)?;
        self.parts.get(before).filter(|part| address < part.end)
    }

    /// Copies what lies from an address on; what lies in no part is zero.
    fn fill(&self, out: &mut [u8], address: u64) {
        out.fill(0);
        let mut done = 0_usize;
        while done < out.len() {
            let Some(at) = address.checked_add(done as u64) else {
                return;
            };
            let rest = out.get_mut(done..).unwrap_or_default();
            let Some(part) = self.part(at) else {
                // To the next part, where there is one.
                let next = self.parts.partition_point(|part| part.address <= at);
                let Some(next) = self.parts.get(next) else {
                    return;
                };
                let gap = next.address.saturating_sub(at);
                done = done.saturating_add(usize::try_from(gap).unwrap_or(usize::MAX));
                continue;
            };
            let bytes = self.from(at);
            let count = bytes.len().min(rest.len());
            for (to, from) in rest.iter_mut().zip(bytes) {
                *to = *from;
            }
            let zeros = part.end.saturating_sub(at).saturating_sub(count as u64);
            let zeros = usize::try_from(zeros).unwrap_or(usize::MAX);
            // A part has at least one address, so this goes on.
            done = done.saturating_add(count).saturating_add(zeros);
        }
    }
}

/// Ranges of addresses in which imports have their slots.
fn tables(program: &Program, pointer: u64) -> Vec<(u64, u64)> {
    let mut slots: Vec<u64> = program
        .imports()
        .iter()
        .filter_map(|import| import.slot)
        .collect();
    slots.sort_unstable();
    let mut tables: Vec<(u64, u64)> = Vec::new();
    for slot in slots {
        let end = slot.saturating_add(pointer);
        match tables.last_mut() {
            Some(last) if slot <= last.1.saturating_add(SAME_TABLE) => last.1 = last.1.max(end),
            Some(_) | None => tables.push((slot, end)),
        }
    }
    tables
}

/// Addresses behind all others that can be given to what is not in the file:
/// `count` of them, so many bytes apart, below `limit`.
pub(crate) fn outside(memory: &Memory, count: u64, apart: u64, limit: u64) -> Option<u64> {
    const PAGE: u64 = 0x1000;
    let size = count.checked_mul(apart)?;
    let last = memory.regions().last().map_or(PAGE, |region| region.end());
    let behind = last
        .checked_next_multiple_of(PAGE)
        .and_then(|start| start.checked_add(PAGE))
        .filter(|start| start.checked_add(size).is_some_and(|end| end <= limit));
    // Kernels lie at the end of the addresses.
    behind.or_else(|| {
        let first = memory.lowest();
        (size.saturating_add(PAGE) < first).then_some(PAGE)
    })
}

/// The bytes as one decompiler sees them.
#[derive(Debug)]
pub(crate) struct View {
    bytes: Arc<Bytes>,
    /// Where instructions may be read, sorted; everywhere when there is none.
    within: Option<Vec<(u64, u64)>>,
    /// The address space that these are the addresses of.
    space: OnceLock<SpaceRef>,
}

impl View {
    pub(crate) fn new(bytes: &Arc<Bytes>, within: Option<Vec<(u64, u64)>>) -> Self {
        Self {
            bytes: bytes.clone(),
            within,
            space: OnceLock::new(),
        }
    }

    /// Says which address space it is the content of.
    pub(crate) fn attach(&self, space: &SpaceRef) {
        self.space.get_or_init(|| space.clone());
    }

    /// Whether an instruction at an address is not to be seen.
    fn hides(&self, address: u64) -> bool {
        let Some(within) = &self.within else {
            return false;
        };
        let before = within.partition_point(|&(start, _)| start <= address);
        let range = before.checked_sub(1).and_then(|index| within.get(index));
        range.is_none_or(|&(_, end)| end <= address)
            && self.bytes.part(address).is_some_and(|part| part.code)
    }
}

impl LoadImage for View {
    fn get_file_name(&self) -> &str {
        "program"
    }

    fn load_fill(&self, ptr: &mut [u8], addr: &Address) -> Result<()> {
        let number = |space: &SpaceRef| space.get_index();
        let space = addr.get_space().map(number);
        let address = addr.get_offset();
        if space.is_none() || space != self.space.get().map(number) || !self.bytes.has(address) {
            return Err(Error::DataUnavail(format!("no bytes at {address:#x}")));
        }
        if ptr.len() == FETCHED && self.hides(address) {
            return Err(Error::BadData(format!("left out at {address:#x}")));
        }
        self.bytes.fill(ptr, address);
        Ok(())
    }

    fn get_readonly(&self, list: &mut RangeList) {
        let Some(space) = self.space.get() else {
            return;
        };
        for part in self.bytes.parts.iter().filter(|part| part.constant) {
            let mut from = part.address;
            let inside = |&&(start, end): &&(u64, u64)| end > part.address && start < part.end;
            for &(start, end) in self.bytes.tables.iter().filter(inside) {
                if start > from {
                    list.insert_range(space, from, start - 1);
                }
                from = from.max(end);
            }
            if from < part.end {
                list.insert_range(space, from, part.end - 1);
            }
        }
    }

    fn get_arch_type(&self) -> String {
        "unknown".to_owned()
    }

    fn adjust_vma(&mut self, _adjust: i64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Bytes {
        let part = |address: u64, end: u64, bytes: &[u8], constant| Part {
            address,
            end,
            bytes: bytes.into(),
            constant,
            code: constant,
        };
        Bytes {
            parts: vec![
                part(0x10, 0x18, b"abcd", true),
                part(0x18, 0x1c, b"efgh", false),
                part(0x20, 0x22, b"ij", true),
            ],
            tables: vec![(0x12, 0x14)],
            left_out: 0,
        }
    }

    #[test]
    fn parts_gaps_and_ends_are_filled() {
        let mut out = [0xff; 20];
        bytes().fill(&mut out, 0x12);
        assert_eq!(&out, b"cd\0\0\0\0efgh\0\0\0\0ij\0\0\0\0");
        let mut out = [0xff; 4];
        bytes().fill(&mut out, u64::MAX - 1);
        assert_eq!(out, [0; 4]);
    }

    #[test]
    fn only_code_is_hidden() {
        let view = View::new(&Arc::new(bytes()), Some(vec![(0x10, 0x12), (0x20, 0x21)]));
        let hidden = [0x11, 0x12, 0x18, 0x20, 0x21, 0x30].map(|at| view.hides(at));
        assert_eq!(hidden, [false, true, false, false, true, false]);
        let all = View::new(&Arc::new(bytes()), None);
        assert!(!all.hides(0x12));
    }

    #[test]
    fn tables_of_imports_are_not_constant() {
        let bytes = bytes();
        let constant = [0x11, 0x12, 0x13, 0x14, 0x18, 0x1d].map(|at| bytes.is_constant(at));
        assert_eq!(constant, [true, false, false, true, false, false]);
        assert_eq!(bytes.from(0x1a), b"gh");
        assert!(bytes.from(0x1e).is_empty());
    }
}
