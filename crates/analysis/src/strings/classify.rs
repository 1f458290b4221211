//! From bytes to bits: which bytes of a word of 64 are printable, zero, or
//! high. Called by `scanner` for every block of a file, so this is where the
//! time goes; the bits mean nothing here.
//!
//! The kernels are compiled twice, for AVX2 and for whatever the build targets,
//! and the machine chooses at run time.

use multiversion::multiversion;
use multiversion::target::match_target;

/// Bytes of a word: one bit each in a `u64`, the first byte lowest.
pub(super) const WORD: usize = 64;

/// Words of a block. The masks of a block stay in the first-level cache.
pub(super) const BLOCK: usize = 256;

/// One bit a byte of a block, and the last word of the block before.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    /// What came before the first word.
    pub(super) before: u64,
    /// The words; those beyond the end of a short block are stale.
    pub(super) words: [u64; BLOCK],
}

impl Plane {
    /// Nothing seen, nothing set.
    pub(super) fn new() -> Self {
        Self {
            before: 0,
            words: [0; BLOCK],
        }
    }

    /// Remembers the last of `used` words for the next block.
    pub(super) fn keep(&mut self, used: usize) {
        if let Some(last) = self.words.get(used.wrapping_sub(1)) {
            self.before = *last;
        }
    }
}

/// The bits of `now` moved up by `by` (below 64), those of the word before
/// coming in. Two shifts, since one by 64 would be none.
#[inline(always)]
pub(super) fn up(now: u64, before: u64, by: u32) -> u64 {
    (now << by) | ((before >> 1) >> (63 - by))
}

/// Marks the bytes of `words` that are printable (0x20 to 0x7e, tab), zero, and
/// above 0x7f.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
pub(super) fn classify(
    words: &[[u8; WORD]],
    printable: &mut [u64; BLOCK],
    zero: &mut [u64; BLOCK],
    high: &mut [u64; BLOCK],
) {
    let planes = printable.iter_mut().zip(zero).zip(high);
    for (word, ((printable, zero), high)) in words.iter().zip(planes) {
        match_target! {
            "x86_64+avx2" => {
                let (low, up) = avx2::load(word);
                *printable = avx2::bits(avx2::printable(low), avx2::printable(up));
                *zero = avx2::bits(avx2::equal(low, 0), avx2::equal(up, 0));
                *high = avx2::bits(low, up);
            },
            _ => {
                *printable = portable::bits(word, |byte| byte.wrapping_sub(0x20) < 0x5f || byte == b'\t');
                *zero = portable::bits(word, |byte| byte == 0);
                *high = portable::bits(word, |byte| byte > 0x7f);
            },
        }
    }
}

/// Marks the bytes of every word in each of some ranges, both ends included.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
pub(super) fn in_ranges<const COUNT: usize>(
    words: &[[u8; WORD]],
    ranges: &[(u8, u8); COUNT],
    marked: &mut [[u64; COUNT]; BLOCK],
) {
    for (word, marked) in words.iter().zip(marked) {
        match_target! {
            "x86_64+avx2" => {
                let (low, up) = avx2::load(word);
                for (bits, (first, last)) in marked.iter_mut().zip(ranges) {
                    *bits = avx2::bits(avx2::within(low, *first, *last), avx2::within(up, *first, *last));
                }
            },
            _ => {
                *marked = ranges.map(|(first, last)| portable::bits(word, |byte| (first..=last).contains(&byte)));
            },
        }
    }
}

/// Marks the last bytes of pairs: a byte of `first`, then one of `second`.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
pub(super) fn wide(first: &Plane, second: &Plane, pairs: &mut [u64; BLOCK]) {
    let mut before = first.before;
    for ((first, second), pair) in first.words.iter().zip(&second.words).zip(pairs) {
        *pair = second & up(*first, before, 1);
        before = *first;
    }
}

/// Marks the bytes that either plane does.
pub(super) fn either(one: &Plane, other: &Plane, both: &mut [u64; BLOCK]) {
    for ((one, other), both) in one.words.iter().zip(&other.words).zip(both) {
        *both = one | other;
    }
}

/// The operations with AVX2, 32 bytes at a time.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use core::arch::x86_64::{
        __m256i, _mm256_add_epi8, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_min_epu8,
        _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_sub_epi8,
    };

    /// Both halves of a word. A load through a pointer would be unsafe; this
    /// compiles to the same.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn load(word: &[u8; 64]) -> (__m256i, __m256i) {
        let [low, up]: [[u8; 32]; 2] = bytemuck::must_cast(*word);
        (bytemuck::must_cast(low), bytemuck::must_cast(up))
    }

    /// 0x20 to 0x7e and tab. With one added, everything from 0x7f up is
    /// negative and falls below the one signed comparison.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn printable(bytes: __m256i) -> __m256i {
        let above = _mm256_cmpgt_epi8(
            _mm256_add_epi8(bytes, _mm256_set1_epi8(1)),
            _mm256_set1_epi8(0x20),
        );
        _mm256_or_si256(above, equal(bytes, b'\t'))
    }

    /// Those with this value.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn equal(bytes: __m256i, value: u8) -> __m256i {
        _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(value.cast_signed()))
    }

    /// Those from `first` to `last`.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn within(bytes: __m256i, first: u8, last: u8) -> __m256i {
        let from_first = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first.cast_signed()));
        let width = _mm256_set1_epi8(last.wrapping_sub(first).cast_signed());
        _mm256_cmpeq_epi8(_mm256_min_epu8(from_first, width), from_first)
    }

    /// The top bits of both halves.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn bits(low: __m256i, up: __m256i) -> u64 {
        let half = |bytes| u64::from(_mm256_movemask_epi8(bytes).cast_unsigned());
        half(low) | (half(up) << 32)
    }
}

/// The operations for every other machine.
mod portable {
    /// One bit a byte for which `matches` holds. Eight answers of 0 or 1 become
    /// eight bits by one multiplication.
    #[inline(always)]
    pub(super) fn bits(word: &[u8; 64], matches: impl Fn(u8) -> bool) -> u64 {
        let answers = word.map(|byte| u8::from(matches(byte)));
        let (lanes, _) = answers.as_chunks::<8>();
        lanes.iter().rev().fold(0, |bits, lane| {
            let gathered = u64::from_le_bytes(*lane).wrapping_mul(0x0102_0408_1020_4080);
            (bits << 8) | (gathered >> 56)
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_bit_stands_for_its_byte() {
            for byte in 0..64 {
                let mut word = [0; 64];
                word[byte] = 1;
                assert_eq!(bits(&word, |value| value == 1), 1 << byte);
                assert_eq!(bits(&word, |value| value == 0), !(1 << byte));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_agree_with_the_definition() {
        let mut word = [0; WORD];
        for first in 0..=255_u8 {
            for (index, byte) in word.iter_mut().enumerate() {
                *byte = first.wrapping_add((index * 7) as u8);
            }
            let expect = |matches: fn(u8) -> bool| portable::bits(&word, matches);
            let (mut printable, mut zero, mut high) = ([0; BLOCK], [0; BLOCK], [0; BLOCK]);
            classify(&[word], &mut printable, &mut zero, &mut high);
            assert_eq!(
                printable[0],
                expect(|byte| matches!(byte, b'\t' | b' '..=b'~'))
            );
            assert_eq!(zero[0], expect(|byte| byte == 0));
            assert_eq!(high[0], expect(|byte| byte >= 128));
            let mut marked = [[0; 3]; BLOCK];
            in_ranges(&[word], &[(0, 0), (0x80, 0xbf), (0x10, 0xff)], &mut marked);
            let ranges = marked[0];
            assert_eq!(ranges[0], zero[0]);
            assert_eq!(ranges[1], expect(|byte| (0x80..=0xbf).contains(&byte)));
            assert_eq!(ranges[2], expect(|byte| byte >= 0x10));
        }
    }

    #[test]
    fn bits_come_up_from_the_word_before() {
        assert_eq!(up(1, 1 << 63, 0), 1);
        assert_eq!(up(1, 1 << 63, 1), 3);
        assert_eq!(up(0, u64::MAX, 5), 0x1f);
    }
}
