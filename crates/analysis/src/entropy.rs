//! Shannon entropy of a file: of the whole, of blocks, and where it is high.
//! Called by the workers of `get_file_info`. What high entropy means
//! (compression, encryption, keys) is not judged here.

use serde::{Deserialize, Serialize};

use crate::Warnings;

/// Size of a block in bytes. Random blocks of this size come out at 7.8 bits
/// per byte, machine code at 5 to 6.5.
const BLOCK: usize = 1024;

/// A block above this many bits per byte is high: compressed or encrypted.
const HIGH: f64 = 7.0;

/// The most points of a curve.
const POINTS: usize = 512;

/// The most regions that are listed.
const REGIONS: usize = 256;

/// The entropy of a file, in bits per byte: 0 for equal bytes, 8 for random.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EntropyReport {
    /// That of the whole file; 0 for an empty one.
    pub file: f64,
    /// That of its blocks.
    pub blocks: Blocks,
    /// Along the file, at most 512 points.
    pub curve: Curve,
    /// Where blocks above 7 bits per byte follow each other, in file order.
    pub high_regions: Vec<Region>,
    /// What was left out.
    pub warnings: Warnings,
}

/// The entropies of consecutive blocks, the last of which may be shorter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Blocks {
    /// Size of a block in bytes: 1,024.
    pub size: u64,
    /// How many there are.
    pub count: u64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
    /// Their mean, each counting the same.
    pub mean: f64,
    /// How many are above 7 bits per byte.
    pub above_7: u64,
}

/// The course of the entropy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Bytes that a point stands for: a power of two of blocks.
    pub step: u64,
    /// The mean of the blocks' entropies.
    pub points: Vec<f64>,
}

/// Consecutive blocks with high entropy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// Mean of the blocks' entropies.
    pub entropy: f64,
}

/// Computes the entropy of consecutive chunks of a file.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The block that isn't full yet.
    block: Histogram<4>,
    filled: usize,
    whole: [u64; 256],
    size: u64,
    /// n · log2 n for every count that a block can have.
    table: Box<[f64]>,
    blocks: Blocks,
    sum: f64,
    curve: Sketch,
    regions: Vec<Region>,
    /// The region that isn't over, and how many blocks it has.
    open: Option<(Region, u64)>,
    left_out: u64,
}

/// Several counts a value, so that equal bytes in a row don't wait for each other.
type Histogram<const N: usize> = [[u32; 256]; N];

/// A curve in the making: sums of blocks, pairs of which are put together when
/// there are too many.
#[derive(Debug, Clone)]
struct Sketch {
    points: Vec<(f64, u64)>,
    /// Blocks a point.
    step: u64,
}

impl Default for Profile {
    fn default() -> Self {
        Self::new()
    }
}

impl Profile {
    /// Starts a file.
    pub fn new() -> Self {
        Self {
            block: [[0; 256]; 4],
            filled: 0,
            whole: [0; 256],
            size: 0,
            table: (0..=BLOCK as u64).map(n_log_n).collect(),
            blocks: Blocks {
                size: BLOCK as u64,
                ..Blocks::default()
            },
            sum: 0.0,
            curve: Sketch {
                points: Vec::new(),
                step: 1,
            },
            regions: Vec::new(),
            open: None,
            left_out: 0,
        }
    }

    /// Takes the next chunk.
    pub fn update(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            let room = BLOCK.saturating_sub(self.filled).min(chunk.len());
            let (now, rest) = chunk.split_at_checked(room).unwrap_or((chunk, &[]));
            count(now, &mut self.block);
            self.filled += now.len();
            if self.filled == BLOCK {
                self.end_block();
            }
            chunk = rest;
        }
    }

    /// The entropy of everything that was fed.
    pub fn finish(mut self) -> EntropyReport {
        if self.filled > 0 {
            self.end_block();
        }
        self.end_region();
        let mut warnings = Warnings::default();
        if self.left_out > 0 {
            warnings.add(format!(
                "{} regions of high entropy beyond the first {REGIONS} were left out",
                self.left_out
            ));
        }
        let mean = |(sum, count): &(f64, u64)| sum / (*count).max(1) as f64;
        EntropyReport {
            file: of_counts(&self.whole),
            blocks: Blocks {
                mean: mean(&(self.sum, self.blocks.count)),
                ..self.blocks
            },
            curve: Curve {
                step: self.curve.step.saturating_mul(BLOCK as u64),
                points: self.curve.points.iter().map(mean).collect(),
            },
            high_regions: self.regions,
            warnings,
        }
    }

    fn end_block(&mut self) {
        let mut sum = 0.0;
        let [a, b, c, d] = &self.block;
        let counts = a.iter().zip(b).zip(c).zip(d);
        for ((((a, b), c), d), whole) in counts.zip(&mut self.whole) {
            let count = a + b + c + d;
            *whole += u64::from(count);
            sum += self.table.get(count as usize).copied().unwrap_or_default();
        }
        self.block = [[0; 256]; 4];
        let length = self.filled as u64;
        let entropy = finite(length, sum);
        let offset = self.size;
        self.size = self.size.saturating_add(length);
        self.filled = 0;

        let is_first = self.blocks.count == 0;
        self.blocks.count += 1;
        self.blocks.min = if is_first {
            entropy
        } else {
            self.blocks.min.min(entropy)
        };
        self.blocks.max = self.blocks.max.max(entropy);
        self.sum += entropy;
        self.curve.push(entropy, self.blocks.count);
        if entropy > HIGH {
            self.blocks.above_7 += 1;
            let start = Region {
                offset,
                length: 0,
                entropy: 0.0,
            };
            let (region, blocks) = self.open.get_or_insert((start, 0));
            region.length = region.length.saturating_add(length);
            region.entropy += entropy;
            *blocks += 1;
        } else {
            self.end_region();
        }
    }

    fn end_region(&mut self) {
        let Some((mut region, blocks)) = self.open.take() else {
            return;
        };
        if self.regions.len() < REGIONS {
            region.entropy /= blocks as f64;
            self.regions.push(region);
        } else {
            self.left_out += 1;
        }
    }
}

impl Sketch {
    /// Adds block number `number`, counted from 1.
    fn push(&mut self, entropy: f64, number: u64) {
        let is_new = (number - 1).is_multiple_of(self.step);
        if is_new && self.points.len() == POINTS {
            let pairs = self.points.chunks(2).map(|pair| {
                let add = |sum: (f64, u64), point: &(f64, u64)| (sum.0 + point.0, sum.1 + point.1);
                pair.iter().fold((0.0, 0), add)
            });
            self.points = pairs.collect();
            self.step *= 2;
        }
        match self.points.last_mut() {
            Some((sum, count)) if *count < self.step => {
                *sum += entropy;
                *count += 1;
            }
            _ => self.points.push((entropy, 1)),
        }
    }
}

/// Bits per byte of a slice; 0 for an empty one.
pub fn bits_per_byte(bytes: &[u8]) -> f64 {
    let mut counts = [0; 256];
    // The counts of a piece fit 32 bits.
    for piece in bytes.chunks(1 << 30) {
        let mut histogram: Histogram<8> = [[0; 256]; 8];
        count(piece, &mut histogram);
        for part in &histogram {
            for (sum, count) in counts.iter_mut().zip(part) {
                *sum += u64::from(*count);
            }
        }
    }
    of_counts(&counts)
}

/// The entropy of a file that is in memory as a whole.
pub fn profile(bytes: &[u8]) -> EntropyReport {
    let mut profile = Profile::new();
    profile.update(bytes);
    profile.finish()
}

fn count<const N: usize>(bytes: &[u8], histogram: &mut Histogram<N>) {
    let mut add = |place: usize, byte: u8| {
        if let Some(counts) = histogram.get_mut(place % N)
            && let Some(count) = counts.get_mut(usize::from(byte))
        {
            *count += 1;
        }
    };
    // Eight bytes with one load: the loads are what there is most of.
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        for place in 0..8 {
            add(place, (word >> (8 * place)) as u8);
        }
    }
    for byte in rest {
        add(0, *byte);
    }
}

/// H = log2 n - (Σ c · log2 c) / n, over the counts c of n bytes.
fn of_counts(counts: &[u64; 256]) -> f64 {
    let sum = counts.iter().map(|count| n_log_n(*count)).sum();
    finite(counts.iter().sum(), sum)
}

fn finite(length: u64, sum: f64) -> f64 {
    if length == 0 {
        return 0.0;
    }
    let length = length as f64;
    // Rounding can leave a little below zero.
    (length.log2() - sum / length).clamp(0.0, 8.0)
}

fn n_log_n(count: u64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    let count = count as f64;
    count * count.log2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn known_values() {
        assert_eq!(bits_per_byte(b""), 0.0);
        assert_eq!(bits_per_byte(b"aaaaaaa"), 0.0);
        assert!(close(bits_per_byte(b"ab"), 1.0));
        assert!(close(bits_per_byte(b"aaab"), 0.811_278_124_459_132_8));
        let all: Vec<u8> = (0..=255).cycle().take(100 * 256).collect();
        assert!(close(bits_per_byte(&all), 8.0));
    }

    #[test]
    fn a_region_is_found_where_it_is() {
        let mut bytes = vec![0; 10 * BLOCK];
        bytes.extend((0..=255).cycle().take(5 * BLOCK));
        bytes.extend(vec![b'x'; 3 * BLOCK + 100]);
        let report = profile(&bytes);
        assert_eq!(report.blocks.count, 19);
        assert_eq!(report.blocks.above_7, 5);
        assert_eq!((report.blocks.min, report.blocks.max), (0.0, 8.0));
        assert!(close(report.blocks.mean, 5.0 * 8.0 / 19.0));
        let [region] = report.high_regions.as_slice() else {
            panic!("{:?}", report.high_regions);
        };
        assert_eq!((region.offset, region.length), (10 * 1024, 5 * 1024));
        assert!(close(region.entropy, 8.0));
        assert_eq!(report.curve.points.len(), 19);
        assert!(report.warnings.is_empty());
    }

    #[test]
    fn chunks_make_no_difference() {
        let bytes = std::fs::read("/bin/ls").unwrap();
        let whole = profile(&bytes);
        assert!(close(whole.file, bits_per_byte(&bytes)));
        for size in [1, 1000, 1024, 5000] {
            let mut profile = Profile::new();
            bytes.chunks(size).for_each(|chunk| profile.update(chunk));
            assert_eq!(profile.finish(), whole);
        }
    }

    #[test]
    fn lists_are_bounded() {
        let mut profile = Profile::new();
        let random: Vec<u8> = (0..=255).cycle().take(BLOCK).collect();
        for _ in 0..5000 {
            profile.update(&random);
            profile.update(&[0; BLOCK]);
        }
        let report = profile.finish();
        assert_eq!(report.high_regions.len(), REGIONS);
        assert!(!report.warnings.is_empty());
        let points = report.curve.points;
        assert_eq!(report.curve.step, 32 * 1024);
        assert_eq!(points.len(), 10_000_usize.div_ceil(32));
        assert!(points.iter().all(|point| close(*point, 4.0)));
    }

    #[test]
    fn nothing_is_zero() {
        let report = profile(b"");
        assert_eq!(
            (report.file, report.blocks.count, report.blocks.mean),
            (0.0, 0, 0.0)
        );
        assert!(report.curve.points.is_empty());
    }
}
