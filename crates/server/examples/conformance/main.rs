//! The server with the fixtures of the protocol's conformance suite added: tools,
//! prompts and resources that exercise what an analysis tool has no use for
//! (images, sampling, questions to the user, subscriptions). They go through the
//! same HTTP stack as the real ones; `scripts/conformance` runs the suite against
//! both.
//!
//! ```text
//! cargo run -p reversecore-server --example conformance -- 127.0.0.1:8001
//! ```
//!
//! No external program is started here: the catalogue's tools are listed, and those that
//! need a worker never answer.

mod asking;
mod contents;
mod handler;
#[path = "../../tests/http/support/services.rs"]
mod services;
mod tasks;
mod tools;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use reversecore_server::{Handler, Http, HttpSettings, Shutdown, config};
use reversecore_tools::Catalogue;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = std::env::args()
        .nth(1)
        .ok_or("usage: conformance ADDRESS")?
        .parse()?;
    let workspace = tempfile::tempdir()?;
    let catalogue = Catalogue::new(services::services(workspace.path()));
    let mut settings = HttpSettings::from(&config::load(config::Sources::default())?.config);
    settings.address = address;
    let handler = handler::Fixtures::new(Handler::new(Arc::new(catalogue)));
    Http::bind(settings, handler)?
        .serve(Shutdown::new())
        .await?;
    Ok(())
}

/// A fixture in the form in which the suite describes it, as the protocol's type.
fn typed<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).expect("the fixture has the form of the protocol")
}
