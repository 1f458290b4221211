//! Functions that an ELF file has run before and after the program, by way of
//! arrays of pointers.

use object::Endianness;
use object::elf;
use object::read::elf::FileHeader;

use super::MOST_FUNCTIONS;
use super::dynamic::{Dynamic, Table};
use super::file::{File, RawSection};
use super::layout::location;
use super::relocations::Relocations;
use crate::binary::Location;

/// Arrays of functions that run before and after the program.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arrays {
    preinit: Table,
    init: Table,
    fini: Table,
}

impl Arrays {
    /// By the dynamic segment, or by the sections of a static file.
    pub(super) fn find<H: FileHeader<Endian = Endianness>>(
        file: &File<'_, H>,
        dynamic: &Dynamic<'_>,
    ) -> Self {
        if dynamic.present {
            return Self {
                preinit: dynamic.preinit_array,
                init: dynamic.init_array,
                fini: dynamic.fini_array,
            };
        }
        let array = |kind: elf::SectionType| {
            let section: Option<&RawSection> = file.section_of_kind(kind);
            section.map_or(Table::default(), |section| Table {
                address: section.address,
                size: section.size,
            })
        };
        Self {
            preinit: array(elf::SHT_PREINIT_ARRAY),
            init: array(elf::SHT_INIT_ARRAY),
            fini: array(elf::SHT_FINI_ARRAY),
        }
    }

    pub(super) fn all(&self) -> [Table; 3] {
        [self.preinit, self.init, self.fini]
    }

    /// Functions that run early, and those that run late, in order.
    pub(super) fn functions<H: FileHeader<Endian = Endianness>>(
        &self,
        file: &File<'_, H>,
        dynamic: &Dynamic<'_>,
        relocations: &Relocations,
    ) -> (Vec<Location>, Vec<Location>) {
        let mut early = Vec::new();
        let mut late = Vec::new();
        self.read(file, self.preinit, relocations, &mut early);
        early.extend(dynamic.init.map(|address| location(file, address)));
        self.read(file, self.init, relocations, &mut early);
        self.read(file, self.fini, relocations, &mut late);
        late.reverse();
        late.extend(dynamic.fini.map(|address| location(file, address)));
        (early, late)
    }

    fn read<H: FileHeader<Endian = Endianness>>(
        &self,
        file: &File<'_, H>,
        array: Table,
        relocations: &Relocations,
        functions: &mut Vec<Location>,
    ) {
        let word_size = file.word_size();
        let bytes = file.bytes_from(array.address).unwrap_or_default();
        let size = usize::try_from(array.size).unwrap_or(usize::MAX);
        let bytes = bytes.get(..size).unwrap_or(bytes);
        // 0 and -1 are fillers in arrays of old start files.
        let minus_one = if file.is_64() {
            u64::MAX
        } else {
            u32::MAX.into()
        };
        let words = bytes.chunks_exact(word_size as usize).take(MOST_FUNCTIONS);
        for (index, word) in words.enumerate() {
            let at = array.address.wrapping_add(index as u64 * word_size);
            let stored = file.word(word).unwrap_or_default();
            let address = relocations.value(at).unwrap_or(stored);
            if address != 0 && address != minus_one {
                functions.push(location(file, address));
            }
        }
    }
}
