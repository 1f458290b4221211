//! Bodies of requests, within bounds: on their size, and on the time that they
//! may take.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::refusal::Refusal;

/// A body slower than this on the whole, in bytes a second, holds a connection
/// to no purpose.
const SLOWEST: u64 = 1024;
/// What is set aside for a body before any of it has come.
const FIRST_CAPACITY: u64 = 64 << 10;

/// A body that ends with an error when it pauses for longer than the patience
/// allows, or, after that, has come with less than [`SLOWEST`].
#[derive(Debug)]
pub(super) struct Paced<B> {
    inner: B,
    sleep: Pin<Box<Sleep>>,
    start: Instant,
    patience: Duration,
    received: u64,
}

/// Why a body can't be read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// It came too slowly.
    #[error("the request's body came too slowly")]
    Slow,
    /// The connection ended, or its encoding is wrong.
    #[error("the request's body broke off")]
    Broken(#[source] axum::Error),
}

impl<B> Paced<B> {
    pub(super) fn new(inner: B, patience: Duration) -> Self {
        let start = Instant::now();
        Self {
            inner,
            sleep: Box::pin(tokio::time::sleep_until(start + patience)),
            start,
            patience,
            received: 0,
        }
    }

    /// When it must go on, at the latest.
    fn deadline(&self) -> Instant {
        let whole = self.start + self.patience + Duration::from_secs(self.received / SLOWEST);
        whole.min(Instant::now() + self.patience)
    }
}

impl<B: Body<Data = Bytes, Error = axum::Error> + Unpin> Body for Paced<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            let frame = frame.map(|frame| frame.map_err(BodyError::Broken));
            if let Some(data) = frame
                .as_ref()
                .and_then(|frame| frame.as_ref().ok()?.data_ref())
            {
                self.received += u64::try_from(data.len()).unwrap_or(u64::MAX);
            }
            let deadline = self.deadline();
            self.sleep.as_mut().reset(deadline);
            return Poll::Ready(frame);
        }
        ready!(self.sleep.as_mut().poll(context));
        Poll::Ready(Some(Err(BodyError::Slow)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Slow => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "BODY_TIMEOUT",
                "the request's body came too slowly",
                "send it without pauses, with 1 KiB a second at least (`http.body_seconds`)",
            ),
            BodyError::Broken(_) => Self::new(
                StatusCode::BAD_REQUEST,
                "BODY_BROKEN",
                "the request's body broke off, or its encoding is wrong",
                "send the whole body, with a right Content-Length or chunked encoding",
            ),
        }
    }
}

/// The length that a request's head announces.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// Reads a body to its end.
pub(super) async fn whole(
    headers: &HeaderMap,
    body: axum::body::Body,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, Refusal> {
    let announced = announced(headers).unwrap_or_default();
    if usize::try_from(announced).map_or(true, |announced| announced > limit) {
        return Err(Refusal::body_too_large(limit));
    }
    let capacity = usize::try_from(announced.min(FIRST_CAPACITY)).unwrap_or_default();
    let mut collected = BytesMut::with_capacity(capacity);
    let mut body = Paced::new(body, patience);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            if data.len() > limit.saturating_sub(collected.len()) {
                return Err(Refusal::body_too_large(limit));
            }
            collected.extend_from_slice(&data);
        }
    }
    Ok(collected.freeze())
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A body of so many pieces of one byte, with a pause before each.
    fn dripping(pieces: usize, pause: Duration) -> axum::body::Body {
        let pieces = stream::unfold(0, move |sent| async move {
            if sent == pieces {
                return None;
            }
            tokio::time::sleep(pause).await;
            let frame = Frame::data(Bytes::from_static(b"x"));
            Some((Ok::<_, axum::Error>(frame), sent + 1))
        });
        axum::body::Body::new(StreamBody::new(Box::pin(pieces)))
    }

    async fn read(body: axum::body::Body) -> Result<Bytes, Refusal> {
        whole(&HeaderMap::new(), body, 100, PATIENCE).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_pauses_or_drips_for_ever_is_given_up() {
        assert_eq!(
            read(dripping(3, Duration::from_secs(5))).await.unwrap(),
            "xxx"
        );
        for (pieces, pause) in [(1, 31), (90, 10)] {
            let start = Instant::now();
            let refusal = read(dripping(pieces, Duration::from_secs(pause)))
                .await
                .unwrap_err();
            assert_eq!(refusal.status, StatusCode::REQUEST_TIMEOUT);
            assert_eq!(start.elapsed().as_secs(), PATIENCE.as_secs());
        }
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_with_and_without_a_length() {
        let refusal = read(dripping(101, Duration::ZERO)).await.unwrap_err();
        assert_eq!(refusal.status, StatusCode::PAYLOAD_TOO_LARGE);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, 101.into());
        let unread = dripping(1, Duration::MAX);
        let refusal = whole(&headers, unread, 100, PATIENCE).await.unwrap_err();
        assert_eq!(refusal.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
