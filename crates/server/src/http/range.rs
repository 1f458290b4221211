//! Answers with a file, or with the one range of it that is asked for (RFC 9110,
//! section 14). Whatever is named by its content can be answered so.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::runtime::Handle;

use super::refusal::Refusal;

/// What is read at once; in memory once per answer.
const BLOCK: u64 = 256 << 10;

/// Which bytes: from, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    Part(u64, u64),
    /// None that the file has.
    Outside,
}

/// The answer. `digest` names the content.
pub(super) fn answer(
    file: File,
    size: u64,
    digest: &str,
    headers: &HeaderMap,
    work: &Handle,
) -> Response {
    let tag = format!("\"{digest}\"");
    // A range of other content than the client knows is of no use to it.
    let same = headers
        .get(header::IF_RANGE)
        .is_none_or(|known| known.as_bytes() == tag.as_bytes());
    let range = headers.get(header::RANGE).filter(|_| same);
    let wanted = range.map_or(Wanted::All, |range| wanted(range, size));
    let (status, start, length) = match wanted {
        Wanted::All => (StatusCode::OK, 0, size),
        Wanted::Part(start, length) => (StatusCode::PARTIAL_CONTENT, start, length),
        Wanted::Outside => {
            let mut response = Refusal::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "RANGE_NOT_SATISFIABLE",
                "the file has no such range",
                "Content-Range says how long it is",
            )
            .into_response();
            set(
                &mut response,
                header::CONTENT_RANGE,
                format!("bytes */{size}"),
            );
            return response;
        }
    };
    let mut response = Response::new(blocks(file, start, length, work.clone()));
    *response.status_mut() = status;
    if status == StatusCode::PARTIAL_CONTENT {
        let last = start + length.saturating_sub(1);
        set(
            &mut response,
            header::CONTENT_RANGE,
            format!("bytes {start}-{last}/{size}"),
        );
    }
    set(&mut response, header::CONTENT_LENGTH, length.to_string());
    set(&mut response, header::ETAG, tag);
    for (name, value) in [
        (header::ACCEPT_RANGES, "bytes"),
        (header::CONTENT_TYPE, "application/octet-stream"),
        // Nothing of a hostile file is to be shown by a browser.
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn set(response: &mut Response, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Reads when the client takes, so that one that does not holds no thread.
fn blocks(file: File, start: u64, length: u64, work: Handle) -> Body {
    let state = (Arc::new(file), start, length, work);
    Body::from_stream(stream::try_unfold(
        state,
        |(file, at, left, work)| async move {
            if left == 0 {
                return Ok::<_, io::Error>(None);
            }
            let reading = Arc::clone(&file);
            let block = work
                .spawn_blocking(move || block(&reading, at, left.min(BLOCK)))
                .await
                .map_err(io::Error::other)??;
            let count = u64::try_from(block.len()).unwrap_or(u64::MAX);
            let rest = (file, at + count, left.saturating_sub(count), work);
            Ok(Some((block, rest)))
        },
    ))
}

fn block(file: &File, at: u64, length: u64) -> io::Result<Bytes> {
    let mut block = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact_at(&mut block, at)?;
    Ok(block.into())
}

/// What one `bytes=…` range means. Several ranges, and other units, may be
/// answered with everything.
fn wanted(range: &HeaderValue, size: u64) -> Wanted {
    let bounds = range
        .to_str()
        .ok()
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.trim().split_once('-'));
    let Some((first, last)) = bounds else {
        return Wanted::All;
    };
    let number = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (first, last) {
        ("", "") => Wanted::All,
        ("", suffix) => match number(suffix) {
            None => Wanted::All,
            Some(0) => Wanted::Outside,
            Some(_) if size == 0 => Wanted::Outside,
            Some(length) => {
                let length = length.min(size);
                Wanted::Part(size - length, length)
            }
        },
        (first, last) => {
            let end = if last.is_empty() {
                Some(u64::MAX)
            } else {
                number(last)
            };
            match (number(first), end) {
                (Some(first), Some(end)) if first <= end => {
                    if first >= size {
                        Wanted::Outside
                    } else {
                        Wanted::Part(first, end.min(size - 1) - first + 1)
                    }
                }
                _ => Wanted::All,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (range, expected) in [
            ("bytes=0-0", Wanted::Part(0, 1)),
            ("bytes=0-", Wanted::Part(0, 100)),
            ("bytes=90-1000", Wanted::Part(90, 10)),
            ("bytes=-10", Wanted::Part(90, 10)),
            ("bytes=-1000", Wanted::Part(0, 100)),
            ("bytes=99999999999999999999999-", Wanted::Outside),
            ("bytes=100-", Wanted::Outside),
            ("bytes=-0", Wanted::Outside),
            ("bytes=5-4", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("lines=0-1", Wanted::All),
            ("", Wanted::All),
        ] {
            let value = HeaderValue::from_str(range).unwrap();
            assert_eq!(wanted(&value, 100), expected, "{range}");
        }
        let first = HeaderValue::from_static("bytes=0-");
        assert_eq!(wanted(&first, 0), Wanted::Outside);
    }
}
