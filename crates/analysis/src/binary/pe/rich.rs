//! The Rich header between the DOS program and the PE header: which tools of
//! Microsoft made the object files. Not documented by Microsoft; the layout is
//! that of D. Pistelli's "Microsoft's Rich Signature".

use super::checksum::{md5, rich_checksum, words};
use super::details::{RichEntry, RichHeader};
use super::layout::u32_at;
use crate::Warnings;

/// `DanS`, little-endian.
const DANS: u32 = 0x536e_6144;

/// Finds and decodes it. `end` is the offset of the PE header.
pub(super) fn read(data: &[u8], end: u64, warnings: &mut Warnings) -> Option<RichHeader> {
    let end = usize::try_from(end).unwrap_or(usize::MAX).min(data.len());
    let before = data.get(..end)?;
    // The last one: `Rich` may occur in the DOS program too.
    let rich = before.windows(4).rposition(|window| window == b"Rich")?;
    let key = u32_at(data, rich.checked_add(4)?)?;
    // The distance is a multiple of 4, whatever the header's offset.
    let start = (0..rich)
        .rev()
        .filter(|offset| (rich - offset) % 4 == 0)
        .find(|offset| u32_at(before, *offset).is_some_and(|word| word ^ key == DANS));
    let Some(start) = start else {
        warnings.add(format!(
            "Rich header that ends at 0x{rich:x} has no beginning"
        ));
        return None;
    };
    let encoded = data.get(start..rich)?;
    let decoded: Vec<u32> = words(encoded).map(|word| word ^ key).collect();
    // `DanS` and three words of padding.
    let pairs: Vec<(u32, u32)> = decoded
        .get(4..)
        .unwrap_or_default()
        .chunks_exact(2)
        .filter_map(|pair| Some((*pair.first()?, *pair.get(1)?)))
        .collect();
    let clear: Vec<u8> = decoded.iter().flat_map(|word| word.to_le_bytes()).collect();
    Some(RichHeader {
        key,
        checksum_valid: rich_checksum(data, start, &pairs) == key,
        hash: md5(&clear),
        entries: pairs
            .iter()
            .map(|(tool, count)| RichEntry {
                product: u16::try_from(tool >> 16).unwrap_or(0),
                build: u16::try_from(tool & 0xffff).unwrap_or(0),
                count: *count,
            })
            .collect(),
    })
}
