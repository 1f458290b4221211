//! Disassembly: a bounded listing of instructions from a place in a file, for
//! x86, ARM, AArch64, MIPS, PowerPC, RISC-V, s390x, m68k and SPARC. Called by
//! the tool of the same name; [`Decoder`] is the cheaper base of whatever has
//! to walk through much code.
//!
//! A listing is linear: it follows no jump, and it does not tell code from
//! data except where ARM's mapping symbols do. What cannot be decoded becomes
//! an item of its own and decoding goes on behind it.

mod a64;
mod architecture;
mod decoder;
mod flow;
mod listing;
mod operation;
mod start;
mod symbols;
mod walk;
mod x86;
mod x86_facts;

#[cfg(test)]
mod tests;

use std::cell::OnceCell;

use serde::{Deserialize, Serialize};

pub use architecture::{Architecture, Family};
pub use decoder::{Decode, Decoded, Decoder, Flow, Unsupported};
pub use operation::{Access, Address, Fact, Operation, Register};
pub use start::StartError;
pub use walk::Walker;

use symbols::{Mappings, Names};

use crate::Warnings;
use crate::binary::{Endian, Image, Location, place};

/// Most instructions of one listing.
pub const MOST_INSTRUCTIONS: u32 = 10_000;

/// What to disassemble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Where to begin.
    pub at: Start,
    /// How many instructions, 1 to [`MOST_INSTRUCTIONS`]; others are taken to
    /// the nearer end of that range.
    pub count: u32,
    /// At most so many bytes.
    pub bytes: Option<u64>,
    /// The instruction set, instead of that of the image; needed where there
    /// is no image.
    pub architecture: Option<Architecture>,
}

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// At an offset in the file.
    Offset(u64),
    /// At a virtual address; bit 0 set means Thumb on ARM.
    Address(u64),
    /// At a symbol or export.
    Symbol(String),
    /// At the entry point, or at the start of the code where there is none.
    Entry,
}

/// A listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disassembly {
    /// The instruction set: `x86-64`, `arm`, …
    pub architecture: String,
    /// Width of an address in bits.
    pub bits: u8,
    /// The order of bytes.
    pub endian: Endian,
    /// The mode of the processor at the start: `32-bit`, `64-bit`, `thumb`, …
    pub mode: String,
    /// Where the listing begins.
    pub start: Location,
    /// The symbol there.
    pub symbol: Option<String>,
    /// The instructions, one behind the other.
    pub instructions: Vec<Instruction>,
    /// What was strange.
    pub warnings: Warnings,
    /// Why it ends.
    pub stopped: Stopped,
    /// Where it goes on, unless the bytes are at their end.
    pub next: Option<Location>,
}

/// Why a listing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// As many instructions as were asked for.
    Count,
    /// As many bytes as were asked for.
    Bytes,
    /// The section or segment has no more bytes.
    EndOfSection,
    /// The file has no more bytes.
    EndOfFile,
}

/// An instruction, or bytes that are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// Its virtual address.
    pub address: u64,
    /// Its offset in the file.
    pub offset: u64,
    /// Its bytes in file order, in lowercase hexadecimal.
    pub bytes: String,
    /// Its name with prefixes; `.byte` where nothing could be decoded, `.word`
    /// for data among ARM code.
    pub mnemonic: String,
    /// Its operands.
    pub operands: String,
    /// What it does to the flow of control.
    pub kind: Flow,
    /// Where a direct call or jump goes, or which data at a fixed address it
    /// refers to.
    pub target: Option<u64>,
    /// The name of the symbol at the target.
    pub symbol: Option<String>,
}

/// Makes listings of one file. What is known of its addresses is put in order
/// once, however many listings are made.
#[derive(Debug)]
pub struct Disassembler<'a> {
    data: &'a [u8],
    binary: Option<&'a Image>,
    names: Names<'a>,
    /// Needed for ARM only.
    mappings: OnceCell<Mappings>,
}

impl<'a> Disassembler<'a> {
    /// For the file `data`, with its headers where it has any.
    pub fn new(data: &'a [u8], binary: Option<&'a Image>) -> Self {
        Self {
            data,
            binary,
            names: known(binary).map(Names::of).unwrap_or_default(),
            mappings: OnceCell::new(),
        }
    }

    /// Makes a listing. Whatever is wrong with the file ends up in the warnings;
    /// only a start that cannot be found is an error.
    pub fn list(&self, request: &Request) -> Result<Disassembly, StartError> {
        let mut warnings = Warnings::default();
        let begin = start::resolve(self.data, self.binary, request, &mut warnings)?;
        let none = Mappings::default();
        let is_arm = matches!(begin.architecture.family, Family::Arm | Family::Aarch64);
        let mappings = if is_arm {
            self.mappings
                .get_or_init(|| known(self.binary).map(Mappings::of).unwrap_or_default())
        } else {
            &none
        };
        let names = &self.names;
        listing::list(self.data, names, mappings, request, &begin, warnings)
    }
}

/// Sections of object files overlap, so that names would be wrong.
fn known(binary: Option<&Image>) -> Option<&Image> {
    binary.filter(|image| !place::is_object(image))
}

/// Makes one listing; see [`Disassembler`].
pub fn disassemble(
    data: &[u8],
    binary: Option<&Image>,
    request: &Request,
) -> Result<Disassembly, StartError> {
    Disassembler::new(data, binary).list(request)
}
