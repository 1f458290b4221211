//! Symbol versions of an ELF file: which version a symbol has, and which
//! library it is to come from (`.gnu.version`, `.gnu.version_r`,
//! `.gnu.version_d`; see the Linux Standard Base, "Symbol Versioning").

use object::Endianness;
use object::elf::{self, Verdaux, Verdef, Vernaux, Verneed};
use object::endian::U16;
use object::pod;
use object::read::elf::FileHeader;

use super::dynamic::Dynamic;
use super::file::{File, table_in};
use crate::Warnings;
use crate::binary::text;

/// A version by its index.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Version<'d> {
    pub(super) name: &'d [u8],
    /// The library that is to have it; empty for versions defined here.
    pub(super) library: &'d [u8],
}

/// All versions, and which symbol has which.
#[derive(Debug, Clone, Default)]
pub(super) struct Versions<'d> {
    indices: &'d [U16<Endianness>],
    endian: Endianness,
    by_index: Vec<Version<'d>>,
    /// Names of the versions that are defined here, but for that of the file.
    pub(super) defined: Vec<&'d [u8]>,
}

/// An index has 15 bits.
const MOST_VERSIONS: usize = 1 << 15;

impl<'d> Versions<'d> {
    /// Reads the version tables, by the dynamic segment or by the sections.
    pub(super) fn read<H: FileHeader<Endian = Endianness>>(
        file: &File<'d, H>,
        dynamic: &Dynamic<'d>,
        warnings: &mut Warnings,
    ) -> Self {
        let find = |address: Option<u64>, kind: elf::SectionType| {
            let from_dynamic = address.and_then(|address| file.bytes_from(address));
            from_dynamic.unwrap_or_else(|| {
                let section = file.section_of_kind(kind);
                section.map_or(&[], |section| file.section_bytes(section))
            })
        };
        let mut versions = Self {
            indices: table_in(find(dynamic.version_indices, elf::SHT_GNU_VERSYM)),
            endian: file.endian,
            by_index: Vec::new(),
            defined: Vec::new(),
        };
        let needed = find(dynamic.versions_needed, elf::SHT_GNU_VERNEED);
        versions.read_needed(needed, dynamic.strings, warnings);
        let defined = find(dynamic.versions_defined, elf::SHT_GNU_VERDEF);
        versions.read_defined(defined, dynamic.strings, warnings);
        versions
    }

    /// The version of the dynamic symbol with an index.
    pub(super) fn of(&self, symbol: usize) -> Option<Version<'d>> {
        let index = self.indices.get(symbol)?.get(self.endian) & elf::VERSYM_VERSION;
        // 0 and 1 are local and global, without a version. The definition with
        // index 1 has the name of the file.
        if index <= elf::VER_NDX_GLOBAL.0 {
            return None;
        }
        let version = self.by_index.get(usize::from(index))?;
        (!version.name.is_empty()).then_some(*version)
    }

    fn set(&mut self, index: u16, version: Version<'d>) {
        let index = usize::from(index & elf::VERSYM_VERSION);
        if self.by_index.len() <= index {
            self.by_index.resize(index + 1, Version::default());
        }
        if let Some(slot) = self.by_index.get_mut(index) {
            *slot = version;
        }
    }

    fn read_needed(&mut self, table: &'d [u8], strings: &'d [u8], warnings: &mut Warnings) {
        let endian = self.endian;
        let mut left = MOST_VERSIONS;
        let walked = walk::<Verneed<Endianness>>(table, MOST_VERSIONS, |need, at| {
            let library = text::name_at(strings, need.vn_file.get(endian).into());
            let aux = at
                .get(need.vn_aux.get(endian) as usize..)
                .unwrap_or_default();
            let most = left.min(usize::from(need.vn_cnt.get(endian)));
            left -= most;
            walk::<Vernaux<Endianness>>(aux, most, |item, _| {
                let name = text::name_at(strings, item.vna_name.get(endian).into());
                let version = Version {
                    name: name.unwrap_or_default(),
                    library: library.unwrap_or_default(),
                };
                self.set(item.vna_other.get(endian).0, version);
                item.vna_next.get(endian)
            });
            need.vn_next.get(endian)
        });
        if !walked {
            warnings.add("version needs end outside their table".to_owned());
        }
    }

    fn read_defined(&mut self, table: &'d [u8], strings: &'d [u8], warnings: &mut Warnings) {
        let endian = self.endian;
        let walked = walk::<Verdef<Endianness>>(table, MOST_VERSIONS, |definition, at| {
            let aux = at
                .get(definition.vd_aux.get(endian) as usize..)
                .and_then(|bytes| pod::from_bytes::<Verdaux<Endianness>>(bytes).ok());
            let offset = aux.map(|(aux, _)| aux.vda_name.get(endian));
            let name = offset.and_then(|offset| text::name_at(strings, offset.into()));
            if let Some(name) = name {
                let version = Version { name, library: &[] };
                self.set(definition.vd_ndx.get(endian).0, version);
                // The first one is the name of the file itself.
                if !definition.vd_flags.get(endian).contains(elf::VER_FLG_BASE) {
                    self.defined.push(name);
                }
            }
            definition.vd_next.get(endian)
        });
        if !walked {
            warnings.add("version definitions end outside their table".to_owned());
        }
    }
}

/// Walks a chain in which each entry says how far the next is, 0 at the end.
/// It only ever goes forward, so that it ends. `false` when it left the table.
fn walk<'d, T: pod::Pod + 'd>(
    mut table: &'d [u8],
    most: usize,
    mut each: impl FnMut(&'d T, &'d [u8]) -> u32,
) -> bool {
    if table.is_empty() {
        return true;
    }
    for _ in 0..most {
        let Ok((entry, _)) = pod::from_bytes::<T>(table) else {
            return false;
        };
        let next = each(entry, table) as usize;
        if next == 0 {
            break;
        }
        let Some(rest) = table.get(next..) else {
            return false;
        };
        table = rest;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_indices_are_no_versions() {
        let own = Version {
            name: b"libown.so.1",
            library: b"",
        };
        let libc = Version {
            name: b"GLIBC_2.34",
            library: b"libc.so.6",
        };
        let versions = Versions {
            indices: table_in(&[0, 0, 1, 0, 2, 0x80, 9, 0]),
            by_index: vec![own, own, libc],
            ..Versions::default()
        };
        let names: Vec<_> = (0..5)
            .map(|symbol| versions.of(symbol).map(|version| version.name))
            .collect();
        assert_eq!(names, [None, None, Some(&b"GLIBC_2.34"[..]), None, None]);
    }

    #[test]
    fn chains_go_forward_and_end() {
        let mut seen = 0;
        let table = [1; 3 * size_of::<Vernaux<Endianness>>()];
        let walked = walk::<Vernaux<Endianness>>(&table, 1000, |_, _| {
            seen += 1;
            1
        });
        assert!(!walked);
        assert_eq!(seen, 2 * size_of::<Vernaux<Endianness>>() + 1);
    }
}
