//! What is said about the kind of a file. Filled by the other modules here;
//! plain data, no logic.

use serde::{Deserialize, Serialize};

/// What kind of file it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// A short name that stays the same between versions: `elf`, `pe`, `zip`,
    /// `docx`, `squashfs`, `shell-script`, `text`, `data`, `empty`, …
    pub kind: String,
    /// The class of kinds.
    pub category: Category,
    /// One line for a reader, in the manner of file(1).
    pub description: String,
    /// The media type that file(1) 5.44 prints for this class, or the
    /// registered one where it knows the container only.
    pub mime: String,
    /// The encoding, for text: `us-ascii`, `utf-8`, `utf-16le`, `utf-16be`,
    /// `iso-8859-1`, `unknown-8bit`.
    pub charset: Option<String>,
    /// Facts of an executable file.
    pub executable: Option<Executable>,
    /// Who made it, with what, and what else it is; strongest families first.
    pub hints: Vec<Hint>,
    /// Whether an executable hides its code; absent for other kinds.
    pub packing: Option<Packing>,
}

/// A class of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// A program, library or object file for a processor.
    Executable,
    /// Several files in one, or one compressed file.
    Archive,
    /// For reading or printing, with formatting.
    Document,
    /// Code or data for a device to boot from.
    Firmware,
    /// A file system or disk image.
    Filesystem,
    /// Source text that an interpreter runs.
    Script,
    /// Any other text.
    Text,
    /// A picture.
    Image,
    /// Sound or video.
    Media,
    /// A font.
    Font,
    /// A certificate, key or signature.
    Certificate,
    /// Code for a virtual machine.
    Bytecode,
    /// A database, log, capture or dump.
    Database,
    /// Anything else.
    Data,
}

/// Facts of an executable file; of the first image of a universal one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executable {
    /// As in the report of executable files: `x86`, `x86-64`, `aarch64`, …
    pub architecture: String,
    /// Architectures of every image of a universal file, otherwise one.
    pub architectures: Vec<String>,
    /// Width of an address: 32 or 64.
    pub bits: u8,
    /// `little` or `big`.
    pub endian: String,
    /// ELF: the operating system's ABI; PE: the subsystem (`console`, `gui`,
    /// `efi application`, …).
    pub abi: Option<String>,
    /// `static`, `dynamic`, `static-pie`; unknown when the file is cut.
    pub linkage: Option<String>,
    /// It has no symbol table; unknown when the place of one is cut away.
    pub stripped: Option<bool>,
    /// The dynamic linker.
    pub interpreter: Option<String>,
}

/// Something recognised in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// What sort of thing it is.
    pub category: HintCategory,
    /// Its name: `GCC`, `UPX`, `NSIS`, `ZIP`, …
    pub name: String,
    /// Its version, where the file says so.
    pub version: Option<String>,
    /// How sure this is.
    pub confidence: Confidence,
    /// What was found.
    pub evidence: String,
    /// Where it was found, in bytes from the start of the file.
    pub offset: Option<u64>,
}

/// A sort of hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HintCategory {
    /// A compiler or linker.
    Compiler,
    /// A program that compresses executables.
    Packer,
    /// An installer or self-extracting archive.
    Installer,
    /// A program that hinders analysis.
    Protector,
    /// A programming language.
    Language,
    /// A runtime or framework.
    Framework,
    /// A second format that the file also is.
    Polyglot,
    /// What the container holds, active content of documents included.
    Container,
}

/// How sure a hint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A weak sign, such as one that chance or a decoy could make.
    Low,
    /// A name or text that is rarely there otherwise.
    Medium,
    /// A structure that was checked.
    High,
}

/// Whether an executable hides its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packing {
    /// The judgement.
    pub verdict: PackingVerdict,
    /// What speaks for packing, also where it is not enough for a verdict.
    pub reasons: Vec<String>,
}

/// A judgement about packing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackingVerdict {
    /// Nothing, or too little, speaks for it.
    NotPacked,
    /// Several independent signs, but no known packer.
    Suspected,
    /// A known packer, or overwhelming signs.
    Packed,
}
