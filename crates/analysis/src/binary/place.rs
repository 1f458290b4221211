//! Where addresses lie in the file, by segments and sections that may lie,
//! overlap or contradict each other. Reads no instruction.

use super::{Format, Image, Location, Section};

/// Windows maps sections in pages, so what follows a section's end in the file
/// up to the end of its page is in memory, too.
const PAGE: u64 = 0x1000;

/// A stretch of the file with the addresses that it has in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) address: u64,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) execute: bool,
}

impl Region {
    fn of_section(image: &Image, section: &Section) -> Option<Self> {
        if section.flags.contains("NOBITS") || section.file_size == 0 {
            return None;
        }
        let size = match image.format {
            Format::Pe if section.virtual_size > 0 => {
                let mapped = section.virtual_size.div_ceil(PAGE).saturating_mul(PAGE);
                section.file_size.min(mapped)
            }
            Format::Pe | Format::Elf | Format::MachO => section.file_size,
        };
        Some(Self {
            address: section.address,
            offset: section.offset,
            size,
            execute: section.permissions.execute,
        })
    }

    fn has_address(&self, address: u64) -> bool {
        address
            .checked_sub(self.address)
            .is_some_and(|into| into < self.size)
    }

    fn has_offset(&self, offset: u64) -> bool {
        offset
            .checked_sub(self.offset)
            .is_some_and(|into| into < self.size)
    }

    /// The place in the file at an address inside.
    pub(crate) fn location(&self, address: u64) -> Location {
        let into = address.saturating_sub(self.address);
        Location {
            address,
            offset: self.offset.checked_add(into),
        }
    }

    fn agrees(&self, other: &Self) -> bool {
        self.address.wrapping_sub(self.offset) == other.address.wrapping_sub(other.offset)
    }
}

/// Sections with bytes in the file. An object file's all begin at 0, so that
/// several can have the same address; the first executable one is taken then.
fn sections(image: &Image) -> impl Iterator<Item = Region> {
    let object = is_object(image);
    image
        .sections
        .iter()
        .filter(move |section| object || section.address != 0)
        .filter_map(|section| Region::of_section(image, section))
}

/// Whether this is an object file, whose sections have no addresses yet.
pub(crate) fn is_object(image: &Image) -> bool {
    image.kind.contains("object")
}

/// Segments that are loaded.
fn segments(image: &Image) -> impl Iterator<Item = Region> {
    image
        .segments
        .iter()
        .filter(|segment| {
            segment.file_size > 0 && (image.format != Format::Elf || segment.name == "LOAD")
        })
        .map(|segment| Region {
            address: segment.address,
            offset: segment.offset,
            size: segment.file_size,
            execute: segment.permissions.execute,
        })
}

/// The executable one of several, or else the first.
fn best(regions: impl Iterator<Item = Region>) -> Option<Region> {
    let mut first = None;
    for region in regions {
        if region.execute {
            return Some(region);
        }
        first = first.or(Some(region));
    }
    first
}

/// What the loader would map, bounded by the section where there is one that
/// agrees with it. Loaders of ELF and Mach-O read segments only, so those win.
fn choose(segment: Option<Region>, section: Option<Region>) -> Option<(Region, bool)> {
    match (segment, section) {
        (Some(segment), Some(section)) if segment.agrees(&section) => Some((section, false)),
        (Some(segment), Some(_)) => Some((segment, true)),
        (Some(region), None) | (None, Some(region)) => Some((region, false)),
        (None, None) => None,
    }
}

/// The region of an address, and whether sections and segments disagree there.
pub(crate) fn at_address(image: &Image, address: u64) -> Option<(Region, bool)> {
    choose(
        best(segments(image).filter(|region| region.has_address(address))),
        best(sections(image).filter(|region| region.has_address(address))),
    )
    .or_else(|| {
        headers(image)
            .filter(|region| region.has_address(address))
            .map(|region| (region, false))
    })
}

/// The region of an offset in the file, as [`at_address`].
pub(crate) fn at_offset(image: &Image, offset: u64) -> Option<(Region, bool)> {
    choose(
        best(segments(image).filter(|region| region.has_offset(offset))),
        best(sections(image).filter(|region| region.has_offset(offset))),
    )
    .or_else(|| {
        headers(image)
            .filter(|region| region.has_offset(offset))
            .map(|region| (region, false))
    })
}

/// The headers of a PE file, which are mapped as well: up to the first section.
fn headers(image: &Image) -> Option<Region> {
    if image.format != Format::Pe {
        return None;
    }
    let first = image
        .sections
        .iter()
        .filter(|section| section.file_size > 0)
        .map(|section| section.offset)
        .min()?;
    Some(Region {
        address: image.image_base,
        offset: image.offset,
        size: first.saturating_sub(image.offset),
        execute: false,
    })
}

/// Where code begins in a file without an entry point: its text section, or
/// else its first executable one.
pub(crate) fn code(image: &Image) -> Option<Region> {
    let text = image
        .sections
        .iter()
        .find(|section| matches!(section.name.as_str(), ".text" | "__TEXT,__text"))
        .and_then(|section| Region::of_section(image, section));
    text.or_else(|| {
        image
            .sections
            .iter()
            .filter(|section| section.permissions.execute)
            .find_map(|section| Region::of_section(image, section))
    })
    .or_else(|| segments(image).find(|region| region.execute))
}

/// The region with bytes that is nearest to an address, for advice.
pub(crate) fn nearest(image: &Image, address: u64) -> Option<Region> {
    segments(image).chain(sections(image)).min_by_key(|region| {
        let end = region.address.saturating_add(region.size);
        region.address.abs_diff(address).min(end.abs_diff(address))
    })
}
