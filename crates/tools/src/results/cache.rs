//! Remembered results: the answer to a question that was asked before about the
//! same content.
//!
//! A result is found by the tool, its arguments (but how long it may take), the
//! SHA-256 of the file's content, and the build of this program; so content that
//! has changed, other rules and another version are other questions. Results
//! that took a while are kept on disk too, where they outlive the server.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ResultSettings;
use super::blobs::{BlobLimits, Blobs};
use super::memory::InMemory;
use crate::catalogue::Success;
use crate::text::hex;

/// A result that took less is not worth a file.
const WORTH_A_FILE: Duration = Duration::from_millis(50);
/// How long after its last use a result is remembered in memory, where room is
/// dear: what took long is on disk as well, if there is one.
const IN_MEMORY: Duration = Duration::from_secs(40);
const IN_MEMORY_ONLY: Duration = Duration::from_secs(300);
const ON_DISK: Duration = Duration::from_secs(7 * 24 * 3600);
/// A larger file was not written by this program.
const LARGEST: u64 = 64 << 20;

/// How long a result may be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reuse {
    /// It depends on more than the arguments and the file: equal calls that run
    /// at the same time don't even share a run.
    Never,
    /// Equal calls share a run.
    WhileItRuns,
    /// Until the server ends: it depends on what the server was started with.
    WhileServing,
    /// For ever: it depends on the arguments and the content alone.
    Always,
}

/// What a result answers.
pub(crate) type Question = [u8; 32];

/// The results that are remembered.
#[derive(Debug)]
pub(crate) struct Cache {
    memory: Option<InMemory>,
    disk: Option<Arc<Blobs>>,
    build: String,
}

/// A result as a file.
#[derive(Debug, Serialize, Deserialize)]
struct Stored<'a> {
    question: Question,
    #[serde(borrow)]
    success: std::borrow::Cow<'a, Success>,
}

impl Cache {
    pub(super) fn new(settings: &ResultSettings) -> Self {
        let ResultSettings {
            budget,
            ref directory,
            memory_bytes,
            disk_bytes,
            artifact_bytes: _,
            artifact_age: _,
        } = *settings;
        let disk = directory
            .as_ref()
            .filter(|_| memory_bytes > 0 && disk_bytes > 0)
            .map(|directory| {
                let limits = BlobLimits {
                    bytes: disk_bytes,
                    age: ON_DISK,
                };
                Arc::new(Blobs::new(directory.join("results"), limits))
            });
        let idle = if disk.is_some() {
            IN_MEMORY
        } else {
            IN_MEMORY_ONLY
        };
        let memory = (memory_bytes > 0).then(|| InMemory::new(memory_bytes, idle));
        Self {
            memory,
            disk,
            build: format!("{} {budget:?}", build()),
        }
    }

    pub(super) fn disk(&self) -> Option<&Arc<Blobs>> {
        self.disk.as_ref()
    }

    /// Gives back the memory of what is not remembered any more.
    pub(super) fn tidy(&self) {
        if let Some(memory) = &self.memory {
            memory.tidy();
        }
    }

    /// Whether anything is remembered at all.
    pub(crate) fn is_on(&self) -> bool {
        self.memory.is_some()
    }

    /// What a call asks.
    pub(crate) fn question(&self, tool: &str, arguments: &str, content: &str) -> Question {
        let mut digest = Sha256::new();
        for part in [&self.build, tool, arguments, content] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    /// The answer, if it is remembered in memory.
    pub(crate) fn recall(&self, question: &Question) -> Option<Arc<Success>> {
        self.memory.as_ref()?.get(question)
    }

    /// The answer, if it is remembered on disk; it is in memory then too.
    pub(crate) async fn recall_from_disk(&self, question: &Question) -> Option<Arc<Success>> {
        let (disk, question) = (Arc::clone(self.disk.as_ref()?), *question);
        let read = tokio::task::spawn_blocking(move || read(&disk, &question));
        let success = Arc::new(read.await.ok().flatten()?);
        if let Some(memory) = &self.memory {
            memory.insert(question, &success);
        }
        Some(success)
    }

    /// Remembers an answer that took `ran`.
    pub(crate) fn remember(
        &self,
        question: Question,
        success: &Arc<Success>,
        reuse: Reuse,
        ran: Duration,
    ) {
        let Some(memory) = &self.memory else { return };
        memory.insert(question, success);
        let Some(disk) = self
            .disk
            .as_ref()
            .filter(|_| reuse == Reuse::Always && ran >= WORTH_A_FILE)
        else {
            return;
        };
        let (disk, success) = (Arc::clone(disk), Arc::clone(success));
        // Nobody waits for it; one that fails is asked again.
        tokio::task::spawn_blocking(move || write(&disk, question, &success));
    }
}

fn read(disk: &Blobs, question: &Question) -> Option<Success> {
    let mut file = disk.get(&hex(question)).ok()??;
    let mut bytes = Vec::new();
    file.by_ref().take(LARGEST).read_to_end(&mut bytes).ok()?;
    // One that was cut short, or is something else, answers nothing.
    let stored: Stored<'_> = postcard::from_bytes(&bytes).ok()?;
    (stored.question == *question).then(|| stored.success.into_owned())
}

fn write(disk: &Blobs, question: Question, success: &Success) {
    let stored = Stored {
        question,
        success: std::borrow::Cow::Borrowed(success),
    };
    let kept = postcard::to_allocvec(&stored)
        .map_err(std::io::Error::other)
        .and_then(|bytes| disk.put(&hex(&question), &[&bytes]));
    if let Err(error) = kept {
        tracing::warn!(%error, "a result could not be kept on disk");
    }
}

/// What tells this build of the program from others: two of one version may
/// answer differently while the program is being worked on.
fn build() -> String {
    let executable = std::env::current_exe()
        .and_then(|path| path.metadata())
        .map(|data| (data.len(), data.modified().ok()));
    format!("{} {executable:?}", env!("CARGO_PKG_VERSION"))
}
