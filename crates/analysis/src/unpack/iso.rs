//! ISO 9660 (ECMA-119): directories of the primary volume, breadth first. Joliet and
//! Rock Ridge say the same files with nicer names, and are not read.

use std::collections::{HashSet, VecDeque};

use super::collect::{Collector, Flow};

const BLOCK: usize = 2048;
/// The primary volume descriptor, and its record of the root directory.
const VOLUME: usize = 16 * BLOCK;
const ROOT: usize = 156;
/// Directories that are read.
const MOST_DIRECTORIES: usize = 100_000;
const IS_DIRECTORY: u8 = 2;

/// A directory record: where, how long, what.
struct Record<'a> {
    length: usize,
    start: usize,
    size: usize,
    is_directory: bool,
    name: &'a [u8],
}

impl<'a> Record<'a> {
    fn read(bytes: &'a [u8], at: usize) -> Option<Self> {
        let length = usize::from(*bytes.get(at)?);
        let record = bytes.get(at..at.checked_add(length)?)?;
        let word = |offset: usize| {
            let bytes = record.get(offset..offset + 4)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(bytes)).ok()
        };
        let name_length = usize::from(*record.get(32)?);
        Some(Self {
            length,
            start: word(2)?.checked_mul(BLOCK)?,
            size: word(10)?,
            is_directory: record.get(25)? & IS_DIRECTORY != 0,
            name: record.get(33..33 + name_length)?,
        })
    }
}

pub(super) fn iso(bytes: &[u8], collector: &mut Collector) {
    let Some(root) = Record::read(bytes, VOLUME + ROOT) else {
        return collector.damaged("there is no root directory");
    };
    let mut seen = HashSet::from([root.start]);
    let mut waiting = VecDeque::from([(Vec::new(), root.start, root.size)]);
    while let Some((path, start, size)) = waiting.pop_front() {
        let Some(directory) = bytes.get(start..start.saturating_add(size).min(bytes.len())) else {
            collector.damaged("a directory lies outside");
            continue;
        };
        let mut at = 0;
        while at < directory.len() {
            let Some(record) = Record::read(directory, at).filter(|record| record.length > 33)
            else {
                // Records do not cross blocks; the rest of this one is empty.
                at = (at / BLOCK + 1) * BLOCK;
                continue;
            };
            at += record.length;
            // The directory itself, and the one above.
            if matches!(record.name, [0] | [1]) {
                continue;
            }
            let mut name: Vec<u8> = path.clone();
            name.extend(
                record
                    .name
                    .split(|byte| *byte == b';')
                    .next()
                    .unwrap_or_default(),
            );
            if record.is_directory {
                name.push(b'/');
                if seen.len() < MOST_DIRECTORIES && seen.insert(record.start) {
                    waiting.push_back((name, record.start, record.size));
                }
                continue;
            }
            let end = record.start.saturating_add(record.size);
            let flow = match bytes.get(record.start..end) {
                Some(mut data) => collector.take(&name, &mut data),
                None => {
                    collector.damaged("a file lies outside");
                    collector.pass()
                }
            };
            if flow == Flow::Stop {
                return;
            }
        }
    }
}
