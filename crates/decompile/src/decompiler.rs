//! One program in the decompiler, and how a function of it becomes a report.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ghidra_decompiler::architecture::Architecture;
use ghidra_decompiler::error::Error;
use reversecore_analysis::Watch;
use reversecore_analysis::binary::{Format, Image};
use reversecore_code::{Function, Program};

use crate::builder;
use crate::context::{Context, Places};
use crate::image::{self, Bytes, View};
use crate::language::Language;
use crate::report::{Cut, Decompiled, Failure, Options, Unsupported};
use crate::results;
use crate::run::{self, Ran, Task};
use crate::symbols::{APART, Teller, code};

/// What one holds besides the bytes of its program, in bytes: the description of
/// the processor.
const BASE: u64 = 24 << 20;
/// Characters of the decompiler's words that are passed on.
const LONGEST_MESSAGE: usize = 200;
/// What is said where a flow was kept within a function.
const LEADS_OUT: &str = "control seems to lead out of the function, into other functions or data; what lies outside is left out";
/// The size of the smallest instruction, in bytes.
const LEAST_BYTES: u64 = 1;
/// Numbers below are numbers, whatever lies there.
const LOWEST_ADDRESS: u64 = 0x1000;

/// A program that functions can be decompiled of. It has a copy of the
/// program's bytes, so it can be kept when the file is gone.
pub struct Decompiler {
    language: Language,
    bytes: Arc<Bytes>,
    places: Places,
    outside: Option<u64>,
    wide: bool,
    /// Given up after a fault, and made again.
    architecture: Option<Box<Architecture>>,
}

impl fmt::Debug for Decompiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompiler")
            .field("language", &self.language.id)
            .finish_non_exhaustive()
    }
}

impl Decompiler {
    /// For a program, which is an image of the file `data`.
    ///
    /// # Errors
    /// When its processor is not known.
    pub fn new(data: &[u8], image: &Image, program: &Program) -> Result<Self, Unsupported> {
        let language = Language::of(image)?;
        let limit = if language.pointer == 8 {
            u64::MAX
        } else {
            u64::from(u32::MAX)
        };
        let count = program.imports().len() as u64;
        Ok(Self {
            bytes: Arc::new(Bytes::of(data, program, language.pointer)),
            places: Places::of(image, program),
            outside: image::outside(program.memory_map(), count, APART, limit),
            wide: image.format == Format::Pe,
            architecture: None,
            language,
        })
    }

    /// An estimate of the bytes that it holds.
    pub fn memory(&self) -> u64 {
        BASE.saturating_add(self.bytes.memory())
    }

    /// A function of the program as C.
    ///
    /// `watch` is asked between the steps of the work; when it says no, there is
    /// no text.
    ///
    /// # Errors
    /// When there is no text.
    pub fn decompile(
        &mut self,
        program: &Program,
        function: &Function,
        options: &Options,
        watch: Watch<'_>,
    ) -> Result<Decompiled, Failure> {
        let attempt = AssertUnwindSafe(|| self.attempt(program, function, options, watch));
        let result = catch_unwind(attempt).unwrap_or_else(|payload| {
            Err(Failure::Fault {
                message: cut_message(said(payload.as_ref())),
            })
        });
        if result.is_err() {
            // Whatever it was in the middle of.
            self.architecture = None;
        }
        result
    }

    fn attempt(
        &mut self,
        program: &Program,
        function: &Function,
        options: &Options,
        watch: Watch<'_>,
    ) -> Result<Decompiled, Failure> {
        let most = options.most_instructions.max(1);
        if function.instructions > most {
            let (part, _) = self.part(program, function, most, watch)?;
            return Ok(self.report(program, function, options, part, true));
        }
        let mut architecture = match self.architecture.take() {
            Some(architecture) => architecture,
            None => self.build(None).map_err(gave_up)?,
        };
        architecture.max_instructions = most.min(expected(function));
        match self.work(&mut architecture, program, function, watch) {
            Ok(ran) => {
                self.architecture = Some(architecture);
                Ok(self.report(program, function, options, ran, false))
            }
            // Flow that leads out of the function, into data or zeros.
            Err(Ended::TooMany) => {
                // It was told nothing that stays.
                self.architecture = Some(architecture);
                let (mut part, whole) = self.part(program, function, most, watch)?;
                part.warnings.push(LEADS_OUT.to_owned());
                Ok(self.report(program, function, options, part, !whole))
            }
            Err(Ended::Failed(failure)) => Err(failure),
        }
    }

    /// Those of a function's blocks that have no more than so many instructions
    /// together, and whether these are all. Nothing else is taken for code.
    fn part(
        &self,
        program: &Program,
        function: &Function,
        most: u32,
        watch: Watch<'_>,
    ) -> Result<(Ran, bool), Failure> {
        let blocks = program.blocks(function);
        let entry = blocks.partition_point(|block| block.start < function.address);
        // What lies before the entry is what the compiler took to be rare.
        let (before, after) = blocks.split_at_checked(entry).unwrap_or((&[], blocks));
        let mut room = u64::from(most);
        let mut within = Vec::new();
        for block in after.iter().chain(before) {
            let Some(left) = room.checked_sub(u64::from(block.instructions)) else {
                break;
            };
            room = left;
            within.push((block.start, block.end()));
        }
        let whole = within.len() == blocks.len();
        if within.is_empty() {
            // A block alone is too large; its begin is taken.
            let size = u64::from(most).saturating_mul(LEAST_BYTES);
            within.push((function.address, function.address.saturating_add(size)));
        }
        within.sort_unstable();
        let mut architecture = self.build(Some(within)).map_err(gave_up)?;
        // Blocks can overlap.
        architecture.max_instructions = most.saturating_mul(2);
        match self.work(&mut architecture, program, function, watch) {
            Ok(ran) => Ok((ran, whole)),
            Err(Ended::TooMany) => Err(Failure::GaveUp {
                message: "the function goes on without end".to_owned(),
            }),
            Err(Ended::Failed(failure)) => Err(failure),
        }
    }

    fn build(&self, within: Option<Vec<(u64, u64)>>) -> Result<Box<Architecture>, Error> {
        let view = View::new(&self.bytes, within);
        let mut architecture = builder::build(&self.language, view)?;
        run::step_by_step(&mut architecture)?;
        Ok(architecture)
    }

    fn work(
        &self,
        architecture: &mut Architecture,
        program: &Program,
        function: &Function,
        watch: Watch<'_>,
    ) -> Result<Ran, Ended> {
        let teller = Teller {
            program,
            places: &self.places,
            bytes: &self.bytes,
            language: &self.language,
            outside: self.outside,
            wide: self.wide,
        };
        let mut context = Context::of(program, function, &self.places);
        let mut ends = context.tail_calls.clone();
        ends.extend(&context.last_calls);
        // Once more when the text shows addresses that the model did not have.
        let mut again = self.language.hides_addresses();
        let mut result = None;
        let mut first = true;
        loop {
            let told = teller.tell(architecture, function, &context, result.as_ref())?;
            let address = code(architecture, function.address)?;
            let translator = architecture.translator()?;
            if translator.instruction_length(&address).is_err() {
                let address = function.address;
                return Err(Ended::Failed(Failure::NoCode { address }));
            }
            let task = Task {
                symbol: told.function,
                ends: &ends,
                addresses: again,
                pointer: self.language.pointer,
            };
            let ran = run::run(architecture, &task, watch);
            told.forget(architecture)?;
            let ran = ran?.ok_or(Ended::Failed(Failure::OutOfTime))?;
            let mut news = false;
            for &address in &ran.addresses {
                let plausible = address >= LOWEST_ADDRESS && self.bytes.has(address);
                news |= plausible && context.address(program, &self.places, address);
            }
            if first && ran.no_result && function.returns {
                // Without an answer it stays as it is.
                result = results::outcome(&teller, architecture, function).unwrap_or_default();
            }
            if !first || !(news || result.is_some()) {
                return Ok(ran);
            }
            first = false;
            again = false;
        }
    }

    fn report(
        &self,
        program: &Program,
        function: &Function,
        options: &Options,
        ran: Ran,
        partial: bool,
    ) -> Decompiled {
        let Ran {
            text,
            mut warnings,
            addresses: _,
            no_result: _,
        } = ran;
        let (text, cut_off) = cut(text, options.most_text);
        if self.bytes.left_out() > 0 {
            warnings.push(format!(
                "{} bytes of the program were not looked at: it is too large",
                self.bytes.left_out()
            ));
        }
        Decompiled {
            name: program.name(function).into_owned(),
            address: function.address,
            size: function.size,
            instructions: function.instructions,
            text,
            cut: match (partial, cut_off) {
                (true, _) => Some(Cut::Instructions),
                (false, true) => Some(Cut::Text),
                (false, false) => None,
            },
            warnings,
        }
    }
}

/// How work ends without a text.
enum Ended {
    /// More instructions than were allowed.
    TooMany,
    Failed(Failure),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        if run::is_too_many(&error) {
            Self::TooMany
        } else {
            Self::Failed(gave_up(error))
        }
    }
}

/// How many instructions a function may turn out to have. A flow that goes on
/// for longer has left it: behind a call that does not return, say.
fn expected(function: &Function) -> u32 {
    // What is not known of one can be the cases of a switch.
    let (factor, more) = if function.complete {
        (2, 100)
    } else {
        (20, 1000)
    };
    let known = function.instructions.saturating_mul(factor);
    known.saturating_add(more)
}

/// The whole lines of a text that have room, and whether there are more.
fn cut(text: String, most: usize) -> (String, bool) {
    let text = text.trim().to_owned() + "\n";
    if text.len() <= most {
        return (text, false);
    }
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        if kept.len().saturating_add(line.len()) > most {
            break;
        }
        kept.push_str(line);
    }
    (kept, true)
}

fn gave_up(error: Error) -> Failure {
    Failure::GaveUp {
        message: cut_message(error.explain()),
    }
}

fn cut_message(message: &str) -> String {
    message.chars().take(LONGEST_MESSAGE).collect()
}

/// What was said in a panic.
fn said(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_behind_a_line() {
        let text = "\none\ntwo\nthree\n\n".to_owned();
        assert_eq!(
            cut(text.clone(), 100),
            ("one\ntwo\nthree\n".to_owned(), false)
        );
        assert_eq!(cut(text.clone(), 9), ("one\ntwo\n".to_owned(), true));
        assert_eq!(cut(text, 2), (String::new(), true));
    }
}
