//! The worker's side: takes a request, maps the file, has the engine work, and
//! sends the reply. Runs in a process that can open and reach nothing.

use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;

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
    Read(tools::bytes::Read),
    Compare(tools::compare::Compare),
    Iocs(tools::iocs::Extract),
    Carve(tools::binwalk::embedded::Carve),
    Yara(tools::yara::embedded::Scan),
    Triage(tools::triage::Triage),
    Code(tools::code::question::Ask),
    Unpack(crate::batch::unpack::Unpack),
}

/// Of the time that is left, so much may be spent before work ends with what it
/// has: the rest is for the way to the caller. Past its time a worker is killed,
/// and what it has found with it.
const SPENT_AT_MOST: f64 = 0.9;
/// And so much at least is left for it, out of the half of a short time: a busy
/// machine does not run a worker the moment it should look at its clock.
const LEFT_AT_LEAST: Duration = Duration::from_millis(300);

/// Of the time that is left, what work may take.
fn spendable(left: Duration) -> Duration {
    let reserve = LEFT_AT_LEAST.min(left / 2);
    left.mul_f64(SPENT_AT_MOST)
        .min(left.saturating_sub(reserve))
}

/// The file under analysis, and the clock that it is analysed by.
#[derive(Debug)]
pub(crate) struct File<'a, 'c> {
    mapping: &'a Mapping,
    others: &'a [Mapping],
    context: &'a mut Context<'c>,
    stops: Vec<Stop>,
}

/// A part of the work that takes long on a large file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    /// What is being done, for progress messages and warnings.
    pub(crate) name: &'static str,
    /// Which part of all work this is, from 0 to 1.
    pub(crate) part: (f64, f64),
    /// The share of the time left that it may take.
    pub(crate) share: f64,
}

/// Work that was ended for want of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stop {
    /// Of which stage.
    pub(crate) stage: String,
    /// What lies from here on was not looked at.
    pub(crate) offset: u64,
}

impl Stage {
    /// The only stage of some work.
    pub(crate) fn only(name: &'static str) -> Self {
        Self {
            name,
            part: (0.0, 1.0),
            share: 1.0,
        }
    }
}

impl<'a> File<'a, '_> {
    /// All its bytes.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.mapping.as_slice()
    }

    /// All bytes of one of the files that came: this one is number 0.
    pub(crate) fn bytes_of(&self, number: usize) -> &'a [u8] {
        self.mapping_of(number).map_or(&[], Mapping::as_slice)
    }

    fn mapping_of(&self, number: usize) -> Option<&'a Mapping> {
        match number.checked_sub(1) {
            None => Some(self.mapping),
            Some(other) => self.others.get(other),
        }
    }

    /// How long an engine with a clock of its own may take.
    pub(crate) fn time(&self) -> Duration {
        spendable(self.context.time_left())
    }

    /// What an engine is watched by: tells the caller how far it has got, and
    /// ends it when the stage's time is over.
    pub(crate) fn watch(&mut self, stage: Stage) -> impl FnMut(u64) -> bool {
        self.watch_of(stage, self.mapping.size() as u64)
    }

    fn watch_of(&mut self, stage: Stage, size: u64) -> impl FnMut(u64) -> bool {
        let left = self.context.time_left();
        let spent = spendable(left).mul_f64(stage.share.clamp(0.0, 1.0));
        // What is to be left when the stage ends.
        let reserve = left.saturating_sub(spent);
        move |done| self.goes_on(stage, done, size, reserve)
    }

    /// The same for work that is measured in something else than bytes of the
    /// file; `total` is about how much there is. What was ended for want of time
    /// says so itself.
    pub(crate) fn watch_work(&mut self, stage: Stage, total: u64) -> impl FnMut(u64) -> bool {
        let left = self.context.time_left();
        let spent = spendable(left).mul_f64(stage.share.clamp(0.0, 1.0));
        let reserve = left.saturating_sub(spent);
        move |done| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "how far it is needs no more than a few digits"
            )]
            let fraction = done as f64 / total.max(1) as f64;
            self.context.progress(Some(fraction.min(0.99)), stage.name);
            self.context.time_left() > reserve
        }
    }

    fn goes_on(&mut self, stage: Stage, done: u64, size: u64, reserve: Duration) -> bool {
        if done >= size {
            return true;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "how far it is needs no more than a few digits"
        )]
        let fraction = done as f64 / size as f64;
        let (from, to) = stage.part;
        let overall = from + (to - from) * fraction;
        self.context.progress(Some(overall), stage.name);
        let goes_on = self.context.time_left() > reserve;
        if !goes_on {
            self.stops.push(Stop {
                stage: stage.name.to_owned(),
                offset: done,
            });
        }
        goes_on
    }

    /// Its bytes in pieces, in order, of which at most two are in memory: a
    /// page that has been read is given back. Says whether all were read; the
    /// time may run out before.
    pub(crate) fn pieces(&mut self, stage: Stage, each: impl FnMut(&[u8])) -> bool {
        self.pieces_of(0, stage, each)
    }

    /// The same of one of the files that came: this one is number 0.
    pub(crate) fn pieces_of(
        &mut self,
        number: usize,
        stage: Stage,
        mut each: impl FnMut(&[u8]),
    ) -> bool {
        /// Large enough to hide the cost of giving pages back.
        const PIECE: usize = 4 << 20;
        let Some(mapping) = self.mapping_of(number) else {
            return true;
        };
        let small = mapping.size() <= PIECE;
        let mut start = 0;
        let mut done = 0;
        let mut watch = self.watch_of(stage, mapping.size() as u64);
        for piece in mapping.as_slice().chunks(PIECE) {
            each(piece);
            let end = start + piece.len();
            // A small file stays: mapping its pages again costs more.
            if mapping.size() > 4 * PIECE {
                mapping.release(start..end);
            }
            start = end;
            done += piece.len() as u64;
            if !small && !watch(done) {
                return false;
            }
        }
        true
    }
}

/// What a worker keeps from job to job.
#[derive(Debug, Default)]
pub(crate) struct Resident {
    pub(crate) rules: tools::yara::embedded::RuleCache,
    pub(crate) models: tools::code::models::Models,
}

/// The main function of a worker process.
pub fn main() -> ExitCode {
    let mut resident = Resident::default();
    serve(move |context, payload, files| answer(context, payload, files, &mut resident))
}

fn answer(
    context: &mut Context<'_>,
    payload: &[u8],
    files: Vec<OwnedFd>,
    resident: &mut Resident,
) -> Vec<u8> {
    let request: Request =
        postcard::from_bytes(payload).expect("requests come from the same executable");
    let mappings: Result<Vec<Mapping>, _> = files.iter().map(Mapping::of).collect();
    let mappings = match mappings {
        Ok(mappings) => mappings,
        Err(error) => return unreadable(&error.to_string()),
    };
    let Some((mapping, others)) = mappings.split_first() else {
        return unreadable("no file came with the request");
    };
    let mut file = File {
        mapping,
        others,
        context,
        stops: Vec::new(),
    };
    match request {
        Request::Strings(work) => perform(work, &mut file, resident),
        Request::Identify(work) => perform(work, &mut file, resident),
        Request::FileInfo(work) => perform(work, &mut file, resident),
        Request::Parse(work) => perform(work, &mut file, resident),
        Request::Disassemble(work) => perform(work, &mut file, resident),
        Request::Read(work) => perform(work, &mut file, resident),
        Request::Compare(work) => perform(work, &mut file, resident),
        Request::Iocs(work) => perform(work, &mut file, resident),
        Request::Carve(work) => perform(work, &mut file, resident),
        Request::Yara(work) => perform(work, &mut file, resident),
        Request::Triage(work) => perform(work, &mut file, resident),
        Request::Code(work) => perform(work, &mut file, resident),
        Request::Unpack(work) => perform(work, &mut file, resident),
    }
}

fn perform<W: Work>(work: W, file: &mut File<'_, '_>, resident: &mut Resident) -> Vec<u8> {
    let reply = work.perform(file, resident);
    encode(&reply.map(|reply| (reply, std::mem::take(&mut file.stops))))
}

fn encode<R: Serialize>(reply: &Result<(R, Vec<Stop>), Trouble>) -> Vec<u8> {
    postcard::to_allocvec(reply).expect("replies are plain data")
}

fn unreadable(message: &str) -> Vec<u8> {
    encode::<()>(&Err(Trouble::Unreadable {
        message: message.to_owned(),
    }))
}
