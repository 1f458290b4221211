//! `/jobs`: what all clients do, for the operator. Guarded like `/metrics`; what
//! a client may see and cancel is the business of the tools.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use reversecore_jobs::JobId;
use reversecore_tools::{Catalogue, described};
use serde::Deserialize;
use serde_json::json;

/// Jobs of each state, at most.
const MOST: usize = 500;

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
}

/// `GET /jobs?limit=N`: those that run, those that wait, the last that ended.
pub(super) async fn list(
    State(catalogue): State<Arc<Catalogue>>,
    Query(page): Query<Page>,
) -> Response {
    let scheduler = &catalogue.services().schedule.scheduler;
    let jobs = scheduler.jobs(page.limit.unwrap_or(MOST).min(MOST));
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
    Path(id): Path<u64>,
) -> Response {
    let found = catalogue.services().schedule.scheduler.cancel(JobId(id));
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
