//! Numbers at places of hostile bytes.

use reversecore_analysis::binary::Endian;

/// A 32-bit number.
pub(crate) fn u32_at(bytes: &[u8], position: usize, endian: Endian) -> Option<u32> {
    let word = *bytes.get(position..)?.first_chunk()?;
    Some(match endian {
        Endian::Little => u32::from_le_bytes(word),
        Endian::Big => u32::from_be_bytes(word),
    })
}

/// A 64-bit number.
pub(crate) fn u64_at(bytes: &[u8], position: usize, endian: Endian) -> Option<u64> {
    let word = *bytes.get(position..)?.first_chunk()?;
    Some(match endian {
        Endian::Little => u64::from_le_bytes(word),
        Endian::Big => u64::from_be_bytes(word),
    })
}

/// A number of the width of an address, 32 or 64 bits.
pub(crate) fn word_at(bytes: &[u8], position: usize, bits: u8, endian: Endian) -> Option<u64> {
    if bits == 64 {
        u64_at(bytes, position, endian)
    } else {
        u32_at(bytes, position, endian).map(u64::from)
    }
}
