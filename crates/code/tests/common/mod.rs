//! What the tests of this crate share: programs of the machine and their models.

use reversecore_analysis::binary::{ParseOptions, parse};
use reversecore_code::{Options, Program};

/// The model of a program in memory; `None` when it is none.
pub(crate) fn model(data: &[u8], options: &Options) -> Option<Program> {
    let parsed = parse(
        data,
        &ParseOptions {
            entropy: false,
            ..ParseOptions::default()
        },
    );
    let image = parsed.images.first()?;
    Program::analyze(data, image, options, &mut |_| true).ok()
}
