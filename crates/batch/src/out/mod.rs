//! The row file: one row a file, written as files end, in one of four formats.
//!
//! Nothing is held back: whatever the format, memory does not grow with the number
//! of rows, and a file that was cut at the end of a row is gone on with. What makes
//! it whole (the closing brackets, the summary) is written when the batch is done.

mod csv;
mod html;
mod jsonl;
mod page;
mod sarif;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::examine::Content;
use crate::findings::Finding;
use crate::item::State;
use crate::tally::Tally;

/// Bytes that wait to be written.
const BUFFER: usize = 256 << 10;

/// Why rows can't be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write `{}`{}", .path.display(), if self.is_full() { " (the disk is full; make room and go on with --resume)" } else { "" })]
pub struct OutError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl OutError {
    /// Whether it is for want of room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line.
    JsonLines,
    /// Comma-separated values, a line a file.
    Csv,
    /// SARIF 2.1.0, for tools that show findings.
    Sarif,
    /// A page for people.
    Html,
}

impl Format {
    /// By the ending of a file's name.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            "sarif" => Some(Self::Sarif),
            "html" | "htm" => Some(Self::Html),
            _ => None,
        }
    }

    fn header(self) -> String {
        match self {
            Self::JsonLines => String::new(),
            Self::Csv => csv::header(),
            Self::Sarif => sarif::header(),
            Self::Html => html::header(),
        }
    }

    fn footer(self, tally: &Tally) -> String {
        match self {
            Self::JsonLines | Self::Csv => String::new(),
            Self::Sarif => sarif::footer(tally),
            Self::Html => html::footer(tally),
        }
    }
}

/// A file that has ended.
#[derive(Debug)]
pub struct Row<'a> {
    /// What it is called.
    pub path: &'a str,
    /// The archive that it came out of.
    pub parent: Option<&'a str>,
    /// SHA-256 of its content, if it could be read.
    pub content: Option<Content>,
    /// Bytes.
    pub size: u64,
    /// Its last state.
    pub state: State,
    /// What was wrong with it.
    pub evidence: Option<&'a str>,
    /// The answers, by the names of their columns.
    pub results: &'a [(&'a str, &'a str)],
    /// What was found in it, the worst first.
    pub findings: &'a [Finding],
}

/// The row file.
#[derive(Debug)]
pub struct Out {
    path: PathBuf,
    format: Format,
    file: BufWriter<File>,
    length: u64,
    empty: bool,
}

impl Out {
    /// Begins a row file; what was in it is gone.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(path: &Path, format: Format) -> Result<Self, OutError> {
        let make = || {
            let file = File::create(path)?;
            let mut out = Self::over(path, format, file, 0);
            out.put(format.header().as_bytes())?;
            out.file.flush()?;
            Ok(out)
        };
        make().map_err(|source| OutError {
            path: path.to_path_buf(),
            source,
        })
    }

    /// Goes on with a row file after so many bytes; what stands behind them was
    /// written by nobody who vouches for it, and goes. `None` when the file is not
    /// the one that was written.
    ///
    /// # Errors
    /// When it is there and can't be used.
    pub fn resume(path: &Path, format: Format, length: u64) -> Result<Option<Self>, OutError> {
        let header = format.header();
        let header_length = u64::try_from(header.len()).unwrap_or(u64::MAX);
        let go_on = || {
            let mut file = match OpenOptions::new().read(true).write(true).open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let there = file.metadata()?;
            if !there.is_file() || there.len() < length || length < header_length {
                return Ok(None);
            }
            if !begins_with(&mut file, header.as_bytes())? {
                return Ok(None);
            }
            file.set_len(length)?;
            file.seek(SeekFrom::Start(length))?;
            Ok(Some(Self::over(path, format, file, length)))
        };
        let resumed = go_on().map_err(|source| OutError {
            path: path.to_path_buf(),
            source,
        })?;
        Ok(resumed.map(|mut out| {
            out.empty = length <= header_length;
            out
        }))
    }

    fn over(path: &Path, format: Format, file: File, length: u64) -> Self {
        Self {
            path: path.to_path_buf(),
            format,
            file: BufWriter::with_capacity(BUFFER, file),
            length,
            empty: true,
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn row(&mut self, row: &Row<'_>) -> Result<(), OutError> {
        let text = match self.format {
            Format::JsonLines => jsonl::row(row),
            Format::Csv => csv::row(row),
            Format::Sarif => sarif::row(row, self.empty),
            Format::Html if self.length > html::MOST_BYTES => String::new(),
            Format::Html => html::row(row),
        };
        if text.is_empty() {
            return Ok(());
        }
        self.empty = false;
        self.put(text.as_bytes())
            .map_err(|source| self.failed(source))
    }

    /// Hands all to the kernel; says how long the file is.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn flush(&mut self) -> Result<u64, OutError> {
        self.file.flush().map_err(|source| self.failed(source))?;
        Ok(self.length)
    }

    /// Makes the file whole, and lasting.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn complete(mut self, tally: &Tally) -> Result<(), OutError> {
        let footer = self.format.footer(tally);
        let mut finish = || {
            self.file.write_all(footer.as_bytes())?;
            self.file.flush()?;
            // A pipe or a terminal has nothing to be made lasting.
            match self.file.get_ref().sync_data() {
                Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
        };
        finish().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> OutError {
        OutError {
            path: self.path.clone(),
            source,
        }
    }
}

fn begins_with(file: &mut File, expected: &[u8]) -> io::Result<bool> {
    use std::io::Read as _;
    let mut found = vec![0; expected.len()];
    file.rewind()?;
    match file.read_exact(&mut found) {
        Ok(()) => Ok(found == expected),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
