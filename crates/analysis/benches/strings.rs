//! How fast strings are found in 100 MB of program code, beside GNU `strings`
//! on the same bytes in the same round. Run by hand; asserts nothing.
//!
//! Times are CPU time of one core, since other programs may share the machine.
//! Reading alone is measured too: nothing can be faster than that.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench compares with a program, and prints a table"
)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use reversecore_analysis::strings::{Encoding, Options, scan};

const SIZE: usize = 100 << 20;
const ROUNDS: usize = 9;

fn main() {
    let code = program_code();
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    file.write_all(&code).expect("there is room for 100 MB");
    let gnu = |encoding| {
        let before = cpu_of_children();
        let status = Command::new("strings")
            .args(["-a", "-n", "4", "-e", encoding])
            .arg(file.path())
            .env("LC_ALL", "C")
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("GNU strings is installed").success());
        cpu_of_children() - before
    };
    let ours = |encodings: &[Encoding]| {
        let options = Options {
            encodings: encodings.to_vec(),
            ..Options::default()
        };
        let before = cpu();
        let mut bytes = 0_u64;
        scan(&code, &options, |found| bytes += found.length);
        std::hint::black_box(bytes);
        cpu() - before
    };
    let read = || {
        let before = cpu();
        let (words, _) = code.as_chunks::<8>();
        let sum = words
            .iter()
            .fold(0, |sum, word| sum ^ u64::from_le_bytes(*word));
        std::hint::black_box(sum);
        cpu() - before
    };
    let all = [
        Encoding::Ascii,
        Encoding::Utf8,
        Encoding::Utf16Le,
        Encoding::Utf16Be,
        Encoding::EightBit,
    ];
    let rows: [(&str, &dyn Fn() -> f64); 6] = [
        ("GNU strings -n 4", &|| gnu("s")),
        ("ASCII", &|| ours(&[Encoding::Ascii])),
        ("ASCII, UTF-16LE", &|| {
            ours(&[Encoding::Ascii, Encoding::Utf16Le])
        }),
        ("ASCII, UTF-8", &|| ours(&[Encoding::Ascii, Encoding::Utf8])),
        ("all five", &|| ours(&all)),
        ("reading alone", &read),
    ];
    let mut times = rows.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((_, run), times) in rows.iter().zip(&mut times) {
            times.push(run());
        }
    }
    let mut reference = None;
    println!("| encodings | ms | GB/s | times GNU |");
    println!("|---|---|---|---|");
    for ((name, _), mut times) in rows.into_iter().zip(times) {
        times.sort_by(f64::total_cmp);
        let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
        let reference = *reference.get_or_insert(median);
        let speed = code.len() as f64 / median / 1e9;
        println!(
            "| {name} | {:.1} | {speed:.2} | {:.1} |",
            median * 1e3,
            reference / median
        );
    }
}

/// Programs and libraries of this machine, one after the other.
fn program_code() -> Vec<u8> {
    let mut code = Vec::with_capacity(SIZE);
    for directory in ["/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/lib"] {
        let Ok(entries) = std::fs::read_dir(directory) else {
            continue;
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.to_string_lossy();
            if path.is_file() && (directory == "/usr/bin" || name.contains(".so")) {
                code.extend(std::fs::read(&path).unwrap_or_default());
            }
            if code.len() >= SIZE {
                code.truncate(SIZE);
                return code;
            }
        }
    }
    code
}

/// CPU time of this thread so far, in seconds.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU time of the programs that have ended, in seconds: fields 16 and 17 of
/// proc(5)'s stat, in hundredths. Too coarse for anything but a slow program.
fn cpu_of_children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    let ticks = fields.split_ascii_whitespace().skip(13).take(2);
    let ticks = ticks.filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
