//! What only Mach-O images have, as it stands in a report.

use serde::{Deserialize, Serialize};

use crate::binary::Range;

/// What only Mach-O images have.
///
/// The words are those of Apple's `mach-o/loader.h`, without their prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachODetails {
    /// The type of file: `EXECUTE`, `DYLIB`, `BUNDLE`, …, or in hexadecimal.
    pub file_type: String,
    /// The processor: `X86_64`, `ARM64`, …, or in hexadecimal.
    pub cpu: String,
    /// The variant of the processor (`cpusubtype`), with its capability bits.
    pub cpu_subtype: u32,
    /// Flags of the header.
    pub flags: u32,
    /// Their words.
    pub flag_names: Vec<String>,
    /// How many load commands the header claims.
    pub command_count: u32,
    /// The load commands, as far as the file has them.
    pub commands: Vec<LoadCommand>,
    /// The libraries, in the order of the ordinals of imports.
    pub dylibs: Vec<Dylib>,
    /// Its own name as a library.
    pub install_name: Option<String>,
    /// The program that loads it (`/usr/lib/dyld`).
    pub dynamic_linker: Option<String>,
    /// The identifier of this build, in hexadecimal.
    pub uuid: Option<String>,
    /// The platform it was built for: `MACOS`, `IOS`, …
    pub platform: Option<String>,
    /// The oldest version of the platform on which it runs.
    pub minimum_version: Option<String>,
    /// The version of the SDK it was built with.
    pub sdk_version: Option<String>,
    /// The version of its source.
    pub source_version: Option<String>,
    /// Tools it was built with, and their versions (`LD 1022.1`).
    pub tools: Vec<String>,
    /// Where the code signature is. Whether it is valid is not examined.
    pub code_signature: Option<Range>,
    /// What part of it is or was encrypted.
    pub encryption: Option<Encryption>,
    /// How many functions `LC_FUNCTION_STARTS` lists.
    pub function_starts: u64,
    /// Entries in the symbol table, as the load command claims.
    pub symbol_table_entries: u64,
    /// Objective-C objects are counted by the compiler's code (ARC).
    pub automatic_reference_counting: bool,
}

/// A load command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadCommand {
    /// Its word: `SEGMENT_64`, `LOAD_DYLIB`, …, or in hexadecimal.
    pub name: String,
    /// Its offset in the file.
    pub offset: u64,
    /// Its size in bytes.
    pub size: u32,
}

/// A library that is loaded with the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dylib {
    /// Its path; may begin with `@rpath`, `@loader_path` or `@executable_path`.
    pub name: String,
    /// Its version when the image was linked.
    pub current_version: String,
    /// The oldest version that is compatible.
    pub compatibility_version: String,
    /// The image runs without it.
    pub weak: bool,
    /// Its exports are the image's exports too.
    pub reexported: bool,
    /// It is loaded when first used.
    pub lazy: bool,
}

/// A part of the file that is stored encrypted (`LC_ENCRYPTION_INFO`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// Where it is.
    pub range: Range,
    /// The system of encryption; 0 when it is not encrypted now.
    pub system: u32,
}
