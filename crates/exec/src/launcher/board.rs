//! Memory that the launcher shares with the processes it forks, one place a
//! run: what went wrong before the program's first instruction, and what a
//! supervisor found out. Written before the writer ends, read after it has
//! been reaped, so the two never meet.
//!
//! The program itself can't reach it: an exec replaces the address space.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use super::sys::ProcessUsage;
use crate::wire::{SpawnFailure, Step};

/// What is noted of one run.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Note {
    started: AtomicU32,
    failed_step: AtomicU32,
    errno: AtomicI32,
    ended: AtomicU32,
    status: AtomicI32,
    leftovers: AtomicU32,
    user_micros: AtomicU64,
    system_micros: AtomicU64,
    peak_rss: AtomicU64,
}

/// What a supervisor found out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finding {
    pub(super) status: i32,
    pub(super) leftovers: u32,
    pub(super) usage: ProcessUsage,
}

impl Note {
    /// Forgets the run before.
    pub(super) fn clear(&self) {
        self.started.store(0, Relaxed);
        self.failed_step.store(0, Relaxed);
        self.ended.store(0, Relaxed);
    }

    /// Notes that the next thing the process does is to become the program.
    pub(super) fn set_started(&self) {
        self.started.store(1, Relaxed);
    }

    /// Whether the program has been started. Until then the process is a copy
    /// of the launcher, and what it uses says nothing about the run.
    pub(super) fn started(&self) -> bool {
        self.started.load(Relaxed) == 1
    }

    pub(super) fn set_failure(&self, step: Step, errno: i32) {
        self.errno.store(errno, Relaxed);
        self.failed_step.store(step as u32, Relaxed);
    }

    pub(super) fn failure(&self) -> Option<SpawnFailure> {
        let number = self.failed_step.load(Relaxed);
        let step = Step::ALL.into_iter().find(|step| *step as u32 == number)?;
        Some(SpawnFailure {
            step,
            errno: self.errno.load(Relaxed),
        })
    }

    pub(super) fn set_finding(&self, finding: Finding) {
        let Finding {
            status,
            leftovers,
            usage,
        } = finding;
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.status.store(status, Relaxed);
        self.leftovers.store(leftovers, Relaxed);
        self.user_micros.store(micros(usage.user), Relaxed);
        self.system_micros.store(micros(usage.system), Relaxed);
        self.peak_rss.store(usage.peak_rss, Relaxed);
        self.ended.store(1, Relaxed);
    }

    pub(super) fn finding(&self) -> Option<Finding> {
        (self.ended.load(Relaxed) == 1).then(|| Finding {
            status: self.status.load(Relaxed),
            leftovers: self.leftovers.load(Relaxed),
            usage: ProcessUsage {
                user: Duration::from_micros(self.user_micros.load(Relaxed)),
                system: Duration::from_micros(self.system_micros.load(Relaxed)),
                peak_rss: self.peak_rss.load(Relaxed),
            },
        })
    }
}

/// All notes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Board(&'static [Note]);

impl Board {
    /// Maps memory for so many runs; it lives as long as the process.
    pub(super) fn new(places: usize) -> rustix::io::Result<Self> {
        let length = places * size_of::<Note>();
        // SAFETY: a new anonymous mapping at an address of the kernel's choice
        // aliases nothing. It is never unmapped, hence 'static; zeroes are a
        // valid `Note`, page alignment is enough for it, and all access goes
        // through atomics.
        let notes = unsafe {
            let memory = mmap_anonymous(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
            )?;
            std::slice::from_raw_parts(memory.cast::<Note>(), places)
        };
        Ok(Self(notes))
    }

    /// The note of one place.
    pub(super) fn note(self, place: usize) -> &'static Note {
        &self.0[place]
    }
}
