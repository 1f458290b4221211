//! Files of a batch out of archives: a confined worker takes them out, piece by piece,
//! and here they are put where the batch's calls find them. What the worker says is
//! held against the budget once more: it has parsed a hostile file.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reversecore_analysis::unpack::{Cursor, Limits, Piece, Unpacked, unpack};
use reversecore_batch::{Expanded, Found, Item, Recursion, Trouble};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::embedded::worker::{File, Request, Resident};
use crate::embedded::{Trouble as WorkerTrouble, Work};
use crate::schedule::Caller;
use crate::services::Services;
use crate::tool::{Call, Record};
use crate::workspace::escape_name;

/// Bytes that one answer may have, and what is around them.
const ANSWER: usize = 16 << 20;
const AROUND: usize = 8 << 20;
/// For one answer.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Between the name of an archive and that of a file in it.
const INSIDE: &str = "!/";
/// Answers of one archive: more than its budget could fill.
const MOST_ANSWERS: u64 = 100_000;

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Unpack {
    from: Cursor,
    limits: Limits,
}

impl Work for Unpack {
    type Reply = Unpacked;
    const LARGEST: usize = ANSWER + AROUND;

    fn request(self) -> Request {
        Request::Unpack(self)
    }

    fn perform(self, file: &mut File<'_, '_>, _: &mut Resident) -> Result<Unpacked, WorkerTrouble> {
        Ok(unpack(file.bytes(), self.from, &self.limits))
    }
}

/// Takes the files out of an archive; nothing, when it is none.
pub(super) async fn expand(
    services: &Arc<Services>,
    caller: &Caller,
    directory: &Path,
    item: &Item,
    left: Recursion,
    stop: &CancellationToken,
) -> Result<Expanded, Trouble> {
    let record = Record::default();
    let call = Call {
        services,
        cancel: stop,
        caller,
        record: &record,
        job: None,
        opened: Mutex::default(),
    };
    let mut taking = Taking::new(directory, item, left);
    let mut from = Cursor::default();
    for _ in 0..MOST_ANSWERS {
        let work = Unpack {
            from,
            limits: Limits {
                files: left.files.saturating_sub(taking.files()),
                bytes: left.bytes,
                ratio: left.ratio,
                answer: ANSWER,
            },
        };
        let worked = call.examine(item.opened_as(), TIMEOUT, work).await;
        let unpacked = match worked {
            Ok(worked) => worked.reply,
            Err(_) if stop.is_cancelled() => return Err(Trouble::Cancelled),
            Err(error) => {
                taking.note(format!("not opened: {}", error.message));
                break;
            }
        };
        let next = unpacked
            .next
            .filter(|next| (next.entry, next.offset) > (from.entry, from.offset) && !unpacked.bomb);
        let written = tokio::task::spawn_blocking(move || {
            let went_well = taking.take(unpacked);
            (taking, went_well)
        });
        let (back, goes_on) = written
            .await
            .map_err(|error| Trouble::Unreadable(error.to_string()))?;
        taking = back;
        match next {
            Some(next) if goes_on? => from = next,
            Some(_) | None => break,
        }
    }
    Ok(taking.done())
}

/// The files that have come out so far.
#[derive(Debug)]
struct Taking {
    directory: PathBuf,
    archive: String,
    id: i64,
    left: Recursion,
    /// By their numbers in the archive.
    found: Vec<(u64, Found)>,
    names: HashMap<String, u64>,
    bytes: u64,
    notes: Vec<String>,
    bomb: bool,
}

impl Taking {
    fn new(directory: &Path, item: &Item, left: Recursion) -> Self {
        Self {
            directory: directory.to_path_buf(),
            archive: item.path.clone(),
            id: item.id,
            left,
            found: Vec::new(),
            names: HashMap::new(),
            bytes: 0,
            notes: Vec::new(),
            bomb: false,
        }
    }

    fn files(&self) -> u64 {
        u64::try_from(self.found.len()).unwrap_or(u64::MAX)
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(crate::text::escaped(&note).into_owned());
        }
    }

    /// Writes what has come; says whether there may be more. Blocking.
    fn take(&mut self, unpacked: Unpacked) -> Result<bool, Trouble> {
        let Unpacked {
            kind,
            pieces,
            next: _,
            notes,
            bomb,
        } = unpacked;
        self.bomb |= bomb;
        for note in notes.iter().take(16) {
            self.note(format!("{kind}: {note}"));
        }
        for piece in pieces {
            let length = u64::try_from(piece.data.len()).unwrap_or(u64::MAX);
            self.bytes = self.bytes.saturating_add(length);
            if self.bytes > self.left.bytes || self.files() > self.left.files {
                self.note("more came out of it than was asked for".to_owned());
                self.bomb = true;
                return Ok(false);
            }
            self.write(piece, length)?;
        }
        Ok(!bomb)
    }

    fn write(&mut self, piece: Piece, length: u64) -> Result<(), Trouble> {
        let Piece {
            entry,
            name,
            data,
            last: _,
        } = piece;
        let path = self.directory.join(format!("{}-{entry}", self.id));
        let begun = self
            .found
            .iter_mut()
            .rev()
            .find(|(number, _)| *number == entry);
        let written = match begun {
            Some((_, found)) => {
                found.size = found.size.saturating_add(length);
                OpenOptions::new().append(true).open(&path)
            }
            None => {
                let shown = self.shown(&name);
                self.found.push((
                    entry,
                    Found {
                        path: shown,
                        place: Some(escape_name(path.as_os_str())),
                        size: length,
                    },
                ));
                // A run that was killed may have left one.
                std::fs::File::create(&path)
            }
        }
        .and_then(|mut file| file.write_all(&data));
        written.map_err(|error| {
            Trouble::Unreadable(format!("a file out of it could not be written: {error}"))
        })
    }

    /// What a file is called: each name once.
    fn shown(&mut self, name: &[u8]) -> String {
        let name = escape_name(OsStr::from_bytes(name));
        let times = self.names.entry(name.clone()).or_default();
        *times += 1;
        let again = if *times > 1 {
            format!("#{times}")
        } else {
            String::new()
        };
        format!("{}{INSIDE}{name}{again}", self.archive)
    }

    fn done(self) -> Expanded {
        Expanded {
            files: self.found.into_iter().map(|(_, found)| found).collect(),
            notes: self.notes,
            bomb: self.bomb,
        }
    }
}
