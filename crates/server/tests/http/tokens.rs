//! Tokens of an authorization server, each wrong in one way.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use reversecore_server::config::{OAuthConfig, TokenAlgorithm};
use reversecore_server::{Http, HttpError};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

use crate::support::{Answer, Call, Server, settings};

const ISSUER: &str = "https://login.example.org";
const RESOURCE: &str = "https://tools.example.org/mcp";
const METADATA: &str = "/.well-known/oauth-protected-resource";

/// An authorization server's key.
struct Issuer {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Issuer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        Self { key, random }
    }

    fn jwk(&self, id: &str) -> Value {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id, "x": x, "y": y})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.key.sign(&self.random, message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn seconds(from_now: i64) -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    i64::try_from(now).unwrap() + from_now
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": RESOURCE, "sub": "carol", "exp": seconds(300), "scope": "files tools"})
}

fn oauth(keys: &Path) -> OAuthConfig {
    OAuthConfig {
        issuer: ISSUER.to_owned(),
        resource: RESOURCE.to_owned(),
        jwks: keys.to_path_buf(),
        algorithms: vec![TokenAlgorithm::ES256, TokenAlgorithm::EdDSA],
        scopes: vec!["tools".to_owned()],
    }
}

async fn server_with(keys: &[Value]) -> (Server, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jwks.json");
    std::fs::write(&file, json!({"keys": keys}).to_string()).unwrap();
    let server = Server::with(|settings| settings.oauth = Some(oauth(&file))).await;
    (server, directory)
}

async fn ask(server: &Server, token: &str) -> Answer {
    Call::get("/files")
        .header("authorization", &format!("Bearer {token}"))
        .send(server.address)
        .await
}

#[tokio::test]
async fn a_good_token_names_its_owner() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let (server, _keys) = server_with(&[issuer.jwk("k1"), other.jwk("k2")]).await;
    let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": "k1"});
    let token = issuer.sign(&header, &claims());
    assert_eq!(ask(&server, &token).await.status, StatusCode::OK);
    // Two clients: what one has uploaded is not the other's.
    let upload = Call::put("/upload", vec![1]).header("authorization", &format!("Bearer {token}"));
    assert_eq!(
        upload.send(server.address).await.status,
        StatusCode::CREATED
    );
    let mut of_dave = claims();
    of_dave["sub"] = "dave".into();
    of_dave["aud"] = json!(["https://other.example.org", RESOURCE]);
    let header = json!({"alg": "ES256", "kid": "k2"});
    let files = ask(&server, &other.sign(&header, &of_dave)).await;
    assert_eq!(files.message()["total"], 0, "{files:?}");
    assert_eq!(ask(&server, &token).await.message()["total"], 1);
}

#[tokio::test]
async fn a_token_that_is_wrong_in_one_way_is_refused() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let (server, _keys) = server_with(&[issuer.jwk("k1")]).await;
    let header = json!({"alg": "ES256", "kid": "k1"});
    let with = |claim: &str, value: Value| {
        let mut claims = claims();
        claims[claim] = value;
        issuer.sign(&header, &claims)
    };
    let without = |claim: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(claim);
        issuer.sign(&header, &claims)
    };
    let good = issuer.sign(&header, &claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let unsigned = message(&json!({"alg": "none"}), &claims());
    let public = issuer.jwk("k1")["x"].to_string();
    for (what, token) in [
        ("expired", with("exp", seconds(-60).into())),
        ("expiry no number", with("exp", "never".into())),
        ("no expiry", without("exp")),
        ("not yet", with("nbf", seconds(120).into())),
        (
            "another audience",
            with("aud", "https://other.example.org".into()),
        ),
        ("no audience", without("aud")),
        ("another issuer", with("iss", "https://evil.example".into())),
        ("no issuer", without("iss")),
        ("no subject", without("sub")),
        ("empty subject", with("sub", "".into())),
        ("long subject", with("sub", "x".repeat(200).into())),
        ("a stranger's", stranger.sign(&header, &claims())),
        (
            "unknown key",
            issuer.sign(&json!({"alg": "ES256", "kid": "k9"}), &claims()),
        ),
        ("alg none", format!("{unsigned}.")),
        ("alg none, signed", format!("{unsigned}.{signature}")),
        (
            "alg none in capitals",
            format!(
                "{}.",
                message(&json!({"alg": "None", "kid": "k1"}), &claims())
            ),
        ),
        (
            "shared secret",
            format!(
                "{}.{}",
                message(&json!({"alg": "HS256", "kid": "k1"}), &claims()),
                URL_SAFE_NO_PAD.encode(&public)
            ),
        ),
        (
            "other family",
            format!(
                "{}.{signature}",
                message(&json!({"alg": "EdDSA", "kid": "k1"}), &claims())
            ),
        ),
        ("no signature", format!("{signed}.")),
        (
            "cut signature",
            format!("{signed}.{}", signature.split_at(80).0),
        ),
        (
            "other claims",
            format!("{}.{signature}", message(&header, &json!({"sub": "root"}))),
        ),
        ("no json", "a.b.c".to_owned()),
        ("empty parts", "..".to_owned()),
        ("four parts", format!("{good}.x")),
    ] {
        let answer = ask(&server, &token).await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{what}: {answer:?}"
        );
        let challenge = answer.header("www-authenticate").unwrap();
        let place = format!("resource_metadata=\"https://tools.example.org{METADATA}/mcp\"");
        assert!(challenge.contains(&place), "{what}: {challenge}");
        assert!(
            challenge.contains("error=\"invalid_token\""),
            "{what}: {challenge}"
        );
        assert_eq!(answer.message()["error_code"], "UNAUTHORIZED", "{what}");
    }
    let answer = ask(&server, &with("scope", "files".into())).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("scope=\"tools\""),
        "{challenge}"
    );
    assert_eq!(ask(&server, &good).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_edwards_key_works_and_another_use_of_a_key_does_not() {
    let random = SystemRandom::new();
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let x = URL_SAFE_NO_PAD.encode(key.public_key());
    for (usage, status) in [("sig", StatusCode::OK), ("enc", StatusCode::UNAUTHORIZED)] {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "e", "use": usage, "x": x});
        let (server, _keys) = server_with(&[jwk]).await;
        let signed = message(&json!({"alg": "EdDSA"}), &claims());
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
        let answer = ask(&server, &format!("{signed}.{signature}")).await;
        assert_eq!(answer.status, status, "{usage}: {answer:?}");
    }
}

#[tokio::test]
async fn clients_are_told_where_tokens_come_from() {
    let (server, _keys) = server_with(&[Issuer::new().jwk("k1")]).await;
    let unknown = Call::get("/mcp").send(server.address).await;
    let challenge = unknown.header("www-authenticate").unwrap();
    assert!(
        challenge.starts_with("Bearer resource_metadata="),
        "{challenge}"
    );
    assert!(!challenge.contains("error"), "{challenge}");
    for path in [METADATA.to_owned(), format!("{METADATA}/mcp")] {
        let answer = Call::get(&path).send(server.address).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let metadata = answer.message();
        assert_eq!(metadata["resource"], RESOURCE);
        assert_eq!(metadata["authorization_servers"], json!([ISSUER]));
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
    }
    let other = Call::get(&format!("{METADATA}/other"))
        .send(server.address)
        .await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    let plain = Server::start().await;
    let none = Call::get(METADATA).send(plain.address).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn keys_that_can_not_be_read_stop_the_start() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jwks.json");
    for content in [None, Some("nonsense"), Some("{}")] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let mut settings = settings();
        settings.oauth = Some(oauth(&file));
        let error = Http::bind(settings, server.handler()).unwrap_err();
        assert!(matches!(error, HttpError::Tokens(_)), "{error}");
        assert!(error.to_string().contains("http.oauth.jwks"), "{error}");
    }
    std::fs::write(&file, "{\"keys\":[]}").unwrap();
    let mut settings = settings();
    let mut oauth = oauth(&file);
    oauth.resource = "tools".to_owned();
    settings.oauth = Some(oauth);
    let error = Http::bind(settings, server.handler()).unwrap_err();
    assert!(error.to_string().contains("http.oauth.resource"), "{error}");
}
