//! Sums over the whole file: the PE checksum and the Authentihash. Called for
//! every file; both read it once.

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::layout::{Directory, bytes, u32_at};
use crate::hex::hexadecimal;

/// Larger files are not summed: a second or two. Windows runs none above 4 GB.
pub(super) const MOST_SUMMED: usize = 2 << 30;

/// The checksum of a PE file as `CheckSumMappedFile` computes it: the 16-bit
/// one's complement sum of the file without the checksum field at `field`,
/// plus the file's size.
pub(super) fn pe_checksum(data: &[u8], field: u64) -> Option<u32> {
    if data.len() > MOST_SUMMED {
        return None;
    }
    let words = data.chunks_exact(2);
    let rest = words.remainder().first().copied().unwrap_or(0);
    let mut sum = words
        .filter_map(|word| Some(u64::from(u16::from_le_bytes(word.try_into().ok()?))))
        .sum::<u64>()
        + u64::from(rest);
    // Take the field's own words out again. It may begin at an odd offset.
    let begin = usize::try_from(field).unwrap_or(usize::MAX);
    for position in begin..begin.saturating_add(4) {
        let byte = u64::from(data.get(position).copied().unwrap_or(0));
        sum -= byte << (8 * (position % 2));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let size = u32::try_from(data.len() & 0xffff_ffff).unwrap_or(u32::MAX);
    Some(u32::try_from(sum).unwrap_or(0).wrapping_add(size))
}

/// The SHA-256 over what Authenticode signs ("Windows Authenticode Portable
/// Executable Signature Format"): all but the checksum, the entry of the
/// security directory and the certificates, in file order.
pub(super) fn authentihash(
    data: &[u8],
    optional_offset: u64,
    wide: bool,
    security: Option<Directory>,
) -> Option<String> {
    if data.len() > MOST_SUMMED {
        return None;
    }
    let checksum = optional_offset.checked_add(64)?;
    let entry = optional_offset.checked_add(if wide { 144 } else { 128 })?;
    let end = data.len() as u64;
    let certificates = security.map_or(end, |directory| u64::from(directory.rva).min(end));
    let behind = security.map_or(end, |directory| {
        certificates
            .saturating_add(u64::from(directory.size))
            .min(end)
    });
    let mut hash = Sha256::new();
    for (from, to) in [
        (0, checksum),
        (checksum + 4, entry),
        (entry + 8, certificates),
        (behind, end),
    ] {
        hash.update(bytes(data, from, to.checked_sub(from)?)?);
    }
    Some(hexadecimal(&hash.finalize()))
}

/// MD5 in lowercase hexadecimal.
pub(super) fn md5(data: &[u8]) -> String {
    hexadecimal(&Md5::digest(data))
}

/// The Rich header's checksum: the sum of the DOS header's and program's bytes,
/// each rotated by its offset, and of the entries, each rotated by its count.
pub(super) fn rich_checksum(data: &[u8], offset: usize, entries: &[(u32, u32)]) -> u32 {
    let mut sum = u32::try_from(offset).unwrap_or(0);
    for (position, byte) in (0_u32..).zip(data.get(..offset).unwrap_or_default()) {
        // The field `e_lfanew` was not known yet when the linker summed.
        if !(0x3c..0x40).contains(&position) {
            sum = sum.wrapping_add(u32::from(*byte).rotate_left(position % 32));
        }
    }
    for (tool, count) in entries {
        sum = sum.wrapping_add(tool.rotate_left(count % 32));
    }
    sum
}

/// The 32-bit values of some bytes; a rest is left out.
pub(super) fn words(data: &[u8]) -> impl Iterator<Item = u32> {
    data.chunks_exact(4).filter_map(|word| u32_at(word, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_leaves_its_own_field_out() {
        let mut data: Vec<u8> = (0..101).collect();
        let sum = pe_checksum(&data, 10);
        data[10..14].fill(0xff);
        assert_eq!(pe_checksum(&data, 10), sum);
        data[9] ^= 1;
        assert_ne!(pe_checksum(&data, 10), sum);
        // Words 0x0201 and 3, with a size of 3 bytes and a field outside.
        assert_eq!(pe_checksum(&[1, 2, 3], 100), Some(0x204 + 3));
        // The carry comes round.
        assert_eq!(pe_checksum(&[0xff, 0xff, 1, 0], 100), Some(1 + 4));
    }

    #[test]
    fn what_a_signature_changes_is_not_signed() {
        let mut data: Vec<u8> = (0..=255).cycle().take(1024).collect();
        let security = Directory {
            rva: 1000,
            size: 20,
        };
        let hash = authentihash(&data, 0x98, true, Some(security)).expect("a hash");
        data[0x98 + 64] ^= 1;
        data[0x98 + 144] ^= 1;
        data[1010] ^= 1;
        assert_eq!(
            authentihash(&data, 0x98, true, Some(security)),
            Some(hash.clone())
        );
        data[1022] ^= 1;
        assert_ne!(authentihash(&data, 0x98, true, Some(security)), Some(hash));
        // A directory within the headers, or none of the file there.
        let within = Directory { rva: 1, size: 1 };
        assert_eq!(authentihash(&data, 0x98, true, Some(within)), None);
        assert_eq!(authentihash(&[], 0x98, true, None), None);
    }
}
