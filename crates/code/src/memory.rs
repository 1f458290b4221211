//! Which bytes of the file a process has at which address: sorted regions that
//! do not overlap, made of sections and, where there are none, of segments.
//! Headers may lie; whatever contradicts an earlier region is cut away.

use reversecore_analysis::binary::{Format, Image, Permissions};

/// More regions than this are not made; programs have dozens.
const MOST_REGIONS: usize = 4096;

/// Windows maps sections in pages.
const PAGE: u64 = 0x1000;

/// A stretch of addresses with one name and one set of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// The section, or the segment where no section is.
    pub name: Box<str>,
    /// The first address.
    pub address: u64,
    /// Size in memory, in bytes.
    pub virtual_size: u64,
    /// Offset in the file.
    pub offset: u64,
    /// So many bytes of it are in the file; the rest is zero.
    pub size: u64,
    /// What it may be used for.
    pub permissions: Permissions,
}

impl Region {
    /// The first address behind it.
    pub fn end(&self) -> u64 {
        self.address.saturating_add(self.virtual_size)
    }

    /// The first address behind the bytes in the file.
    pub fn file_end(&self) -> u64 {
        self.address.saturating_add(self.size)
    }

    /// Its bytes, as far as the file has them.
    pub fn bytes<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        let start = usize::try_from(self.offset)
            .unwrap_or(usize::MAX)
            .min(data.len());
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let rest = data.get(start..).unwrap_or_default();
        rest.get(..size).unwrap_or(rest)
    }
}

/// All regions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    regions: Vec<Region>,
}

impl Memory {
    /// Of an image. `file_size` bounds what headers claim.
    pub fn of(image: &Image, file_size: u64) -> Self {
        let mut memory = Self::default();
        let object = image.kind.contains("object");
        // Code wins over data that claims the same place.
        for execute in [true, false] {
            for section in &image.sections {
                let mut permissions = section.permissions;
                // Those of Mach-O are the segment's, which has the constants too.
                permissions.execute &=
                    image.format != Format::MachO || section.flags.contains("INSTRUCTIONS");
                let loaded = section.permissions.read
                    || section.permissions.write
                    || section.permissions.execute;
                if permissions.execute != execute || !loaded || (section.address == 0 && !object) {
                    continue;
                }
                let no_bytes =
                    section.flags.contains("NOBITS") || section.flags.contains("ZEROFILL");
                let size = match image.format {
                    _ if no_bytes => 0,
                    Format::Pe if section.virtual_size > 0 => {
                        let mapped = section.virtual_size.div_ceil(PAGE).saturating_mul(PAGE);
                        section.file_size.min(mapped)
                    }
                    Format::Pe | Format::Elf | Format::MachO => section.file_size,
                };
                memory.add(
                    Region {
                        name: section.name.as_str().into(),
                        address: section.address,
                        virtual_size: section.virtual_size.max(size),
                        offset: section.offset,
                        size,
                        permissions,
                    },
                    file_size,
                );
            }
        }
        let has_code = memory
            .regions
            .iter()
            .any(|region| region.permissions.execute);
        for segment in &image.segments {
            if image.format == Format::Elf && segment.name != "LOAD" {
                continue;
            }
            memory.add(
                Region {
                    name: segment.name.as_str().into(),
                    address: segment.address,
                    virtual_size: segment.virtual_size.max(segment.file_size),
                    offset: segment.offset,
                    size: segment.file_size,
                    permissions: Permissions {
                        execute: segment.permissions.execute
                            && !(has_code && image.format == Format::MachO),
                        ..segment.permissions
                    },
                },
                file_size,
            );
        }
        memory
    }

    /// Adds what of a region no other one has yet.
    fn add(&mut self, mut region: Region, file_size: u64) {
        region.size = region.size.min(file_size.saturating_sub(region.offset));
        region.virtual_size = region
            .virtual_size
            .min(u64::MAX.saturating_sub(region.address));
        region.size = region.size.min(region.virtual_size);
        let end = region.end();
        let mut from = region.address;
        while from < end && self.regions.len() < MOST_REGIONS {
            let after = self.regions.partition_point(|other| other.address <= from);
            let before = after
                .checked_sub(1)
                .and_then(|index| self.regions.get(index));
            if let Some(before) = before
                && before.end() > from
            {
                from = before.end();
                continue;
            }
            let until = self
                .regions
                .get(after)
                .map_or(end, |next| next.address.min(end));
            let skipped = from.saturating_sub(region.address);
            let virtual_size = until.saturating_sub(from);
            let part = Region {
                name: region.name.clone(),
                address: from,
                virtual_size,
                offset: region.offset.saturating_add(skipped),
                size: region.size.saturating_sub(skipped).min(virtual_size),
                permissions: region.permissions,
            };
            self.regions.insert(after, part);
            from = until;
        }
    }

    /// All, by address.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The number of the region that has an address.
    pub fn index_of(&self, address: u64) -> Option<usize> {
        let index = self
            .regions
            .partition_point(|region| region.address <= address)
            .checked_sub(1)?;
        let region = self.regions.get(index)?;
        (address < region.end()).then_some(index)
    }

    /// The region that has an address.
    pub fn region(&self, address: u64) -> Option<&Region> {
        self.regions.get(self.index_of(address)?)
    }

    /// Whether an address is code with bytes in the file.
    pub fn is_code(&self, address: u64) -> bool {
        self.region(address)
            .is_some_and(|region| region.permissions.execute && address < region.file_end())
    }

    /// Where an address is in the file.
    pub fn offset(&self, address: u64) -> Option<u64> {
        let region = self.region(address)?;
        (address < region.file_end()).then(|| {
            region
                .offset
                .saturating_add(address.saturating_sub(region.address))
        })
    }

    /// The address of an offset in the file.
    pub fn address(&self, offset: u64) -> Option<u64> {
        self.regions.iter().find_map(|region| {
            let into = offset.checked_sub(region.offset)?;
            (into < region.size).then(|| region.address.saturating_add(into))
        })
    }

    /// The bytes from an address to the end of its region in the file.
    pub fn bytes_from<'a>(&self, data: &'a [u8], address: u64) -> Option<&'a [u8]> {
        let region = self.region(address)?;
        let into = usize::try_from(address.saturating_sub(region.address)).ok()?;
        region.bytes(data).get(into..)
    }

    /// The lowest address of all.
    pub fn lowest(&self) -> u64 {
        self.regions.first().map_or(0, |region| region.address)
    }

    /// Bytes held.
    pub(crate) fn memory(&self) -> u64 {
        (self.regions.capacity() * size_of::<Region>()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str, address: u64, size: u64) -> Region {
        Region {
            name: name.into(),
            address,
            virtual_size: size,
            offset: address,
            size,
            permissions: Permissions::default(),
        }
    }

    #[test]
    fn what_overlaps_is_cut() {
        let mut memory = Memory::default();
        memory.add(region("inner", 0x100, 0x10), 0x1000);
        memory.add(region("outer", 0xf0, 0x40), 0x118);
        let got: Vec<_> = memory
            .regions()
            .iter()
            .map(|part| (&*part.name, part.address, part.virtual_size, part.size))
            .collect();
        assert_eq!(
            got,
            [
                ("outer", 0xf0, 0x10, 0x10),
                ("inner", 0x100, 0x10, 0x10),
                ("outer", 0x110, 0x20, 0x8),
            ]
        );
        assert_eq!(memory.offset(0x117), Some(0x117));
        assert_eq!(memory.offset(0x118), None);
        assert!(memory.region(0x130).is_none());
    }
}
