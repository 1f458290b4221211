//! One bit for each byte of code: where instructions begin, where functions
//! begin. The cheapest set of addresses there is for code, at an eighth of its size.

use crate::memory::Memory;

/// A set of addresses of executable regions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bits {
    /// First address, number of bits, and the index of the first word.
    spans: Vec<(u64, u64, usize)>,
    /// The largest span, which nearly all addresses are in.
    main: (u64, u64, usize),
    words: Vec<u64>,
}

impl Bits {
    /// An empty set for the code of a program.
    pub(crate) fn of(memory: &Memory) -> Self {
        let mut bits = Self::default();
        for region in memory.regions() {
            if region.permissions.execute && region.size > 0 {
                let first = bits.words.len();
                let words = usize::try_from(region.size.div_ceil(64)).unwrap_or(0);
                bits.spans.push((region.address, region.size, first));
                bits.words.resize(first.saturating_add(words), 0);
            }
        }
        let largest = bits.spans.iter().max_by_key(|&&(_, size, _)| size);
        bits.main = largest.copied().unwrap_or_default();
        bits
    }

    /// The span that an address may be in.
    fn span(&self, address: u64) -> Option<(u64, u64, usize)> {
        let (start, size, _) = self.main;
        if address.wrapping_sub(start) < size {
            return Some(self.main);
        }
        let index = self
            .spans
            .partition_point(|&(start, ..)| start <= address)
            .checked_sub(1)?;
        self.spans.get(index).copied()
    }

    fn place(&self, address: u64) -> Option<(usize, u64)> {
        let (start, size, first) = self.span(address)?;
        let into = address.checked_sub(start).filter(|&into| into < size)?;
        let word = first.checked_add(usize::try_from(into / 64).ok()?)?;
        Some((word, 1 << (into % 64)))
    }

    pub(crate) fn get(&self, address: u64) -> bool {
        self.place(address)
            .and_then(|(word, mask)| Some(self.words.get(word)? & mask != 0))
            .unwrap_or(false)
    }

    pub(crate) fn set(&mut self, address: u64) {
        if let Some((word, mask)) = self.place(address)
            && let Some(word) = self.words.get_mut(word)
        {
            *word |= mask;
        }
    }

    pub(crate) fn clear(&mut self, address: u64) {
        if let Some((word, mask)) = self.place(address)
            && let Some(word) = self.words.get_mut(word)
        {
            *word &= !mask;
        }
    }

    /// Whether any address from `from` up to, not including, `to` is in the
    /// set; both in one region.
    pub(crate) fn any(&self, from: u64, to: u64) -> bool {
        self.next(from, to).is_some()
    }

    /// The first address from `from` on that is in the set, before `to`.
    pub(crate) fn next(&self, from: u64, to: u64) -> Option<u64> {
        let (start, size, first) = self.span(from)?;
        let mut into = from.checked_sub(start)?;
        let limit = to.saturating_sub(start).min(size);
        while into < limit {
            let word = first.checked_add(usize::try_from(into / 64).ok()?)?;
            let rest = self.words.get(word)? >> (into % 64);
            if rest == 0 {
                into = (into / 64).saturating_add(1).saturating_mul(64);
                continue;
            }
            into = into.saturating_add(u64::from(rest.trailing_zeros()));
            return (into < limit).then(|| start.saturating_add(into));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_found_again() {
        let mut bits = Bits {
            spans: vec![(0x1000, 200, 0)],
            main: (0, 0, 0),
            words: vec![0; 4],
        };
        bits.set(0x1000 + 130);
        bits.set(0x1000 + 200);
        assert!(bits.get(0x1000 + 130) && !bits.get(0x1000 + 200));
        assert_eq!(bits.next(0x1000, u64::MAX), Some(0x1000 + 130));
        assert_eq!(bits.next(0x1000, 0x1000 + 130), None);
        assert_eq!(bits.next(0x1000 + 131, u64::MAX), None);
        bits.clear(0x1000 + 130);
        assert!(!bits.any(0x1000, 0x1000 + 200));
    }
}
