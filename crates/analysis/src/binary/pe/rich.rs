//! The Rich header between the DOS program and the PE header: which tools of
//! Microsoft made the object files. Not documented by Microsoft; the layout is
//! that of D. Pistelli's "Microsoft's Rich Signature".

use super::checksum::{md5, rich_checksum, words};
use super::details::{RichEntry, RichHeader};
use super::layout::u32_at;
use crate::Warnings;

/// `DanS`, little-endian.
const DANS: u32 = 0x536e_6144;

/// It stands behind the DOS program, which is short.
const MOST_BEFORE: usize = 64 << 10;

/// Finds and decodes it. `end` is the offset of the PE header.
pub(super) fn read(data: &[u8], end: u64, warnings: &mut Warnings) -> Option<RichHeader> {
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    let end = end.min(data.len()).min(MOST_BEFORE);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_hash_and_checksum() {
        let entries = [(0x0101_520d, 7), (0x00ff_0001, 40)];
        let start = 0x80;
        let mut data = vec![0x90; start];
        let key = rich_checksum(&data, start, &entries);
        let mut clear = vec![DANS, 0, 0, 0];
        clear.extend(entries.iter().flat_map(|(tool, count)| [*tool, *count]));
        data.extend(clear.iter().flat_map(|word| (word ^ key).to_le_bytes()));
        data.extend_from_slice(b"Rich");
        data.extend_from_slice(&key.to_le_bytes());
        let mut warnings = Warnings::default();
        let found = read(&data, 0x1000, &mut warnings).expect("a Rich header");
        assert!(found.checksum_valid);
        assert_eq!(found.key, key);
        assert_eq!(found.entries.len(), 2);
        assert_eq!(found.entries[0].product, 0x101);
        assert_eq!(found.entries[0].build, 0x520d);
        assert_eq!(found.entries[1].count, 40);
        let clear: Vec<u8> = clear.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(found.hash, md5(&clear));
        // A changed DOS program is told by the checksum.
        data[0x40] = 0;
        let found = read(&data, 0x1000, &mut warnings).expect("a Rich header");
        assert!(!found.checksum_valid);
        assert!(warnings.is_empty());
        // Nothing begins before the end.
        data[start] ^= 1;
        assert_eq!(read(&data, 0x1000, &mut warnings), None);
        assert_eq!(warnings.messages().len(), 1);
    }
}
