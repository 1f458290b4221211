//! The bytes that `hostile flood`, `drip` and `silent-after` write: cheap to
//! make, never the same at two places that a broken reader could confuse.
//!
//! The pattern is one block repeated for ever. Its length is a prime, so a
//! reader that loses, repeats or swaps chunks of any usual size changes the
//! stream and its hash.

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// Length of the repeated block: the largest prime below 1 MiB.
pub const BLOCK: usize = 1_048_573;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+\n";

/// The repeated block: pseudo-random printable ASCII with line feeds.
pub fn pattern() -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    PATTERN.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        (0..BLOCK)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                ALPHABET[(state >> 58) as usize]
            })
            .collect()
    })
}

/// Calls `sink` with the first `total` bytes of the pattern, in order, in
/// pieces of at most [`BLOCK`] bytes.
///
/// # Errors
/// The first error of `sink`, which is not called again.
pub fn each<E>(total: u64, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let mut left = total;
    while left > 0 {
        let piece = usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK));
        sink(&pattern()[..piece])?;
        left -= piece as u64;
    }
    Ok(())
}

/// The bytes from `offset` on, `length` of them.
#[must_use]
pub fn slice(offset: u64, length: usize) -> Vec<u8> {
    let start = usize::try_from(offset % BLOCK as u64).expect("a remainder of a usize fits");
    pattern()
        .iter()
        .cycle()
        .skip(start)
        .take(length)
        .copied()
        .collect()
}

/// SHA-256 of the first `total` bytes of the pattern.
#[must_use]
pub fn sha256(total: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    let done: Result<(), std::convert::Infallible> = each(total, |piece| {
        hash.update(piece);
        Ok(())
    });
    match done {
        Ok(()) => hash.finalize().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_slices_are_the_same_stream() {
        let total = 2 * BLOCK as u64 + 7;
        let mut whole = Vec::new();
        each(total, |piece| {
            whole.extend_from_slice(piece);
            Ok::<_, ()>(())
        })
        .unwrap();
        assert_eq!(whole.len() as u64, total);
        assert_eq!(slice(0, whole.len()), whole);
        assert_eq!(slice(BLOCK as u64 - 3, 6), whole[BLOCK - 3..BLOCK + 3]);
        assert_eq!(sha256(total), <[u8; 32]>::from(Sha256::digest(&whole)));
    }

    #[test]
    fn the_block_does_not_repeat_inside_itself() {
        let (first, second) = (&pattern()[..4096], &pattern()[65_536..65_536 + 4096]);
        assert_ne!(first, second);
    }
}
