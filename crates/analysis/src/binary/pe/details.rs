//! What only PE files have: the types of the report. Filled by the files beside
//! this one; nothing is computed here.
//!
//! RVAs count bytes from the image base. Times are Unix seconds as the file has
//! them; a linker that makes reproducible builds puts a hash there instead.

use serde::{Deserialize, Serialize};

use crate::binary::{Location, Range};

/// What only PE files have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PeDetails {
    /// Offset of the signature `PE\0\0`, from the DOS header.
    pub header_offset: u64,
    /// The machine's number.
    pub machine: u16,
    /// Time of linking.
    pub timestamp: u32,
    /// The COFF characteristics as a number.
    pub characteristics: u16,
    /// The COFF characteristics in words (`EXECUTABLE_IMAGE`, `DLL`, …).
    pub characteristic_names: Vec<String>,
    /// The optional header; `None` when the file has none.
    pub optional_header: Option<OptionalHeader>,
    /// The data directories that are not empty.
    pub directories: Vec<DataDirectory>,
    /// What the section headers say beyond the common fields, in file order.
    pub sections: Vec<SectionDetails>,
    /// MD5 of the imported names in order (Mandiant's imphash, as pefile and
    /// VirusTotal compute it), in lowercase hexadecimal; `None` without imports.
    pub imphash: Option<String>,
    /// SHA-256 over what an Authenticode signature covers, in lowercase
    /// hexadecimal. It identifies a file whether it is signed or not; `None`
    /// when the file has more than 2 GB or no optional header.
    pub authentihash_sha256: Option<String>,
    /// The name that the export directory gives the file.
    pub export_name: Option<String>,
    /// What the linker wrote of the tools behind the object files.
    pub rich_header: Option<RichHeader>,
    /// Thread-local storage.
    pub tls: Option<Tls>,
    /// The leaves of the resource tree.
    pub resources: Vec<Resource>,
    /// The version resource.
    pub version: Option<Version>,
    /// The application manifest.
    pub manifest: Option<Manifest>,
    /// The debug directory.
    pub debug: Vec<DebugEntry>,
    /// The load configuration.
    pub load_config: Option<LoadConfig>,
    /// Number of entries in the exception directory (`.pdata`).
    pub exception_entries: u64,
    /// The attribute certificate table.
    pub signature: Option<Signature>,
    /// The header of .NET files.
    pub dotnet: Option<DotNet>,
}

/// The optional header, which every image has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionalHeader {
    /// 0x10b: PE32; 0x20b: PE32+; 0x107: ROM.
    pub magic: u16,
    /// Version of the linker, such as `14.29`.
    pub linker_version: String,
    /// Version of the system that is asked for.
    pub system_version: String,
    /// Version of the image.
    pub image_version: String,
    /// Version of the subsystem that is asked for.
    pub subsystem_version: String,
    /// RVA of the entry point; 0 when there is none.
    pub entry_rva: u32,
    /// The subsystem's number.
    pub subsystem: u16,
    /// The subsystem in words (`WINDOWS_GUI`, `EFI_APPLICATION`, …).
    pub subsystem_name: String,
    /// The DLL characteristics as a number.
    pub dll_characteristics: u16,
    /// The DLL characteristics in words (`DYNAMIC_BASE`, `NX_COMPAT`, …).
    pub dll_characteristic_names: Vec<String>,
    /// The checksum in the header; 0 when the linker wrote none.
    pub checksum: u32,
    /// The checksum as the file is; `None` when the file has more than 2 GB.
    pub checksum_computed: Option<u32>,
    /// Size of the image in memory, in bytes.
    pub image_size: u32,
    /// Size of all headers in the file, in bytes.
    pub headers_size: u32,
    /// Size of code, in bytes, as the linker says.
    pub code_size: u32,
    /// Alignment of sections in memory, in bytes.
    pub section_alignment: u32,
    /// Alignment of sections in the file, in bytes.
    pub file_alignment: u32,
}

/// A data directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataDirectory {
    /// `EXPORT`, `IMPORT`, `RESOURCE`, …
    pub name: String,
    /// Its RVA; for `SECURITY` an offset in the file.
    pub rva: u32,
    /// Its size in bytes.
    pub size: u32,
}

/// What a section header says beyond the common fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionDetails {
    /// The eight bytes of its name (`/4` where the name is a long one).
    pub short_name: String,
    /// Its characteristics as a number.
    pub characteristics: u32,
    /// MD5 of its bytes in the file, in lowercase hexadecimal; `None` when
    /// entropy is not asked for.
    pub md5: Option<String>,
}

/// The Rich header.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RichHeader {
    /// The value that it is combined with, and its checksum.
    pub key: u32,
    /// The checksum over DOS header, DOS program and entries is the key.
    pub checksum_valid: bool,
    /// MD5 of the decoded header up to `Rich`, in lowercase hexadecimal.
    pub hash: String,
    /// The tools, in file order.
    pub entries: Vec<RichEntry>,
}

/// A tool of the Rich header.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RichEntry {
    /// Number of the tool.
    pub product: u16,
    /// Build of the tool.
    pub build: u16,
    /// Number of object files that it made.
    pub count: u32,
}

/// Thread-local storage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Virtual address of the initial data.
    pub data_address: u64,
    /// Size of the initial data, in bytes.
    pub data_size: u64,
    /// Virtual address of the variable that gets the index.
    pub index_address: u64,
    /// The callbacks, which run before the entry point.
    pub callbacks: Vec<Location>,
}

/// A leaf of the resource tree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// `RT_ICON`, …; the number or name where it is not one of the system's.
    pub kind: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Its number, where it has no name.
    pub id: Option<u32>,
    /// Its language's number (1033: English, United States).
    pub language: u32,
    /// Its RVA.
    pub rva: u32,
    /// Its offset in the file, where the RVA is backed by one.
    pub offset: Option<u64>,
    /// Its size in bytes, as the tree says.
    pub size: u32,
    /// Its code page.
    pub code_page: u32,
    /// Shannon entropy of its bytes, in bits per byte (0 to 8).
    pub entropy: Option<f64>,
}

/// The version resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Version of the file, such as `10.0.19041.1`.
    pub file_version: Option<String>,
    /// Version of the product.
    pub product_version: Option<String>,
    /// Flags of the fixed part (1: debug, 2: pre-release, 4: patched,
    /// 8: private, 16: inferred, 32: special).
    pub flags: u32,
    /// Type of the file (1: application, 2: library, 3: driver, 4: font).
    pub file_type: u32,
    /// The strings (`CompanyName`, `OriginalFilename`, …) in file order.
    pub strings: Vec<VersionString>,
}

/// A string of the version resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionString {
    /// Language and code page in hexadecimal (`040904b0`).
    pub table: String,
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// The application manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Where it is.
    pub range: Option<Range>,
    /// `asInvoker`, `highestAvailable` or `requireAdministrator`.
    pub execution_level: Option<String>,
    /// It asks for access to other windows (`uiAccess`).
    pub ui_access: bool,
}

/// An entry of the debug directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebugEntry {
    /// `CODEVIEW`, `POGO`, `REPRO`, `EX_DLLCHARACTERISTICS`, …
    pub kind: String,
    /// Its time.
    pub timestamp: u32,
    /// Its RVA; 0 when it is not loaded.
    pub rva: u32,
    /// Its offset in the file.
    pub offset: u32,
    /// Its size in bytes.
    pub size: u32,
    /// The link to a program database, for `CODEVIEW`.
    pub codeview: Option<CodeView>,
}

/// The link to a program database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeView {
    /// `RSDS` (PDB 7.0) or `NB10` (PDB 2.0).
    pub format: String,
    /// GUID (PDB 7.0) or time in hexadecimal (PDB 2.0), which the PDB repeats.
    pub signature: String,
    /// How often the PDB had been changed.
    pub age: u32,
    /// Path of the PDB when it was linked.
    pub path: String,
}

/// The load configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadConfig {
    /// Its size in bytes, as it says.
    pub size: u32,
    /// Virtual address of the security cookie; 0 when there is none.
    pub security_cookie: u64,
    /// Number of safe exception handlers; `None` where there is no table.
    pub safe_handlers: Option<u64>,
    /// Number of functions that control flow guard lets be called.
    pub guard_functions: u64,
    /// The guard flags as a number.
    pub guard_flags: u32,
    /// The guard flags in words (`CF_INSTRUMENTED`, …).
    pub guard_flag_names: Vec<String>,
}

/// The attribute certificate table. Whether a signature is valid is not
/// examined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Where the directory says it is; it may lie outside of the file.
    pub range: Option<Range>,
    /// Kind of each certificate in it (2: PKCS #7 signed data).
    pub certificate_types: Vec<u16>,
}

/// The header of .NET files (ECMA-335 II.25.3.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DotNet {
    /// Version of the header, such as `2.5`.
    pub header_version: String,
    /// The runtime that the metadata asks for, such as `v4.0.30319`.
    pub runtime_version: Option<String>,
    /// The flags as a number.
    pub flags: u32,
    /// The flags in words (`ILONLY`, `STRONGNAMESIGNED`, …).
    pub flag_names: Vec<String>,
    /// Token of the method that begins, or RVA of native code.
    pub entry_point: u32,
    /// The metadata's RVA.
    pub metadata_rva: u32,
    /// The metadata's size in bytes.
    pub metadata_size: u32,
}
