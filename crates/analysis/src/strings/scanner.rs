//! The scanner: feeds words to the kernels, and turns the runs they find into
//! strings. Memory is a few pages and the beginnings of strings that cross a
//! border of chunks.

use super::classify::{BLOCK, Plane, WORD, classify, either, wide};
use super::edge::{Edge, Source};
use super::runs::Runs;
use super::utf8::Utf8Runs;
use super::{Encoding, Found, Options};

/// Not a character in any encoding, nor half of one: what is fed behind the
/// end of a file, so that every string ends.
const END: [u8; 2 * WORD] = [1; 2 * WORD];

/// Finds strings in consecutive chunks of a file. Where the borders are makes
/// no difference to what is found.
#[derive(Debug, Clone)]
pub struct Scanner {
    /// Offset of the first byte that is in no word yet.
    position: u64,
    edge: Edge,
    planes: Box<Planes>,
    lanes: Vec<Lane>,
    utf8: Option<Box<Utf8Lane>>,
}

/// Bits of the block at work.
#[derive(Debug, Clone)]
struct Planes {
    printable: Plane,
    zero: Plane,
    high: Plane,
    characters: [u64; BLOCK],
    changes: [u64; BLOCK],
}

/// Strings of one encoding, UTF-8 apart.
#[derive(Debug, Clone)]
struct Lane {
    runs: Runs,
    report: Report,
    /// The fewest bytes.
    shortest: u64,
}

#[derive(Debug, Clone)]
struct Utf8Lane {
    runs: Utf8Runs,
    report: Report,
    /// The fewest characters.
    shortest: u64,
    /// Whether strings of ASCII alone are left to the other lane.
    mixed_only: bool,
}

/// Where strings go.
#[derive(Debug, Clone)]
struct Report {
    encoding: Encoding,
    longest: usize,
    /// Beginning of the string that was not over when the last chunk was.
    kept: Vec<u8>,
}

impl Scanner {
    /// Starts a file.
    pub fn new(options: &Options) -> Self {
        let characters = options.min_length.max(1);
        let report = |encoding| Report {
            encoding,
            longest: options.longest,
            kept: Vec::new(),
        };
        let wanted = |encoding: &Encoding| options.encodings.contains(encoding);
        let lane = |encoding| {
            let width = match encoding {
                Encoding::Ascii | Encoding::EightBit => 1,
                Encoding::Utf16Le | Encoding::Utf16Be => 2,
                Encoding::Utf8 => return None,
            };
            Some(Lane {
                runs: Runs::new(characters, width, 0),
                report: report(encoding),
                shortest: u64::from(width).saturating_mul(characters as u64),
            })
        };
        let all = [
            Encoding::Ascii,
            Encoding::Utf16Le,
            Encoding::Utf16Be,
            Encoding::EightBit,
        ];
        Self {
            position: 0,
            edge: Edge::default(),
            planes: Box::new(Planes::new()),
            lanes: all.into_iter().filter(wanted).filter_map(lane).collect(),
            utf8: wanted(&Encoding::Utf8).then(|| {
                Box::new(Utf8Lane {
                    runs: Utf8Runs::new(characters),
                    report: report(Encoding::Utf8),
                    shortest: characters as u64,
                    mixed_only: wanted(&Encoding::Ascii),
                })
            }),
        }
    }

    /// Takes the next chunk, and hands on the strings that end in it.
    ///
    /// Strings of one encoding come in the order of their offsets. Those of
    /// several are in step to within a block of 4 KiB or so.
    pub fn feed(&mut self, chunk: &[u8], mut sink: impl FnMut(Found<'_>)) {
        // The edge is read while the rest of the scanner is written.
        let mut edge = std::mem::take(&mut self.edge);
        let offset = self.position.saturating_add(edge.waiting() as u64);
        let source = Source::new(&edge, chunk, offset);
        let Some((word, rest)) = edge.first_word(chunk) else {
            let waiting = edge.waiting() + chunk.len();
            edge.pass(chunk, waiting);
            self.edge = edge;
            return;
        };
        // Without anything waiting the first word is the chunk's own.
        let rest = if edge.waiting() == 0 {
            chunk
        } else {
            self.block(&[word], &source, &mut sink);
            rest
        };
        let (words, waiting) = rest.as_chunks::<WORD>();
        for block in words.chunks(BLOCK) {
            self.block(block, &source, &mut sink);
        }
        for lane in &mut self.lanes {
            lane.report.keep(lane.runs.open, self.position, &source);
        }
        if let Some(lane) = &mut self.utf8 {
            lane.report.keep(lane.runs.open(), self.position, &source);
        }
        let waiting = waiting.len();
        edge.pass(chunk, waiting);
        self.edge = edge;
    }

    /// Hands on the strings that the end of the file ends.
    pub fn finish(mut self, sink: impl FnMut(Found<'_>)) {
        self.feed(&END, sink);
    }

    #[inline(always)]
    fn block(
        &mut self,
        words: &[[u8; WORD]],
        source: &Source<'_>,
        sink: &mut impl FnMut(Found<'_>),
    ) {
        let Planes {
            printable,
            zero,
            high,
            characters,
            changes,
        } = &mut *self.planes;
        let used = words.len();
        classify(
            words,
            &mut printable.words,
            &mut zero.words,
            &mut high.words,
        );
        for lane in &mut self.lanes {
            let marked = match lane.report.encoding {
                Encoding::Ascii | Encoding::Utf8 => &printable.words,
                Encoding::EightBit => {
                    either(printable, high, characters);
                    &*characters
                }
                Encoding::Utf16Le => {
                    wide(printable, zero, characters);
                    &*characters
                }
                Encoding::Utf16Be => {
                    wide(zero, printable, characters);
                    &*characters
                }
            };
            let marked = marked.get(..used).unwrap_or_default();
            if !lane.runs.changes(marked, changes) {
                continue;
            }
            let report = &mut lane.report;
            let shortest = lane.shortest;
            let changes = changes.get(..used).unwrap_or_default();
            lane.runs.walk(changes, self.position, |start, end| {
                if end.saturating_sub(start) >= shortest {
                    report.hand_on(start, end, source, sink);
                } else if start < source.offset() {
                    report.kept.clear();
                }
            });
        }
        if let Some(lane) = &mut self.utf8 {
            let report = &mut lane.report;
            let printable = &printable.words;
            let at = self.position;
            lane.runs.block(words, printable, changes, at, |run| {
                if run.characters >= lane.shortest && (run.multi_byte || !lane.mixed_only) {
                    report.encoding = match run.multi_byte {
                        true => Encoding::Utf8,
                        false => Encoding::Ascii,
                    };
                    report.hand_on(run.start, run.end, source, sink);
                } else {
                    report.kept.clear();
                }
            });
        }
        printable.keep(used);
        zero.keep(used);
        high.keep(used);
        self.position = self.position.saturating_add((used * WORD) as u64);
    }
}

impl Planes {
    fn new() -> Self {
        Self {
            printable: Plane::new(),
            zero: Plane::new(),
            high: Plane::new(),
            characters: [0; BLOCK],
            changes: [0; BLOCK],
        }
    }
}

impl Report {
    #[inline(always)]
    fn hand_on(
        &mut self,
        start: u64,
        end: u64,
        source: &Source<'_>,
        sink: &mut impl FnMut(Found<'_>),
    ) {
        let length = end.saturating_sub(start);
        let most = usize::try_from(length).unwrap_or(usize::MAX);
        let most = most.min(self.longest);
        // What is in the chunk as a whole has nothing kept.
        match source.borrow(start, most) {
            Some(bytes) => sink(Found {
                offset: start,
                encoding: self.encoding,
                bytes: whole_characters(bytes, length, self.encoding),
                length,
            }),
            None => {
                self.complete(start, most, source);
                sink(Found {
                    offset: start,
                    encoding: self.encoding,
                    bytes: whole_characters(&self.kept, length, self.encoding),
                    length,
                });
                self.kept.clear();
            }
        }
    }

    /// Appends what is missing of the string's first `most` bytes.
    #[cold]
    fn complete(&mut self, start: u64, most: usize, source: &Source<'_>) {
        self.kept.truncate(most);
        let have = start.saturating_add(self.kept.len() as u64);
        source.append(have, start.saturating_add(most as u64), &mut self.kept);
    }

    /// Keeps what can't be read any more when the next chunk comes.
    fn keep(&mut self, open: Option<u64>, position: u64, source: &Source<'_>) {
        if let Some(start) = open {
            let length = usize::try_from(position.saturating_sub(start));
            let most = length.unwrap_or(usize::MAX).min(self.longest);
            if most > self.kept.len() {
                self.complete(start, most, source);
            }
        }
    }
}

/// The bytes, if they are not all of `length`, without half a character at
/// their end.
#[inline(always)]
fn whole_characters(bytes: &[u8], length: u64, encoding: Encoding) -> &[u8] {
    if bytes.len() as u64 == length {
        return bytes;
    }
    let length = match encoding {
        Encoding::Ascii | Encoding::EightBit => bytes.len(),
        Encoding::Utf16Le | Encoding::Utf16Be => bytes.len() & !1,
        Encoding::Utf8 => match std::str::from_utf8(bytes) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        },
    };
    bytes.get(..length).unwrap_or_default()
}
