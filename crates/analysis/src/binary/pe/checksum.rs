//! Sums over the whole file: the PE checksum and the Authentihash. Called for
//! every file; both read it once.

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::layout::{Directory, bytes, hex, u32_at};

/// The checksum of a PE file as `CheckSumMappedFile` computes it: the 16-bit
/// one's complement sum of the file without the checksum field at `field`,
/// plus the file's size.
pub(super) fn pe_checksum(data: &[u8], field: u64) -> u32 {
    let mut sum: u64 = data
        .chunks(2)
        .map(|pair| match *pair {
            [low, high] => u64::from(u16::from_le_bytes([low, high])),
            [low] => u64::from(low),
            _ => 0,
        })
        .sum();
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
    u32::try_from(sum).unwrap_or(0).wrapping_add(size)
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
    Some(hex(&hash.finalize()))
}

/// MD5 in lowercase hexadecimal.
pub(super) fn md5(data: &[u8]) -> String {
    hex(&Md5::digest(data))
}

/// Shannon entropy in bits per byte; `None` of nothing.
pub(super) fn entropy(data: &[u8]) -> Option<f64> {
    if data.is_empty() {
        return None;
    }
    let mut counts = [0_u64; 256];
    for byte in data {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = data.len() as f64;
    let sum: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = *count as f64 / total;
            share * share.log2()
        })
        .sum();
    // `-0.0` of a run of one byte would look odd.
    Some((-sum).max(0.0))
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
