//! What is said of an executable file, in the terms that all formats share.
//! What only one of them has stands in a type of its own beside its parser.
//!
//! Offsets count bytes from the start of the file; addresses are virtual, as in
//! a process into which the image was loaded at its preferred base. All lists
//! are in file order and bounded; a list that was cut is named in the warnings.

use serde::{Deserialize, Serialize};

use crate::Warnings;

/// The result of parsing a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BinaryReport {
    /// The images in the file: one, or one per architecture of a universal
    /// Mach-O file; none when the file is of no known format.
    pub images: Vec<Image>,
    /// What could not be read, and why.
    pub warnings: Warnings,
}

/// The family of formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Portable Executable (Windows, UEFI, .NET).
    Pe,
    /// Executable and Linkable Format.
    Elf,
    /// Mach-O (macOS, iOS).
    MachO,
}

/// The order of bytes in multi-byte values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Endian {
    /// Least significant first.
    Little,
    /// Most significant first.
    Big,
}

/// One executable image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The family of formats.
    pub format: Format,
    /// `x86`, `x86-64`, `arm`, `aarch64`, `mips`, `powerpc`, `riscv`, `s390x`,
    /// `m68k`, …; `unknown (0x1234)` for a machine number without a name here.
    pub architecture: String,
    /// Width of an address: 32 or 64.
    pub bits: u8,
    /// The order of bytes.
    pub endian: Endian,
    /// `executable`, `pie executable`, `shared library`, `relocatable object`,
    /// `core dump`, `driver`, `bundle`, …
    pub kind: String,
    /// Offset of the image in the file; not 0 in universal files only.
    pub offset: u64,
    /// Size of the image in the file, in bytes.
    pub size: u64,
    /// The preferred base address.
    pub image_base: u64,
    /// Where execution begins.
    pub entry_point: Option<Location>,
    /// Sections, as named ranges of the file and of memory.
    pub sections: Vec<Section>,
    /// Segments (program headers, Mach-O segments); empty for PE.
    pub segments: Vec<Segment>,
    /// Functions and data that come from other files.
    pub imports: Vec<Import>,
    /// Functions and data for other files.
    pub exports: Vec<Export>,
    /// The symbol tables, imported and exported symbols included.
    pub symbols: Vec<Symbol>,
    /// How many relocations there are.
    pub relocations: u64,
    /// The libraries that are loaded with it.
    pub libraries: Vec<String>,
    /// Functions that run before the entry point: TLS callbacks, initialisers.
    pub early_code: Vec<Location>,
    /// Which mitigations it was built with.
    pub security: Security,
    /// Data behind everything that the headers describe.
    pub overlay: Option<Range>,
    /// What only this format has.
    pub details: Details,
}

/// What only one format has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Details {
    /// Of an ELF file.
    Elf(Box<super::elf::ElfDetails>),
    /// Of a PE file.
    Pe(Box<super::pe::PeDetails>),
    /// Of a Mach-O image.
    MachO(Box<super::macho::MachODetails>),
}

/// A place in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Its virtual address.
    pub address: u64,
    /// Its offset in the file, where the address is backed by one.
    pub offset: Option<u64>,
}

/// Bytes of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Offset of the first.
    pub offset: u64,
    /// Their number.
    pub size: u64,
}

/// What memory may be used for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// It can be read.
    pub read: bool,
    /// It can be written.
    pub write: bool,
    /// It can be executed.
    pub execute: bool,
}

/// A section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Its name; for Mach-O `segment,section`.
    pub name: String,
    /// Its virtual address; 0 when it is not loaded.
    pub address: u64,
    /// Its size in memory, in bytes.
    pub virtual_size: u64,
    /// Its offset in the file.
    pub offset: u64,
    /// Its size in the file, as the header says, in bytes.
    pub file_size: u64,
    /// What its memory may be used for.
    pub permissions: Permissions,
    /// The format's own type and flags, in its own words (`PROGBITS`,
    /// `CNT_CODE`, `S_CSTRING_LITERALS`), or in hexadecimal.
    pub flags: String,
    /// Shannon entropy of its bytes in the file, in bits per byte (0 to 8);
    /// `None` when the file has none of them.
    pub entropy: Option<f64>,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its name (Mach-O) or type (ELF: `LOAD`, `DYNAMIC`, `GNU_RELRO`, …).
    pub name: String,
    /// Its virtual address.
    pub address: u64,
    /// Its size in memory, in bytes.
    pub virtual_size: u64,
    /// Its offset in the file.
    pub offset: u64,
    /// Its size in the file, in bytes.
    pub file_size: u64,
    /// What its memory may be used for.
    pub permissions: Permissions,
}

/// Something that comes from another file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The library that has it, where the format says so.
    pub library: Option<String>,
    /// Its name; `None` when it is imported by number only.
    pub name: Option<String>,
    /// Its number (PE) where there is no name.
    pub ordinal: Option<u32>,
    /// The version that is asked for (ELF: `GLIBC_2.34`).
    pub version: Option<String>,
    /// The slot that gets its address: import address table, GOT.
    pub address: Option<u64>,
    /// It is looked up when first used (PE delay imports).
    pub delayed: bool,
}

/// Something for other files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Its name; `None` when it is exported by number only.
    pub name: Option<String>,
    /// Its number (PE).
    pub ordinal: Option<u32>,
    /// Its virtual address.
    pub address: u64,
    /// Where it is forwarded to (`NTDLL.RtlAllocateHeap`).
    pub forward: Option<String>,
}

/// A symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// Its virtual address, or its value where it is none.
    pub address: u64,
    /// Its size in bytes; 0 when the format does not say.
    pub size: u64,
    /// What it stands for.
    pub kind: SymbolKind,
    /// Who can see it.
    pub binding: Binding,
    /// It is defined in another file.
    pub undefined: bool,
    /// It stands in the table for the dynamic linker.
    pub dynamic: bool,
}

/// What a symbol stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SymbolKind {
    /// Code.
    Function,
    /// Data.
    Object,
    /// A section.
    Section,
    /// A source file.
    File,
    /// A thread-local variable.
    Tls,
    /// Anything else, or unknown.
    Other,
}

/// Who can see a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Binding {
    /// Its own file.
    Local,
    /// Every file.
    Global,
    /// Every file, and another definition takes precedence.
    Weak,
    /// Anything else.
    Other,
}

/// Mitigations. `None`: the format has no such thing, or it means nothing for
/// this kind of file (a library is never a position-independent executable).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    /// Memory for data is not executable (NX, DEP, no executable stack).
    pub nx: Option<bool>,
    /// The image can be loaded anywhere (PIE, `DYNAMIC_BASE`).
    pub pie: Option<bool>,
    /// The loader uses the whole address space (`HIGH_ENTROPY_VA`).
    pub high_entropy_aslr: Option<bool>,
    /// Functions check a stack canary.
    pub canary: Option<bool>,
    /// Relocated data is made read-only (ELF): `none`, `partial` or `full`.
    pub relro: Option<String>,
    /// Calls through pointers are checked (PE control flow guard).
    pub cfg: Option<bool>,
    /// Exception handlers are listed (PE SafeSEH) or impossible.
    pub safe_seh: Option<bool>,
    /// Calls of the C library are the checked ones (ELF `_FORTIFY_SOURCE`).
    pub fortify: Option<bool>,
    /// Branch targets and return addresses are protected (CET IBT/SHSTK,
    /// AArch64 BTI/PAC), as far as the file declares it.
    pub control_flow_protection: Option<bool>,
    /// Library search paths built into the file.
    pub run_paths: Vec<String>,
    /// A signature is there. Whether it is valid is not examined.
    pub signed: Option<bool>,
}
