//! Names of addresses, for the listing: built once, sorted, searched by
//! bisection. Also ARM's mapping symbols, which say what is A32, Thumb or data.

use crate::binary::{Image, Symbol, SymbolKind};

/// Names by address, the best one first where there are several.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    sorted: Vec<(u64, u8, &'a str)>,
}

impl<'a> Names<'a> {
    /// Of the symbols, exports and import slots of an image.
    pub(super) fn of(image: &'a Image) -> Self {
        let symbols = image
            .symbols
            .iter()
            .filter(|symbol| is_place(symbol))
            .map(|symbol| {
                let rank = match symbol.kind {
                    SymbolKind::Function => 0,
                    SymbolKind::Object => 2,
                    SymbolKind::Other => 3,
                    // Filtered out above.
                    SymbolKind::Section | SymbolKind::File | SymbolKind::Tls => 4,
                };
                (symbol.address, rank, symbol.name.as_str())
            });
        let exports = image
            .exports
            .iter()
            .filter(|export| export.forward.is_none())
            .filter_map(|export| Some((export.address, 1, export.name.as_deref()?)));
        let imports = image
            .imports
            .iter()
            .filter_map(|import| Some((import.address?, 1, import.name.as_deref()?)));
        let mut sorted: Vec<_> = symbols.chain(exports).chain(imports).collect();
        sorted.sort_by_key(|&(address, rank, _)| (address, rank));
        Self { sorted }
    }

    /// The name of exactly this address.
    pub(super) fn at(&self, address: u64) -> Option<&'a str> {
        let first = self.sorted.partition_point(|&(other, ..)| other < address);
        let &(found, _, name) = self.sorted.get(first)?;
        (found == address).then_some(name)
    }
}

/// Whether a symbol names a place in memory.
fn is_place(symbol: &Symbol) -> bool {
    let place = match symbol.kind {
        SymbolKind::Function | SymbolKind::Object | SymbolKind::Other => true,
        SymbolKind::Section | SymbolKind::File | SymbolKind::Tls => false,
    };
    place && !symbol.undefined && !symbol.name.is_empty() && !symbol.name.starts_with('$')
}

/// The address of a symbol or export with this name.
pub(super) fn find(image: &Image, name: &str) -> Option<u64> {
    let symbols = image.symbols.iter().filter(|symbol| is_place(symbol));
    let exports = image
        .exports
        .iter()
        .filter(|export| export.forward.is_none());
    symbols
        .filter(|symbol| symbol.name == name)
        .map(|symbol| symbol.address)
        .next()
        .or_else(|| {
            exports
                .filter(|export| export.name.as_deref() == Some(name))
                .map(|export| export.address)
                .next()
        })
}

/// Most names that [`similar`] gives.
const SIMILAR: usize = 5;

/// Names that contain what was asked for, or the reverse, whatever the case.
pub(super) fn similar(image: &Image, name: &str) -> Vec<String> {
    let wanted = name.to_lowercase();
    let mut found = Vec::new();
    if wanted.is_empty() {
        return found;
    }
    let symbols = image
        .symbols
        .iter()
        .filter(|symbol| is_place(symbol))
        .map(|symbol| symbol.name.as_str());
    let exports = image
        .exports
        .iter()
        .filter_map(|export| export.name.as_deref());
    for candidate in symbols.chain(exports) {
        let lower = candidate.to_lowercase();
        // Names of one or two letters are contained in everything.
        let near = lower.contains(&wanted) || (lower.len() > 2 && wanted.contains(&lower));
        if near && !found.iter().any(|known| known == candidate) {
            found.push(candidate.to_owned());
            if found.len() >= SIMILAR {
                break;
            }
        }
    }
    found
}

/// What ARM's mapping symbols say of the bytes that follow
/// (ELF for the Arm Architecture, section 5.5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mapping {
    /// `$a`, or `$x` of AArch64.
    Code,
    /// `$t`.
    Thumb,
    /// `$d`.
    Data,
}

/// All mapping symbols, sorted.
#[derive(Debug, Default)]
pub(super) struct Mappings {
    sorted: Vec<(u64, Mapping)>,
}

impl Mappings {
    /// Of an image.
    pub(super) fn of(image: &Image) -> Self {
        let mut sorted: Vec<_> = image
            .symbols
            .iter()
            .filter(|symbol| !symbol.undefined)
            .filter_map(|symbol| {
                let kind = match symbol.name.split('.').next()? {
                    "$a" | "$x" => Mapping::Code,
                    "$t" => Mapping::Thumb,
                    "$d" => Mapping::Data,
                    _ => return None,
                };
                Some((symbol.address, kind))
            })
            .collect();
        sorted.sort_unstable();
        sorted.dedup_by_key(|&mut (address, _)| address);
        Self { sorted }
    }

    /// What is at an address, if any symbol says so, and where the next change is.
    pub(super) fn at(&self, address: u64) -> (Option<Mapping>, Option<u64>) {
        let after = self.sorted.partition_point(|&(other, _)| other <= address);
        let now = after
            .checked_sub(1)
            .and_then(|index| self.sorted.get(index));
        let next = self.sorted.get(after);
        (
            now.map(|&(_, kind)| kind),
            next.map(|&(address, _)| address),
        )
    }
}
