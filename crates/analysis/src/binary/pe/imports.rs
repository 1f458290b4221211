//! Imports, at start and delayed, by name and by number. Called by
//! [`parse`](super::parse).
//!
//! A number keeps its name beside it where that is known (`send` of Winsock).
//! The directory's size is not looked at, as the loader doesn't either: the
//! lists end at an empty entry, or where the file does.

use std::collections::HashSet;

use object::{LittleEndian as LE, pe};

use super::headers::Headers;
use super::layout::{Layout, word_at};
use super::ordinals;
use crate::Warnings;
use crate::binary::text::Text;
use crate::binary::{Import, ParseOptions};

/// How many bytes of names are looked at, with [`EACH`] for every one of them: a
/// file can name the same ones again and again, and unreadable ones aren't even
/// listed.
const MOST_LOOKED_AT: usize = 64 << 20;
/// The cost of a name beside its bytes.
const EACH: usize = 64;
/// So many unreadable names in a row mean that the table is no table.
const MOST_BAD: usize = 64;
/// So many libraries without a readable name mean that the list is no list.
const MOST_NAMELESS: usize = 5;
/// The attribute of delay descriptors that hold RVAs; older ones hold
/// addresses.
const DELAY_RVA_BASED: u32 = 1;

/// The imports, those at start before those that are delayed.
pub(super) fn read(
    layout: &Layout<'_>,
    headers: &Headers,
    options: &ParseOptions,
    text: &mut Text,
    warnings: &mut Warnings,
) -> Vec<Import> {
    let mut reader = Reader {
        layout,
        most: options.most_items,
        imports: Vec::new(),
        looked_at: 0,
        text,
        warnings,
    };
    if let Some(directory) = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_IMPORT) {
        reader.at_start(directory.rva);
    }
    if let Some(directory) = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT) {
        reader.delayed(directory.rva);
    }
    reader.imports
}

/// The libraries that are loaded at start, each once.
pub(super) fn libraries(imports: &[Import]) -> Vec<String> {
    let mut seen = HashSet::new();
    imports
        .iter()
        .filter(|import| !import.delayed)
        .filter_map(|import| import.library.as_ref())
        .filter(|library| seen.insert(library.to_ascii_lowercase()))
        .cloned()
        .collect()
}

/// What one library is asked for.
struct Table {
    library: Option<String>,
    /// RVA of the names and numbers.
    lookup: u32,
    /// RVA of the slots for addresses.
    slots: u32,
    delayed: bool,
    /// Taken off the lookup entries: the image base where they are addresses.
    base: u64,
}

struct Reader<'r, 'a> {
    layout: &'r Layout<'a>,
    most: usize,
    imports: Vec<Import>,
    /// Bytes of names so far.
    looked_at: usize,
    text: &'r mut Text,
    warnings: &'r mut Warnings,
}

impl<'a> Reader<'_, 'a> {
    fn at_start(&mut self, rva: u32) {
        if self.layout.tail(rva).is_empty() {
            self.warnings.add(format!(
                "import directory at RVA 0x{rva:x} lies outside of the file"
            ));
            return;
        }
        let mut position = rva;
        let mut nameless = 0;
        loop {
            let Some(descriptor) = self.layout.record::<pe::ImageImportDescriptor>(position) else {
                self.warnings.add(format!(
                    "import directory at RVA 0x{rva:x} has no end: the file ends at its entry 0x{position:x}"
                ));
                return;
            };
            let slots = descriptor.first_thunk.get(LE);
            let name = descriptor.name.get(LE);
            // The loader stops at an entry without a name or without slots.
            if name == 0 || slots == 0 {
                return;
            }
            let library = self.library(name, position);
            if library.is_none() {
                nameless += 1;
                if nameless > MOST_NAMELESS {
                    return;
                }
            }
            let lookup = descriptor.original_first_thunk.get(LE);
            let lookup = if self.layout.word(lookup).is_some_and(|first| first != 0) && lookup != 0
            {
                lookup
            } else {
                // Borland's linker has no lookup table, packers damage it.
                slots
            };
            let table = Table {
                library,
                lookup,
                slots,
                delayed: false,
                base: 0,
            };
            if !self.table(&table) {
                return;
            }
            let Some(next) = step::<pe::ImageImportDescriptor>(position) else {
                return;
            };
            position = next;
        }
    }

    fn delayed(&mut self, rva: u32) {
        let mut position = rva;
        let mut nameless = 0;
        loop {
            let Some(descriptor) = self.layout.record::<pe::ImageDelayloadDescriptor>(position)
            else {
                self.warnings.add(format!(
                    "delay import directory at RVA 0x{rva:x} has no end: the file ends at its entry 0x{position:x}"
                ));
                return;
            };
            let base = if descriptor.attributes.get(LE) & DELAY_RVA_BASED != 0 {
                0
            } else {
                self.layout.image_base
            };
            let place =
                |value: u32| u32::try_from(u64::from(value).saturating_sub(base)).unwrap_or(0);
            let name = place(descriptor.dll_name_rva.get(LE));
            let lookup = place(descriptor.import_name_table_rva.get(LE));
            if name == 0 || lookup == 0 {
                return;
            }
            let library = self.library(name, position);
            if library.is_none() {
                nameless += 1;
                if nameless > MOST_NAMELESS {
                    return;
                }
            }
            let table = Table {
                library,
                lookup,
                slots: place(descriptor.import_address_table_rva.get(LE)),
                delayed: true,
                base,
            };
            if !self.table(&table) {
                return;
            }
            let Some(next) = step::<pe::ImageDelayloadDescriptor>(position) else {
                return;
            };
            position = next;
        }
    }

    /// The name of a library.
    fn library(&mut self, rva: u32, descriptor: u32) -> Option<String> {
        let name = self.name(rva);
        if name.is_none() {
            self.warnings.add(format!(
                "import descriptor at RVA 0x{descriptor:x} names no library at RVA 0x{rva:x}"
            ));
        }
        name.map(|name| self.text.own(name))
    }

    /// Reads the imports of a library; whether there is room for more.
    fn table(&mut self, table: &Table) -> bool {
        let size = self.layout.word_size();
        let ordinal_flag = if self.layout.wide { 1 << 63 } else { 1 << 31 };
        let entries = self.layout.tail(table.lookup);
        let mut bad = 0;
        for (index, entry) in (0_u32..).zip(entries.chunks(size as usize)) {
            let Some(value) = word_at(entry, 0, self.layout.wide) else {
                break;
            };
            if value == 0 {
                return true;
            }
            let (name, ordinal) = if value & ordinal_flag != 0 {
                let ordinal = u16::try_from(value & 0xffff).unwrap_or(0);
                let library = table.library.as_deref().unwrap_or_default();
                let known = ordinals::name(library, ordinal);
                (known.map(ToOwned::to_owned), Some(u32::from(ordinal)))
            } else {
                let name = self.function(value.saturating_sub(table.base));
                if name.is_none() {
                    bad += 1;
                    self.warnings.add(format!(
                        "import {index} of the lookup table at RVA 0x{:x} has no readable name",
                        table.lookup
                    ));
                    if bad >= MOST_BAD {
                        return true;
                    }
                    continue;
                }
                (name, None)
            };
            bad = 0;
            if self.imports.len() >= self.most {
                self.warnings.add(format!(
                    "imports were cut after {} (lookup table at RVA 0x{:x})",
                    self.imports.len(),
                    table.lookup
                ));
                return false;
            }
            let slot = table.slots.wrapping_add(index.wrapping_mul(size));
            self.imports.push(Import {
                library: table
                    .library
                    .as_ref()
                    .map(|library| self.text.own(library.as_bytes())),
                name,
                ordinal,
                version: None,
                address: Some(self.layout.address(slot)),
                delayed: table.delayed,
            });
        }
        self.warnings.add(format!(
            "import lookup table at RVA 0x{:x} has no end",
            table.lookup
        ));
        true
    }

    /// The name of a function, behind the hint.
    fn function(&mut self, rva: u64) -> Option<String> {
        let rva = u32::try_from(rva).ok()?.checked_add(2)?;
        self.name(rva).map(|name| self.text.own(name))
    }

    /// The bytes of a name, while names are looked at.
    fn name(&mut self, rva: u32) -> Option<&'a [u8]> {
        if self.looked_at > MOST_LOOKED_AT {
            return None;
        }
        let name = self.layout.text(rva).unwrap_or_default();
        self.looked_at += name.len() + EACH;
        is_name(name).then_some(name)
    }
}

/// Whether bytes can be the name of a library or function.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && !name.iter().any(u8::is_ascii_control)
}

/// The RVA behind a record.
fn step<T>(rva: u32) -> Option<u32> {
    rva.checked_add(u32::try_from(size_of::<T>()).ok()?)
}
