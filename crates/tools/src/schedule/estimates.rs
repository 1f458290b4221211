//! What each engine is taken to use before it has been seen on this machine.
//! Measured on two processors of 2024 with system binaries of 10 KB to 100 MB,
//! rounded up; what is measured here soon takes over.

use std::time::Duration;

use reversecore_jobs::Estimate;

const MIB: u64 = 1 << 20;

const fn embedded(micros: u64, micros_per_mib: u64, memory_per_byte: f64) -> Estimate {
    Estimate {
        cpu: Duration::from_micros(micros),
        cpu_per_mib: Duration::from_micros(micros_per_mib),
        memory: 8 * MIB,
        memory_per_byte,
        subprocesses: 0,
    }
}

const fn external(millis: u64, millis_per_mib: u64, memory: u64, per_byte: f64) -> Estimate {
    Estimate {
        cpu: Duration::from_millis(millis),
        cpu_per_mib: Duration::from_millis(millis_per_mib),
        memory,
        memory_per_byte: per_byte,
        subprocesses: 1,
    }
}

/// What answers from the server's own knowledge or from directories.
pub(crate) const NOTHING: Estimate = embedded(500, 0, 0.0);

pub(crate) const STRINGS: Estimate = embedded(500, 400, 0.1);
pub(crate) const IDENTIFY: Estimate = embedded(500, 50, 0.1);
pub(crate) const FILE_INFO: Estimate = embedded(500, 4_000, 0.1);
pub(crate) const PARSE: Estimate = embedded(500, 1_000, 1.0);
pub(crate) const DISASSEMBLE: Estimate = embedded(500, 500, 1.0);
pub(crate) const IOCS: Estimate = embedded(500, 15_000, 0.5);
pub(crate) const CARVE: Estimate = embedded(500, 2_500, 0.1);
pub(crate) const TRIAGE: Estimate = embedded(1_000, 25_000, 1.0);
/// With rules that are compiled already.
pub(crate) const YARA: Estimate = Estimate {
    memory: 64 * MIB,
    ..embedded(5_000, 3_000, 0.1)
};

pub(crate) const STRINGS_PROGRAM: Estimate = external(3, 10, 4 * MIB, 0.1);
pub(crate) const FILE_PROGRAM: Estimate = external(10, 0, 8 * MIB, 0.0);
pub(crate) const BINWALK_PROGRAM: Estimate = external(300, 500, 48 * MIB, 1.0);
pub(crate) const YARA_PROGRAM: Estimate = external(20, 30, 16 * MIB, 0.1);
pub(crate) const RADARE2_PROGRAM: Estimate = external(100, 300, 40 * MIB, 4.0);
