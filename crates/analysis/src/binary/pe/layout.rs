//! From addresses to bytes: reading a PE file the way its loader maps it. Used
//! by all files beside this one.
//!
//! As tolerant as the loader is: RVAs before the first section are offsets into
//! the headers, raw offsets are rounded down to sectors, and a section ends
//! where the next one begins. What lies in memory only (`.bss`) has no bytes
//! here.

use object::pe;
use object::pod::{self, Pod};

use crate::binary::Location;
use crate::binary::text::until_nul;

/// The loader rounds raw offsets down to this (Microsoft's PE format,
/// "FileAlignment").
const SECTOR: u64 = 512;
/// Below this, sections lie in memory as in the file.
const PAGE: u64 = 4096;

/// An RVA and the number of bytes there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) rva: u32,
    pub(super) size: u32,
}

impl Directory {
    /// The directory at `index` of the optional header's table; `None` when it
    /// is not there or empty.
    pub(super) fn of(directories: &[Self], index: usize) -> Option<Self> {
        let directory = directories.get(index)?;
        (directory.rva != 0).then_some(*directory)
    }
}

/// A run of addresses with bytes.
#[derive(Debug, Clone, Copy)]
struct Mapping {
    /// RVA of the first byte.
    start: u64,
    /// RVA behind the last address, whether or not the file has its byte.
    end: u64,
    /// Offset of the first byte in the file.
    offset: u64,
    /// Number of bytes in the file.
    backed: u64,
}

/// A file and how it is mapped.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    /// The whole file.
    pub(super) data: &'a [u8],
    /// The preferred base address.
    pub(super) image_base: u64,
    /// Addresses have 64 bits.
    pub(super) wide: bool,
    /// Sorted by start, without overlaps.
    mappings: Vec<Mapping>,
}

impl<'a> Layout<'a> {
    /// The mapping that the section headers describe.
    pub(super) fn new(
        data: &'a [u8],
        image_base: u64,
        wide: bool,
        alignments: (u32, u32),
        sections: &[pe::ImageSectionHeader],
    ) -> Self {
        let mut mappings: Vec<Mapping> = sections
            .iter()
            .map(|section| mapping(section, data.len() as u64, alignments))
            .filter(|mapping| mapping.end > mapping.start)
            .collect();
        mappings.sort_by_key(|mapping| mapping.start);
        // Of two sections at the same address the first wins.
        mappings.dedup_by_key(|mapping| mapping.start);
        let starts: Vec<u64> = mappings.iter().map(|mapping| mapping.start).collect();
        for (mapping, next) in mappings.iter_mut().zip(starts.iter().skip(1)) {
            mapping.end = mapping.end.min(*next);
            mapping.backed = mapping.backed.min(mapping.end - mapping.start);
        }
        Self {
            data,
            image_base,
            wide,
            mappings,
        }
    }

    /// The offset in the file, and the number of bytes up to the end of what
    /// was mapped with it.
    fn place(&self, rva: u32) -> Option<(u64, u64)> {
        let rva = u64::from(rva);
        let following = self
            .mappings
            .partition_point(|mapping| mapping.start <= rva);
        let found = following
            .checked_sub(1)
            .and_then(|index| self.mappings.get(index))
            .filter(|mapping| rva < mapping.end);
        match found {
            Some(mapping) => {
                let into = rva - mapping.start;
                let left = mapping.backed.checked_sub(into)?;
                (left > 0).then(|| (mapping.offset.saturating_add(into), left))
            }
            // No section: the headers, or a file that is not laid out at all.
            None => {
                let left = (self.data.len() as u64).checked_sub(rva)?;
                (left > 0).then_some((rva, left))
            }
        }
    }

    /// The offset of an RVA in the file.
    pub(super) fn offset(&self, rva: u32) -> Option<u64> {
        self.place(rva).map(|(offset, _)| offset)
    }

    /// The virtual address of an RVA.
    pub(super) fn address(&self, rva: u32) -> u64 {
        let address = self.image_base.wrapping_add(u64::from(rva));
        if self.wide {
            address
        } else {
            address & u64::from(u32::MAX)
        }
    }

    /// The place of an RVA.
    pub(super) fn location(&self, rva: u32) -> Location {
        Location {
            address: self.address(rva),
            offset: self.offset(rva),
        }
    }

    /// The RVA of a virtual address of this image.
    pub(super) fn rva(&self, address: u64) -> Option<u32> {
        u32::try_from(address.checked_sub(self.image_base)?).ok()
    }

    /// Everything from an RVA to the end of its section's bytes in the file.
    pub(super) fn tail(&self, rva: u32) -> &'a [u8] {
        self.place(rva)
            .and_then(|(offset, left)| bytes(self.data, offset, left))
            .unwrap_or_default()
    }

    /// A record at an RVA.
    pub(super) fn record<T: Pod>(&self, rva: u32) -> Option<&'a T> {
        pod::from_bytes(self.tail(rva))
            .ok()
            .map(|(record, _)| record)
    }

    /// A 16-bit value at an RVA.
    pub(super) fn u16(&self, rva: u32) -> Option<u16> {
        u16_at(self.tail(rva), 0)
    }

    /// An address-sized value at an RVA.
    pub(super) fn word(&self, rva: u32) -> Option<u64> {
        word_at(self.tail(rva), 0, self.wide)
    }

    /// Size of an address, in bytes.
    pub(super) fn word_size(&self) -> u32 {
        if self.wide { 8 } else { 4 }
    }

    /// The string at an RVA without its NUL; a very long one is cut.
    pub(super) fn text(&self, rva: u32) -> Option<&'a [u8]> {
        let tail = self.tail(rva);
        (!tail.is_empty()).then(|| until_nul(tail))
    }
}

/// How the loader maps a section.
fn mapping(section: &pe::ImageSectionHeader, file: u64, alignments: (u32, u32)) -> Mapping {
    let (section_alignment, file_alignment) = alignments;
    let start = u64::from(section.virtual_address.get(object::LittleEndian));
    let virtual_size = u64::from(section.virtual_size.get(object::LittleEndian));
    let raw_size = u64::from(section.size_of_raw_data.get(object::LittleEndian));
    let start = if u64::from(section_alignment) >= PAGE {
        start - start % u64::from(section_alignment)
    } else {
        start
    };
    let offset = raw_offset(section, file_alignment);
    let in_file = raw_size.min(file.saturating_sub(offset));
    Mapping {
        start,
        end: start.saturating_add(raw_size.max(virtual_size)),
        offset,
        backed: in_file,
    }
}

/// Where the loader takes the bytes of a section from.
pub(super) fn raw_offset(section: &pe::ImageSectionHeader, file_alignment: u32) -> u64 {
    let offset = u64::from(section.pointer_to_raw_data.get(object::LittleEndian));
    if u64::from(file_alignment) < SECTOR {
        offset
    } else {
        offset - offset % SECTOR
    }
}

/// Up to `size` bytes from an offset; `None` when the file ends before it.
pub(super) fn bytes(data: &[u8], offset: u64, size: u64) -> Option<&[u8]> {
    let tail = data.get(usize::try_from(offset).ok()?..)?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    Some(tail.get(..size).unwrap_or(tail))
}

/// A little-endian 16-bit value.
pub(super) fn u16_at(data: &[u8], offset: usize) -> Option<u16> {
    let found = data.get(offset..offset.checked_add(2)?)?;
    Some(u16::from_le_bytes(found.try_into().ok()?))
}

/// A little-endian 32-bit value.
pub(super) fn u32_at(data: &[u8], offset: usize) -> Option<u32> {
    let found = data.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(found.try_into().ok()?))
}

/// A little-endian value of 64 or 32 bits.
pub(super) fn word_at(data: &[u8], offset: usize, wide: bool) -> Option<u64> {
    if wide {
        let found = data.get(offset..offset.checked_add(8)?)?;
        Some(u64::from_le_bytes(found.try_into().ok()?))
    } else {
        u32_at(data, offset).map(u64::from)
    }
}

/// Bytes as text, as well as they go.
pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// UTF-16 text, little-endian, as well as it goes.
pub(super) fn lossy_utf16(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .filter_map(|pair| u16_at(pair, 0))
        .collect::<Vec<u16>>();
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::LittleEndian as LE;
    use object::{U16, U32};

    fn section(address: u32, virtual_size: u32, offset: u32, size: u32) -> pe::ImageSectionHeader {
        pe::ImageSectionHeader {
            name: *b".test\0\0\0",
            virtual_size: U32::new(LE, virtual_size),
            virtual_address: U32::new(LE, address),
            size_of_raw_data: U32::new(LE, size),
            pointer_to_raw_data: U32::new(LE, offset),
            pointer_to_relocations: U32::new(LE, 0),
            pointer_to_linenumbers: U32::new(LE, 0),
            number_of_relocations: U16::new(LE, 0),
            number_of_linenumbers: U16::new(LE, 0),
            characteristics: U32::new(LE, pe::SectionFlags(0)),
        }
    }

    #[test]
    fn addresses_become_offsets_as_the_loader_maps_them() {
        let data = vec![7; 0x1000];
        let sections = [
            // Out of order, at an odd offset, reaching into the next one.
            section(0x3000, 0x1000, 0x800, 0x200),
            section(0x1000, 0x3000, 0x4ff, 0x400),
        ];
        let layout = Layout::new(&data, 0x40_0000, false, (0x1000, 0x200), &sections);
        assert_eq!(layout.offset(0x1000), Some(0x400));
        assert_eq!(layout.offset(0x3010), Some(0x810));
        // In memory only.
        assert_eq!(layout.offset(0x1400), None);
        assert_eq!(layout.offset(0x3200), None);
        // Headers, and nothing.
        assert_eq!(layout.offset(0x3c), Some(0x3c));
        assert_eq!(layout.offset(0xffff_fff0), None);
        assert_eq!(layout.tail(0x31f0).len(), 0x10);
        assert_eq!(layout.rva(0x40_1000), Some(0x1000));
        assert_eq!(layout.rva(0x1000), None);
        assert_eq!(layout.address(0xffff_ffff), 0x3f_ffff);
    }
}
