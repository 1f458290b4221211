//! Which processor, in the decompiler's words. Bits of files that choose between
//! variants of a processor (microMIPS, Thumb-only ARM, …) are not looked at: the
//! widest variant is taken.

use reversecore_analysis::binary::{Endian, Format, Image};
use reversecore_analysis::disassemble::{Architecture, Family};

use crate::report::Unsupported;

/// A processor with a convention for calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Language {
    /// `x86:LE:64:default:gcc`
    pub(crate) id: String,
    pub(crate) family: Family,
    /// Bytes of a pointer.
    pub(crate) pointer: u8,
    /// Bytes of a `long`.
    pub(crate) long: u8,
}

impl Language {
    /// Of an image.
    pub(crate) fn of(image: &Image) -> Result<Self, Unsupported> {
        let unsupported = || Unsupported(image.architecture.clone());
        let architecture = Architecture::of(image).ok_or_else(unsupported)?;
        let windows = image.format == Format::Pe;
        let order = match architecture.endian {
            Endian::Little => "LE",
            Endian::Big => "BE",
        };
        let wide = architecture.bits == 64;
        let bits = if wide { 64 } else { 32 };
        let by_system = if windows { "windows" } else { "default" };
        let id = match architecture.family {
            // The x32 ABI: code of 64 bits with pointers of 32.
            Family::X86 if wide && image.bits == 32 => "x86:LE:64:compat32:gcc".to_owned(),
            Family::X86 if architecture.bits == 16 => "x86:LE:16:Real Mode:default".to_owned(),
            Family::X86 => {
                let system = if windows { "windows" } else { "gcc" };
                format!("x86:LE:{bits}:default:{system}")
            }
            Family::Arm => format!("ARM:{order}:32:v8:{by_system}"),
            Family::Aarch64 if !wide => format!("AARCH64:{order}:32:ilp32:default"),
            Family::Aarch64 if image.format == Format::MachO => {
                "AARCH64:LE:64:AppleSilicon:default".to_owned()
            }
            Family::Aarch64 => format!("AARCH64:{order}:64:v8A:{by_system}"),
            Family::Mips if image.architecture == "mips64" && !wide => {
                format!("MIPS:{order}:64:64-32addr:n32")
            }
            Family::Mips => format!("MIPS:{order}:{bits}:default:default"),
            Family::Powerpc => format!("PowerPC:{order}:{bits}:default:default"),
            Family::Riscv => format!("RISCV:LE:{bits}:default:gcc"),
            Family::S390x | Family::M68k | Family::Sparc => return Err(unsupported()),
        };
        Ok(Self {
            id,
            family: architecture.family,
            pointer: if image.bits == 64 { 8 } else { 4 },
            long: if image.bits == 64 && !windows { 8 } else { 4 },
        })
    }

    /// Whether addresses are put together by the instructions of a function in
    /// ways that the model does not follow.
    pub(crate) fn hides_addresses(&self) -> bool {
        match self.family {
            Family::X86 => self.pointer == 4,
            Family::Aarch64 => false,
            Family::Arm
            | Family::Mips
            | Family::Powerpc
            | Family::Riscv
            | Family::S390x
            | Family::M68k
            | Family::Sparc => true,
        }
    }
}
