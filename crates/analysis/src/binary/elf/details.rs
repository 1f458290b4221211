//! What only ELF files have, as it stands in a report.

use serde::{Deserialize, Serialize};

use crate::binary::Location;

/// What only ELF files have.
///
/// The words are those of the generic ABI and its supplements, without their
/// prefix (`ET_`, `EM_`, `ELFOSABI_`, `EF_`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElfDetails {
    /// The type of file: `REL`, `EXEC`, `DYN`, `CORE`, or in hexadecimal.
    pub file_type: String,
    /// The machine: `X86_64`, `AARCH64`, …, or in hexadecimal.
    pub machine: String,
    /// The number of the machine (`e_machine`).
    pub machine_number: u16,
    /// The operating system whose extensions are used: `SYSV` (which says
    /// nothing), `GNU`, `FREEBSD`, …, or in hexadecimal.
    pub os_abi: String,
    /// The version of that ABI.
    pub abi_version: u8,
    /// Flags of the machine (`e_flags`).
    pub flags: u32,
    /// Their words, as far as they have some.
    pub flag_names: Vec<String>,
    /// How many sections the header claims.
    pub section_count: u64,
    /// How many segments the header claims.
    pub segment_count: u64,
    /// How it is linked; `None` when it is not yet.
    pub linkage: Option<Linkage>,
    /// There is no symbol table beside that for the dynamic linker.
    pub stripped: bool,
    /// Entries in the symbol table, the empty first one included.
    pub symbol_table_entries: u64,
    /// Entries in the dynamic symbol table, the empty first one included.
    pub dynamic_symbol_table_entries: u64,
    /// The program that loads it (`/lib64/ld-linux-x86-64.so.2`).
    pub interpreter: Option<String>,
    /// Its own name as a library (`DT_SONAME`).
    pub soname: Option<String>,
    /// Library search paths before `LD_LIBRARY_PATH` (`DT_RPATH`).
    pub rpath: Vec<String>,
    /// Library search paths behind it (`DT_RUNPATH`).
    pub runpath: Vec<String>,
    /// The build id, in hexadecimal.
    pub build_id: Option<String>,
    /// The kernel it asks for (`Linux 3.2.0`), by its ABI tag.
    pub abi_tag: Option<String>,
    /// What its compilers and linkers left in `.comment`, each once.
    pub compilers: Vec<String>,
    /// The file that has its debugging information.
    pub debug_link: Option<DebugLink>,
    /// All notes.
    pub notes: Vec<Note>,
    /// The protections it declares: `IBT`, `SHSTK`, `BTI`, `PAC`.
    pub properties: Vec<String>,
    /// Versions of its symbols that it defines (`GLIBC_2.0`).
    pub defined_versions: Vec<String>,
    /// Functions that run at the end of the process.
    pub late_code: Vec<Location>,
}

/// How a file is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Linkage {
    /// Nothing is loaded with it.
    Static,
    /// A dynamic linker resolves its symbols.
    Dynamic,
}

/// Where the debugging information is (`.gnu_debuglink`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebugLink {
    /// Name of the file.
    pub file: String,
    /// CRC-32 of its contents.
    pub crc32: u32,
}

/// A note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Who defined it (`GNU`, `Go`, `CORE`, …).
    pub owner: String,
    /// Its type, whose meaning is up to the owner.
    pub kind: u32,
    /// Size of its contents in bytes.
    pub size: u64,
    /// Its contents, where their meaning is known.
    pub description: Option<String>,
}
