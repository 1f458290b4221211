//! The least that an HTTP server of this stack can do: axum answers every request for
//! `/mcp` with the same bytes. What the real server does besides is what
//! `scripts/bench-http` compares with it.
//!
//! ```text
//! plain ADDRESS CONTENT-TYPE FILE
//! ```

use std::error::Error;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::header;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("usage: plain ADDRESS CONTENT-TYPE FILE")
    };
    let (address, kind, file) = (next()?, next()?, next()?);
    let answer = Bytes::from(std::fs::read(file)?);
    let answer = move |_: Bytes| {
        let (kind, answer) = (kind.clone(), answer.clone());
        async move { ([(header::CONTENT_TYPE, kind)], answer) }
    };
    let router = Router::new().route("/mcp", post(answer));
    let listener = tokio::net::TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = TowerToHyperService::new(router.clone());
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        tokio::runtime::Handle::current().spawn(async move {
            // A client that is gone is no fault.
            connection.await.ok();
        });
    }
}
