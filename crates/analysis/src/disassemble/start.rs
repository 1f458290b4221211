//! From what a caller asks for to a place in the file and an instruction set,
//! or to an error that says what is near. Decodes nothing.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::architecture::{Architecture, Family};
use super::{Request, Start, symbols};
use crate::Warnings;
use crate::binary::place::{self, Region};
use crate::binary::{Format, Image, Location};

/// Why there is no place to begin. Names of the file are in fields of their
/// own and in no message.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartError {
    /// The file ends before.
    #[error("offset {offset:#x} is outside the file (it has {size:#x} bytes)")]
    OffsetOutsideFile {
        /// What was asked for.
        offset: u64,
        /// The size of the file.
        size: u64,
    },
    /// No section or segment has bytes in the file for it.
    #[error("address {address:#x} has no bytes in the file{}", near_text(.nearest))]
    AddressNotInFile {
        /// What was asked for.
        address: u64,
        /// The first and the last address of the nearest bytes in the file.
        nearest: Option<(u64, u64)>,
    },
    /// No symbol or export has this name.
    #[error("there is no symbol `{name}` in the file (ask for its symbols, or use an address)", name = .name.escape_debug())]
    NoSuchSymbol {
        /// What was asked for.
        name: String,
        /// Names like it.
        similar: Vec<String>,
    },
    /// Neither an entry point nor code.
    #[error("the file has neither an entry point nor code (use an address or an offset)")]
    NoEntry,
    /// Not known what the bytes are.
    #[error("the file does not say its instruction set (name an architecture)")]
    NoArchitecture,
    /// There is no decoder for it.
    #[error("no decoder for `{architecture}` with {bits} bits (name another architecture)", architecture = .architecture.escape_debug())]
    UnsupportedArchitecture {
        /// The architecture.
        architecture: String,
        /// Its width in bits.
        bits: u8,
    },
}

fn near_text(nearest: &Option<(u64, u64)>) -> String {
    match nearest {
        Some((first, last)) => format!(" (the nearest bytes are {first:#x} to {last:#x})"),
        None => String::new(),
    }
}

/// Where a listing begins.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) architecture: Architecture,
    pub(super) start: Location,
    /// Offset of the first byte.
    pub(super) offset: u64,
    /// The offset behind the last byte, which is in the file.
    pub(super) end: u64,
}

/// Finds the place.
pub(super) fn resolve(
    data: &[u8],
    binary: Option<&Image>,
    request: &Request,
    warnings: &mut Warnings,
) -> Result<Begin, StartError> {
    let architecture = architecture(binary, request)?;
    let size = data.len() as u64;
    let Some(image) = binary else {
        return raw(architecture, &request.at, size);
    };
    let (address, region) = match &request.at {
        Start::Offset(offset) => {
            if *offset >= size {
                return Err(StartError::OffsetOutsideFile {
                    offset: *offset,
                    size,
                });
            }
            match place::at_offset(image, *offset) {
                Some(found) => {
                    let region = said(found, warnings);
                    let into = offset.saturating_sub(region.offset);
                    (region.address.saturating_add(into), region)
                }
                None => {
                    warnings.add(format!(
                        "no section or segment has offset {offset:#x}; addresses are offsets"
                    ));
                    return raw(architecture, &request.at, size);
                }
            }
        }
        Start::Address(address) => at(image, architecture, *address, warnings)?,
        Start::Symbol(name) => {
            let Some(address) = symbols::find(image, name) else {
                return Err(StartError::NoSuchSymbol {
                    name: name.clone(),
                    similar: symbols::similar(image, name),
                });
            };
            if place::is_object(image) {
                warnings.add("symbols of an object file count from their section; the first executable section is taken");
            }
            at(image, architecture, address, warnings)?
        }
        Start::Entry => entry(image, architecture, warnings)?,
    };
    finish(image, architecture, address, region, size, warnings)
}

/// A file that is taken as it is.
fn raw(mut architecture: Architecture, at: &Start, size: u64) -> Result<Begin, StartError> {
    let place = match at {
        Start::Offset(offset) => *offset,
        Start::Address(address) => *address,
        Start::Symbol(name) => {
            return Err(StartError::NoSuchSymbol {
                name: name.clone(),
                similar: Vec::new(),
            });
        }
        Start::Entry => 0,
    };
    let offset = thumb_bit(&mut architecture, place);
    if offset >= size {
        return Err(StartError::OffsetOutsideFile { offset, size });
    }
    Ok(Begin {
        architecture,
        start: Location {
            address: offset,
            offset: Some(offset),
        },
        offset,
        end: size,
    })
}

/// The instruction set that was asked for, or that of the image.
fn architecture(binary: Option<&Image>, request: &Request) -> Result<Architecture, StartError> {
    if let Some(architecture) = request.architecture {
        return Ok(architecture);
    }
    let image = binary.ok_or(StartError::NoArchitecture)?;
    Architecture::of(image).ok_or_else(|| StartError::UnsupportedArchitecture {
        architecture: image.architecture.clone(),
        bits: image.bits,
    })
}

/// Takes bit 0 of an address on ARM for what it means: Thumb.
fn thumb_bit(architecture: &mut Architecture, address: u64) -> u64 {
    if architecture.family == Family::Arm && address & 1 == 1 {
        architecture.thumb = true;
        return address & !1;
    }
    address
}

fn said((region, contradiction): (Region, bool), warnings: &mut Warnings) -> Region {
    if contradiction {
        warnings.add(format!(
            "sections and segments disagree about address {:#x}; segments are followed, as loaders do",
            region.address
        ));
    }
    region
}

/// The region of an address; the address keeps its Thumb bit.
fn at(
    image: &Image,
    mut architecture: Architecture,
    address: u64,
    warnings: &mut Warnings,
) -> Result<(u64, Region), StartError> {
    let even = thumb_bit(&mut architecture, address);
    match place::at_address(image, even) {
        Some(found) => Ok((address, said(found, warnings))),
        None => Err(StartError::AddressNotInFile {
            address,
            nearest: place::nearest(image, address).map(|region| {
                (
                    region.address,
                    region.address.saturating_add(region.size).saturating_sub(1),
                )
            }),
        }),
    }
}

/// The entry point, or the start of the code.
fn entry(
    image: &Image,
    architecture: Architecture,
    warnings: &mut Warnings,
) -> Result<(u64, Region), StartError> {
    // Libraries and object files write 0 where they have none.
    let none =
        |address: u64| address == 0 || (image.format == Format::Pe && address == image.image_base);
    match image.entry_point.filter(|entry| !none(entry.address)) {
        Some(entry) => match at(image, architecture, entry.address, warnings) {
            Ok(found) => return Ok(found),
            Err(_) => warnings.add(format!(
                "entry point {:#x} has no bytes in the file; the start of the code is taken",
                entry.address
            )),
        },
        None => warnings.add("no entry point; the start of the code is taken"),
    }
    let region = place::code(image).ok_or(StartError::NoEntry)?;
    Ok((region.address, region))
}

fn finish(
    image: &Image,
    mut architecture: Architecture,
    address: u64,
    region: Region,
    size: u64,
    warnings: &mut Warnings,
) -> Result<Begin, StartError> {
    let even = thumb_bit(&mut architecture, address);
    let start = region.location(even);
    let outside = StartError::AddressNotInFile {
        address,
        nearest: None,
    };
    let Some(offset) = start.offset.filter(|offset| *offset < size) else {
        return Err(outside);
    };
    let claimed = region.offset.saturating_add(region.size);
    if claimed > size {
        warnings.add(format!(
            "the section at {:#x} claims to end at offset {claimed:#x}, the file ends at {size:#x}",
            region.address
        ));
    }
    if !region.execute && !place::is_object(image) {
        warnings.add(format!("the bytes at {even:#x} are not executable"));
    }
    Ok(Begin {
        architecture,
        start,
        offset,
        end: claimed.min(size),
    })
}
