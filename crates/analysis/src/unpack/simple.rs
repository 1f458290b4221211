//! Formats of headers between contents: ar (Unix libraries, Debian packages) and
//! cpio (initial RAM disks, RPM).

use super::collect::{Collector, Flow};

/// The last entry of a cpio archive.
const TRAILER: &[u8] = b"TRAILER!!!";
/// The bits of a mode that say what a file is, and those of a regular one.
const KIND: u64 = 0o170_000;
const REGULAR: u64 = 0o100_000;

/// `ar(5)`: a header of 60 bytes, contents at even offsets.
pub(super) fn ar(bytes: &[u8], collector: &mut Collector) {
    const HEADER: usize = 60;
    let mut at = 8;
    let mut long_names: &[u8] = &[];
    while let Some(header) = part(bytes, at, HEADER) {
        let Some(size) = number(part(header, 48, 10), 10) else {
            return collector.damaged("a header without a size");
        };
        let Some(data) = part(bytes, at + HEADER, size) else {
            return collector.damaged("a file is cut");
        };
        let name = trimmed(part(header, 0, 16).unwrap_or_default());
        at = at.saturating_add(HEADER + size + (size & 1));
        let flow = match name {
            b"//" => {
                long_names = data;
                collector.pass()
            }
            b"/" | b"/SYM64/" => collector.pass(),
            name => {
                let (name, mut data) = named(name, data, long_names);
                collector.take(name, &mut data)
            }
        };
        if flow == Flow::Stop {
            return;
        }
    }
}

/// The name as GNU and BSD write long ones.
fn named<'a>(name: &'a [u8], data: &'a [u8], long_names: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    if let Some(length) = name.strip_prefix(b"#1/")
        && let Some(length) = number(Some(length), 10)
        && let Some((name, rest)) = data.split_at_checked(length)
    {
        return (trimmed(name), rest);
    }
    if let Some(offset) = name.strip_prefix(b"/")
        && let Some(offset) = number(Some(offset), 10)
        && let Some(rest) = long_names.get(offset..)
    {
        let name = rest.split(|byte| *byte == b'\n').next().unwrap_or(rest);
        return (name.strip_suffix(b"/").unwrap_or(name), data);
    }
    (name.strip_suffix(b"/").unwrap_or(name), data)
}

/// `newc` and `crc`: hexadecimal fields, all parts at multiples of four.
pub(super) fn cpio_new(bytes: &[u8], collector: &mut Collector) {
    const HEADER: usize = 110;
    let mut at = 0;
    while let Some(header) = part(bytes, at, HEADER) {
        let field = |index: usize| number(part(header, 6 + 8 * index, 8), 16);
        let (Some(mode), Some(size), Some(name)) = (field(1), field(6), field(11)) else {
            return collector.damaged("a header without numbers");
        };
        let start = aligned(at.saturating_add(HEADER).saturating_add(name));
        let next = aligned(start.saturating_add(size));
        let name = part(bytes, at + HEADER, name.saturating_sub(1));
        match entry(bytes, (mode, name, start, size), collector) {
            Some(Flow::Next) => at = next,
            Some(Flow::Stop) | None => return,
        }
    }
}

/// `odc`: octal fields, nothing aligned.
pub(super) fn cpio_old(bytes: &[u8], collector: &mut Collector) {
    const HEADER: usize = 76;
    let mut at = 0;
    while let Some(header) = part(bytes, at, HEADER) {
        let (Some(mode), Some(name), Some(size)) = (
            number(part(header, 18, 6), 8),
            number(part(header, 59, 6), 8),
            number(part(header, 65, 11), 8),
        ) else {
            return collector.damaged("a header without numbers");
        };
        let start = at.saturating_add(HEADER).saturating_add(name);
        let name = part(bytes, at + HEADER, name.saturating_sub(1));
        match entry(bytes, (mode, name, start, size), collector) {
            Some(Flow::Next) => at = start.saturating_add(size),
            Some(Flow::Stop) | None => return,
        }
    }
}

/// `None` at the end.
fn entry(
    bytes: &[u8],
    (mode, name, start, size): (usize, Option<&[u8]>, usize, usize),
    collector: &mut Collector,
) -> Option<Flow> {
    let Some(name) = name else {
        collector.damaged("a name is cut");
        return None;
    };
    if name == TRAILER {
        return None;
    }
    if u64::try_from(mode).unwrap_or_default() & KIND != REGULAR {
        return Some(collector.pass());
    }
    let Some(mut data) = part(bytes, start, size) else {
        collector.damaged("a file is cut");
        return None;
    };
    Some(collector.take(name, &mut data))
}

fn part(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

fn aligned(offset: usize) -> usize {
    offset.saturating_add(3) & !3
}

fn trimmed(field: &[u8]) -> &[u8] {
    let end = field
        .iter()
        .rposition(|byte| !matches!(byte, b' ' | 0))
        .map_or(0, |last| last + 1);
    field.get(..end).unwrap_or_default()
}

fn number(digits: Option<&[u8]>, base: u32) -> Option<usize> {
    let text = std::str::from_utf8(trimmed(digits?)).ok()?;
    usize::from_str_radix(text.trim(), base).ok()
}
