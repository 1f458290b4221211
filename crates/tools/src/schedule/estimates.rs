//! What each engine is taken to use before it has been seen on this machine.
//! Measured on two processors of 2024 with system binaries of 10 KB to 100 MB,
//! rounded up; what is measured here soon takes over.

use std::time::Duration;

use reversecore_jobs::Estimate;

const MIB: u64 = 1 << 20;

/// What does the work of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// What it uses is learned under this name.
    pub(crate) engine: &'static str,
    /// What it is taken to use before it has been seen.
    pub(crate) estimate: Estimate,
}

const fn embedded(
    engine: &'static str,
    micros: u64,
    micros_per_mib: u64,
    memory_per_byte: f64,
) -> Kind {
    let estimate = Estimate {
        cpu: Duration::from_micros(micros),
        cpu_per_mib: Duration::from_micros(micros_per_mib),
        memory: 8 * MIB,
        memory_per_byte,
        subprocesses: 0,
    };
    Kind { engine, estimate }
}

const fn external(
    engine: &'static str,
    millis: u64,
    millis_per_mib: u64,
    memory: u64,
    per_byte: f64,
) -> Kind {
    let estimate = Estimate {
        cpu: Duration::from_millis(millis),
        cpu_per_mib: Duration::from_millis(millis_per_mib),
        memory,
        memory_per_byte: per_byte,
        subprocesses: 1,
    };
    Kind { engine, estimate }
}

/// What answers from the server's own knowledge or from directories.
pub(crate) const fn memory(tool: &'static str) -> Kind {
    embedded(tool, 500, 0, 0.0)
}

pub(crate) const STRINGS: Kind = embedded("strings", 500, 400, 0.1);
pub(crate) const IDENTIFY: Kind = embedded("identify", 500, 50, 0.1);
pub(crate) const FILE_INFO: Kind = embedded("file-info", 500, 4_000, 0.1);
pub(crate) const PARSE: Kind = embedded("parse", 500, 1_000, 1.0);
/// Most of it is finding out where addresses lie.
pub(crate) const READ: Kind = embedded("read", 500, 1_000, 1.0);
pub(crate) const DISASSEMBLE: Kind = embedded("disassemble", 500, 500, 1.0);
/// With a model of the program that has to be made first.
pub(crate) const CODE: Kind = embedded("code", 2_000, 60_000, 12.0);
/// A function, with a model of the program and the decompiler's idea of it that
/// have to be made first.
pub(crate) const DECOMPILE: Kind = {
    let Kind { engine, estimate } = embedded("decompile", 100_000, 60_000, 14.0);
    let estimate = Estimate {
        memory: 64 * MIB,
        ..estimate
    };
    Kind { engine, estimate }
};
pub(crate) const DIFF: Kind = embedded("diff", 4_000, 200_000, 24.0);
/// Two files are hashed.
pub(crate) const COMPARE: Kind = embedded("compare", 500, 16_000, 1.0);
pub(crate) const IOCS: Kind = embedded("iocs", 500, 15_000, 0.5);
pub(crate) const CARVE: Kind = embedded("carve", 500, 2_500, 0.1);
pub(crate) const TRIAGE: Kind = embedded("triage", 1_000, 25_000, 1.0);
/// With rules that are compiled already.
pub(crate) const YARA: Kind = {
    let Kind { engine, estimate } = embedded("yara", 5_000, 3_000, 0.1);
    let estimate = Estimate {
        memory: 64 * MIB,
        ..estimate
    };
    Kind { engine, estimate }
};

pub(crate) const STRINGS_PROGRAM: Kind = external("strings-program", 3, 10, 4 * MIB, 0.1);
pub(crate) const FILE_PROGRAM: Kind = external("file-program", 10, 0, 8 * MIB, 0.0);
pub(crate) const BINWALK_PROGRAM: Kind = external("binwalk-program", 300, 500, 48 * MIB, 1.0);
pub(crate) const YARA_PROGRAM: Kind = external("yara-program", 20, 30, 16 * MIB, 0.1);
/// A command for a session that is there already: no process is started.
pub(crate) const RADARE2_SESSION: Kind = embedded("radare2-session", 5_000, 1_000, 0.0);
pub(crate) const RADARE2_PROGRAM: Kind = external("radare2-program", 100, 300, 40 * MIB, 4.0);
/// Ghidra analyses the whole program anew for each call.
pub(crate) const GHIDRA_PROGRAM: Kind = external("ghidra-program", 30_000, 20_000, 700 * MIB, 20.0);
