//! Who is let in, and how much may be sent.

use http::StatusCode;
use reversecore_server::config::{ApiKey, ClientName, KeyHash};
use reversecore_server::{Http, HttpError};
use serde_json::json;

use crate::support::{Call, Server, initialize, request, settings};

/// Keys of these clients, as the configuration has them.
pub(crate) fn keys(of: &[(&str, &str)]) -> Vec<(ClientName, KeyHash)> {
    of.iter()
        .map(|(name, key)| {
            let key: ApiKey = key.parse().unwrap();
            (name.parse().unwrap(), key.hash())
        })
        .collect()
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let server = Server::start().await;
    for (header, value) in [
        ("host", "evil.example"),
        ("host", "127.0.0.1.evil.example"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        for call in [
            Call::post(&initialize()),
            Call::modern("tools/list", &json!({})),
            Call::get("/metrics"),
            Call::get("/health/ready"),
        ] {
            let answer = call.header(header, value).send(server.address).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{header}: {value}");
        }
    }
    let own = server.address.to_string();
    let page = format!("http://{own}");
    let answer = Call::post(&initialize())
        .header("host", &own)
        .header("origin", &page)
        .send(server.address)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

#[tokio::test]
async fn with_a_key_only_its_owner_gets_in() {
    let server =
        Server::with(|settings| settings.api_key = Some("open-sesame".parse().unwrap())).await;
    let calls = || {
        [
            Call::post(&initialize()),
            Call::modern("tools/list", &json!({})),
            Call::get("/metrics"),
            Call::get("/nothing"),
        ]
    };
    for call in calls() {
        for refused in [
            call.clone(),
            call.clone().header("authorization", "Bearer open-sesam"),
            call.clone().header("x-api-key", "open-sesame1"),
        ] {
            let answer = refused.send(server.address).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{call:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        for let_in in [
            call.clone().header("authorization", "Bearer open-sesame"),
            call.clone().header("x-api-key", "open-sesame"),
        ] {
            let answer = let_in.send(server.address).await;
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{call:?}");
        }
    }
    let live = Call::get("/health/live").send(server.address).await;
    assert_eq!(live.status, StatusCode::OK);
    let ready = Call::get("/health/ready").send(server.address).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn everything_but_health_needs_a_key_and_says_how_to_send_it() {
    let server = Server::with(|settings| settings.keys = keys(&[("alice", "key-a")])).await;
    for call in [
        Call::get("/mcp"),
        Call::get("/metrics"),
        Call::get("/jobs"),
        Call::delete_at("/jobs/1"),
        Call::put("/upload", vec![1]),
        Call::get("/files"),
        Call::get("/files/x/content"),
        Call::get("/artifacts/x"),
    ] {
        let answer = call.clone().send(server.address).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{call:?}");
        let body = answer.message();
        assert_eq!(body["error_code"], "UNAUTHORIZED");
        assert!(
            body["hint"].as_str().unwrap().contains("X-API-Key"),
            "{body}"
        );
        let answer = call
            .clone()
            .header("x-api-key", "key-a")
            .send(server.address)
            .await;
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{call:?}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let server = Server::with(|settings| settings.max_body_bytes = 4096).await;
    let large = request("tools/list", &json!({"filler": "x".repeat(5000)}));
    let answer = Call::post(&large).send(server.address).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn without_a_key_it_listens_on_this_machine_only() {
    let server = Server::start().await;
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let mut settings = settings();
        settings.address = address.parse().unwrap();
        let error = Http::bind(settings, server.handler()).unwrap_err();
        assert!(matches!(error, HttpError::KeyRequired { .. }), "{error}");
        assert!(error.to_string().contains("MCP_API_KEY"), "{error}");
    }
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let server = Server::start().await;
    let mut settings = settings();
    settings.address = server.address;
    let error = Http::bind(settings, server.handler()).unwrap_err();
    assert!(
        error.to_string().contains(&server.address.to_string()),
        "{error}"
    );
}
