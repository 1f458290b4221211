//! Where functions begin before any instruction was looked at: what the file
//! itself says, with names and sizes.

use reversecore_analysis::Warnings;
use reversecore_analysis::binary::{Binding, Details, Format, Image};
use serde::{Deserialize, Serialize};

use crate::memory::Memory;
use crate::names;
use crate::unwind;

/// How a function was found; the strongest reason where there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A symbol of a function.
    Symbol,
    /// An export.
    Export,
    /// The entry point.
    Entry,
    /// It runs before the entry point or at the end: an initialiser, a TLS
    /// callback.
    EarlyCode,
    /// A stub that jumps to an import.
    ImportThunk,
    /// The list of functions of a Mach-O file.
    FunctionStarts,
    /// Unwind tables.
    Unwind,
    /// A call.
    Call,
    /// A jump out of another function.
    Jump,
    /// An instruction takes its address.
    AddressTaken,
    /// A pointer in data.
    Pointer,
    /// It looks like the beginning of a function, where none was known.
    Gap,
}

/// A place where a function begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seed {
    pub(crate) address: u64,
    pub(crate) source: Source,
    /// Size in bytes as the file says; 0 when it does not.
    pub(crate) size: u64,
    pub(crate) name: Option<Box<str>>,
    /// ARM: the code is Thumb.
    pub(crate) thumb: bool,
}

/// All of them, each address once, sorted.
pub(crate) fn seeds(
    data: &[u8],
    image: &Image,
    memory: &Memory,
    warnings: &mut Warnings,
) -> Vec<Seed> {
    let arm = image.architecture == "arm";
    let windows_arm = arm && image.format == Format::Pe;
    let mut ranked: Vec<(u8, Seed)> = Vec::new();
    let mut add = |address: u64, source: Source, size: u64, name: Option<&str>, rank: u8| {
        let thumb = arm && (address & 1 == 1 || windows_arm);
        let address = if arm { address & !1 } else { address };
        if memory.is_code(address) {
            let name = name.filter(|name| !name.is_empty()).map(Box::from);
            let seed = Seed {
                address,
                source,
                size,
                name,
                thumb,
            };
            ranked.push((rank, seed));
        }
    };
    for symbol in &image.symbols {
        if names::is_function(symbol) {
            let rank = match symbol.binding {
                Binding::Global => 0,
                Binding::Weak => 1,
                Binding::Local | Binding::Other => 2,
            };
            let name = Some(symbol.name.as_str());
            add(symbol.address, Source::Symbol, symbol.size, name, rank);
        }
    }
    for export in &image.exports {
        if export.forward.is_none() {
            let number = export.ordinal.map(|ordinal| format!("ordinal_{ordinal}"));
            let name = export.name.as_deref().or(number.as_deref());
            add(export.address, Source::Export, 0, name, 3);
        }
    }
    if let Some(entry) = image.entry_point {
        add(entry.address, Source::Entry, 0, Some("entry0"), 5);
    }
    let late = match &image.details {
        Details::Elf(details) => details.late_code.as_slice(),
        Details::Pe(_) | Details::MachO(_) => &[],
    };
    for location in image.early_code.iter().chain(late) {
        add(location.address, Source::EarlyCode, 0, None, 6);
    }
    for address in unwind::function_starts(data, image) {
        add(address, Source::FunctionStarts, 0, None, 6);
    }
    for (address, size) in unwind::spans(data, image, memory, warnings) {
        let plt = memory
            .region(address)
            .is_some_and(|region| is_stubs(&region.name));
        // One entry stands for all stubs of a table.
        if !plt {
            add(address, Source::Unwind, size, None, 6);
        }
    }
    ranked.sort_by(|(left_rank, left), (right_rank, right)| {
        (left.address, left_rank, left.source).cmp(&(right.address, right_rank, right.source))
    });
    let mut seeds: Vec<Seed> = Vec::with_capacity(ranked.len());
    for (_, seed) in ranked {
        match seeds.last_mut() {
            Some(last) if last.address == seed.address => {
                last.source = last.source.min(seed.source);
                last.thumb |= seed.thumb;
                if last.size == 0 {
                    last.size = seed.size;
                }
                last.name = last.name.take().or(seed.name);
            }
            _ => seeds.push(seed),
        }
    }
    seeds
}

/// Whether a section has stubs for imports, by its name.
pub(crate) fn is_stubs(name: &str) -> bool {
    matches!(
        name,
        ".plt"
            | ".plt.sec"
            | ".plt.got"
            | ".iplt"
            | "__TEXT,__stubs"
            | "__TEXT,__auth_stubs"
            | "__TEXT,__stub_helper"
            | "__TEXT,__symbol_stub"
    )
}
