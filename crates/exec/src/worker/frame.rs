//! The frames that pool and worker exchange, and how they travel.
//!
//! A frame is a [`Header`] and a body. It travels over a `SOCK_SEQPACKET`
//! socket: the first packet has the header and the beginning of the body, every
//! further packet more of the body. So a small frame is one system call on each
//! side, and a large one has no limit but the receiver's.
//!
//! ```text
//! offset 0  version   1 byte, VERSION
//!        1  kind      1 byte
//!        2  reserved  2 bytes, zero
//!        4  length    4 bytes, of the body
//!        8  job       8 bytes, the number of the job that it is about
//!       16  numbers   4 times 8 bytes, by kind
//! ```
//!
//! All numbers are in the machine's byte order: both ends are the same
//! executable. The version is there for the one case in which they are not, an
//! executable that was replaced while the server runs.
//!
//! What arrives from a worker is hostile. This file checks what can be checked
//! of one packet; what may come when is [`super::exchange`]'s business.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

pub(super) const VERSION: u8 = 1;
/// Size of a header.
pub(super) const HEADER: usize = 48;
/// The largest packet: several fit into the kernel's default buffer.
pub(super) const PACKET: usize = 64 << 10;
/// Files that may travel with a job.
pub(crate) const MAX_FILES: usize = 16;
/// No body is larger, in either direction, whatever is configured.
pub(crate) const MAX_BODY: usize = 512 << 20;
/// The largest body of a progress frame.
pub(super) const MAX_PROGRESS: usize = 1024;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To the worker, first: whether it is to lock itself down. Numbers: that.
    Setup = 1,
    /// From the worker, first: what came of it. Body: a [`super::lockdown::Found`].
    Hello = 2,
    /// To the worker. Numbers: the largest reply.
    Job = 3,
    /// From the worker during a job. Body: a [`super::Progress`].
    Progress = 4,
    /// From the worker: the reply. Numbers: user and system time in
    /// microseconds, peak of the resident set in bytes.
    Done = 5,
    /// From the worker, instead of a reply that is larger than it may be.
    /// Numbers: as above, then the size.
    TooLarge = 6,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [
            Self::Setup,
            Self::Hello,
            Self::Job,
            Self::Progress,
            Self::Done,
            Self::TooLarge,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// The fixed part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) length: u32,
    pub(super) job: u64,
    pub(super) numbers: [u64; 4],
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0] = VERSION;
        bytes[1] = self.kind as u8;
        bytes[4..8].copy_from_slice(&self.length.to_ne_bytes());
        bytes[8..16].copy_from_slice(&self.job.to_ne_bytes());
        for (place, number) in bytes[16..].chunks_exact_mut(8).zip(self.numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        bytes
    }

    /// Splits a first packet into header and the beginning of the body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn decode(packet: &[u8]) -> Result<(Self, &[u8]), &'static str> {
        let (header, body) = packet
            .split_first_chunk::<HEADER>()
            .ok_or("a packet is shorter than a header")?;
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&header[at..at + 8]);
            u64::from_ne_bytes(bytes)
        };
        if header[0] != VERSION {
            return Err("a frame has another version");
        }
        let kind = Kind::from_byte(header[1]).ok_or("a frame has an unknown kind")?;
        if header[2..4] != [0, 0] {
            return Err("the reserved bytes of a frame are not zero");
        }
        let length = u32::from_ne_bytes([header[4], header[5], header[6], header[7]]);
        if body.len() > length as usize {
            return Err("a packet has more than its frame");
        }
        let header = Self {
            kind,
            length,
            job: number(8),
            numbers: [number(16), number(24), number(32), number(40)],
        };
        Ok((header, body))
    }
}

/// A packet that was received into the caller's buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet {
    pub(super) length: usize,
    /// It was larger than the buffer, or brought descriptors to somebody who
    /// takes none (the kernel has closed them).
    pub(super) mangled: bool,
}

/// Receives one packet without descriptors. A length of zero means that the
/// other side has hung up.
///
/// # Errors
/// `EAGAIN` with [`RecvFlags::DONTWAIT`]; `ECONNRESET` when the other side has
/// hung up and left something unread.
pub(super) fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
    flags: RecvFlags,
) -> rustix::io::Result<Packet> {
    let mut control = RecvAncillaryBuffer::default();
    loop {
        match recvmsg(
            &socket,
            &mut [IoSliceMut::new(buffer)],
            &mut control,
            flags | RecvFlags::CMSG_CLOEXEC,
        ) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
            Ok(message) => {
                let mangled = message
                    .flags
                    .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
                return Ok(Packet {
                    length: message.bytes,
                    mangled,
                });
            }
        }
    }
}

/// Receives one packet with its descriptors; for the worker, which waits and
/// trusts the sender.
pub(super) fn receive_with_files(
    socket: impl AsFd,
    buffer: &mut [u8],
    files: &mut Vec<OwnedFd>,
) -> rustix::io::Result<usize> {
    let mut space = [std::mem::MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FILES))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = loop {
        match recvmsg(
            &socket,
            &mut [IoSliceMut::new(buffer)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    for ancillary in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = ancillary {
            files.extend(rights);
        }
    }
    Ok(message.bytes)
}

/// Sends one packet made of two parts, with descriptors.
pub(super) fn send(
    socket: impl AsFd,
    parts: [&[u8]; 2],
    files: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> rustix::io::Result<()> {
    let mut space = [std::mem::MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_FILES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(Errno::TOOMANYREFS);
    }
    let slices = parts.map(IoSlice::new);
    loop {
        match sendmsg(&socket, &slices, &mut control, flags | SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Splits a body into what goes with the header and the packets after it.
pub(super) fn split(body: &[u8]) -> (&[u8], impl Iterator<Item = &[u8]>) {
    let (first, rest) = body.split_at(body.len().min(PACKET - HEADER));
    (first, rest.chunks(PACKET))
}

/// Sends a whole frame, waiting as long as it takes; for the worker.
pub(super) fn send_waiting(
    socket: impl AsFd,
    header: &Header,
    body: &[u8],
) -> rustix::io::Result<()> {
    let (first, rest) = split(body);
    send(&socket, [&header.encode(), first], &[], SendFlags::empty())?;
    for part in rest {
        send(&socket, [part, &[]], &[], SendFlags::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            kind: Kind::Done,
            length: 3,
            job: 7,
            numbers: [1, 2, 3, u64::MAX],
        }
    }

    #[test]
    fn a_header_survives_the_way() {
        let mut packet = header().encode().to_vec();
        packet.extend(b"abc");
        assert_eq!(Header::decode(&packet), Ok((header(), &b"abc"[..])));
    }

    /// Every single byte of a packet is checked or harmless: none makes the
    /// decoder panic, and what is accepted is what encodes to the same bytes.
    #[test]
    fn damaged_headers_are_refused_or_mean_what_they_say() {
        let good = header().encode();
        for length in 0..good.len() {
            assert!(Header::decode(&good[..length]).is_err());
        }
        for place in 0..good.len() {
            for value in 0..=u8::MAX {
                let mut bytes = good;
                bytes[place] = value;
                if let Ok((header, body)) = Header::decode(&bytes) {
                    assert_eq!(header.encode(), bytes);
                    assert!(body.is_empty());
                }
            }
        }
        let mut version = good;
        version[0] = VERSION + 1;
        assert!(Header::decode(&version).unwrap_err().contains("version"));
        let longer = [&good[..], b"abcd"].concat();
        assert!(Header::decode(&longer).is_err());
    }

    #[test]
    fn a_body_is_split_without_empty_packets() {
        for length in [0, 1, PACKET - HEADER, PACKET - HEADER + 1, 3 * PACKET] {
            let body = vec![7; length];
            let (first, rest) = split(&body);
            let rest: Vec<&[u8]> = rest.collect();
            assert!(first.len() + HEADER <= PACKET);
            assert!(rest.iter().all(|part| !part.is_empty()));
            assert_eq!(
                first.len() + rest.iter().map(|part| part.len()).sum::<usize>(),
                length
            );
        }
    }
}
