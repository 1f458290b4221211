//! Context triggered piecewise hashing, compatible with `ssdeep`. Called by
//! `hashes`.
//!
//! The algorithm is that of J. Kornblum, "Identifying almost identical files
//! using context triggered piecewise hashing", Digital Investigation 3S (2006),
//! after A. Tridgell's spamsum. A rolling hash of the last seven bytes says
//! where a piece ends: where it is one less than a multiple of the block size.
//! Each piece gives one character of the signature: six bits of its hash.
//!
//! The paper guesses the block size from the size of the file, and reads it
//! again with half of that if the signature comes out too short. Here all block
//! sizes that may still be chosen are computed side by side. A bigger one is
//! begun when the smaller one sees its first border, since every border of the
//! bigger is one of the smaller; a smaller one is given up when the file has
//! grown too big for it.

/// The smallest block size; the others are its multiples by powers of two.
const SMALLEST: u64 = 3;

/// How many block sizes there are. With the biggest the signature of a file of
/// 192 GiB is full.
const LEVELS: usize = 31;

/// The most characters of the first signature, and of the second.
const LONG: usize = 64;
const SHORT: usize = LONG / 2;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The state of the hash of a file.
#[derive(Debug, Clone)]
pub(super) struct Ctph {
    rolling: Rolling,
    levels: [Level; LEVELS],
    /// The block sizes at work: levels from `first` to before `end`.
    first: usize,
    end: usize,
    size: u64,
}

/// The signatures for one block size.
#[derive(Debug, Clone, Copy)]
struct Level {
    /// Hash of the present piece, for the first signature and, where that
    /// stops earlier, for the second.
    long: Piece,
    short: Piece,
    /// Characters of the pieces that are over, fewer than [`LONG`].
    signature: [u8; LONG],
    length: usize,
    /// Character of the piece that never ends, at its last border.
    long_last: Option<u8>,
    short_last: Option<u8>,
}

impl Default for Ctph {
    fn default() -> Self {
        Self {
            rolling: Rolling::default(),
            levels: [Level::new(Piece::START, Piece::START); LEVELS],
            first: 0,
            end: 1,
            size: 0,
        }
    }
}

impl Ctph {
    /// Takes the next bytes of the file.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.size = self.size.saturating_add(1);
            let sum = self.rolling.push(*byte);
            let active = self.levels.get_mut(self.first..self.end);
            for level in active.unwrap_or_default() {
                level.long.push(*byte);
                level.short.push(*byte);
            }
            // A multiple of 3·2ⁿ has n zero bits below and is one of 3.
            let border = u64::from(sum) + 1;
            if border.trailing_zeros() as usize >= self.first && border.is_multiple_of(SMALLEST) {
                self.border(border.trailing_zeros() as usize);
            }
        }
    }

    /// Ends a piece of all levels up to `last`.
    #[cold]
    fn border(&mut self, last: usize) {
        let mut index = self.first;
        while index < self.end && index <= last {
            let Some(level) = self.levels.get_mut(index) else {
                return;
            };
            let is_first = level.length == 0;
            let bigger = Level::new(level.long, level.short);
            let is_full = level.border();
            if is_first
                && index + 1 == self.end
                && let Some(next) = self.levels.get_mut(index + 1)
            {
                // Until now both had the same, which is one piece.
                *next = bigger;
                self.end += 1;
            }
            if is_full {
                self.give_up_smallest();
            }
            index += 1;
        }
    }

    /// Gives up the smallest block size if it can't be chosen any more.
    fn give_up_smallest(&mut self) {
        let next_is_long_enough = match self.levels.get(self.first + 1) {
            Some(next) if self.first + 1 < self.end => next.length >= SHORT,
            _ => false,
        };
        if next_is_long_enough && reach(self.first) < self.size {
            self.first += 1;
        }
    }

    /// The hash as text; none for a file that is too big.
    pub(super) fn finish(&self) -> Option<String> {
        let guess = (0..LEVELS).find(|level| reach(*level) >= self.size)?;
        let mut chosen = guess.clamp(self.first, self.end.saturating_sub(1));
        while chosen > self.first && self.levels.get(chosen)?.length < SHORT {
            chosen -= 1;
        }
        let level = self.levels.get(chosen)?;
        // The rest counts as a piece if the last bytes are not all zero.
        let rest = self.rolling.sum() != 0;
        let last =
            |piece: Piece, ended: Option<u8>| if rest { Some(piece.character()) } else { ended };
        let mut text = format!("{}:", SMALLEST << chosen);
        let push = |text: &mut String, signature: Option<&[u8]>, last: Option<u8>| {
            let signature = signature.unwrap_or_default().iter().copied();
            text.extend(signature.chain(last).map(char::from));
        };
        let signature = level.signature.get(..level.length);
        push(&mut text, signature, last(level.long, level.long_last));
        text.push(':');
        match self.levels.get(chosen + 1) {
            Some(next) if chosen + 1 < self.end => {
                let signature = next.signature.get(..next.length.min(SHORT - 1));
                push(&mut text, signature, last(next.short, next.short_last));
            }
            // Not begun: it would be one piece, the whole file.
            _ => push(&mut text, None, last(level.long, None)),
        }
        Some(text)
    }
}

/// The size of a file for which a block size is meant to be chosen.
fn reach(level: usize) -> u64 {
    (SMALLEST << level) * LONG as u64
}

impl Level {
    fn new(long: Piece, short: Piece) -> Self {
        Self {
            long,
            short,
            signature: [0; LONG],
            length: 0,
            long_last: None,
            short_last: None,
        }
    }

    /// Ends the piece, and says whether there is no room for another: then the
    /// piece goes on to the end of the file.
    fn border(&mut self) -> bool {
        self.short_last = Some(self.short.character());
        let character = self.long.character();
        match self.signature.get_mut(self.length) {
            Some(place) if self.length < LONG - 1 => {
                *place = character;
                self.length += 1;
                self.long = Piece::START;
                if self.length < SHORT {
                    self.short = Piece::START;
                    self.short_last = None;
                }
                false
            }
            _ => {
                self.long_last = Some(character);
                true
            }
        }
    }
}

/// The hash of a piece: FNV-1 of 32 bits, of which only the lowest six are
/// used, and none depends on a higher one.
#[derive(Debug, Clone, Copy)]
struct Piece(u8);

impl Piece {
    /// The lowest byte of the initial value, 0x28021967.
    const START: Self = Self(0x67);

    #[inline(always)]
    fn push(&mut self, byte: u8) {
        // The lowest byte of the prime, 0x01000193.
        self.0 = self.0.wrapping_mul(0x93) ^ byte;
    }

    fn character(self) -> u8 {
        let index = usize::from(self.0 & 0x3f);
        ALPHABET.get(index).copied().unwrap_or(b'A')
    }
}

/// The rolling hash: an Adler-like sum of the last seven bytes, and a shifted
/// one that forgets them by itself.
#[derive(Debug, Clone, Default)]
struct Rolling {
    window: [u8; 7],
    sum: u32,
    weighted: u32,
    shifted: u32,
}

impl Rolling {
    #[inline(always)]
    fn push(&mut self, byte: u8) -> u32 {
        let [oldest, window @ ..] = self.window;
        let [a, b, c, d, e, f] = window;
        self.window = [a, b, c, d, e, f, byte];
        // Both are sums over the window, so nothing here can wrap around.
        self.weighted = self.weighted.wrapping_sub(self.sum);
        self.weighted = self.weighted.wrapping_add(7 * u32::from(byte));
        self.sum = self.sum.wrapping_add(u32::from(byte));
        self.sum = self.sum.wrapping_sub(u32::from(oldest));
        self.shifted = (self.shifted << 5) ^ u32::from(byte);
        self.sum()
    }

    fn sum(&self) -> u32 {
        let sums = self.sum.wrapping_add(self.weighted);
        sums.wrapping_add(self.shifted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The algorithm as the paper has it: guess, read, halve, read again.
    fn by_the_paper(bytes: &[u8]) -> String {
        let mut block = SMALLEST;
        while block * (LONG as u64) < bytes.len() as u64 {
            block *= 2;
        }
        loop {
            let mut rolling = Rolling::default();
            let (mut one, mut two) = (0x2802_1967_u32, 0x2802_1967_u32);
            let (mut first, mut second) = (Vec::new(), Vec::new());
            let (mut first_last, mut second_last) = (None, None);
            let character = |hash: u32| ALPHABET[hash as usize % 64];
            for byte in bytes {
                one = one.wrapping_mul(0x0100_0193) ^ u32::from(*byte);
                two = two.wrapping_mul(0x0100_0193) ^ u32::from(*byte);
                let sum = u64::from(rolling.push(*byte));
                if sum % block == block - 1 {
                    if first.len() < 63 {
                        first.push(character(one));
                        one = 0x2802_1967;
                    } else {
                        first_last = Some(character(one));
                    }
                }
                if sum % (block * 2) == block * 2 - 1 {
                    if second.len() < 31 {
                        second.push(character(two));
                        two = 0x2802_1967;
                    } else {
                        second_last = Some(character(two));
                    }
                }
            }
            if block > SMALLEST && first.len() < 32 {
                block /= 2;
                continue;
            }
            let rest = rolling.sum() != 0;
            first.extend(if rest {
                Some(character(one))
            } else {
                first_last
            });
            second.extend(if rest {
                Some(character(two))
            } else {
                second_last
            });
            let [first, second] = [first, second].map(|text| String::from_utf8(text).unwrap());
            return format!("{block}:{first}:{second}");
        }
    }

    #[test]
    fn one_pass_is_as_good_as_many() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = move |bound: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) % bound
        };
        for _ in 0..60 {
            let letters = 1 + below(255);
            let length = below(3) * below(4_000);
            let mut bytes: Vec<u8> = (0..length).map(|_| below(letters) as u8).collect();
            // Zeros before, between and behind: no borders, and no rest.
            for _ in 0..below(3) {
                let at = below(bytes.len() as u64 + 1) as usize;
                bytes.splice(at..at, vec![0; below(4_000) as usize]);
            }
            if below(2) == 0 {
                bytes.extend([0; 7]);
            }
            let mut ctph = Ctph::default();
            ctph.update(&bytes);
            assert_eq!(
                ctph.finish().unwrap(),
                by_the_paper(&bytes),
                "{length} of {letters}"
            );
        }
        let program = std::fs::read("/bin/ls").unwrap();
        let program = program.get(..100_000).unwrap_or(&program);
        let mut ctph = Ctph::default();
        ctph.update(program);
        assert_eq!(ctph.finish().unwrap(), by_the_paper(program));
    }
}
