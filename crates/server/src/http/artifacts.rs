//! `/artifacts/{id}`: a result that was too large to be shown, whole or in ranges.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use reversecore_tools::Catalogue;
use tokio::runtime::Handle;

use super::range;
use super::refusal::Refusal;

/// Where artifacts come from.
#[derive(Debug, Clone)]
pub(super) struct Artifacts {
    catalogue: Arc<Catalogue>,
    /// The runtime on whose threads files are read.
    work: Handle,
}

impl Artifacts {
    pub(super) fn new(catalogue: Arc<Catalogue>, work: Handle) -> Self {
        Self { catalogue, work }
    }
}

/// Answers with an artifact.
pub(super) async fn content(
    State(artifacts): State<Artifacts>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let gone = || {
        Refusal::not_found(
            "there is no artifact of this name",
            "artifacts are kept for a limited time; repeat the call that made it",
        )
        .into_response()
    };
    let Artifacts { catalogue, work } = artifacts;
    let name = id.clone();
    let opening = work.spawn_blocking(move || {
        let file = catalogue.services().results.artifact(&name).ok()?;
        let size = file.metadata().ok()?.len();
        Some((file, size))
    });
    match opening.await {
        Ok(Some((file, size))) => range::answer(file, size, &id, &headers, &work),
        Ok(None) | Err(_) => gone(),
    }
}
