//! The score of two ssdeep hashes, as `ssdeep` 2.14 gives it. Called by `similarity`.
//!
//! The method is that of J. Kornblum, "Identifying almost identical files using
//! context triggered piecewise hashing", Digital Investigation 3S (2006): signatures
//! of the same block size are compared by their edit distance, in which a
//! replacement costs as much as a removal and an insertion; signatures without a
//! common part of seven characters are not alike. Runs of a character say little and
//! count as three. The score of small blocks is bounded: short files are alike soon.

/// Characters of the window of the rolling hash, and of the shortest common part.
const WINDOW: usize = 7;
/// The most characters of a signature.
const LONGEST: usize = 64;
/// The smallest block size.
const SMALLEST: u64 = 3;
/// Characters of a run that count.
const RUN: usize = 3;

/// A hash in its parts.
struct Parts {
    block: u64,
    long: Vec<u8>,
    short: Vec<u8>,
}

/// From 0 to 100; `None` when one is no ssdeep hash, or when their block sizes are
/// too different.
pub(super) fn score(one: &str, other: &str) -> Option<u32> {
    let (one, other) = (parts(one)?, parts(other)?);
    let same_block = one.block == other.block;
    if same_block && one.long == other.long && one.short == other.short {
        // Too short to tell anything, but the same.
        return Some(100);
    }
    if same_block {
        let double = one.block.saturating_mul(2);
        let long = of_signatures(&one.long, &other.long, one.block);
        return Some(long.max(of_signatures(&one.short, &other.short, double)));
    }
    if Some(one.block) == other.block.checked_mul(2) {
        return Some(of_signatures(&one.long, &other.short, one.block));
    }
    if one.block.checked_mul(2) == Some(other.block) {
        return Some(of_signatures(&one.short, &other.long, other.block));
    }
    None
}

fn parts(hash: &str) -> Option<Parts> {
    let mut parts = hash.splitn(3, ':');
    let block = parts
        .next()?
        .parse()
        .ok()
        .filter(|block| *block >= SMALLEST)?;
    let mut signature = || {
        let signature = without_runs(parts.next()?.as_bytes());
        (signature.len() <= LONGEST).then_some(signature)
    };
    Some(Parts {
        block,
        long: signature()?,
        short: signature()?,
    })
}

fn without_runs(signature: &[u8]) -> Vec<u8> {
    let mut kept: Vec<u8> = Vec::with_capacity(signature.len().min(LONGEST));
    for byte in signature.iter().take(4 * LONGEST) {
        let run = kept.iter().rev().take(RUN).filter(|before| *before == byte);
        if run.count() < RUN {
            kept.push(*byte);
        }
    }
    kept
}

fn of_signatures(one: &[u8], other: &[u8], block: u64) -> u32 {
    let common = one
        .windows(WINDOW)
        .any(|part| other.windows(WINDOW).any(|other| part == other));
    if !common {
        return 0;
    }
    let both = one.len() + other.len();
    // In the reference's order: each division cuts something off.
    let scaled = distance(one, other) * LONGEST / both;
    let score = 100_usize.saturating_sub(100 * scaled / LONGEST);
    let score = u32::try_from(score).unwrap_or(100);
    let window = WINDOW as u64;
    if block >= (99 + window) / window * SMALLEST {
        return score;
    }
    let most = block / SMALLEST * one.len().min(other.len()) as u64;
    score.min(u32::try_from(most).unwrap_or(u32::MAX))
}

/// Removals and insertions that make one of the other.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut before: Vec<usize> = (0..=other.len()).collect();
    for (index, byte) in one.iter().enumerate() {
        let mut line = Vec::with_capacity(before.len());
        let mut last = index + 1;
        line.push(last);
        for (theirs, pair) in other.iter().zip(before.windows(2)) {
            let [diagonal, above] = pair else { continue };
            let replaced = diagonal + if byte == theirs { 0 } else { 2 };
            last = replaced.min(above + 1).min(last + 1);
            line.push(last);
        }
        before = line;
    }
    before.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `ssdeep -a -x` of version 2.14.1, of random and of dull text, changed in
    /// some bytes, cut, and doubled.
    #[test]
    fn scores_are_those_of_the_reference_program() {
        let base = "192:OyILROkboGp1xT1AI6Dl7nzinmHo5WD5ng:OZLR5bxpaBD5zkmHo5Epg";
        let pairs = [
            (
                base,
                "192:OyILROkioop1xT1AI6Dl7nzinmJ5WD5ng:OZLR5ivpaBD5zkmJ5Epg",
                91,
            ),
            (
                base,
                "192:AwI6ROYboGpLxG1AI6Dl75zinm95fU5Gg:Af6R1bxpHBDnzkm9584g",
                68,
            ),
            (
                base,
                "192:1LlLROkmoGfpsxT1AIwr67wzinmHg1WN5ng:1pLR5mxfptbr5zkmHg1ipg",
                0,
            ),
            (
                base,
                "96:xqAAVJ2zEamsYRO6Hk1yq4ksoXWigzpxTUSAI2eFxgsdh9KW4qpmFlUOq+gzj:OyILROkboGp1xT1AI6Dl78",
                75,
            ),
            (
                base,
                "384:OZLR5bxpaBD5zkmHo5Ep1ZLR5bxpaBD5zkmHo5Epg:QBpaqwBpaqH",
                69,
            ),
            (
                "24:/ELuOiG0lbMu1CIGyzf1AOHA64RxzzR7flOXMf23444QlHKOyA8Alur139f4/7fn:TxG0dP1CIGi6OHAtxddanGm7lC39Ef",
                "24:/oGu+iG0lbMu1CaGyzf1AOHA64RxzzR7flOXMf23444QlHKOyA8Alur139f4/7fn:4BG0dP1CaGi6OHAtxddanGm7lC39Ef",
                94,
            ),
            (
                "6:/M0i0+OUi4b4b6mUi6LKxgVNEpIKx0ZKx/Ewb2fXiabKxwoxdKxbmmKx0eh:/XUmq3LKKVfKGZKlbMbKCo/KdKGm",
                "6:/M0i0+OUi4b4b6mUi6LKxgVNEpIKx0ZKx/Ewb2fXiabKxwoxdKxbmmKx0ZQn:/XUmq3LKKVfKGZKlbMbKCo/KdKGC",
                97,
            ),
            (
                "6:YMM0i0+OUi4b4b6mUi6LKxgVNEpIKx0ZKx/Ewb2fXiabKxwn:YMXUmq3LKKVfKGZKlbMbKCn",
                "6:YAM0i0+OUi4b4b6mUi6LKxgVNEpIKx0ZKx/Ewb2fXiabKxwn:YAXUmq3LKKVfKGZKlbMbKCn",
                96,
            ),
        ];
        for (one, other, expected) in pairs {
            assert_eq!(score(one, other), Some(expected), "{one} {other}");
            assert_eq!(score(other, one), Some(expected), "{other} {one}");
        }
        assert_eq!(score(base, base), Some(100));
    }

    #[test]
    fn block_sizes_must_be_the_same_or_neighbours() {
        let text = "abcdefghijklmnopqrstuvwxyz";
        let hash = |block: u64, long: &str, short: &str| format!("{block}:{long}:{short}");
        let of = |one: u64, other: u64| score(&hash(one, text, ""), &hash(other, "", text));
        assert_eq!(of(192, 96), Some(100));
        assert_eq!(of(96, 96), Some(0));
        assert_eq!(of(96, 384), None);
        assert_eq!(score(&hash(96, "", text), &hash(192, text, "")), Some(100));
    }

    #[test]
    fn short_files_are_not_alike_for_a_few_characters() {
        let hash = |text: &str| format!("3:{text}:");
        assert_eq!(score(&hash("abcdefgh"), &hash("abcdefgi")), Some(8));
    }

    #[test]
    fn what_is_no_hash_has_no_score() {
        for wrong in ["", "3:", "x:a:b", "0:a:b", "2:a:b"] {
            assert_eq!(score(wrong, "3:a:b"), None, "{wrong}");
        }
        let long = format!("3:{}:", "abcd".repeat(40));
        assert_eq!(score(&long, &long), None);
    }

    #[test]
    fn runs_count_as_three() {
        assert_eq!(without_runs(b"aaaaabbaaaa"), b"aaabbaaa");
        assert_eq!(score("3:aaaaaaaa:", "3:aaa:"), Some(100));
    }
}
