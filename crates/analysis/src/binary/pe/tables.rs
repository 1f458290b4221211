//! The smaller directories: base relocations, thread-local storage, exceptions,
//! load configuration, .NET header, certificates. Called by
//! [`parse`](super::parse); of relocations and exceptions only the number is
//! wanted.

use object::{LittleEndian as LE, pe, pod};

use super::details::{DotNet, LoadConfig, Signature, Tls};
use super::headers::{Headers, padded};
use super::layout::{Layout, bytes, lossy, u16_at, u32_at};
use super::words;
use crate::Warnings;
use crate::binary::text::until_nul;
use crate::binary::{Location, ParseOptions, Range};

/// The runtime's version is a short text.
const LONGEST_VERSION: usize = 255;

/// How many places the loader changes when it moves the image.
pub(super) fn relocations(layout: &Layout<'_>, headers: &Headers, warnings: &mut Warnings) -> u64 {
    let Some(directory) = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_BASERELOC) else {
        return 0;
    };
    let size = usize::try_from(directory.size).unwrap_or(usize::MAX);
    let table = layout.tail(directory.rva);
    if table.len() < size {
        warnings.add(format!(
            "relocation directory at RVA 0x{:x} claims 0x{size:x} bytes, the file has 0x{:x}",
            directory.rva,
            table.len()
        ));
    }
    let mut rest = table.get(..size).unwrap_or(table);
    let mut count = 0_u64;
    while let Some(block_size) = u32_at(rest, 4) {
        let block_size = usize::try_from(block_size).unwrap_or(usize::MAX);
        if block_size < 8 {
            // Padding of zeros at the end is usual.
            if block_size != 0 {
                warnings.add(format!(
                    "relocation block of {block_size} bytes in the directory at RVA 0x{:x}",
                    directory.rva
                ));
            }
            break;
        }
        let block = rest.get(8..block_size).or_else(|| rest.get(8..));
        let entries = block.unwrap_or_default().chunks_exact(2);
        // Type 0 is padding.
        count += entries
            .filter(|entry| u16_at(entry, 0).is_some_and(|entry| entry >> 12 != 0))
            .count() as u64;
        rest = rest.get(block_size..).unwrap_or_default();
    }
    count
}

/// Thread-local storage and its callbacks.
pub(super) fn tls(
    layout: &Layout<'_>,
    headers: &Headers,
    options: &ParseOptions,
    warnings: &mut Warnings,
) -> Option<Tls> {
    let directory = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_TLS)?;
    let fields = if layout.wide {
        layout
            .record::<pe::ImageTlsDirectory64>(directory.rva)
            .map(|tls| {
                (
                    tls.start_address_of_raw_data.get(LE),
                    tls.end_address_of_raw_data.get(LE),
                    tls.address_of_index.get(LE),
                    tls.address_of_call_backs.get(LE),
                )
            })
    } else {
        layout
            .record::<pe::ImageTlsDirectory32>(directory.rva)
            .map(|tls| {
                (
                    tls.start_address_of_raw_data.get(LE).into(),
                    tls.end_address_of_raw_data.get(LE).into(),
                    tls.address_of_index.get(LE).into(),
                    tls.address_of_call_backs.get(LE).into(),
                )
            })
    };
    let Some((start, end, index_address, list)) = fields else {
        warnings.add(format!(
            "TLS directory at RVA 0x{:x} lies outside of the file",
            directory.rva
        ));
        return None;
    };
    let mut callbacks = Vec::new();
    let mut position = (list != 0).then(|| layout.rva(list)).flatten();
    while let Some(rva) = position {
        let Some(address) = layout.word(rva) else {
            // A list in memory that the file has no bytes for is one of zeros.
            break;
        };
        if address == 0 {
            break;
        }
        if callbacks.len() >= options.most_items {
            warnings.add(format!(
                "TLS callbacks at 0x{list:x} were cut after {}",
                callbacks.len()
            ));
            break;
        }
        callbacks.push(Location {
            address,
            offset: layout.rva(address).and_then(|rva| layout.offset(rva)),
        });
        position = rva.checked_add(layout.word_size());
    }
    Some(Tls {
        data_address: start,
        data_size: end.saturating_sub(start),
        index_address,
        callbacks,
    })
}

/// How many functions the exception directory describes.
pub(super) fn exceptions(layout: &Layout<'_>, headers: &Headers) -> u64 {
    let Some(directory) = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION) else {
        return 0;
    };
    let entry = match pe::Machine(headers.machine) {
        pe::IMAGE_FILE_MACHINE_AMD64 | pe::IMAGE_FILE_MACHINE_IA64 => 12,
        pe::IMAGE_FILE_MACHINE_ARM64
        | pe::IMAGE_FILE_MACHINE_ARMNT
        | pe::IMAGE_FILE_MACHINE_ARM
        | pe::IMAGE_FILE_MACHINE_THUMB => 8,
        pe::Machine(_) => 20,
    };
    let there = layout.tail(directory.rva).len() as u64;
    u64::from(directory.size).min(there) / entry
}

/// The load configuration.
pub(super) fn load_config(
    layout: &Layout<'_>,
    headers: &Headers,
    warnings: &mut Warnings,
) -> Option<LoadConfig> {
    let directory = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG)?;
    let tail = layout.tail(directory.rva);
    let Some(size) = u32_at(tail, 0) else {
        warnings.add(format!(
            "load configuration at RVA 0x{:x} lies outside of the file",
            directory.rva
        ));
        return None;
    };
    // The structure grew over the years: what is behind its size is not there.
    let content = bytes(tail, 0, size.into()).unwrap_or_default();
    if layout.wide {
        let whole = padded::<{ size_of::<pe::ImageLoadConfigDirectory64>() }>(content);
        let config: &pe::ImageLoadConfigDirectory64 = pod::from_bytes(&whole).ok()?.0;
        let flags = config.guard_flags.get(LE);
        Some(LoadConfig {
            size,
            security_cookie: config.security_cookie.get(LE),
            safe_handlers: None,
            guard_functions: config.guard_cf_function_count.get(LE),
            guard_flags: flags.0,
            guard_flag_names: guard_names(flags),
        })
    } else {
        let whole = padded::<{ size_of::<pe::ImageLoadConfigDirectory32>() }>(content);
        let config: &pe::ImageLoadConfigDirectory32 = pod::from_bytes(&whole).ok()?.0;
        let flags = config.guard_flags.get(LE);
        let handlers = config.sehandler_table.get(LE) != 0;
        Some(LoadConfig {
            size,
            security_cookie: config.security_cookie.get(LE).into(),
            safe_handlers: handlers.then(|| config.sehandler_count.get(LE).into()),
            guard_functions: config.guard_cf_function_count.get(LE).into(),
            guard_flags: flags.0,
            guard_flag_names: guard_names(flags),
        })
    }
}

/// The guard flags in words, without the size of the table's entries.
fn guard_names(flags: pe::GuardFlags) -> Vec<String> {
    let flags = pe::GuardFlags(flags.0 & !pe::IMAGE_GUARD_CF_FUNCTION_TABLE_SIZE_MASK);
    words::flags(flags, "IMAGE_GUARD_")
}

/// The header of .NET files.
pub(super) fn dotnet(
    layout: &Layout<'_>,
    headers: &Headers,
    warnings: &mut Warnings,
) -> Option<DotNet> {
    let directory = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR)?;
    let Some(header) = layout.record::<pe::ImageCor20Header>(directory.rva) else {
        warnings.add(format!(
            ".NET header at RVA 0x{:x} lies outside of the file",
            directory.rva
        ));
        return None;
    };
    let metadata_rva = header.meta_data.virtual_address.get(LE);
    let metadata = layout.tail(metadata_rva);
    let runtime_version = metadata.starts_with(b"BSJB").then(|| {
        let text = metadata.get(16..).unwrap_or_default();
        let size = u32_at(metadata, 12).unwrap_or(0) as usize;
        let text = text.get(..size.min(LONGEST_VERSION)).unwrap_or(text);
        lossy(until_nul(text))
    });
    if runtime_version.is_none() {
        warnings.add(format!("no .NET metadata at RVA 0x{metadata_rva:x}"));
    }
    let flags = header.flags.get(LE);
    Some(DotNet {
        header_version: format!(
            "{}.{}",
            header.major_runtime_version.get(LE),
            header.minor_runtime_version.get(LE)
        ),
        runtime_version,
        flags: flags.0,
        flag_names: words::flags(flags, "COMIMAGE_FLAGS_"),
        entry_point: header.entry_point_token_or_rva.get(LE),
        metadata_rva,
        metadata_size: header.meta_data.size.get(LE),
    })
}

/// The attribute certificate table. Its directory holds an offset in the file.
pub(super) fn signature(
    layout: &Layout<'_>,
    headers: &Headers,
    options: &ParseOptions,
    warnings: &mut Warnings,
) -> Option<Signature> {
    let directory = headers.directory(pe::IMAGE_DIRECTORY_ENTRY_SECURITY)?;
    let (offset, size) = (u64::from(directory.rva), u64::from(directory.size));
    let mut table = bytes(layout.data, offset, size).unwrap_or_default();
    if (table.len() as u64) < size {
        warnings.add(format!(
            "certificates at 0x{offset:x} claim 0x{size:x} bytes, the file has 0x{:x}",
            table.len()
        ));
    }
    let mut certificate_types = Vec::new();
    while let (Some(length), Some(kind)) = (u32_at(table, 0), u16_at(table, 6)) {
        if length < 8 || certificate_types.len() >= options.most_items {
            break;
        }
        certificate_types.push(kind);
        // Each begins at a multiple of 8.
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let next = length.saturating_add(7) & !7;
        table = table.get(next..).unwrap_or_default();
    }
    Some(Signature {
        range: Some(Range { offset, size }),
        certificate_types,
    })
}
