//! Parsing, counting and cutting, on output as `strings` writes it.

use super::*;
use crate::error::ErrorCode;
use crate::tool::Report as _;

/// As `strings -a -t x -n 4 -e s` prints it.
const REAL: &str =
    "    318 /lib64/ld-linux-x86-64.so.2\n   1591 __gmon_start__\n  1a80b  GNU ls \n  1b000 a\tb\n";

fn lines(pieces: &[&[u8]]) -> Vec<(Option<u64>, Vec<u8>, bool)> {
    let mut found = Vec::new();
    let mut keep = |line: Line<'_>| found.push((line.offset, line.text.to_vec(), line.shortened));
    let mut lines = Lines::default();
    for piece in pieces {
        lines.feed(piece, &mut keep);
    }
    lines.finish(&mut keep);
    found
}

fn found(pattern: Option<&str>, room: usize, output: &str) -> Found {
    let mut found = Found::new(pattern.map(|pattern| compiled(pattern).unwrap()), 0, room);
    Lines::default().feed(output.as_bytes(), |line| found.take(Encoding::Ascii, line));
    found
}

#[test]
fn lines_are_the_same_however_the_stream_is_cut() {
    let whole = lines(&[REAL.as_bytes()]);
    assert_eq!(whole.len(), 4);
    assert_eq!(whole[2], (Some(0x1a80b), b" GNU ls ".to_vec(), false));
    for at in 0..REAL.len() {
        let (a, b) = REAL.as_bytes().split_at(at);
        assert_eq!(lines(&[a, b]), whole, "cut at {at}");
    }
    let bytes: Vec<&[u8]> = REAL.as_bytes().chunks(1).collect();
    assert_eq!(lines(&bytes), whole);
}

#[test]
fn an_endless_line_is_bounded_and_said_to_be_cut() {
    let mut long = b"     10 ".to_vec();
    long.resize(3 * LONGEST, b'x');
    for pieces in [vec![&long[..]], long.chunks(1000).collect()] {
        let found = lines(&pieces);
        assert_eq!((found.len(), found[0].0, found[0].2), (1, Some(0x10), true));
        assert!(found[0].1.len() < LONGEST);
    }
}

#[test]
fn what_is_no_line_of_strings_is_counted_apart() {
    let found = found(None, 1000, "nonsense\n\n  zz x\n    10 right\n");
    assert_eq!((found.total, found.unreadable), (1, 3));
    assert_eq!(answer(found, None).coverage, Coverage::Partial);
}

#[test]
fn the_total_counts_what_the_report_leaves_out() {
    let answer = answer(found(None, 75, REAL), None);
    assert_eq!(answer.next_cursor.as_deref(), Some("0x1591"));
    assert_eq!(answer.total, Some(4));
    assert_eq!(answer.coverage, Coverage::Truncated);
    assert_eq!(answer.report.strings.len(), 1);
    assert!(answer.report.text().len() <= 60);
}

#[test]
fn pages_join_to_the_whole_whatever_the_encodings() {
    const WIDE: &str = "    310 first\n    318 same\n  1a80c wide\n";
    let (mut from, mut seen) = (0, Vec::new());
    for _ in 0..10 {
        let mut found = Found::new(None, from, 70);
        Lines::default().feed(REAL.as_bytes(), |line| found.take(Encoding::Ascii, line));
        found.room = 70;
        Lines::default().feed(WIDE.as_bytes(), |line| found.take(Encoding::Utf16le, line));
        let page = answer(found, None);
        assert_eq!(page.total, Some(7));
        let rows = page.report.strings.iter();
        seen.extend(rows.map(|(offset, encoding, _)| (offset, encoding)));
        match page.next_cursor {
            Some(cursor) => from = position(&cursor).unwrap(),
            None => break,
        }
    }
    let offsets: Vec<u64> = seen.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(
        offsets,
        [0x310, 0x318, 0x318, 0x1591, 0x1a80b, 0x1a80c, 0x1b000]
    );
}

#[test]
fn the_pattern_filters_items_and_total() {
    let found = found(Some("(?i)gnu|gmon"), 1000, REAL);
    assert_eq!((found.total, found.strings.len(), found.left), (2, 2, None));
}

#[test]
fn encodings_are_merged_by_offset_and_text_is_escaped() {
    let mut found = Found::new(None, 0, 1000);
    Lines::default().feed(b" 20 wide\n 10 a\tb\n", |line| {
        found.take(Encoding::Utf16le, line);
    });
    Lines::default().feed(b" 15 plain\n", |line| found.take(Encoding::Ascii, line));
    let answer = answer(found, None);
    assert_eq!(
        answer.report.text(),
        "10  le:a\tb\n15  plain\n20  le:wide\n"
    );
    assert_eq!(
        serde_json::to_string(&answer.report).unwrap(),
        r#"{"columns":["offset","encoding","text"],"strings":[[16,"utf-16le","a\tb"],[21,"ascii","plain"],[32,"utf-16le","wide"]]}"#
    );
}

#[test]
fn a_run_out_of_time_is_an_answer_that_says_so() {
    let answer = answer(found(None, 1000, REAL), Some(Encoding::Ascii));
    assert_eq!(answer.coverage, Coverage::TimedOut);
    assert!(
        answer
            .warnings
            .iter()
            .any(|warning| warning.contains("timeout"))
    );
}

#[test]
fn bad_patterns_are_refused_by_name() {
    for pattern in ["(", "[a-", r"(?=x)", r"\w{1000}{1000}", &"a".repeat(5000)] {
        let error = compiled(pattern).unwrap_err();
        assert_eq!(error.code, ErrorCode::ValidationError, "{pattern}");
        assert!(error.message.starts_with("parameter `pattern`"), "{error}");
    }
}
