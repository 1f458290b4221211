//! The worker's side: takes a request, maps the file, has the engine work, and
//! sends the reply. Runs in a process that can open and reach nothing.

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use reversecore_exec::worker::{Context, Mapping, serve};
use serde::{Deserialize, Serialize};

use super::{Trouble, Work};
use crate::tools;

/// All work that workers do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Strings(tools::strings::embedded::Search),
    Identify(tools::file::Identify),
    FileInfo(tools::file_info::Describe),
    Parse(tools::parse::Parse),
    Disassemble(tools::disassemble::Disassemble),
    Iocs(tools::iocs::Extract),
    Carve(tools::binwalk::embedded::Carve),
    Yara(tools::yara::embedded::Scan),
    Triage(tools::triage::Triage),
}

/// The file under analysis.
#[derive(Debug)]
pub(crate) struct File<'a> {
    mapping: &'a Mapping,
}

impl File<'_> {
    /// All its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.mapping.as_slice()
    }

    /// Its bytes in pieces, in order, of which at most two are in memory: a
    /// page that has been read is given back.
    pub(crate) fn pieces(&self, mut each: impl FnMut(&[u8])) {
        /// Large enough to hide the cost of giving pages back.
        const PIECE: usize = 4 << 20;
        let mut start = 0;
        for piece in self.bytes().chunks(PIECE) {
            each(piece);
            let end = start + piece.len();
            // A small file stays: mapping its pages again costs more.
            if self.mapping.size() > 4 * PIECE {
                self.mapping.release(start..end);
            }
            start = end;
        }
    }
}

/// What a worker keeps from job to job.
#[derive(Debug, Default)]
pub(crate) struct Resident {
    pub(crate) rules: tools::yara::embedded::RuleCache,
}

/// The main function of a worker process.
pub fn main() -> ExitCode {
    let mut resident = Resident::default();
    serve(move |context, payload, files| answer(context, payload, files, &mut resident))
}

fn answer(
    _context: &mut Context<'_>,
    payload: &[u8],
    files: Vec<OwnedFd>,
    resident: &mut Resident,
) -> Vec<u8> {
    let request: Request =
        postcard::from_bytes(payload).expect("requests come from the same executable");
    let mapping = match files.first().map(Mapping::of) {
        Some(Ok(mapping)) => mapping,
        Some(Err(error)) => return unreadable(&error.to_string()),
        None => return unreadable("no file came with the request"),
    };
    let mut file = File { mapping: &mapping };
    match request {
        Request::Strings(work) => perform(work, &mut file, resident),
        Request::Identify(work) => perform(work, &mut file, resident),
        Request::FileInfo(work) => perform(work, &mut file, resident),
        Request::Parse(work) => perform(work, &mut file, resident),
        Request::Disassemble(work) => perform(work, &mut file, resident),
        Request::Iocs(work) => perform(work, &mut file, resident),
        Request::Carve(work) => perform(work, &mut file, resident),
        Request::Yara(work) => perform(work, &mut file, resident),
        Request::Triage(work) => perform(work, &mut file, resident),
    }
}

fn perform<W: Work>(work: W, file: &mut File<'_>, resident: &mut Resident) -> Vec<u8> {
    encode(&work.perform(file, resident))
}

fn encode<R: Serialize>(reply: &Result<R, Trouble>) -> Vec<u8> {
    postcard::to_allocvec(reply).expect("replies are plain data")
}

fn unreadable(message: &str) -> Vec<u8> {
    encode::<()>(&Err(Trouble::Unreadable {
        message: message.to_owned(),
    }))
}
