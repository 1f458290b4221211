//! A stretch of a file, as it is or decoded: what an analyst looks at between two
//! other questions. Called by the workers of `read_bytes`. What the bytes mean is
//! nobody's business here.
//!
//! | file | knows |
//! |---|---|
//! | `text` | what is written in letters: base64 and hexadecimal digits |
//! | `step` | the steps of decoding, their names, one behind the other |
//!
//! Decoding is pulled: a step reads from the one before only what its own reader
//! wants, so a bomb is never unpacked. What flows between two steps has a bound
//! nevertheless, as a megabyte of blanks is nothing to who reads hexadecimal digits.

mod step;
#[cfg(test)]
mod tests;
mod text;

use std::io::Read;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use step::{BadStep, MOST_STEPS, Step};

use crate::Warnings;
use crate::binary::place::{self, Region};
use crate::binary::{BinaryReport, Image, Location};

/// Most bytes of one excerpt.
pub const MOST_BYTES: usize = 4096;
/// Most bytes of the result that are passed over before it.
pub const MOST_SKIPPED: u64 = 16 << 20;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum At {
    /// At an offset in the file.
    Offset(u64),
    /// At a virtual address.
    Address(u64),
}

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Where to begin.
    pub at: At,
    /// Bytes of the result, at most [`MOST_BYTES`].
    pub length: usize,
    /// Bytes of the result to pass over, at most [`MOST_SKIPPED`].
    pub skip: u64,
    /// How to decode it, in order; at most [`MOST_STEPS`].
    pub steps: Vec<Step>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// Where reading began; the address is 0 and means nothing where `mapped` is not.
    pub start: Location,
    /// Whether the offset has an address.
    pub mapped: bool,
    /// The section that it lies in.
    pub section: Option<String>,
    /// Bytes of the result that were passed over.
    pub skipped: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Why there are no more, where there are fewer than were asked for, or just
    /// as many.
    pub end: Option<End>,
    /// What could not be decoded.
    pub warnings: Warnings,
}

/// Why the result ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The file ends.
    File,
    /// What has consecutive addresses ends.
    Section,
    /// What the last step decodes ends.
    Decoded,
    /// A step could not go on; the warnings say why.
    Damaged,
}

/// Why there is nothing to read.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum ExcerptError {
    /// The file ends before.
    #[error("{offset:#x} is outside the file (it has {size:#x} bytes)")]
    OffsetOutsideFile {
        /// What was asked for.
        offset: u64,
        /// The size of the file.
        size: u64,
    },
    /// No section or segment has bytes in the file for it.
    #[error("{address:#x} has no bytes in the file{}", near_text(.nearest))]
    AddressNotInFile {
        /// What was asked for.
        address: u64,
        /// The first and the last address of the nearest bytes in the file.
        nearest: Option<(u64, u64)>,
    },
    /// It is no PE, ELF or Mach-O file.
    #[error("the file has no addresses (use `offset`)")]
    NoAddresses,
}

fn near_text(nearest: &Option<(u64, u64)>) -> String {
    match nearest {
        Some((first, last)) => format!(" (the nearest bytes are {first:#x} to {last:#x})"),
        None => String::new(),
    }
}

/// Reads an excerpt of a file, of which `binary` knows what has addresses.
///
/// # Errors
/// When there is no such place in the file.
pub fn read(
    data: &[u8],
    binary: &BinaryReport,
    request: &Request,
) -> Result<Excerpt, ExcerptError> {
    let mut warnings = Warnings::default();
    let found = find(data.len() as u64, binary, request.at, &mut warnings)?;
    let from = usize::try_from(found.offset).unwrap_or(usize::MAX);
    let to = usize::try_from(found.end).unwrap_or(usize::MAX);
    let input = data.get(from..to).unwrap_or_default();

    let mut decoder = step::chain(input, &request.steps);
    let length = request.length.min(MOST_BYTES);
    let mut bytes = Vec::with_capacity(length + 1);
    let wanted = request.skip.min(MOST_SKIPPED);
    let (skipped, passed) = pass_over(&mut decoder, wanted);
    // One more than is wanted tells whether there are more.
    let took = passed.and_then(|()| take(&mut decoder, length + 1, &mut bytes));
    let end = match took {
        Err(reason) => {
            warnings.add(reason);
            Some(End::Damaged)
        }
        Ok(()) if bytes.len() > length => None,
        Ok(()) if !request.steps.is_empty() => Some(End::Decoded),
        Ok(()) if to < data.len() => Some(End::Section),
        Ok(()) => Some(End::File),
    };
    bytes.truncate(length);
    Ok(Excerpt {
        start: Location {
            address: found.address.unwrap_or_default(),
            offset: Some(found.offset),
        },
        mapped: found.address.is_some(),
        section: found.section,
        skipped,
        bytes,
        end,
        warnings,
    })
}

/// A stretch of the file.
struct Found {
    offset: u64,
    end: u64,
    address: Option<u64>,
    section: Option<String>,
}

fn find(
    size: u64,
    binary: &BinaryReport,
    at: At,
    warnings: &mut Warnings,
) -> Result<Found, ExcerptError> {
    match at {
        // Where the file ends there is nothing, which is an answer.
        At::Offset(offset) if offset > size => {
            Err(ExcerptError::OffsetOutsideFile { offset, size })
        }
        At::Offset(offset) => {
            let images = binary.images.iter();
            let mapped = images.filter_map(|image| Some((image, place::at_offset(image, offset)?)));
            let mapped = mapped.map(|(image, (region, _))| (image, region)).next();
            Ok(Found {
                offset,
                end: size,
                address: mapped.map(|(_, region)| {
                    let into = offset.saturating_sub(region.offset);
                    region.address.saturating_add(into)
                }),
                section: mapped.and_then(|(image, _)| section(image, offset)),
            })
        }
        At::Address(address) => by_address(size, binary, address, warnings),
    }
}

fn by_address(
    size: u64,
    binary: &BinaryReport,
    address: u64,
    warnings: &mut Warnings,
) -> Result<Found, ExcerptError> {
    let nearest = |image: &Image| {
        let region = place::nearest(image, address)?;
        let last = region.address.saturating_add(region.size).saturating_sub(1);
        Some((region.address, last))
    };
    let first = binary.images.first().ok_or(ExcerptError::NoAddresses)?;
    let mut images = binary.images.iter();
    let (image, (region, contradiction)) = images
        .find_map(|image| Some((image, place::at_address(image, address)?)))
        .ok_or_else(|| ExcerptError::AddressNotInFile {
            address,
            nearest: nearest(first),
        })?;
    if contradiction {
        warnings.add(format!(
            "sections and segments disagree about address {address:#x}; segments are followed, as loaders do"
        ));
    }
    let offset = region.location(address).offset.unwrap_or(u64::MAX);
    if offset >= size {
        return Err(ExcerptError::OffsetOutsideFile { offset, size });
    }
    Ok(Found {
        offset,
        end: end_of(region, size, warnings),
        address: Some(address),
        section: section(image, offset),
    })
}

fn end_of(region: Region, size: u64, warnings: &mut Warnings) -> u64 {
    let claimed = region.offset.saturating_add(region.size);
    if claimed > size {
        warnings.add(format!(
            "the section at {:#x} claims to end at offset {claimed:#x}, the file ends at {size:#x}",
            region.address
        ));
    }
    claimed.min(size)
}

/// The name of the section that has this offset.
fn section(image: &Image, offset: u64) -> Option<String> {
    let mut sections = image.sections.iter();
    sections
        .find(|section| {
            let into = offset.checked_sub(section.offset);
            !section.flags.contains("NOBITS") && into.is_some_and(|into| into < section.file_size)
        })
        .map(|section| section.name.clone())
}

/// Passes over so many bytes; says how many there were, and why it ended.
fn pass_over(decoder: &mut dyn Read, wanted: u64) -> (u64, Result<(), String>) {
    let mut skipped = 0;
    let mut block = [0; 8192];
    while skipped < wanted {
        let room = usize::try_from(wanted - skipped).unwrap_or(usize::MAX);
        let room = room.min(block.len());
        let Some(into) = block.get_mut(..room) else {
            break;
        };
        match decoder.read(into) {
            Ok(0) => break,
            Ok(read) => skipped += read as u64,
            Err(error) => return (skipped, Err(error.to_string())),
        }
    }
    (skipped, Ok(()))
}

/// Takes at most so many bytes. Those before a damage are kept.
fn take(decoder: &mut dyn Read, most: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
    let mut limited = decoder.take(most as u64);
    match limited.read_to_end(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
