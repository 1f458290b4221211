//! Files that are the same, changed, cut, and unrelated.

use super::*;
use crate::binary::{self, ParseOptions};
use crate::hashes::{Algorithm, hash};

fn compared(one: &[u8], other: &[u8]) -> Similarity {
    let hashes = |bytes| hash(bytes, &[Algorithm::Ssdeep, Algorithm::Tlsh]);
    let parsed = |bytes| binary::parse(bytes, &ParseOptions::default());
    let (one_hashes, other_hashes) = (hashes(one), hashes(other));
    let (one_parsed, other_parsed) = (parsed(one), parsed(other));
    compare(
        Side {
            bytes: one,
            hashes: &one_hashes,
            binary: &one_parsed,
        },
        Side {
            bytes: other,
            hashes: &other_hashes,
            binary: &other_parsed,
        },
        &mut |_| true,
    )
}

#[test]
fn a_file_is_like_itself() {
    let ls = std::fs::read("/bin/ls").unwrap();
    let found = compared(&ls, &ls);
    assert!(found.identical);
    assert_eq!(
        (found.ssdeep_score, found.tlsh_distance),
        (Some(100), Some(0))
    );
    assert_eq!((found.same_start, found.same_end), (ls.len() as u64, 0));
    assert!(found.shared.iter().any(|fact| fact.kind == "build id"));
    assert!(
        found
            .sections
            .iter()
            .any(|equal| equal.first == ".text" && equal.second == ".text")
    );
    let imports = found.imports.unwrap();
    assert!(imports.shared > 50 && imports.only_first + imports.only_second == 0);
}

#[test]
fn a_patched_file_shows_where_it_is_the_same() {
    let ls = std::fs::read("/bin/ls").unwrap();
    let mut patched = ls.clone();
    let middle = patched.len() / 2;
    patched[middle] ^= 0xff;
    patched.insert(middle + 10, 0);
    let found = compared(&ls, &patched);
    assert!(!found.identical);
    assert_eq!(found.same_start, middle as u64);
    assert_eq!(found.same_end, (ls.len() - middle - 10) as u64);
    assert!(found.ssdeep_score.unwrap() > 80, "{found:?}");
    assert!(found.tlsh_distance.unwrap() < 30, "{found:?}");
}

#[test]
fn unrelated_files_have_nothing_in_common() {
    let one = std::fs::read("/bin/ls").unwrap();
    let other: Vec<u8> = (0..200_000_u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let found = compared(&one, &other);
    assert_eq!(found.same_start, 0);
    assert_eq!(found.ssdeep_score.unwrap_or(0), 0);
    assert!(found.shared.is_empty() && found.sections.is_empty() && found.imports.is_none());
}

#[test]
fn empty_and_short_files_are_compared_too() {
    assert!(compared(b"", b"").identical);
    let found = compared(b"abc", b"abxc");
    assert_eq!(
        (found.same_start, found.same_end, found.identical),
        (2, 1, false)
    );
    let found = compared(b"", b"abc");
    assert_eq!(
        (found.same_start, found.same_end, found.identical),
        (0, 0, false)
    );
}

#[test]
fn a_part_of_a_file_is_its_beginning_and_end_but_never_twice() {
    let found = compared(b"aaaa", b"aaaaaa");
    assert_eq!((found.same_start, found.same_end), (4, 0));
}

#[test]
fn it_ends_when_it_is_told_to() {
    let zeros = vec![0; 3 * PIECE];
    let hashes = HashReport::default();
    let binary = BinaryReport::default();
    let side = Side {
        bytes: &zeros,
        hashes: &hashes,
        binary: &binary,
    };
    let found = compare(side, side, &mut |_| false);
    assert_eq!(found.same_start, PIECE as u64);
    assert!(!found.identical);
}
