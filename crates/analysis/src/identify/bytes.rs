//! Reading from a file that may end anywhere, and bounded searches. For the
//! modules of `identify`; parses no format.

use memchr::memmem;

/// How much of the start of a file is looked at.
pub(super) const HEAD: usize = 1 << 20;
/// How much of its end.
pub(super) const TAIL: usize = 64 << 10;

/// The bytes at an offset, `None` unless all are there.
pub(super) fn at(data: &[u8], offset: usize, length: usize) -> Option<&[u8]> {
    data.get(offset..offset.checked_add(length)?)
}

/// Whether these bytes stand at an offset.
pub(super) fn is(data: &[u8], offset: usize, expected: &[u8]) -> bool {
    at(data, offset, expected.len()) == Some(expected)
}

/// Everything from an offset on; empty behind the end.
pub(super) fn from(data: &[u8], offset: usize) -> &[u8] {
    data.get(offset..).unwrap_or_default()
}

/// The first bytes, as many as there are.
pub(super) fn head(data: &[u8], length: usize) -> &[u8] {
    data.get(..length).unwrap_or(data)
}

/// The last bytes, and the offset of the first of them.
pub(super) fn tail(data: &[u8], length: usize) -> (usize, &[u8]) {
    let start = data.len().saturating_sub(length);
    (start, from(data, start))
}

/// Offset of a byte string in the first `window` bytes.
pub(super) fn find(data: &[u8], window: usize, needle: &[u8]) -> Option<usize> {
    memmem::find(head(data, window), needle)
}

/// A byte.
pub(super) fn u8_at(data: &[u8], offset: usize) -> Option<u8> {
    data.get(offset).copied()
}

/// 16 bits, least significant byte first.
pub(super) fn le16(data: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(at(data, offset, 2)?.try_into().ok()?))
}

/// 16 bits, most significant byte first.
pub(super) fn be16(data: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_be_bytes(at(data, offset, 2)?.try_into().ok()?))
}

/// 32 bits, least significant byte first.
pub(super) fn le32(data: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(at(data, offset, 4)?.try_into().ok()?))
}

/// 32 bits, most significant byte first.
pub(super) fn be32(data: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_be_bytes(at(data, offset, 4)?.try_into().ok()?))
}

/// 64 bits, least significant byte first.
pub(super) fn le64(data: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(at(data, offset, 8)?.try_into().ok()?))
}

/// 16 bits in either order.
pub(super) fn u16_at(data: &[u8], offset: usize, big: bool) -> Option<u16> {
    if big {
        be16(data, offset)
    } else {
        le16(data, offset)
    }
}

/// 32 bits in either order.
pub(super) fn u32_at(data: &[u8], offset: usize, big: bool) -> Option<u32> {
    if big {
        be32(data, offset)
    } else {
        le32(data, offset)
    }
}

/// 64 bits in either order.
pub(super) fn u64_at(data: &[u8], offset: usize, big: bool) -> Option<u64> {
    let value = le64(data, offset)?;
    Some(if big { value.swap_bytes() } else { value })
}

/// A value of the file as an index; what does not fit is behind every end.
pub(super) fn index(value: impl TryInto<usize>) -> usize {
    value.try_into().unwrap_or(usize::MAX)
}

/// Text up to the first NUL, at most `most` bytes, printable ASCII only.
pub(super) fn text(data: &[u8], offset: usize, most: usize) -> Option<String> {
    let bytes = head(from(data, offset), most);
    let bytes = bytes.split(|byte| *byte == 0).next()?;
    let text: String = bytes
        .iter()
        .take_while(|byte| matches!(byte, 0x20..=0x7e))
        .map(|byte| char::from(*byte))
        .collect();
    (!text.is_empty()).then_some(text)
}
