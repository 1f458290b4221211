//! Writing: much, little, slowly, to the wrong stream, in awkward pieces.
//!
//! All writes go to the descriptors directly: nothing is buffered, so nothing
//! is written twice by a forked child or lost in a kill.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use reversecore_testkit::{awkward, pattern};

use crate::processes::{hang, pause_for};

/// A standard output stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// The stream as an unbuffered file, which must not be closed.
    pub(crate) fn file(self) -> ManuallyDrop<File> {
        let descriptor = match self {
            Self::Out => libc::STDOUT_FILENO,
            Self::Err => libc::STDERR_FILENO,
        };
        // SAFETY: the value is never dropped, so it never closes the
        // descriptor; a descriptor that is closed makes writes fail, no more.
        ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) })
    }
}

/// One line on standard output, in one write.
pub(crate) fn line(text: &str) -> io::Result<()> {
    Stream::Out.file().write_all(format!("{text}\n").as_bytes())
}

/// One line on standard error; there is nobody to tell when that fails.
pub(crate) fn complain(text: &str) {
    Stream::Err
        .file()
        .write_all(format!("hostile: {text}\n").as_bytes())
        .ok();
}

/// `echo ARGS…`: each argument, byte for byte, on a line of its own.
pub(crate) fn echo(arguments: &[OsString]) -> io::Result<()> {
    let mut text = Vec::new();
    for argument in arguments {
        text.extend_from_slice(argument.as_bytes());
        text.push(b'\n');
    }
    Stream::Out.file().write_all(&text)
}

/// `cat [FILES…]`: the files, or standard input, to standard output.
pub(crate) fn cat(files: &[OsString]) -> io::Result<()> {
    if files.is_empty() {
        return copy(&mut io::stdin().lock());
    }
    files
        .iter()
        .try_for_each(|path| copy(&mut File::open(path)?))
}

fn copy(from: &mut impl Read) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    let mut to = Stream::Out.file();
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            length => to.write_all(&buffer[..length])?,
        }
    }
}

/// `bytes`: see [`awkward`]; a character is cut in two by the two writes.
pub(crate) fn awkward_bytes() -> io::Result<()> {
    let mut out = Stream::Out.file();
    out.write_all(awkward::FIRST_WRITE)?;
    // Long enough for a reader to get the first half by itself.
    pause_for(Duration::from_millis(20));
    out.write_all(awkward::SECOND_WRITE)
}

/// `flood stdout|stderr BYTES`: that much of the [`pattern`], as fast as it is
/// read.
pub(crate) fn flood(stream: Stream, bytes: u64) -> io::Result<()> {
    let mut file = stream.file();
    pattern::each(bytes, |piece| file.write_all(piece))
}

/// `flood-both OUT ERR`: first all of standard error, then all of standard
/// output. Whoever drains only one of them waits for ever.
pub(crate) fn flood_both(out: u64, err: u64) -> io::Result<()> {
    flood(Stream::Err, err)?;
    flood(Stream::Out, out)
}

/// `silent-after BYTES`: writes so much of the pattern, then hangs.
pub(crate) fn silent_after(bytes: u64) -> io::Result<()> {
    flood(Stream::Out, bytes)?;
    hang()
}

/// `drip BYTES INTERVAL_MS`: so many bytes of the pattern in total, one at a
/// time with a pause after each, then exits.
pub(crate) fn drip(bytes: u64, interval: u64) -> io::Result<()> {
    let mut out = Stream::Out.file();
    pattern::each(bytes, |piece| {
        piece.chunks(1).try_for_each(|byte| {
            out.write_all(byte)?;
            pause_for(Duration::from_millis(interval));
            Ok(())
        })
    })
}
