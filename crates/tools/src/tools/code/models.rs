//! The models of programs that a worker keeps. Making one costs from
//! milliseconds to minutes; every question after that is answered from it.

use std::cell::RefCell;

use reversecore_analysis::Warnings;
use reversecore_analysis::binary::{self, Image, ParseOptions};
use reversecore_code::{Options, Program};
use reversecore_decompile::Decompiler;

use crate::embedded::Trouble;
use crate::embedded::worker::{File, Stage};

/// Models of one worker, and bytes of all of them; beyond, the one used longest
/// ago goes. One alone may be larger.
const MOST_MODELS: usize = 8;
const MOST_BYTES: u64 = 320 << 20;
/// Of the time of a call, the analysis gets so much; the rest is for the
/// question and the way.
const SHARE: f64 = 0.8;
/// Code is decoded about so many times over.
const PASSES: u64 = 4;

/// Names the content of a file.
pub(crate) type Key = [u8; 32];

/// A program, and its headers.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) program: Program,
    pub(crate) image: Image,
    /// What was strange about either.
    pub(crate) warnings: Warnings,
    /// Made when the first of its functions is to be decompiled.
    pub(crate) decompiler: RefCell<Option<Decompiler>>,
}

impl Model {
    /// An estimate of the bytes that it holds.
    fn memory(&self) -> u64 {
        fn named<T>(list: &[T], name: impl Fn(&T) -> Option<&str>) -> usize {
            let names = list.iter().filter_map(|one| name(one).map(str::len));
            size_of_val(list) + names.sum::<usize>()
        }
        let image = &self.image;
        let lists = named(&image.imports, |import| import.name.as_deref())
            + named(&image.exports, |export| export.name.as_deref())
            + named(&image.symbols, |symbol| Some(&symbol.name));
        let decompiler = self.decompiler.borrow();
        let decompiler = decompiler.as_ref().map_or(0, Decompiler::memory);
        (self.program.memory() + lists as u64).saturating_add(decompiler)
    }
}

/// The models of a worker, the last used one last.
#[derive(Debug, Default)]
pub(crate) struct Models(Vec<(Key, Model)>);

impl Models {
    /// The model of each of the job's files, which have these keys; made where it
    /// is not there.
    pub(super) fn of(
        &mut self,
        keys: &[Key],
        file: &mut File<'_, '_>,
    ) -> Result<Vec<&Model>, Trouble> {
        // One that ran out of time answered that question and no other.
        self.0
            .retain(|(_, model)| model.program.coverage().stopped.is_none());
        for (number, key) in keys.iter().enumerate() {
            let known = self.0.iter().position(|(known, _)| known == key);
            let entry = match known {
                Some(place) => self.0.remove(place),
                None => (*key, make(file, number, keys.len())?),
            };
            self.make_room(entry.1.memory(), keys);
            self.0.push(entry);
        }
        let model = |key: &Key| self.0.iter().rev().find(|(known, _)| known == key);
        Ok(keys
            .iter()
            .filter_map(|key| model(key).map(|(_, model)| model))
            .collect())
    }

    /// Gives up what was used longest ago, but none of those that are asked for.
    fn make_room(&mut self, bytes: u64, asked: &[Key]) {
        let held = |models: &Self| {
            let all = models.0.iter().map(|(_, model)| model.memory());
            all.sum::<u64>().saturating_add(bytes)
        };
        while self.0.len() >= MOST_MODELS || held(self) > MOST_BYTES {
            let Some(oldest) = self.0.iter().position(|(key, _)| !asked.contains(key)) else {
                return;
            };
            self.0.remove(oldest);
        }
    }
}

/// Makes the model of one of the job's files.
fn make(file: &mut File<'_, '_>, number: usize, of: usize) -> Result<Model, Trouble> {
    let bytes = file.bytes_of(number);
    let options = ParseOptions {
        entropy: false,
        ..ParseOptions::default()
    };
    let parsed = binary::parse(bytes, &options);
    let refused = |reason: String| Trouble::Parameter {
        name: if number == 0 {
            "file_path"
        } else {
            "other_path"
        }
        .to_owned(),
        reason,
    };
    let stage = Stage {
        name: "analysing the program",
        part: (0.0, 1.0),
        share: SHARE / of as f64 * (number + 1) as f64,
    };
    let total = (bytes.len() as u64).saturating_mul(PASSES);
    let mut unknown = None;
    for image in parsed.images {
        let mut watch = file.watch_work(stage, total);
        match Program::analyze(bytes, &image, &Options::default(), &mut watch) {
            Ok(program) => {
                let mut warnings = parsed.warnings;
                warnings.extend(program.warnings().clone());
                return Ok(Model {
                    program,
                    image,
                    warnings,
                    decompiler: RefCell::new(None),
                });
            }
            Err(error) => unknown = Some(error.to_string()),
        }
    }
    Err(refused(unknown.unwrap_or_else(|| {
        "is no executable of a known format (PE, ELF, Mach-O)".to_owned()
    })))
}
