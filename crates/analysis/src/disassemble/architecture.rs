//! Which instruction set: the names that reports use, and the families that
//! the decoders know. Decides nothing about where code begins.

use serde::{Deserialize, Serialize};

use crate::binary::{Endian, Format, Image};

/// A family of instruction sets that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// x86: 16, 32 and 64 bits.
    X86,
    /// 32-bit ARM: A32 and Thumb.
    Arm,
    /// 64-bit ARM (A64).
    Aarch64,
    /// MIPS, 32 and 64 bits.
    Mips,
    /// PowerPC, 32 and 64 bits.
    Powerpc,
    /// RISC-V, 32 and 64 bits, with compressed instructions.
    Riscv,
    /// IBM z/Architecture.
    S390x,
    /// Motorola 68000 and its successors.
    M68k,
    /// SPARC V8 and V9.
    Sparc,
}

/// An instruction set, as exactly as a decoder has to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Architecture {
    /// The family.
    pub family: Family,
    /// Width of an address: 32 or 64; 16 for x86 only.
    pub bits: u8,
    /// The order of bytes.
    pub endian: Endian,
    /// ARM: Thumb instead of A32 instructions.
    pub thumb: bool,
}

impl Architecture {
    /// x86 with 16, 32 or 64 bits.
    pub const fn x86(bits: u8) -> Self {
        Self::new(Family::X86, bits, Endian::Little)
    }

    /// A family with a width and an order of bytes; A32 for ARM.
    pub const fn new(family: Family, bits: u8, endian: Endian) -> Self {
        Self {
            family,
            bits,
            endian,
            thumb: false,
        }
    }

    /// That of an image; `None` when there is no decoder for it.
    pub fn of(image: &Image) -> Option<Self> {
        let family = match image.architecture.as_str() {
            "x86" | "x86-64" => Family::X86,
            "arm" => Family::Arm,
            "aarch64" | "aarch64-32" => Family::Aarch64,
            "mips" | "mips64" => Family::Mips,
            "powerpc" | "powerpc64" => Family::Powerpc,
            "riscv" | "riscv32" | "riscv64" => Family::Riscv,
            "s390x" => Family::S390x,
            "m68k" => Family::M68k,
            "sparc" | "sparc64" => Family::Sparc,
            _ => return None,
        };
        // A 32-bit file can hold 64-bit code: the x32 ABI does.
        let bits = if image.architecture == "x86-64" {
            64
        } else {
            image.bits
        };
        Some(Self {
            family,
            bits,
            endian: image.endian,
            // Windows on 32-bit ARM runs Thumb code only.
            thumb: family == Family::Arm && image.format == Format::Pe,
        })
    }

    /// The family's name, with the width for x86 only: `x86`, `x86-64`, `arm`, …
    pub const fn name(self) -> &'static str {
        match self.family {
            Family::X86 if self.bits == 64 => "x86-64",
            Family::X86 => "x86",
            Family::Arm => "arm",
            Family::Aarch64 => "aarch64",
            Family::Mips => "mips",
            Family::Powerpc => "powerpc",
            Family::Riscv => "riscv",
            Family::S390x => "s390x",
            Family::M68k => "m68k",
            Family::Sparc => "sparc",
        }
    }

    /// The mode of the processor, where the family has several: `16-bit`,
    /// `32-bit`, `64-bit`, `a32`, `thumb`.
    pub const fn mode(self) -> &'static str {
        match (self.family, self.bits) {
            (Family::Arm, _) if self.thumb => "thumb",
            (Family::Arm, _) => "a32",
            (_, 16) => "16-bit",
            (_, 64) => "64-bit",
            _ => "32-bit",
        }
    }

    /// The size of the smallest instruction and of what is skipped where
    /// nothing can be decoded, in bytes.
    pub const fn unit(self) -> usize {
        match self.family {
            Family::X86 => 1,
            Family::Riscv | Family::S390x | Family::M68k => 2,
            Family::Arm if self.thumb => 2,
            Family::Arm | Family::Aarch64 | Family::Mips | Family::Powerpc | Family::Sparc => 4,
        }
    }
}
