//! Reading numbers at claimed offsets, and the budget that bounds how much the
//! checks of one search may read. Called by all checks of this module.

/// How many bytes the checks may still read. Hits are cheap to plant, and a
/// check may read to the end of the file; together they must stay linear.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
}

impl Budget {
    /// Sixteen times the file and 64 MiB: honest images need a fraction.
    pub(super) fn for_size(size: usize) -> Self {
        Self {
            left: (size as u64).saturating_mul(16).saturating_add(64 << 20),
        }
    }

    /// Takes the cost of reading `bytes`; `false` once nothing is left.
    pub(super) fn spend(&mut self, bytes: u64) -> bool {
        // A floor, so that a million tiny checks are counted too.
        self.left = self.left.saturating_sub(bytes.max(16));
        self.left > 0
    }

    /// Whether nothing is left.
    pub(super) fn is_spent(&self) -> bool {
        self.left == 0
    }
}

/// `N` bytes at `offset`.
pub(super) fn array<const N: usize>(data: &[u8], offset: u64) -> Option<[u8; N]> {
    range(data, offset, N as u64)?.try_into().ok()
}

/// `size` bytes at `offset`, if all of them are there.
pub(super) fn range(data: &[u8], offset: u64, size: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = usize::try_from(offset.checked_add(size)?).ok()?;
    data.get(start..end)
}

/// Everything from `offset`.
pub(super) fn tail(data: &[u8], offset: u64) -> Option<&[u8]> {
    data.get(usize::try_from(offset).ok()?..)
}

pub(super) fn u8_at(data: &[u8], offset: u64) -> Option<u8> {
    array::<1>(data, offset).map(|[byte]| byte)
}

pub(super) fn u16_le(data: &[u8], offset: u64) -> Option<u16> {
    array(data, offset).map(u16::from_le_bytes)
}

pub(super) fn u16_be(data: &[u8], offset: u64) -> Option<u16> {
    array(data, offset).map(u16::from_be_bytes)
}

pub(super) fn u32_le(data: &[u8], offset: u64) -> Option<u32> {
    array(data, offset).map(u32::from_le_bytes)
}

pub(super) fn u32_be(data: &[u8], offset: u64) -> Option<u32> {
    array(data, offset).map(u32::from_be_bytes)
}

pub(super) fn u64_le(data: &[u8], offset: u64) -> Option<u64> {
    array(data, offset).map(u64::from_le_bytes)
}

/// Two, four or eight bytes in the order that the header names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ordered {
    pub(super) big: bool,
}

impl Ordered {
    pub(super) fn u16(self, data: &[u8], offset: u64) -> Option<u16> {
        if self.big {
            u16_be(data, offset)
        } else {
            u16_le(data, offset)
        }
    }

    pub(super) fn u32(self, data: &[u8], offset: u64) -> Option<u32> {
        if self.big {
            u32_be(data, offset)
        } else {
            u32_le(data, offset)
        }
    }

    pub(super) fn u64(self, data: &[u8], offset: u64) -> Option<u64> {
        if self.big {
            array(data, offset).map(u64::from_be_bytes)
        } else {
            u64_le(data, offset)
        }
    }
}
