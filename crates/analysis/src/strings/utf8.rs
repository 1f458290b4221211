//! Runs of printable characters of UTF-8, worked out for 64 bytes at once. Called by `scanner`; what counts as printable is said
//! at [`Encoding::Utf8`](super::Encoding::Utf8), what is well formed in table
//! 3-7 of the Unicode Standard.
//!
//! Whether a byte belongs to a character is known three bytes later at the
//! most, so all results are that many bits late: bit 3 is about byte 0.

use super::classify::{BLOCK, Plane, WORD, in_ranges, up};
use super::runs::Runs;

/// How many bits late the results are.
const LATE: u32 = 3;

/// Finds runs, and counts their characters.
#[derive(Debug, Clone)]
pub(super) struct Utf8Runs {
    decoder: Decoder,
    runs: Runs,
    bytes: [u64; BLOCK],
    starts: Plane,
    multi_byte: Plane,
    /// What earlier blocks had of the run that is open: characters, and
    /// whether one of them has more than one byte.
    so_far: Option<(u64, bool)>,
}

/// A run that is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Position of its first byte.
    pub(super) start: u64,
    /// Position after its last.
    pub(super) end: u64,
    /// How many characters it has.
    pub(super) characters: u64,
    /// Whether one of them is not ASCII.
    pub(super) multi_byte: bool,
}

impl Utf8Runs {
    /// For runs of at least `characters` bytes (a character has one or more).
    pub(super) fn new(characters: usize) -> Self {
        Self {
            decoder: Decoder::default(),
            runs: Runs::new(characters, 1, LATE),
            bytes: [0; BLOCK],
            starts: Plane::new(),
            multi_byte: Plane::new(),
            so_far: None,
        }
    }

    /// Where the run began that is not over yet.
    pub(super) fn open(&self) -> Option<u64> {
        self.runs.open
    }

    /// Takes a block at `position`: its words, and the printable bytes of each.
    /// Hands on the runs that end in it.
    pub(super) fn block(
        &mut self,
        words: &[[u8; WORD]],
        printable: &[u64; BLOCK],
        changes: &mut [u64; BLOCK],
        position: u64,
        mut ended: impl FnMut(Run),
    ) {
        let used = words.len();
        let mut masks = [[0; MASKS]; BLOCK];
        in_ranges(words, &RANGES, &mut masks);
        let words = printable.iter().zip(&masks).take(used);
        let planes = self.bytes.iter_mut();
        let planes = planes.zip(&mut self.starts.words);
        let planes = planes.zip(&mut self.multi_byte.words);
        for ((printable, masks), ((bytes, starts), multi_byte)) in words.zip(planes) {
            let marked = self.decoder.word(*printable, masks);
            *bytes = marked.bytes;
            *starts = marked.starts;
            *multi_byte = marked.multi_byte;
        }
        let bytes = self.bytes.get(..used).unwrap_or_default();
        let end_of_block = position.saturating_add((used * WORD) as u64);
        // What a run has in this block, from its start or from the block's.
        let (starts, multi_byte) = (&self.starts, &self.multi_byte);
        let count = |so_far: Option<(u64, bool)>, start: u64, end: u64| {
            let (characters, seen) = so_far.unwrap_or_default();
            let from = match so_far {
                Some(_) => position,
                None => start.saturating_add(u64::from(LATE)),
            };
            let now = ones(multi_byte, position, from, end) > 0;
            // Without any other character it has as many as bytes.
            let more = match seen || now {
                true => ones(starts, position, from, end),
                false => end.saturating_sub(from),
            };
            (characters.saturating_add(more), seen || now)
        };
        if self.runs.changes(bytes, changes) {
            let changes = changes.get(..used).unwrap_or_default();
            let so_far = &mut self.so_far;
            self.runs.walk(changes, position, |start, end| {
                let bits_end = end.saturating_add(u64::from(LATE));
                let (characters, multi_byte) = count(so_far.take(), start, bits_end);
                ended(Run {
                    start,
                    end,
                    characters,
                    multi_byte,
                });
            });
        }
        if let Some(start) = self.runs.open {
            self.so_far = Some(count(self.so_far, start, end_of_block));
        }
        self.starts.keep(used);
        self.multi_byte.keep(used);
    }
}

/// How many bits of a plane whose block is at `position` are set from `from`,
/// which may be in the word before the block, to `end`.
fn ones(plane: &Plane, position: u64, from: u64, end: u64) -> u64 {
    // Counted from the word before; a block is small.
    let index = |bit: u64| bit.saturating_add(WORD as u64).saturating_sub(position);
    let (from, end) = (index(from) as usize, index(end) as usize);
    let words = std::iter::once(&plane.before).chain(&plane.words);
    let first = from / WORD;
    let words = words
        .enumerate()
        .skip(first)
        .take((end / WORD + 1).saturating_sub(first));
    words.fold(0, |sum, (index, word)| {
        let at = index * WORD;
        let below = |bit: usize| match bit.saturating_sub(at) {
            within @ 0..WORD => (1_u64 << within) - 1,
            _ => u64::MAX,
        };
        sum + u64::from((word & below(end) & !below(from)).count_ones())
    })
}

/// What is carried from word to word.
#[derive(Debug, Clone, Default)]
struct Decoder {
    printable: u64,
    /// Bytes that begin characters, in the order of [`LEADS`].
    leads: [u64; LEADS],
    /// Second bytes of characters of three and of four, third ones of four.
    second_of_three: u64,
    second_of_four: u64,
    third_of_four: u64,
    /// Last bytes of characters of two, three and four.
    ends: [u64; 3],
}

/// Bits about the bytes of a word, [`LATE`] bits late.
#[derive(Debug, Clone, Copy)]
struct Characters {
    /// Every byte of every printable character.
    bytes: u64,
    /// The first byte of each.
    starts: u64,
    /// The first byte of each that has more than one.
    multi_byte: u64,
}

const LEADS: usize = 7;

const MASKS: usize = LEADS + 4;

/// Leads: C2, C3-DF, E0, E1-EC, ED, EF, F0. Continuation bytes: 80-8F, 90-9F,
/// A0-BF, A4-BF.
const RANGES: [(u8, u8); MASKS] = [
    (0xc2, 0xc2),
    (0xc3, 0xdf),
    (0xe0, 0xe0),
    (0xe1, 0xec),
    (0xed, 0xed),
    (0xef, 0xef),
    (0xf0, 0xf0),
    (0x80, 0x8f),
    (0x90, 0x9f),
    (0xa0, 0xbf),
    (0xa4, 0xbf),
];

impl Decoder {
    /// The next word: its printable bytes, and those in each of [`RANGES`].
    #[inline]
    fn word(&mut self, printable: u64, masks: &[u64; MASKS]) -> Characters {
        let [c2, c3_df, e0, e1_ec, ed, ef, f0, x8, x9, a0_bf, a4_bf] = *masks;
        let leads = [c2, c3_df, e0, e1_ec, ed, ef, f0];
        let mut behind = leads;
        for (now, before) in behind.iter_mut().zip(self.leads) {
            *now = up(*now, before, 1);
        }
        let [c2, c3_df, e0, e1_ec, ed, ef, f0] = behind;

        let continuation = x8 | x9 | a0_bf;
        // C2 80 to C2 9F are controls; E0 80 and F0 80 are too long for what
        // they say; ED A0 begins a surrogate, EE and EF 80 a private character.
        let two = (c2 & a0_bf) | (c3_df & continuation);
        let second_of_three =
            (e0 & a0_bf) | (e1_ec & continuation) | (ed & (x8 | x9)) | (ef & a4_bf);
        let second_of_four = f0 & (x9 | a0_bf);
        let three = up(second_of_three, self.second_of_three, 1) & continuation;
        let third_of_four = up(second_of_four, self.second_of_four, 1) & continuation;
        let four = up(third_of_four, self.third_of_four, 1) & continuation;

        let [two_before, three_before, four_before] = self.ends;
        let twos = |by| up(two, two_before, by);
        let threes = |by| up(three, three_before, by);
        let fours = |by| up(four, four_before, by);
        let ascii = up(printable, self.printable, LATE);
        let multi_byte = twos(2) | threes(1) | four;
        let starts = ascii | multi_byte;
        let bytes = starts | twos(3) | threes(2) | threes(3) | fours(1) | fours(2) | fours(3);

        *self = Self {
            printable,
            leads,
            second_of_three,
            second_of_four,
            third_of_four,
            ends: [two, three, four],
        };
        Characters {
            bytes,
            starts,
            multi_byte,
        }
    }
}
