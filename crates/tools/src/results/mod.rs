//! What becomes of results: those too large for a reader's context are kept as
//! *artifacts* and shown by their ends; those that took work are remembered, so
//! that the same question about the same content is answered at once.
//!
//! ```text
//! tool: report ─> Written (text, JSON)
//!    fits the budget ──────────────────────────────────────> reply
//!    does not ─> artifact (the whole text, by its SHA-256) ─> ends of it, and its name
//!    remembered by (tool, arguments, content, build) ──────> the next equal call
//! ```
//!
//! | file | knows |
//! |---|---|
//! | `fit` | what is left of a text or report that is too large |
//! | `blobs` | files under a quota |
//! | `cache` | which results answer which calls |
//! | `memory` | the results in memory |
//!
//! The name of an artifact is a digest of what it holds: nobody finds one who
//! has not been told of it, or has its content already.

pub(crate) mod blobs;
pub(crate) mod cache;
pub(crate) mod fit;
mod memory;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{ErrorCode, ToolError};
use crate::text::hex;
use blobs::{BlobLimits, Blobs};
use cache::Cache;

/// Hexadecimal digits of an artifact's name: 128 bits.
const NAME_DIGITS: usize = 32;
/// What an artifact's name as a resource begins with.
const ARTIFACT_URI: &str = "reversecore://artifact/";

/// How results are kept.
#[derive(Debug, Clone)]
pub struct ResultSettings {
    /// Bytes of a result's text, and of its JSON; `None` for no limit.
    pub budget: Option<usize>,
    /// Where artifacts and remembered results are kept; without it none are.
    pub directory: Option<PathBuf>,
    /// Bytes of all artifacts together.
    pub artifact_bytes: u64,
    /// How long after its last use an artifact is kept.
    pub artifact_age: Duration,
    /// Bytes of remembered results in memory; 0 for none at all.
    pub memory_bytes: u64,
    /// Bytes of remembered results on disk.
    pub disk_bytes: u64,
}

impl Default for ResultSettings {
    /// Nothing is cut, kept or remembered.
    fn default() -> Self {
        Self {
            budget: None,
            directory: None,
            artifact_bytes: 0,
            artifact_age: Duration::ZERO,
            memory_bytes: 0,
            disk_bytes: 0,
        }
    }
}

/// Keeps results.
#[derive(Debug)]
pub struct Results {
    budget: Option<usize>,
    artifacts: Option<Arc<Blobs>>,
    pub(crate) cache: Cache,
}

/// Where the whole of a result is that was too large.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactRef {
    /// What `read_artifact` calls it.
    pub id: String,
    /// What it is called as a resource.
    pub uri: String,
    /// Its size.
    pub bytes: usize,
    /// How many lines it has.
    pub lines: usize,
}

impl ArtifactRef {
    pub(crate) fn of(text: &str) -> Self {
        let digest = hex(&Sha256::digest(text.as_bytes()));
        let id: String = digest.chars().take(NAME_DIGITS).collect();
        Self {
            uri: format!("{ARTIFACT_URI}{id}"),
            id,
            bytes: text.len(),
            lines: text.lines().count(),
        }
    }
}

impl Results {
    /// Keeps results as the settings say. Nothing is opened before its first use.
    pub fn new(settings: &ResultSettings) -> Self {
        let ResultSettings {
            budget,
            directory,
            artifact_bytes,
            artifact_age,
            memory_bytes: _,
            disk_bytes: _,
        } = settings;
        let artifacts = directory.as_ref().map(|directory| {
            let limits = BlobLimits {
                bytes: *artifact_bytes,
                age: *artifact_age,
            };
            Arc::new(Blobs::new(directory.join("artifacts"), limits))
        });
        Self {
            budget: *budget,
            artifacts,
            cache: Cache::new(settings),
        }
    }

    /// Bytes of a result's text.
    pub(crate) fn budget(&self) -> usize {
        self.budget.unwrap_or(usize::MAX)
    }

    /// Keeps a text that is too large to be shown; `None` when it can't be kept.
    pub(crate) async fn keep(&self, text: &Arc<str>) -> Option<ArtifactRef> {
        let (blobs, text) = (Arc::clone(self.artifacts.as_ref()?), Arc::clone(text));
        let kept = tokio::task::spawn_blocking(move || {
            let artifact = ArtifactRef::of(&text);
            let kept = blobs.put(&artifact.id, &[text.as_bytes()])?;
            io::Result::Ok(kept.then_some(artifact))
        });
        match kept.await {
            Ok(Ok(artifact)) => artifact,
            Ok(Err(error)) => {
                tracing::warn!(%error, "an artifact could not be kept");
                None
            }
            Err(error) => {
                tracing::error!(%error, "keeping an artifact failed unexpectedly");
                None
            }
        }
    }

    /// Opens an artifact, by its name or URI. Blocks.
    ///
    /// # Errors
    /// `FILE_NOT_FOUND` when there is none of that name, or none any more.
    pub fn artifact(&self, name: &str) -> Result<File, ToolError> {
        let id = name.strip_prefix(ARTIFACT_URI).unwrap_or(name).trim();
        let gone = || {
            ToolError::new(
                ErrorCode::FileNotFound,
                format!("there is no artifact `{}`", crate::text::quoted(name)),
                "Artifacts are kept for a limited time; repeat the call that made it.",
            )
        };
        let blobs = self.artifacts.as_ref().ok_or_else(gone)?;
        match blobs.get(id) {
            Ok(file) => file.ok_or_else(gone),
            Err(error) => Err(ToolError::new(
                ErrorCode::Internal,
                "the artifact could not be read",
                "Repeat the call that made it.",
            )
            .log_detail(error)),
        }
    }

    /// Gives back the memory of results that nobody has asked for lately.
    pub fn forget_idle(&self) {
        self.cache.tidy();
    }

    /// Gives up what is too old. Blocks.
    pub fn sweep(&self) {
        for blobs in self.artifacts.iter().chain(self.cache.disk()) {
            if let Err(error) = blobs.sweep() {
                tracing::warn!(%error, "what is kept of results could not be looked through");
            }
        }
    }
}
