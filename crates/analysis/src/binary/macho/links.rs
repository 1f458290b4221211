//! What the dynamic linker is told to fill in: which symbol of which library
//! goes into which slot. Old images have opcodes for it (`LC_DYLD_INFO`), new
//! ones chains of pointers (`LC_DYLD_CHAINED_FIXUPS`).

use object::Endianness;
use object::macho::BindDylib;
use object::read::macho::{Bind, DyldChainedFixups, Fixup, MachHeader};

use super::commands::Commands;
use crate::Warnings;
use crate::binary::Range;

/// A symbol to be bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound<'d> {
    pub(super) name: &'d [u8],
    pub(super) library: BindDylib,
    /// Address of the first slot that gets its address.
    pub(super) slot: Option<u64>,
    /// It is looked up when first called.
    pub(super) lazy: bool,
}

/// What was found, and how many slots there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Links<'d> {
    pub(super) bound: Vec<Bound<'d>>,
    /// Slots that are filled in or moved.
    pub(super) relocations: u64,
}

/// Reads them, `most` slots at most of each kind.
pub(super) fn read<'d, M: MachHeader<Endian = Endianness>>(
    data: &'d [u8],
    endian: Endianness,
    base_address: u64,
    commands: &Commands<'d>,
    most: usize,
    warnings: &mut Warnings,
) -> Links<'d> {
    let mut links = Links::default();
    if let Some(info) = &commands.dyld_info {
        let sizes = [
            &info.bind_size,
            &info.weak_bind_size,
            &info.lazy_bind_size,
            &info.rebase_size,
        ];
        if sizes
            .iter()
            .any(|size| u64::from(size.get(endian)) > super::MOST_LINKED)
        {
            warnings.add("bind and rebase opcodes are too many bytes to be read");
            return links;
        }
        let size = M::pointer_size();
        let eager = info.binds(endian, data, size);
        let weak = info.weak_binds(endian, data, size);
        let lazy = info.lazy_binds(endian, data, size);
        for (what, binds, is_lazy) in [
            ("bind", eager, false),
            ("weak bind", weak, false),
            ("lazy bind", lazy, true),
        ] {
            match binds {
                Ok(binds) => links.opcodes(what, binds, is_lazy, commands, most, warnings),
                Err(_) => warnings.add(format!("{what} opcodes lie outside the image")),
            }
        }
        match info.rebases(endian, data, size) {
            Ok(rebases) => {
                let count = rebases.take(most).take_while(Result::is_ok).count();
                links.relocations = links.relocations.saturating_add(count as u64);
            }
            Err(_) => warnings.add("rebase opcodes lie outside the image"),
        }
    }
    if let Some(range) = commands.chained_fixups {
        links.chains(data, endian, base_address, range, commands, most, warnings);
    }
    links
}

impl<'d> Links<'d> {
    fn opcodes(
        &mut self,
        what: &str,
        binds: impl Iterator<Item = object::read::Result<Bind<'d>>>,
        lazy: bool,
        commands: &Commands<'d>,
        most: usize,
        warnings: &mut Warnings,
    ) {
        for (number, bind) in binds.enumerate() {
            let Ok(bind) = bind else {
                warnings.add(format!("{what} opcodes are damaged after {number} slots"));
                break;
            };
            if number >= most {
                warnings.add(format!("{what} opcodes have more than {most} slots"));
                break;
            }
            self.relocations = self.relocations.saturating_add(1);
            let segment = commands.segments.get(usize::from(bind.segment_index));
            self.bound.push(Bound {
                name: bind.symbol,
                library: bind.dylib,
                slot: segment.map(|segment| segment.address.wrapping_add(bind.segment_offset)),
                lazy,
            });
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call, of facts that have no common name"
    )]
    fn chains(
        &mut self,
        data: &'d [u8],
        endian: Endianness,
        base_address: u64,
        range: Range,
        commands: &Commands<'d>,
        most: usize,
        warnings: &mut Warnings,
    ) {
        let at = range.offset;
        let bytes = super::bytes_at(data, at, range.size);
        let Ok(fixups) = DyldChainedFixups::parse(endian, bytes) else {
            warnings.add(format!("chained fixups at 0x{at:x} can't be read"));
            return;
        };
        let first = self.bound.len();
        match fixups.imports(endian) {
            Ok(imports) => {
                let imports = imports.take(most).map_while(Result::ok);
                self.bound.extend(imports.map(|import| Bound {
                    name: import.name,
                    library: import.dylib,
                    slot: None,
                    lazy: false,
                }));
            }
            Err(_) => warnings.add(format!(
                "imports of the chained fixups at 0x{at:x} can't be read"
            )),
        }
        let Ok(segments) = fixups.segments(endian) else {
            warnings.add(format!(
                "chain starts of the fixups at 0x{at:x} can't be read"
            ));
            return;
        };
        let mut left = most;
        for starts in segments.map_while(Result::ok) {
            let Some(segment) = commands.segments.get(starts.index() as usize) else {
                continue;
            };
            let bytes = super::bytes_at(data, segment.offset, segment.file_size);
            for fixup in starts.fixups(endian, base_address, bytes) {
                let Ok((offset, fixup)) = fixup else {
                    warnings.add(format!(
                        "chained fixups leave segment {}",
                        String::from_utf8_lossy(segment.name)
                    ));
                    break;
                };
                let Some(rest) = left.checked_sub(1) else {
                    warnings.add(format!("chained fixups have more than {most} slots"));
                    return;
                };
                left = rest;
                self.relocations = self.relocations.saturating_add(1);
                if let Fixup::Bind(bind) = fixup
                    && let Some(index) = first.checked_add(bind.ordinal as usize)
                    && let Some(bound) = self.bound.get_mut(index)
                {
                    let slot = segment.address.wrapping_add(offset);
                    bound.slot.get_or_insert(slot);
                }
            }
        }
    }
}
