//! Budgets, pieces, and where to go on: whatever the format, an entry ends here.

use std::io::{ErrorKind, Read};

use super::{Cursor, Limits, Piece, Unpacked};

/// Bytes that are read together.
const BLOCK: usize = 64 << 10;
/// Whatever the ratio, so much may come out of a small archive.
const SMALL: u64 = 16 << 20;
/// Entries of one archive that are looked at.
const MOST_ENTRIES: u64 = 1_000_000;
/// Notes that are kept.
const MOST_NOTES: usize = 16;
/// Longest name, in bytes.
const LONGEST_NAME: usize = 1024;

/// Whether to go on with the next entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Flow {
    Next,
    Stop,
}

/// Takes entries as they come.
#[derive(Debug)]
pub(super) struct Collector {
    from: Cursor,
    limits: Limits,
    /// Bytes that may come out at all, for the ratio.
    most: u64,
    entry: u64,
    /// Decoded in this answer, what was skipped included.
    decoded: u64,
    held: usize,
    files: u64,
    unpacked: Unpacked,
}

impl Collector {
    pub(super) fn new(from: Cursor, limits: &Limits, size: usize) -> Self {
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        Self {
            from,
            limits: *limits,
            most: size.saturating_mul(limits.ratio).max(SMALL),
            entry: 0,
            decoded: 0,
            held: 0,
            files: 0,
            unpacked: Unpacked::default(),
        }
    }

    /// Whether the next entry was taken out before, so that a format with an index
    /// need not decode it.
    pub(super) fn is_behind(&self) -> bool {
        self.entry < self.from.entry
    }

    /// Passes over an entry that was taken out before, or is no file.
    pub(super) fn pass(&mut self) -> Flow {
        self.entry += 1;
        if self.entry > MOST_ENTRIES {
            self.note("it has more than a million entries");
            return Flow::Stop;
        }
        Flow::Next
    }

    /// Takes an entry; `reader` gives its content.
    pub(super) fn take(&mut self, name: &[u8], reader: &mut dyn Read) -> Flow {
        if self.is_behind() {
            return match self.skip(reader, u64::MAX) {
                Flow::Next => self.pass(),
                Flow::Stop => Flow::Stop,
            };
        }
        let offset = if self.entry == self.from.entry {
            self.from.offset
        } else {
            0
        };
        if self.skip(reader, offset) == Flow::Stop {
            return Flow::Stop;
        }
        if self.files >= self.limits.files {
            self.note("it has more files than the budget allows");
            self.unpacked.bomb = true;
            return Flow::Stop;
        }
        if self.held >= self.limits.answer {
            self.unpacked.next = Some(Cursor {
                entry: self.entry,
                offset,
            });
            return Flow::Stop;
        }
        self.files += 1;
        let (data, last, flow) = self.read(name, reader);
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if !last && flow == Flow::Next {
            // The answer is full in the middle of it.
            self.unpacked.next = Some(Cursor {
                entry: self.entry,
                offset: offset.saturating_add(length),
            });
        }
        self.held += data.len();
        self.unpacked.pieces.push(Piece {
            entry: self.entry,
            name: name.get(..LONGEST_NAME).unwrap_or(name).to_vec(),
            data,
            // What is cut off for want of budget is not gone on with.
            last: last || flow == Flow::Stop,
        });
        if self.unpacked.next.is_some() {
            return Flow::Stop;
        }
        match flow {
            Flow::Next => self.pass(),
            Flow::Stop => Flow::Stop,
        }
    }

    /// Reads until the end, a full answer (not the last, go on), or the end of a
    /// budget (stop).
    fn read(&mut self, name: &[u8], reader: &mut dyn Read) -> (Vec<u8>, bool, Flow) {
        let mut data = Vec::new();
        let mut block = vec![0; BLOCK];
        loop {
            let room = self.limits.answer.saturating_sub(self.held + data.len());
            if room == 0 {
                // Perhaps it ends just here; the next answer has nothing of it then.
                return (data, false, Flow::Next);
            }
            let part = block.get_mut(..room.min(BLOCK)).unwrap_or_default();
            match reader.read(part) {
                Ok(0) => return (data, true, Flow::Next),
                Ok(count) => {
                    data.extend_from_slice(part.get(..count).unwrap_or_default());
                    if self.spend(count) == Flow::Stop {
                        return (data, true, Flow::Stop);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let name = String::from_utf8_lossy(name);
                    self.note(&format!("`{name}` is damaged: {error}"));
                    return (data, true, Flow::Next);
                }
            }
        }
    }

    /// Decodes so much into nothing.
    fn skip(&mut self, reader: &mut dyn Read, most: u64) -> Flow {
        let mut block = vec![0; BLOCK];
        let mut left = most;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            match reader.read(block.get_mut(..want).unwrap_or_default()) {
                Ok(0) => break,
                Ok(count) => {
                    left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
                    if self.spend(count) == Flow::Stop {
                        return Flow::Stop;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // It was said when it was taken out.
                Err(_) => break,
            }
        }
        Flow::Next
    }

    fn spend(&mut self, count: usize) -> Flow {
        self.decoded = self
            .decoded
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if self.decoded > self.limits.bytes {
            self.note("it is larger unpacked than the budget allows");
        } else if self.decoded > self.most {
            let ratio = self.limits.ratio;
            self.note(&format!("it unpacks to more than {ratio} times its size"));
        } else {
            return Flow::Next;
        }
        self.unpacked.bomb = true;
        Flow::Stop
    }

    /// Something was left in it.
    pub(super) fn note(&mut self, note: &str) {
        if self.unpacked.notes.len() < MOST_NOTES {
            self.unpacked.notes.push(note.to_owned());
        }
    }

    /// The archive itself can't be read any further.
    pub(super) fn damaged(&mut self, error: impl std::fmt::Display) {
        self.note(&format!("the archive is damaged: {error}"));
    }

    pub(super) fn into_unpacked(self, kind: &str) -> Unpacked {
        Unpacked {
            kind: kind.to_owned(),
            ..self.unpacked
        }
    }
}
