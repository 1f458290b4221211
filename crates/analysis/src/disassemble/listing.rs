//! The listing itself: decodes from a place that is known, in the mode that
//! mapping symbols say, and puts names to targets.

use super::architecture::{Architecture, Family};
use super::decoder::{Decoder, Flow, Text};
use super::start::{Begin, StartError};
use super::symbols::{Mapping, Mappings, Names};
use super::{Disassembly, Instruction, MOST_INSTRUCTIONS, Request, Stopped, x86};
use crate::Warnings;
use crate::binary::Location;
use crate::hex::hexadecimal;

/// Lists instructions.
pub(super) fn list(
    data: &[u8],
    names: &Names<'_>,
    mappings: &Mappings,
    request: &Request,
    begin: &Begin,
    warnings: Warnings,
) -> Result<Disassembly, StartError> {
    let image_end = begin.end;
    let bytes_end = request
        .bytes
        .map(|bytes| begin.offset.saturating_add(bytes));
    let end = bytes_end.map_or(image_end, |end| end.min(image_end));
    let count = request.count.clamp(1, MOST_INSTRUCTIONS) as usize;
    let mut writer = Writer {
        names,
        printer: x86::Printer::new(),
        instructions: Vec::with_capacity(count.min(1024)),
        count,
        undecodable: 0,
        address: begin.start.address,
        offset: begin.offset,
        warnings,
    };
    let first = run(mappings, begin.architecture, writer.address).1;
    // Every run has at least one item, so that the count bounds this loop.
    while writer.offset < end && writer.room() {
        let (mapping, architecture, change) = run(mappings, begin.architecture, writer.address);
        let run_end = change
            .and_then(|change| change.checked_sub(writer.address))
            .and_then(|length| writer.offset.checked_add(length))
            .map_or(end, |run_end| run_end.min(end));
        let bytes = slice(data, writer.offset, run_end);
        if bytes.is_empty() {
            break;
        }
        if mapping == Some(Mapping::Data) {
            writer.data(bytes);
        } else {
            let decoder =
                Decoder::new(architecture).map_err(|_| StartError::UnsupportedArchitecture {
                    architecture: architecture.name().to_owned(),
                    bits: architecture.bits,
                })?;
            writer.code(&decoder, bytes);
        }
    }
    let Writer {
        instructions,
        undecodable,
        address,
        offset,
        mut warnings,
        ..
    } = writer;
    if undecodable > 0 {
        warnings.add(format!(
            "{undecodable} items could not be decoded (`.byte`)"
        ));
    }
    let stopped = if offset < end {
        Stopped::Count
    } else if bytes_end.is_some_and(|bytes_end| bytes_end < image_end) {
        Stopped::Bytes
    } else if offset >= data.len() as u64 {
        Stopped::EndOfFile
    } else {
        Stopped::EndOfSection
    };
    Ok(Disassembly {
        architecture: begin.architecture.name().to_owned(),
        bits: begin.architecture.bits,
        endian: begin.architecture.endian,
        mode: first.mode().to_owned(),
        start: begin.start,
        symbol: names.at(begin.start.address).map(str::to_owned),
        instructions,
        warnings,
        stopped,
        next: (offset < image_end).then_some(Location {
            address,
            offset: Some(offset),
        }),
    })
}

/// What the bytes at an address are, how to decode them, and where that changes.
fn run(
    mappings: &Mappings,
    base: Architecture,
    address: u64,
) -> (Option<Mapping>, Architecture, Option<u64>) {
    let (mapping, change) = mappings.at(address);
    let mut architecture = base;
    if base.family == Family::Arm {
        match mapping {
            Some(Mapping::Code) => architecture.thumb = false,
            Some(Mapping::Thumb) => architecture.thumb = true,
            Some(Mapping::Data) | None => {}
        }
    }
    (mapping, architecture, change)
}

fn slice(data: &[u8], from: u64, to: u64) -> &[u8] {
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    range
        .and_then(|(from, to)| data.get(from..to))
        .unwrap_or_default()
}

/// The listing as it grows.
struct Writer<'a> {
    names: &'a Names<'a>,
    printer: x86::Printer,
    instructions: Vec<Instruction>,
    count: usize,
    undecodable: usize,
    address: u64,
    offset: u64,
    warnings: Warnings,
}

impl Writer<'_> {
    fn room(&self) -> bool {
        self.instructions.len() < self.count
    }

    fn code(&mut self, decoder: &Decoder, bytes: &[u8]) {
        let mut decode = decoder.decode(bytes, self.address);
        let mut rest = bytes;
        let mut text = Text::default();
        while self.room() {
            let Some(decoded) = decode.next_with_text(&mut self.printer, &mut text) else {
                break;
            };
            let Some((own, behind)) = rest.split_at_checked(decoded.length) else {
                break;
            };
            rest = behind;
            if !decoded.valid {
                if self.undecodable == 0 {
                    self.warnings
                        .add(format!("undecodable bytes at {:#x}", decoded.address));
                }
                self.undecodable = self.undecodable.saturating_add(1);
                self.push(own, ".byte", listed(own), Flow::Other, None);
                continue;
            }
            let operands = std::mem::take(&mut text.operands);
            self.push(own, &text.mnemonic, operands, decoded.flow, decoded.target);
        }
    }

    /// Literal pools and tables among code.
    fn data(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(4) {
            if !self.room() {
                break;
            }
            match <[u8; 4]>::try_from(word) {
                // ARM code is little-endian in all that is met today, and the
                // bytes are there for whoever needs another order.
                Ok(word) => {
                    let value = u32::from_le_bytes(word);
                    self.push(&word, ".word", format!("{value:#x}"), Flow::Other, None);
                }
                Err(_) => self.push(word, ".byte", listed(word), Flow::Other, None),
            }
        }
    }

    fn push(
        &mut self,
        bytes: &[u8],
        mnemonic: &str,
        operands: String,
        kind: Flow,
        target: Option<u64>,
    ) {
        self.instructions.push(Instruction {
            address: self.address,
            offset: self.offset,
            bytes: hexadecimal(bytes),
            mnemonic: mnemonic.to_owned(),
            operands,
            kind,
            target,
            symbol: target
                .and_then(|target| self.names.at(target))
                .map(str::to_owned),
        });
        let length = bytes.len() as u64;
        self.address = self.address.wrapping_add(length);
        self.offset = self.offset.saturating_add(length);
    }
}

/// `0x12, 0x34`, as after `.byte`.
fn listed(bytes: &[u8]) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:#04x}")).collect();
    bytes.join(", ")
}
