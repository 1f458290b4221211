//! What is kept of an output stream: the head, the tail, the size and the
//! SHA-256 of everything. Memory is bounded by what [`Keep`] asks for, whatever
//! the program writes.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::command::Keep;

/// One output stream after the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The first bytes.
    pub head: Bytes,
    /// The last bytes; never overlaps `head`.
    pub tail: Bytes,
    /// All bytes that were written, those not kept included.
    pub total: u64,
    /// SHA-256 of the whole stream.
    pub sha256: [u8; 32],
    /// Why the copy in [`Keep::spill`] is not whole, if it isn't.
    pub spill_error: Option<String>,
}

impl Captured {
    /// Whether bytes between head and tail were dropped.
    pub fn truncated(&self) -> bool {
        self.total > (self.head.len() + self.tail.len()) as u64
    }

    /// The bytes kept, head then tail.
    pub fn bytes(&self) -> Vec<u8> {
        [&self.head[..], &self.tail[..]].concat()
    }

    /// Everything kept as text, with a line that says how much is missing in
    /// between; U+FFFD where the bytes are no UTF-8. A character that the gap
    /// has cut in two is left out, not mangled.
    pub fn text(&self) -> String {
        if !self.truncated() {
            return String::from_utf8_lossy(&self.bytes()).into_owned();
        }
        let head = without_cut_end(&self.head);
        let tail = without_cut_start(&self.tail);
        let missing = self.total - (head.len() + tail.len()) as u64;
        format!(
            "{}\n[… {missing} bytes left out …]\n{}",
            String::from_utf8_lossy(head),
            String::from_utf8_lossy(tail)
        )
    }
}

/// Drops the beginning of a character whose rest is missing at the end.
fn without_cut_end(bytes: &[u8]) -> &[u8] {
    // A character has at most four bytes, so its first is among the last three.
    for back in 1..=bytes.len().min(3) {
        let start = bytes.len() - back;
        let length = match bytes[start] {
            0x00..=0x7f => break,
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
        };
        return if length > back {
            &bytes[..start]
        } else {
            bytes
        };
    }
    bytes
}

/// Drops the rest of a character whose beginning is missing at the start.
fn without_cut_start(bytes: &[u8]) -> &[u8] {
    let rest = bytes
        .iter()
        .take(3)
        .take_while(|byte| matches!(byte, 0x80..=0xbf))
        .count();
    &bytes[rest..]
}

/// Takes a stream in, chunk by chunk.
#[derive(Debug)]
pub(crate) struct Recorder {
    head: Vec<u8>,
    head_limit: usize,
    tail: Tail,
    total: u64,
    hash: Sha256,
    pub(crate) spill_error: Option<String>,
}

impl Recorder {
    pub(crate) fn new(keep: &Keep) -> Self {
        Self {
            head: Vec::new(),
            head_limit: keep.head,
            tail: Tail::new(keep.tail),
            total: 0,
            hash: Sha256::new(),
            spill_error: None,
        }
    }

    pub(crate) fn record(&mut self, chunk: &[u8]) {
        self.total += chunk.len() as u64;
        self.hash.update(chunk);
        let room = self.head_limit - self.head.len();
        let (head, rest) = chunk.split_at(room.min(chunk.len()));
        self.head.extend_from_slice(head);
        self.tail.push(rest);
    }

    pub(crate) fn finish(self) -> Captured {
        Captured {
            head: self.head.into(),
            tail: self.tail.into_bytes(),
            total: self.total,
            sha256: self.hash.finalize().into(),
            spill_error: self.spill_error,
        }
    }
}

/// The last bytes of a stream, in a ring.
#[derive(Debug)]
struct Tail {
    ring: Vec<u8>,
    limit: usize,
    /// Where the oldest byte is, once the ring is full.
    start: usize,
}

impl Tail {
    fn new(limit: usize) -> Self {
        Self {
            ring: Vec::new(),
            limit,
            start: 0,
        }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        if bytes.len() >= self.limit {
            self.ring.clear();
            self.start = 0;
            self.ring
                .extend_from_slice(&bytes[bytes.len() - self.limit..]);
            return;
        }
        let room = (self.limit - self.ring.len()).min(bytes.len());
        let (fresh, rest) = bytes.split_at(room);
        self.ring.extend_from_slice(fresh);
        bytes = rest;
        while !bytes.is_empty() {
            let length = bytes.len().min(self.limit - self.start);
            let (now, later) = bytes.split_at(length);
            self.ring[self.start..self.start + length].copy_from_slice(now);
            self.start = (self.start + length) % self.limit;
            bytes = later;
        }
    }

    fn into_bytes(mut self) -> Bytes {
        self.ring.rotate_left(self.start);
        self.ring.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(head: usize, tail: usize, chunks: &[&[u8]]) -> Captured {
        let keep = Keep {
            head,
            tail,
            spill: None,
        };
        let mut recorder = Recorder::new(&keep);
        for chunk in chunks {
            recorder.record(chunk);
        }
        recorder.finish()
    }

    /// Every way to cut 26 letters into equal chunks must keep the same ends.
    #[test]
    fn head_and_tail_do_not_depend_on_chunks() {
        let all = b"abcdefghijklmnopqrstuvwxyz";
        for head in 0..=28 {
            for tail in 0..=28 {
                for size in 1..=27 {
                    let chunks: Vec<&[u8]> = all.chunks(size).collect();
                    let captured = capture(head, tail, &chunks);
                    let kept_head = head.min(26);
                    let kept_tail = tail.min(26 - kept_head);
                    assert_eq!(captured.head, all[..kept_head]);
                    assert_eq!(captured.tail, all[26 - kept_tail..]);
                    assert_eq!(captured.truncated(), kept_head + kept_tail < 26);
                    assert_eq!(captured.total, 26);
                    assert_eq!(captured.sha256[..], Sha256::digest(all)[..]);
                }
            }
        }
    }

    #[test]
    fn text_is_whole_across_chunks_and_lossy_only_where_the_bytes_are() {
        let captured = capture(100, 0, &[b"a\xc3", b"\xa9\xff\xe2\x82", b"\xac\0z"]);
        assert_eq!(captured.text(), "aé\u{fffd}€\0z");
    }

    #[test]
    fn a_gap_does_not_mangle_characters() {
        // "€€€€" is 12 bytes; the head ends and the tail starts inside one.
        let captured = capture(4, 4, &["€€€€".as_bytes()]);
        assert_eq!(captured.text(), "€\n[… 6 bytes left out …]\n€");
    }

    #[test]
    fn bytes_that_are_no_utf8_survive_the_cut_of_the_ends() {
        for ends in [&b"\xff\xff"[..], b"\x80\x80\x80\x80", b"\xf0", b""] {
            let captured = capture(ends.len(), ends.len(), &[ends, b"--", ends]);
            assert!(captured.text().contains("left out"));
        }
    }
}
