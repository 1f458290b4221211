//! A pipe through which descendants say that they are there, so that their
//! ancestor can print their numbers before it goes on.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;

use crate::errno::{Refused, check};
use crate::processes::hang;

/// The writing end of a pipe through which descendants report that they stay.
pub(crate) struct Report {
    pipe: File,
}

/// Its reading end.
pub(crate) struct Reports {
    pipe: File,
}

impl Report {
    pub(crate) fn channel() -> Result<(Reports, Self), Refused> {
        let mut ends = [0; 2];
        // SAFETY: the pointer is to an array of two, as `pipe2` wants.
        check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
        // SAFETY: both descriptors are new and nobody else's.
        let [reader, writer] = ends.map(|end| unsafe { File::from_raw_fd(end) });
        Ok((Reports { pipe: reader }, Self { pipe: writer }))
    }

    /// Reports this process and hangs.
    pub(crate) fn stay(&mut self) -> Result<(), Refused> {
        let own = own_number();
        self.pipe.write_all(format!("{own}\n").as_bytes())?;
        hang()
    }
}

impl Reports {
    pub(crate) fn pids(&mut self, count: usize) -> Result<Vec<String>, Refused> {
        let mut text = Vec::new();
        let mut byte = [0];
        // Not until the end of the file: those who stay keep the pipe open.
        while text.iter().filter(|byte| **byte == b'\n').count() < count {
            if self.pipe.read(&mut byte)? == 0 {
                return Err(Refused(libc::ECHILD));
            }
            text.push(byte[0]);
        }
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// The number of this process as the test sees it: inside a PID namespace that
/// still has the outer `/proc`, the outer number, by which it can be looked for.
fn own_number() -> String {
    std::fs::read_link("/proc/self").map_or_else(
        |_| std::process::id().to_string(),
        |path| path.to_string_lossy().into_owned(),
    )
}
