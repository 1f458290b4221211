//! PE files: programs, libraries and drivers of Windows, EFI programs, .NET
//! assemblies. `parse` puts together what the files beside this one read.
//!
//! Written for files that lie: fixed records are those of `object`, but every
//! walk over them is ours, since a report of what is readable is wanted where a
//! strict reader gives up. The format is that of Microsoft's "PE Format"
//! specification, and where Windows' loader is known to be laxer, the loader's.
//!
//! Nothing is disassembled, verified (signatures) or unpacked here; DOS, NE and
//! LE programs are only recognised.

#[cfg(test)]
mod builder;
mod checksum;
mod debug;
mod details;
mod exports;
mod headers;
mod imphash;
mod imports;
mod layout;
mod ordinals;
mod resources;
mod rich;
mod sections;
mod symbols;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod version;
mod words;

use object::pe;

pub use details::*;

use self::headers::Headers;
use self::layout::Layout;
use super::density::Density;
use super::text::Text;
use super::{Details, Endian, Format, Image, Import, ParseOptions, Security};
use crate::Warnings;

/// Libraries that only code in the kernel imports from.
const KERNEL_LIBRARIES: [&str; 6] = [
    "ntoskrnl.exe",
    "hal.dll",
    "ndis.sys",
    "fltmgr.sys",
    "bootvid.dll",
    "kdcom.dll",
];

/// The extended DLL characteristic of files that work with shadow stacks
/// (`IMAGE_DLLCHARACTERISTICS_EX_CET_COMPAT`).
const CET_COMPAT: u32 = 1;

/// Takes a PE file apart; `None`, with a warning, when there is no PE header.
pub(super) fn parse(data: &[u8], options: &ParseOptions, warnings: &mut Warnings) -> Option<Image> {
    let headers = Headers::read(data, options, warnings)?;
    let optional = headers.optional.as_ref();
    let wide = optional.is_some_and(|header| header.wide);
    let alignments = optional.map_or((0, 0), |header| {
        (
            header.report.section_alignment,
            header.report.file_alignment,
        )
    });
    let image_base = optional.map_or(0, |header| header.image_base);
    let layout = Layout::new(data, image_base, wide, alignments, &headers.sections);

    let mut text = Text::new(data.len());
    let mut density = Density::new(data.len(), options.entropy);
    let budget = (&mut density, &mut text);
    let (sections, section_details) = sections::read(&layout, &headers, options, budget, warnings);
    let imports = imports::read(&layout, &headers, options, &mut text, warnings);
    let (exports, export_name) = exports::read(&layout, &headers, options, &mut text, warnings);
    let symbols = symbols::read(&layout, &headers, options, &mut text, warnings);
    let tls = tables::tls(&layout, &headers, options, warnings);
    let budget = (&mut density, &mut text);
    let resources = resources::read(&layout, &headers, options, budget, warnings);
    let version = version::version(&layout, &resources, options, &mut text, warnings);
    let (debug, extended) = debug::read(&layout, &headers, options, &mut text, warnings);
    let load_config = tables::load_config(&layout, &headers, warnings);
    let signature = tables::signature(&layout, &headers, options, warnings);
    let entry_rva = optional.map_or(0, |header| header.report.entry_rva);
    let details = PeDetails {
        header_offset: headers.offset,
        machine: headers.machine,
        timestamp: headers.timestamp,
        characteristics: headers.characteristics.0,
        characteristic_names: words::flags(headers.characteristics, "IMAGE_FILE_"),
        optional_header: optional.map(|header| header.report.clone()),
        directories: headers.directories(),
        sections: section_details,
        imphash: imphash::imphash(&imports),
        authentihash_sha256: optional.and_then(|_| {
            checksum::authentihash(
                data,
                headers.offset.saturating_add(24),
                wide,
                headers.directory(pe::IMAGE_DIRECTORY_ENTRY_SECURITY),
            )
        }),
        export_name,
        rich_header: rich::read(data, headers.offset, warnings),
        version,
        manifest: version::manifest(&layout, &resources),
        exception_entries: tables::exceptions(&layout, &headers),
        dotnet: tables::dotnet(&layout, &headers, warnings),
        tls,
        resources,
        debug,
        load_config,
        signature,
    };
    if data.len() > checksum::MOST_SUMMED {
        warnings.add("the file is too large for its checksum and Authentihash to be computed");
    }
    text.finish(warnings);
    density.finish(warnings);
    Some(Image {
        format: Format::Pe,
        architecture: words::architecture(headers.machine),
        bits: if wide { 64 } else { 32 },
        endian: if words::is_big_endian(headers.machine) {
            Endian::Big
        } else {
            Endian::Little
        },
        kind: kind(&headers, &imports).to_owned(),
        offset: 0,
        size: data.len() as u64,
        image_base,
        entry_point: (entry_rva != 0).then(|| layout.location(entry_rva)),
        sections,
        segments: Vec::new(),
        libraries: imports::libraries(&imports),
        imports,
        exports,
        symbols,
        relocations: tables::relocations(&layout, &headers, warnings),
        early_code: details
            .tls
            .as_ref()
            .map(|tls| tls.callbacks.clone())
            .unwrap_or_default(),
        security: security(&headers, &details, extended),
        overlay: sections::overlay(&layout, &headers),
        details: Details::Pe(Box::new(details)),
    })
}

/// What kind of file it is.
fn kind(headers: &Headers, imports: &[Import]) -> &'static str {
    let optional = headers.optional.as_ref();
    let imports_kernel = imports.iter().any(|import| {
        let library = import.library.as_deref().unwrap_or_default();
        KERNEL_LIBRARIES
            .iter()
            .any(|known| library.eq_ignore_ascii_case(known))
    });
    words::kind(
        headers.characteristics,
        optional.map_or(pe::Subsystem(0), |header| header.subsystem),
        optional.map_or(pe::DllFlags(0), |header| header.dll_characteristics),
        imports_kernel,
    )
}

/// Which mitigations the file declares.
fn security(headers: &Headers, details: &PeDetails, extended: Option<u32>) -> Security {
    let Some(optional) = headers.optional.as_ref() else {
        return Security::default();
    };
    let has = |flag: pe::DllFlags| optional.dll_characteristics.0 & flag.0 != 0;
    let machine = pe::Machine(headers.machine);
    let x86 = machine == pe::IMAGE_FILE_MACHINE_I386;
    let config = details.load_config.as_ref();
    let unused = pe::IMAGE_GUARD_SECURITY_COOKIE_UNUSED.0;
    Security {
        nx: Some(has(pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT)),
        pie: Some(has(pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE)),
        high_entropy_aslr: optional
            .wide
            .then(|| has(pe::IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA)),
        canary: Some(
            config.is_some_and(|config| {
                config.security_cookie != 0 && config.guard_flags & unused == 0
            }),
        ),
        relro: None,
        cfg: Some(has(pe::IMAGE_DLLCHARACTERISTICS_GUARD_CF)),
        // Elsewhere handlers are found in tables, not on the stack.
        safe_seh: x86.then(|| {
            has(pe::IMAGE_DLLCHARACTERISTICS_NO_SEH)
                || config.is_some_and(|config| config.safe_handlers.is_some())
        }),
        fortify: None,
        control_flow_protection: (x86 || machine == pe::IMAGE_FILE_MACHINE_AMD64)
            .then(|| extended.unwrap_or(0) & CET_COMPAT != 0),
        run_paths: Vec::new(),
        signed: Some(
            details
                .signature
                .as_ref()
                .is_some_and(|signature| !signature.certificate_types.is_empty()),
        ),
    }
}
