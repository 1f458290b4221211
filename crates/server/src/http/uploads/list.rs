//! `/files`: what clients are told of the files that they have uploaded, and how
//! they get one back or give it up.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::index::Record;
use super::receive::{Uploads, owner, receipt};
use super::store::unwritable;
use crate::config::{hex, unhex};
use crate::http::auth::Client;
use crate::http::range;
use crate::http::refusal::Refusal;

/// Files of one page.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

#[derive(Debug, Deserialize)]
pub(in crate::http) struct Page {
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<u64>,
}

/// `GET /files?limit=N&cursor=C`: the client's files, oldest first.
pub(in crate::http) async fn list(
    State(uploads): State<Uploads>,
    client: Option<Extension<Client>>,
    Query(Page { limit, cursor }): Query<Page>,
) -> Response {
    let limit = limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let after = cursor.unwrap_or_default();
    // One more, to know whether there is a next page.
    let (mut page, total) = uploads.store.page(&owner(client), after, limit + 1);
    let more = page.len() > limit;
    page.truncate(limit);
    let last = page.last().map(|(number, _)| *number);
    let files: Vec<Value> = page.iter().map(|(_, record)| receipt(record)).collect();
    let next = last.filter(|_| more);
    Json(json!({"files": files, "total": total, "next_cursor": next})).into_response()
}

/// `GET /files/{sha256}`: what is known of one.
pub(in crate::http) async fn entry(
    State(uploads): State<Uploads>,
    client: Option<Extension<Client>>,
    Path(sha256): Path<String>,
) -> Response {
    match find(&uploads, &owner(client), &sha256) {
        Ok(record) => Json(receipt(&record)).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// `GET /files/{sha256}/content`: the file, or a range of it.
pub(in crate::http) async fn content(
    State(uploads): State<Uploads>,
    client: Option<Extension<Client>>,
    Path(sha256): Path<String>,
    headers: HeaderMap,
) -> Response {
    let record = match find(&uploads, &owner(client), &sha256) {
        Ok(record) => record,
        Err(refusal) => return refusal.into_response(),
    };
    let (store, work) = (uploads.store, uploads.work);
    let name = record.sha256.clone();
    match work.spawn_blocking(move || store.file(&name)).await {
        Ok(Ok(file)) => range::answer(file, record.size, &record.sha256, &headers, &work),
        Ok(Err(_)) | Err(_) => unknown().into_response(),
    }
}

/// `DELETE /files/{sha256}`: the client has it no longer.
pub(in crate::http) async fn delete(
    State(uploads): State<Uploads>,
    client: Option<Extension<Client>>,
    Path(sha256): Path<String>,
) -> Response {
    let owner = owner(client);
    let record = match find(&uploads, &owner, &sha256) {
        Ok(record) => record,
        Err(refusal) => return refusal.into_response(),
    };
    let store = uploads.store;
    let name = record.sha256.clone();
    match uploads
        .work
        .spawn_blocking(move || store.remove(&owner, &name))
        .await
    {
        Ok(Ok(true)) => {
            tracing::info!(sha256 = record.sha256, "an uploaded file was deleted");
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(Ok(false)) => unknown().into_response(),
        Ok(Err(error)) => unwritable(&error).into_response(),
        Err(error) => unwritable(&std::io::Error::other(error)).into_response(),
    }
}

fn find(uploads: &Uploads, owner: &Arc<str>, named: &str) -> Result<Record, Refusal> {
    let digits = named.strip_prefix("sha256:").unwrap_or(named);
    let hash = unhex(digits).ok_or_else(unknown)?;
    uploads.store.get(owner, &hex(&hash)).ok_or_else(unknown)
}

fn unknown() -> Refusal {
    Refusal::not_found(
        "no such file of this client",
        "GET /files lists the files; they are named by their SHA-256",
    )
}
