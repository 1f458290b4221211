//! One file under analysis: opened once, hashed beside the tool's run, and
//! looked at again when the run is over.

use std::fs::File;
use std::io;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Identity, Refused, Scope, Workspace};
use crate::error::{ErrorCode, ToolError};
use crate::text::quoted;

/// A file under analysis.
#[derive(Debug)]
pub(crate) struct Target {
    file: File,
    identity: Identity,
    shown: String,
    hash: Hash,
    /// Stops the hashing.
    stop: CancellationToken,
    // When the call is over.
    _over: DropGuard,
}

#[derive(Debug)]
enum Hash {
    Known(Arc<str>),
    /// With a descriptor of its own, to be read from.
    Unread(File),
    Reading(JoinHandle<io::Result<Option<Arc<str>>>>),
}

impl Workspace {
    /// Opens the file that a caller named.
    pub(crate) async fn target(
        &self,
        parameter: &'static str,
        given: &str,
        cancel: &CancellationToken,
    ) -> Result<Target, ToolError> {
        let shown = quoted(given);
        let at_hand = self.open_at_hand(given).map(|file| self.looked_at(file));
        let (file, identity, hash) = if let Some(Ok(found)) = at_hand {
            found
        } else {
            let (workspace, path) = (self.clone(), given.to_owned());
            // The file system may be a slow one: not on a runtime thread.
            let opening = tokio::task::spawn_blocking(move || {
                workspace.looked_at(workspace.open_file(&path, Scope::Files)?)
            });
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(ToolError::cancelled()),
                opened = opening => opened
                    .map_err(internal)?
                    .map_err(|refused| refused.into_tool_error(parameter, &shown))?,
            }
        };
        let stop = CancellationToken::new();
        Ok(Target {
            file,
            identity,
            shown,
            hash,
            _over: stop.clone().drop_guard(),
            stop,
        })
    }

    /// What the kernel, and our memory, say of an open file.
    fn looked_at(&self, file: File) -> Result<(File, Identity, Hash), Refused> {
        let identity = Identity::of(&file).map_err(other)?;
        let hash = match self.inner.hashes.known(&identity) {
            Some(hash) => Hash::Known(hash),
            // A descriptor of its own: the two would share one position.
            None => Hash::Unread(super::resolve::reopen(&file, rustix::fs::OFlags::RDONLY)?),
        };
        Ok((file, identity, hash))
    }
}

impl Target {
    /// Begins to compute the file's hash, if it is not known: beside the work,
    /// and not before its turn.
    pub(crate) fn start_hashing(&mut self, workspace: &Workspace) {
        let Hash::Unread(_) = &self.hash else {
            return;
        };
        // A descriptor is only moved; the placeholder is never read.
        let Hash::Unread(twin) = std::mem::replace(&mut self.hash, Hash::Known("".into())) else {
            return;
        };
        let (hashes, identity) = (workspace.inner.hashes.clone(), self.identity);
        let stop = self.stop.clone();
        self.hash = Hash::Reading(tokio::task::spawn_blocking(move || {
            hashes.read(&twin, identity, &stop)
        }));
    }

    /// The file once more, with a position of its own, to hand to a child.
    pub(crate) fn file(&self) -> Result<File, ToolError> {
        super::resolve::reopen(&self.file, rustix::fs::OFlags::RDONLY)
            .map_err(|refused| refused.into_tool_error("file_path", &self.shown))
    }

    /// The same open file under one more descriptor; the two share one position,
    /// so this is for whoever maps it.
    pub(crate) fn mapped(&self) -> Result<File, ToolError> {
        self.file
            .try_clone()
            .map_err(|error| self.unreadable(&error))
    }

    /// Asks the kernel whether the file's content is still what it was when it
    /// was opened, as far as that can be told without reading it.
    pub(crate) fn still_the_same(
        &self,
    ) -> Result<impl Fn() -> bool + Send + Sync + use<>, ToolError> {
        let (file, identity) = (self.mapped()?, self.identity);
        Ok(move || Identity::of(&file).is_ok_and(|now| now.same_content(&identity)))
    }

    /// SHA-256 of its content, where that is known without reading it.
    pub(crate) fn known_hash(&self) -> Option<Arc<str>> {
        match &self.hash {
            Hash::Known(hash) => Some(Arc::clone(hash)),
            Hash::Unread(_) | Hash::Reading(_) => None,
        }
    }

    /// What the kernel said of it when it was opened.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// A name for its content, as long as that does not change.
    pub(crate) fn key(&self) -> [u8; 32] {
        self.identity.key()
    }

    /// Its size when it was opened.
    pub(crate) fn size(&self) -> u64 {
        self.identity.size
    }

    /// After the run: whether the file is still what was analysed, and its
    /// hash; `None` when `deadline` comes before the whole file was read.
    pub(crate) async fn settle(
        &mut self,
        deadline: tokio::time::Instant,
        cancel: &CancellationToken,
    ) -> Result<Option<Arc<str>>, ToolError> {
        let hash = match &mut self.hash {
            Hash::Known(hash) => Some(Arc::clone(hash)),
            // Nobody began, so nobody wants it.
            Hash::Unread(_) => None,
            Hash::Reading(reading) => tokio::select! {
                read = reading => {
                    let hash = read.map_err(internal)?.map_err(|error| self.unreadable(&error))?;
                    if let Some(hash) = &hash {
                        self.hash = Hash::Known(Arc::clone(hash));
                    }
                    hash
                }
                () = cancel.cancelled() => return Err(ToolError::cancelled()),
                () = tokio::time::sleep_until(deadline) => None,
            },
        };
        let now = Identity::of(&self.file).map_err(|error| self.unreadable(&error))?;
        if !now.same_content(&self.identity) {
            return Err(self.changed());
        }
        Ok(hash)
    }

    /// What a call is told whose file is no longer what it was.
    pub(crate) fn changed(&self) -> ToolError {
        ToolError::new(
            ErrorCode::FileChanged,
            format!("`{}` changed during the analysis", self.shown),
            "Call again when the file is complete.",
        )
    }

    fn unreadable(&self, error: &io::Error) -> ToolError {
        ToolError::new(
            ErrorCode::FileChanged,
            format!("`{}` could no longer be read", self.shown),
            "Call again; if it persists, the file system has a fault.",
        )
        .log_detail(error)
    }
}

fn other(error: io::Error) -> Refused {
    Refused::Other(error.raw_os_error().unwrap_or_default())
}

fn internal(error: tokio::task::JoinError) -> ToolError {
    ToolError::new(
        ErrorCode::Internal,
        "reading the file failed unexpectedly",
        "This is a fault of the server; its log has the details.",
    )
    .log_detail(error)
}
