//! How long the functions of a program take, one after the other in a warm
//! decompiler, as a worker has it. Run by hand, with the file as argument or
//! with `/bin/ls`; asserts nothing.
//!
//! Times are CPU time of one core, since other programs may share the machine.

#![expect(clippy::print_stdout, reason = "a bench prints a table")]

use reversecore_analysis::binary::{ParseOptions, parse};
use reversecore_code::{Options, Program};
use reversecore_decompile::Decompiler;
use rustix::time::{ClockId, clock_gettime};

/// The stack that a worker has.
const STACK: usize = 16 << 20;

fn main() {
    let bench = std::thread::Builder::new().stack_size(STACK).spawn(bench);
    let ended = bench.expect("a thread starts").join();
    ended.expect("the bench comes to its end");
}

fn bench() {
    let path = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))
        .unwrap_or_else(|| "/bin/ls".to_owned());
    let data = std::fs::read(&path).expect("the file can be read");
    let options = ParseOptions {
        entropy: false,
        ..ParseOptions::default()
    };
    let parsed = parse(&data, &options);
    let image = parsed.images.first().expect("the file is a program");
    let program = Program::analyze(&data, image, &Options::default(), &mut |_| true)
        .expect("there is a decoder");
    let options = reversecore_decompile::Options::default();
    let before = now();
    let mut decompiler = Decompiler::new(&data, image, &program).expect("it can be decompiled");
    if let Some(first) = program.functions().first() {
        drop(decompiler.decompile(&program, first, &options, &mut |_| true));
    }
    let cold = now() - before;
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    let mut cut = 0;
    for function in program.functions() {
        let before = now();
        match decompiler.decompile(&program, function, &options, &mut |_| true) {
            Ok(found) => cut += usize::from(found.cut.is_some()),
            Err(error) => failures.push(format!("{:#x}: {error}", function.address)),
        }
        rows.push((now() - before, function.instructions, function.address));
    }
    rows.sort_by(|left, right| left.0.total_cmp(&right.0));
    let at = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a short list"
        )]
        let place = (rows.len() as f64 * part) as usize;
        rows.get(place.min(rows.len().saturating_sub(1)))
            .map_or(0.0, |row| row.0 * 1e3)
    };
    let total: f64 = rows.iter().map(|row| row.0).sum();
    println!("| {path} | measured |");
    println!("|---|---|");
    for (name, value) in [
        ("functions", rows.len()),
        ("functions that fail", failures.len()),
        ("functions that are cut", cut),
    ] {
        println!("| {name} | {value} |");
    }
    for (name, value) in [
        ("first function of the program", cold * 1e3),
        ("a function, median", at(0.5)),
        ("a function, 90 % take less than", at(0.9)),
        ("the slowest function", at(1.0)),
        ("all functions", total * 1e3),
    ] {
        println!("| {name} | {value:.2} ms |");
    }
    println!("| resident memory | {} MB |\n", resident() >> 20);
    for (time, instructions, address) in rows.iter().rev().take(3) {
        println!(
            "{address:#x}: {instructions} instructions, {:.1} ms",
            time * 1e3
        );
    }
    for failure in failures.iter().take(10) {
        println!("failed: {failure}");
    }
}

fn now() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Bytes of memory in use.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}
