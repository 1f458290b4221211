//! Relocations of an ELF file: how many there are, which slot gets the address
//! of an imported symbol, and what the loader writes into function arrays.
//! It applies none to code or data.

use std::collections::HashMap;

use object::Endianness;
use object::elf::{self, Machine};
use object::read::elf::{FileHeader, Rel, Rela, Relr};

use super::dynamic::{Dynamic, Table};
use super::file::{File, table_in};

/// More entries of a table than this are counted, but not looked at.
const MOST_WALKED: usize = 1 << 24;

/// What the relocations say.
#[derive(Debug, Clone, Default)]
pub(super) struct Relocations {
    /// Their number, see [`Relocations::read`].
    pub(super) count: u64,
    /// The slot of each dynamic symbol, 0 for none.
    slots: Vec<Slot>,
    /// Values that are written into the wanted arrays, by address.
    values: HashMap<u64, u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    address: u64,
    rank: u8,
}

/// A relocation as plain numbers.
struct Raw {
    offset: u64,
    kind: u32,
    symbol: usize,
    addend: u64,
}

impl Relocations {
    /// Reads all relocations.
    ///
    /// Counted are the entries of `REL` and `RELA` tables and the addresses
    /// that `RELR` and the header of `CREL` tables stand for: of the sections
    /// of these types, or of the dynamic segment when no section is of one.
    /// `wanted` are the arrays of functions whose values are remembered.
    pub(super) fn read<H: FileHeader<Endian = Endianness>>(
        file: &File<'_, H>,
        dynamic: &Dynamic<'_>,
        symbol_values: &[H::Sym],
        wanted: &[Table],
    ) -> Self {
        let mut relocations = Self::default();
        let by_sections = relocations.count_sections(file);
        relocations.slots = vec![Slot::default(); symbol_values.len()];
        let tables = [
            (dynamic.rel, false),
            (dynamic.rela, true),
            (dynamic.plt, dynamic.plt_is_rela),
        ];
        let mut by_dynamic = 0_u64;
        for (place, is_rela) in tables {
            // The table for the PLT may be the end of the other one.
            let inside = [dynamic.rel, dynamic.rela].iter().any(|other| {
                other.size > 0
                    && place.address > other.address
                    && place.address < other.address.saturating_add(other.size)
            });
            if !inside {
                by_dynamic = by_dynamic.saturating_add(relocations.walk(
                    file,
                    place,
                    is_rela,
                    symbol_values,
                    wanted,
                ));
            }
        }
        by_dynamic =
            by_dynamic.saturating_add(count_relr::<H>(sized(file, dynamic.relr), file.endian));
        relocations.count = by_sections.unwrap_or(by_dynamic);
        if let Some(first) = dynamic.mips_first_global {
            relocations.mips_slots(dynamic, first, file.word_size());
        }
        relocations
    }

    /// The slot that gets the address of a dynamic symbol.
    pub(super) fn slot(&self, symbol: usize) -> Option<u64> {
        let slot = self.slots.get(symbol)?;
        (slot.rank > 0).then_some(slot.address)
    }

    /// What is written to an address, if it is in a wanted array.
    pub(super) fn value(&self, address: u64) -> Option<u64> {
        self.values.get(&address).copied()
    }

    fn count_sections<H: FileHeader<Endian = Endianness>>(
        &self,
        file: &File<'_, H>,
    ) -> Option<u64> {
        let mut found = false;
        let mut count = 0_u64;
        // `RELR` tables must be read to be counted: once for each byte at most.
        let mut budget = file.data.len();
        for section in &file.sections {
            let bytes = file.section_bytes(section);
            let number = match elf::SectionType(section.kind) {
                elf::SHT_REL => bytes.len() / size_of::<H::Rel>(),
                elf::SHT_RELA => bytes.len() / size_of::<H::Rela>(),
                elf::SHT_CREL => (leb128(bytes) >> 3) as usize,
                elf::SHT_RELR => {
                    let Some(left) = budget.checked_sub(bytes.len()) else {
                        continue;
                    };
                    budget = left;
                    count_relr::<H>(bytes, file.endian) as usize
                }
                _ => continue,
            };
            found = true;
            count = count.saturating_add(number as u64);
        }
        found.then_some(count)
    }

    /// Walks a table, and says how many entries it has.
    fn walk<H: FileHeader<Endian = Endianness>>(
        &mut self,
        file: &File<'_, H>,
        place: Table,
        is_rela: bool,
        symbols: &[H::Sym],
        wanted: &[Table],
    ) -> u64 {
        let endian = file.endian;
        let bytes = sized(file, place);
        let machine = Machine(file.header.machine);
        if is_rela {
            let mips64el = machine == elf::EM_MIPS && file.is_64() && endian == Endianness::Little;
            let entries = table_in::<H::Rela>(bytes);
            for entry in entries.iter().take(MOST_WALKED) {
                let addend: i64 = entry.r_addend(endian).into();
                let raw = Raw {
                    offset: entry.r_offset(endian).into(),
                    kind: entry.r_type(endian, mips64el).0,
                    symbol: entry.r_sym(endian, mips64el) as usize,
                    addend: addend.cast_unsigned(),
                };
                self.take::<H>(&raw, machine, endian, symbols, wanted);
            }
            entries.len() as u64
        } else {
            let entries = table_in::<H::Rel>(bytes);
            for entry in entries.iter().take(MOST_WALKED) {
                let raw = Raw {
                    offset: entry.r_offset(endian).into(),
                    kind: entry.r_type(endian).0,
                    symbol: entry.r_sym(endian) as usize,
                    addend: 0,
                };
                self.take::<H>(&raw, machine, endian, symbols, wanted);
            }
            entries.len() as u64
        }
    }

    fn take<H: FileHeader<Endian = Endianness>>(
        &mut self,
        raw: &Raw,
        machine: Machine,
        endian: Endianness,
        symbols: &[H::Sym],
        wanted: &[Table],
    ) {
        use object::read::elf::Sym as _;
        if raw.symbol != 0 {
            let rank = rank(machine, raw.kind);
            if let Some(slot) = self.slots.get_mut(raw.symbol)
                && slot.rank < rank
            {
                *slot = Slot {
                    address: raw.offset,
                    rank,
                };
            }
        }
        let is_wanted = wanted.iter().any(|array| {
            raw.offset
                .checked_sub(array.address)
                .is_some_and(|distance| distance < array.size)
        });
        // The values of arrays are bounded like the arrays of the report.
        if is_wanted && self.values.len() < super::MOST_FUNCTIONS {
            let symbol = symbols.get(raw.symbol).filter(|_| raw.symbol != 0);
            let base: u64 = symbol.map_or(0, |symbol| symbol.st_value(endian).into());
            let value = base.wrapping_add(raw.addend);
            if value != 0 {
                self.values.insert(raw.offset, value);
            }
        }
    }

    /// On MIPS no relocation says it: the last slots of the global offset table
    /// are those of the last symbols, in order (MIPS psABI, chapter 5).
    fn mips_slots(&mut self, dynamic: &Dynamic<'_>, first: u64, word_size: u64) {
        let Some(table) = dynamic.global_offset_table else {
            return;
        };
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let slots = self.slots.iter_mut().skip(first);
        for (number, slot) in slots.enumerate() {
            let number = dynamic.mips_local_slots.wrapping_add(number as u64);
            let distance = number.wrapping_mul(word_size);
            if slot.rank == 0 {
                *slot = Slot {
                    address: table.wrapping_add(distance),
                    rank: 1,
                };
            }
        }
    }
}

/// The bytes of a table of the dynamic segment.
fn sized<'d, H: FileHeader<Endian = Endianness>>(file: &File<'d, H>, place: Table) -> &'d [u8] {
    if place.size == 0 {
        return &[];
    }
    let bytes = file.bytes_from(place.address).unwrap_or_default();
    let size = usize::try_from(place.size).unwrap_or(usize::MAX);
    bytes.get(..size).unwrap_or(bytes)
}

/// Addresses that a `RELR` table stands for: an even entry is one, an odd one
/// is a bit map of those behind it.
fn count_relr<H: FileHeader<Endian = Endianness>>(bytes: &[u8], endian: Endianness) -> u64 {
    let entries = table_in::<H::Relr>(bytes).iter();
    entries
        .map(|entry| {
            let word: u64 = entry.get(endian).into();
            if word & 1 == 0 {
                1
            } else {
                u64::from(word.count_ones()) - 1
            }
        })
        .sum()
}

/// How much a slot is that of an import: 3 for that of the procedure linkage
/// table, 2 for that of the global offset table, 1 for any pointer.
fn rank(machine: Machine, kind: u32) -> u8 {
    let (jump, global) = match machine {
        elf::EM_386 => (elf::R_386_JMP_SLOT, elf::R_386_GLOB_DAT),
        elf::EM_X86_64 => (elf::R_X86_64_JUMP_SLOT, elf::R_X86_64_GLOB_DAT),
        elf::EM_ARM => (elf::R_ARM_JUMP_SLOT, elf::R_ARM_GLOB_DAT),
        elf::EM_AARCH64 => (elf::R_AARCH64_JUMP_SLOT, elf::R_AARCH64_GLOB_DAT),
        elf::EM_PPC => (elf::R_PPC_JMP_SLOT, elf::R_PPC_GLOB_DAT),
        elf::EM_PPC64 => (elf::R_PPC64_JMP_SLOT, elf::R_PPC64_GLOB_DAT),
        elf::EM_S390 => (elf::R_390_JMP_SLOT, elf::R_390_GLOB_DAT),
        elf::EM_RISCV => (elf::R_RISCV_JUMP_SLOT, elf::R_RISCV_64),
        elf::EM_68K => (elf::R_68K_JMP_SLOT, elf::R_68K_GLOB_DAT),
        elf::EM_SPARC | elf::EM_SPARC32PLUS | elf::EM_SPARCV9 => {
            (elf::R_SPARC_JMP_SLOT, elf::R_SPARC_GLOB_DAT)
        }
        elf::EM_LOONGARCH => (elf::R_LARCH_JUMP_SLOT, elf::R_LARCH_64),
        elf::EM_SH => (elf::R_SH_JMP_SLOT, elf::R_SH_GLOB_DAT),
        _ => return 1,
    };
    if kind == jump.0 {
        3
    } else if kind == global.0 {
        2
    } else {
        1
    }
}

/// An unsigned LEB128 number, 0 when it does not end within 64 bits.
fn leb128(bytes: &[u8]) -> u64 {
    let mut value = 0_u64;
    for (position, byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return value;
        }
    }
    0
}
