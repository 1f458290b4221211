//! One command and its answer, over the three pipes of a session.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::time::Instant;

use super::frame::{Frame, word};
use super::question::Dialect;
use crate::capture::{Captured, Recorder};
use crate::command::{self, Keep};
use crate::pump::input_pipe;
use crate::resident::Life;

/// Bytes read at one time; as much as a pipe holds.
const CHUNK: usize = 64 << 10;
/// Reads of a standard error that must be empty soon: twice what a pipe holds,
/// in case that the program goes on filling it from another thread.
const MOST_READS: usize = 2;

/// What a session has said to one command.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
    /// The program had come to the command.
    pub(super) begun: bool,
}

/// Our ends of a session's pipes. Dropping it kills the session.
#[derive(Debug)]
pub(super) struct Console {
    stdin: pipe::Sender,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
    dialect: Dialect,
    life: Arc<Life>,
    buffers: [Vec<u8>; 2],
    pub(super) last_used: Instant,
}

impl Drop for Console {
    fn drop(&mut self) {
        self.life.kill.cancel();
    }
}

impl Console {
    /// Makes the pipes; returns also the program's ends.
    pub(super) fn open(dialect: Dialect, life: Arc<Life>) -> io::Result<(Self, command::Console)> {
        let output = || -> io::Result<(pipe::Receiver, OwnedFd)> {
            let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
            Ok((pipe::Receiver::from_owned_fd(ours)?, theirs))
        };
        let (stdin, their_stdin) = input_pipe().map_err(io::Error::other)?;
        let (stdout, their_stdout) = output()?;
        let (stderr, their_stderr) = output()?;
        let console = Self {
            stdin,
            stdout,
            stderr,
            dialect,
            life,
            buffers: [Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK)],
            last_used: Instant::now(),
        };
        let theirs = command::Console {
            stdin: their_stdin,
            stdout: their_stdout,
            stderr: their_stderr,
        };
        Ok((console, theirs))
    }

    /// Has the program do one line of commands. `Err`: it hung up, with what it
    /// had said by then. When this is dropped halfway, the console is of no use.
    pub(super) async fn ask(
        &mut self,
        text: &str,
        after: &[String],
        keep_stdout: usize,
        keep_stderr: usize,
    ) -> Result<Said, Said> {
        let mut errors = Recorder::new(&Keep::head(keep_stderr));
        let Ok((begin, end)) = word().and_then(|begin| Ok((begin, word()?))) else {
            return Err(Said {
                stdout: Recorder::new(&Keep::nothing()).finish(),
                stderr: errors.finish(),
                begun: false,
            });
        };
        let mut frame = Frame::new(&begin, &end, keep_stdout);
        let (begin, end) = (self.dialect.print(&begin), self.dialect.print(&end));
        let mut lines = format!("{begin}\n{text}\n{end}\n");
        for line in after {
            lines.push_str(line);
            lines.push('\n');
        }
        let mut input = Bytes::from(lines);
        // Late words about earlier commands.
        self.empty_stderr(&mut Recorder::new(&Keep::nothing()));
        let mut more_errors = true;
        let whole = loop {
            let [out, err] = &mut self.buffers;
            out.clear();
            err.clear();
            // A program that floods one stream is read on both, and no byte of
            // input is owed to one that has hung up.
            tokio::select! {
                biased;
                read = self.stderr.read_buf(err), if more_errors => match read {
                    Ok(length) if length > 0 => errors.record(err),
                    Ok(_) | Err(_) => more_errors = false,
                },
                read = self.stdout.read_buf(out) => match read {
                    Ok(length) if length > 0 => if frame.push(out) {
                        break true;
                    },
                    Ok(_) | Err(_) => break false,
                },
                written = self.stdin.write_buf(&mut input), if input.has_remaining() => {
                    if written.is_err() {
                        // Its end is seen on its output.
                        input.clear();
                    }
                }
            }
        };
        // What is to be done after it must not be lost.
        if whole && input.has_remaining() {
            self.stdin.write_all_buf(&mut input).await.ok();
        }
        // What the command said there was written before the last word.
        self.empty_stderr(&mut errors);
        self.last_used = Instant::now();
        let said = Said {
            begun: frame.begun(),
            stdout: frame.finish(whole),
            stderr: errors.finish(),
        };
        if whole { Ok(said) } else { Err(said) }
    }

    /// Takes what is there without waiting. Not by way of the runtime, which may
    /// not know yet that it is there.
    fn empty_stderr(&mut self, recorder: &mut Recorder) {
        let [_, buffer] = &mut self.buffers;
        for _ in 0..MOST_READS {
            buffer.clear();
            let spare = rustix::buffer::spare_capacity(buffer);
            match rustix::io::read(self.stderr.as_fd(), spare) {
                Ok(length) if length > 0 => recorder.record(buffer),
                Ok(_) | Err(_) => return,
            }
        }
    }
}
