//! `POST` and `PUT /upload`: takes a file in, as the whole body or as the first
//! file of a form. It is written and hashed on a thread of its own while it
//! comes, so that a slow disk holds up nobody else; a few pieces are in memory
//! at one time.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest as _, Multipart, Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use super::index::{Record, label};
use super::store::{Partial, Room, Store, now, too_large, unwritable};
use crate::config::hex;
use crate::http::auth::Client;
use crate::http::body::{Paced, announced};
use crate::http::refusal::Refusal;

/// Uploads at one time: each takes a thread while it lasts.
const AT_ONCE: usize = 8;
/// When an upload may be tried again that found no thread.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// Pieces between the connection and the disk; one has 64 KiB at most as long as
/// a request's head has.
const PIECES: usize = 8;
/// What a form may have around its file, in bytes: boundaries and small fields.
const FORM_OVERHEAD: u64 = 64 << 10;
/// Fields of a form before its file.
const MOST_FIELDS: usize = 16;
/// Whose the files are where nobody has a name.
pub(super) const NOBODY: &str = "local";

/// What the route works with.
#[derive(Debug, Clone)]
pub(in crate::http) struct Uploads {
    pub(in crate::http) store: Store,
    pub(in crate::http) work: Handle,
    pub(in crate::http) patience: Duration,
    slots: Arc<Semaphore>,
}

impl Uploads {
    pub(in crate::http) fn new(store: Store, work: Handle, patience: Duration) -> Self {
        Self {
            store,
            work,
            patience,
            slots: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(in crate::http) struct Named {
    name: Option<String>,
}

/// A step on the way to the disk.
enum Piece {
    Data(Bytes),
    /// All of it has come. Without this the client is gone.
    End,
}

/// Whose files a request is about.
pub(super) fn owner(client: Option<Extension<Client>>) -> Arc<str> {
    client.map_or_else(|| NOBODY.into(), |Extension(client)| client.shared())
}

/// The route.
pub(in crate::http) async fn receive(
    State(uploads): State<Uploads>,
    client: Option<Extension<Client>>,
    Query(named): Query<Named>,
    request: Request,
) -> Response {
    match take_in(&uploads, owner(client), named.name, request).await {
        Ok(receipt) => (StatusCode::CREATED, Json(receipt)).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn take_in(
    uploads: &Uploads,
    owner: Arc<str>,
    name: Option<String>,
    request: Request,
) -> Result<Value, Refusal> {
    let limit = uploads.store.limits().file;
    if limit == 0 {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "UPLOADS_OFF",
            "this server takes no uploads",
            "ask its operator to set `http.upload_limit_mib`",
        ));
    }
    let _slot = slot(uploads)?;
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data"));
    let overhead = if is_form { FORM_OVERHEAD } else { 0 };
    let announced = announced(request.headers()).unwrap_or_default();
    if announced > limit.saturating_add(overhead) {
        return Err(too_large(limit));
    }
    let mut room = uploads.store.room(&owner)?;
    // Told at once instead of after the whole transfer.
    room.take(announced.saturating_sub(overhead))?;
    drop(room);
    let room = uploads.store.room(&owner)?;
    let patience = uploads.patience;
    let request = request.map(|body| axum::body::Body::new(Paced::new(body, patience)));
    if is_form {
        from_form(uploads, room, name, announced, request).await
    } else {
        let mut writing = Writing::begin(uploads, room, announced).await?;
        let mut body = request.into_body();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() {
                writing.take(data).await?;
            }
        }
        writing.end(name.as_deref().unwrap_or_default()).await
    }
}

async fn from_form(
    uploads: &Uploads,
    room: Room,
    name: Option<String>,
    announced: u64,
    request: Request,
) -> Result<Value, Refusal> {
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| bad_form("its boundary is missing"))?;
    for _ in 0..MOST_FIELDS {
        let field = form.next_field().await.map_err(|error| broken(&error))?;
        let Some(mut field) = field else { break };
        if field.file_name().is_none() {
            continue;
        }
        let name = name.or_else(|| field.file_name().map(str::to_owned));
        let mut writing = Writing::begin(uploads, room, announced).await?;
        while let Some(data) = field.chunk().await.map_err(|error| broken(&error))? {
            writing.take(data).await?;
        }
        return writing.end(name.as_deref().unwrap_or_default()).await;
    }
    Err(bad_form("it has no file"))
}

fn slot(uploads: &Uploads) -> Result<SemaphorePermit<'_>, Refusal> {
    uploads.slots.try_acquire().map_err(|_| {
        Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "UPLOADS_BUSY",
            "too many uploads are going on",
            "try again later",
        )
        .retry_after(TRY_AGAIN)
    })
}

/// A file on its way to the disk.
struct Writing {
    pieces: mpsc::Sender<Piece>,
    room: Room,
    written: tokio::task::JoinHandle<io::Result<Option<(Partial, String, u64)>>>,
    store: Store,
    work: Handle,
}

impl Writing {
    async fn begin(uploads: &Uploads, room: Room, announced: u64) -> Result<Self, Refusal> {
        let (pieces, coming) = mpsc::channel(PIECES);
        let (store, work) = (uploads.store.clone(), uploads.work.clone());
        let beginning = store.clone();
        let partial = work
            .spawn_blocking(move || beginning.begin(announced))
            .await
            .map_err(|error| unwritable(&io::Error::other(error)))??;
        let written = work.spawn_blocking(move || write(partial, coming));
        Ok(Self {
            pieces,
            room,
            written,
            store,
            work,
        })
    }

    async fn take(&mut self, data: Bytes) -> Result<(), Refusal> {
        self.room
            .take(u64::try_from(data.len()).unwrap_or(u64::MAX))?;
        if self.pieces.send(Piece::Data(data)).await.is_ok() {
            return Ok(());
        }
        // The thread has ended: only a failure ends it before the end.
        match (&mut self.written).await {
            Ok(Err(error)) => Err(unwritable(&error)),
            Ok(Ok(_)) => Err(unwritable(&io::ErrorKind::BrokenPipe.into())),
            Err(error) => Err(unwritable(&io::Error::other(error))),
        }
    }

    async fn end(self, name: &str) -> Result<Value, Refusal> {
        let Self {
            pieces,
            room,
            written,
            store,
            work,
        } = self;
        pieces.send(Piece::End).await.ok();
        let failed = |error: io::Error| unwritable(&error);
        let (partial, sha256, size) = written
            .await
            .map_err(|error| failed(io::Error::other(error)))?
            .map_err(failed)?
            .ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        let record = Record {
            sha256,
            size,
            name: label(name),
            uploaded: now(),
        };
        let noted = record.clone();
        work.spawn_blocking(move || store.finish(partial, room, &noted))
            .await
            .map_err(|error| failed(io::Error::other(error)))?
            .map_err(failed)?;
        tracing::info!(sha256 = record.sha256, size, "a file was uploaded");
        Ok(receipt(&record))
    }
}

/// Writes and hashes until the end; `None` when the client is gone before.
fn write(
    mut partial: Partial,
    mut pieces: mpsc::Receiver<Piece>,
) -> io::Result<Option<(Partial, String, u64)>> {
    let mut hasher = Sha256::new();
    let mut size = 0;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Data(data)) => {
                hasher.update(&data);
                partial.file.write_all(&data)?;
                size += u64::try_from(data.len()).unwrap_or(u64::MAX);
            }
            Some(Piece::End) => return Ok(Some((partial, hex(&hasher.finalize()), size))),
            None => return Ok(None),
        }
    }
}

/// What is known of a file, for clients.
pub(super) fn receipt(record: &Record) -> Value {
    let Record {
        sha256,
        size,
        name,
        uploaded,
    } = record;
    json!({
        "file_path": format!("sha256:{sha256}"),
        "sha256": sha256,
        "size": size,
        "name": name,
        "path": format!("uploads/{sha256}"),
        "uploaded": uploaded,
    })
}

fn bad_form(what: &'static str) -> Refusal {
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "BAD_FORM",
        "",
        "send the file as the body, or as a field with a file name in multipart/form-data",
    )
    .saying(format!("the form can't be used: {what}"))
}

/// Why a body ended early: ours to say, or the client's doing.
fn broken(error: &(dyn std::error::Error + 'static)) -> Refusal {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(super::super::body::BodyError::Slow) = error.downcast_ref() {
            return Refusal::from(super::super::body::BodyError::Slow);
        }
        cause = error.source();
    }
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "BODY_BROKEN",
        "the file did not come to its end",
        "send the whole file; a form must end with its boundary",
    )
}
