//! `/jobs`: what clients do. The operator sees and cancels everybody's jobs: whoever
//! has the key of all, or where there are no keys. A client that has a name sees and
//! cancels its own, as it does with the tools.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::StatusCode;
use reversecore_jobs::{Client as Submitter, JobId};
use reversecore_tools::{Catalogue, described};
use serde::Deserialize;
use serde_json::json;

use super::auth::Client;

/// Jobs of each state, at most.
const MOST: usize = 500;

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
}

/// `GET /jobs?limit=N`: those that run, those that wait, the last that ended.
pub(super) async fn list(
    State(catalogue): State<Arc<Catalogue>>,
    client: Option<Extension<Client>>,
    Query(page): Query<Page>,
) -> Response {
    let scheduler = &catalogue.services().schedule.scheduler;
    let most = page.limit.unwrap_or(MOST).min(MOST);
    let jobs = match only(client) {
        Some(client) => scheduler.jobs_of(&client, most),
        None => scheduler.jobs(most),
    };
    let stats = scheduler.stats();
    let waiting: usize = stats.queued.iter().sum();
    let mut text = format!(
        "{} of {} slots in use, {waiting} waiting\n",
        stats.running, stats.slots
    );
    for job in &jobs {
        text.push_str(&described(job));
    }
    Json(json!({
        "running": stats.running,
        "slots": stats.slots,
        "waiting": waiting,
        "jobs": jobs,
        "text": text,
    }))
    .into_response()
}

/// `DELETE /jobs/{id}`: cancels it.
pub(super) async fn cancel(
    State(catalogue): State<Arc<Catalogue>>,
    client: Option<Extension<Client>>,
    Path(id): Path<u64>,
) -> Response {
    let scheduler = &catalogue.services().schedule.scheduler;
    let id = JobId(id);
    let may = only(client).is_none_or(|client| {
        let job = scheduler.job(id);
        job.is_some_and(|job| job.client == client)
    });
    let found = may && scheduler.cancel(id);
    let JobId(id) = id;
    let (code, text) = if found {
        (StatusCode::OK, format!("job {id} is being cancelled\n"))
    } else {
        (
            StatusCode::NOT_FOUND,
            format!("no job {id} waits or runs\n"),
        )
    };
    (
        code,
        Json(json!({ "job_id": id, "cancelled": found, "text": text })),
    )
        .into_response()
}

/// Whose jobs a request is about, where it is not about everybody's.
fn only(client: Option<Extension<Client>>) -> Option<Submitter> {
    client
        .filter(|client| !client.is_operator())
        .map(|client| Submitter::new(client.shared()))
}
