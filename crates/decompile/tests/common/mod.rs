//! What the tests of this crate share: programs, their models and decompilers.

use reversecore_analysis::binary::{Image, ParseOptions, parse};
use reversecore_code::{Options, Program};
use reversecore_decompile::{Decompiled, Decompiler, Failure};

/// The stack that a worker has.
const STACK: usize = 16 << 20;
/// No function takes so many steps; what takes more is ended.
const MOST_STEPS: u64 = 20_000;

/// A program with everything that belongs to it.
pub(crate) struct Subject {
    pub(crate) program: Program,
    pub(crate) decompiler: Decompiler,
}

/// The headers and the model of a program in memory; `None` when it is none.
pub(crate) fn model(data: &[u8]) -> Option<(Image, Program)> {
    let parsed = parse(
        data,
        &ParseOptions {
            entropy: false,
            ..ParseOptions::default()
        },
    );
    let image = parsed.images.into_iter().next()?;
    let program = Program::analyze(data, &image, &Options::default(), &mut |_| true).ok()?;
    Some((image, program))
}

impl Subject {
    pub(crate) fn of(data: &[u8]) -> Option<Self> {
        let (image, program) = model(data)?;
        let decompiler = Decompiler::new(data, &image, &program).ok()?;
        Some(Self {
            program,
            decompiler,
        })
    }

    pub(crate) fn decompile(&mut self, function: &str) -> Result<Decompiled, Failure> {
        self.within(function, &reversecore_decompile::Options::default())
    }

    pub(crate) fn within(
        &mut self,
        function: &str,
        options: &reversecore_decompile::Options,
    ) -> Result<Decompiled, Failure> {
        let function = self.program.find(function).expect("the function is found");
        self.decompiler
            .decompile(&self.program, function, options, &mut |step| {
                step < MOST_STEPS
            })
    }
}

/// Runs a test with a worker's stack.
pub(crate) fn in_worker(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK);
        let running = builder.spawn_scoped(scope, test).expect("a thread starts");
        if let Err(panic) = running.join() {
            std::panic::resume_unwind(panic);
        }
    });
}
