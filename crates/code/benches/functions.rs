//! How fast the functions of a program of about 10 MB are found, beside radare2
//! (`aa;aflj`, the whole process) on the same file in the same round; and how many
//! of the functions in a program's symbol table are found without it. Run by hand,
//! with a file for each as arguments or with those of the machine; asserts nothing.
//!
//! Times are CPU time, since other programs may share the machine. A part of
//! radare2's is its start: that is measured too.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench compares with a program, and prints a table"
)]

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use reversecore_analysis::binary::{ParseOptions, SymbolKind, parse};
use reversecore_code::{Kind, Options, Program, diff};
use rustix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 5;

fn main() {
    let mut paths = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'));
    let path = paths.next().unwrap_or_else(|| "/usr/bin/gdb".to_owned());
    let with_symbols = paths.next().unwrap_or_else(linker);
    found_without_symbols(&with_symbols);
    let data = std::fs::read(&path).expect("the file can be read");
    let model = || {
        let options = ParseOptions {
            entropy: false,
            ..ParseOptions::default()
        };
        let parsed = parse(&data, &options);
        let image = parsed.images.first().expect("the file is a program");
        Program::analyze(&data, image, &Options::default(), &mut |_| true)
            .expect("there is a decoder")
    };
    let program = model();
    println!("| program | bytes | functions | blocks | references | model, KB |");
    println!("|---|---|---|---|---|---|");
    println!(
        "| {} | {} | {} | {} | {} | {} |",
        name(&path),
        data.len(),
        program.functions().len(),
        program
            .functions()
            .iter()
            .map(|one| one.block_count())
            .sum::<usize>(),
        program.references().all().len(),
        program.memory() / 1024,
    );
    let radare2 = |commands: &str| {
        let before = children();
        let status = Command::new("r2")
            .args([
                "-q",
                "-N",
                "-e",
                "scr.color=0",
                "-e",
                "log.level=0",
                "-c",
                commands,
            ])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.expect("radare2 is installed").success());
        children() - before
    };
    let ours = |run: &dyn Fn()| {
        let before = own();
        run();
        own() - before
    };
    let mut rows: [(&str, Vec<f64>); 4] = [
        ("radare2 aa;aflj", Vec::new()),
        ("radare2 start", Vec::new()),
        ("parse and analyze", Vec::new()),
        ("diff with itself", Vec::new()),
    ];
    for _ in 0..ROUNDS {
        let times = [
            radare2("aa;aflj"),
            radare2("s"),
            ours(&|| drop(std::hint::black_box(model()))),
            ours(&|| {
                std::hint::black_box(diff(&program, &program, 100, &mut |_| true));
            }),
        ];
        for ((_, row), time) in rows.iter_mut().zip(times) {
            row.push(time);
        }
    }
    let mut reference = None;
    println!("\n| what | ms | radare2 / this |");
    println!("|---|---|---|");
    for (name, times) in &mut rows {
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let reference = *reference.get_or_insert(median);
        println!(
            "| {name} | {:.1} | {:.1} |",
            median * 1e3,
            reference / median
        );
    }
}

/// The last part of a path.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A program of 11 MB with symbols that comes with the compiler.
fn linker() -> String {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir"])
        .output();
    let library = output.expect("the compiler is installed").stdout;
    let library = String::from_utf8_lossy(&library);
    format!("{}/../bin/rust-lld", library.trim())
}

/// Compares the functions of a copy without symbols with the symbols.
fn found_without_symbols(path: &str) {
    let directory = tempfile::tempdir().expect("there is room for a copy");
    let stripped = directory.path().join("stripped");
    let status = Command::new("strip")
        .arg("-o")
        .arg(&stripped)
        .arg(path)
        .status();
    assert!(status.expect("binutils is installed").success());
    let parsed = |path: &std::path::Path| {
        let data = std::fs::read(path).expect("the file can be read");
        let mut parsed = parse(&data, &ParseOptions::default());
        (parsed.images.swap_remove(0), data)
    };
    let (named, _) = parsed(path.as_ref());
    let (bare, data) = parsed(&stripped);
    let truth: BTreeSet<u64> = named
        .symbols
        .iter()
        .filter(|symbol| symbol.kind == SymbolKind::Function && !symbol.undefined)
        .map(|symbol| symbol.address)
        .collect();
    let program = Program::analyze(&data, &bare, &Options::default(), &mut |_| true)
        .expect("there is a decoder");
    // Stubs of imports have no symbols.
    let found: BTreeSet<u64> = program
        .functions()
        .iter()
        .filter(|function| function.kind != Kind::ImportThunk)
        .map(|function| function.address)
        .collect();
    let right = found.intersection(&truth).count();
    println!(
        "| without its symbols | functions with symbols | found | right | recall | precision |"
    );
    println!("|---|---|---|---|---|---|");
    println!(
        "| {} | {} | {} | {right} | {:.4} | {:.4} |\n",
        name(path),
        truth.len(),
        found.len(),
        right as f64 / truth.len() as f64,
        right as f64 / found.len() as f64,
    );
}

fn own() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU time of programs that have ended, in seconds.
fn children() -> f64 {
    // Fields 16 and 17 of `stat`, in ticks of 1/100 s; the name may have spaces.
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has it");
    let rest = stat.rsplit(") ").next().unwrap_or_default();
    let mut fields = rest.split_whitespace().skip(13);
    let mut next = || fields.next().and_then(|text| text.parse::<f64>().ok());
    next().unwrap_or_default() / 100.0 + next().unwrap_or_default() / 100.0
}
