//! Encrypted connections.

use std::sync::Arc;

use reversecore_server::{Http, HttpError, TlsFiles};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::raw::{exchange, status};
use crate::support::{LIMIT, Server, settings};

/// A certificate for `localhost`, in files, and a client that trusts it.
fn certificate() -> (TempDir, TlsFiles, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let files = TlsFiles {
        cert: directory.path().join("cert.pem"),
        key: directory.path().join("key.pem"),
    };
    std::fs::write(&files.cert, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (directory, files, TlsConnector::from(Arc::new(config)))
}

#[tokio::test]
async fn with_a_certificate_connections_are_encrypted_and_no_others_are_served() {
    let (_directory, files, connector) = certificate();
    let server = Server::with(|settings| settings.tls = Some(files)).await;
    let ask = async {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        let request = b"GET /files HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = tokio::time::timeout(LIMIT, ask).await.unwrap();
    assert_eq!(status(&answer), Some(200), "{answer}");
    let plain = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answer = exchange(server.address, plain).await;
    assert_eq!(status(&answer), None, "{answer}");
}

#[tokio::test]
async fn a_certificate_that_can_not_be_used_stops_the_start() {
    let server = Server::start().await;
    let (directory, files, _) = certificate();
    let (_other, others, _) = certificate();
    let empty = directory.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    for (cert, key, setting) in [
        (
            files.cert.clone(),
            directory.path().join("absent"),
            "`http.tls_key`",
        ),
        (empty.clone(), files.key.clone(), "`http.tls_cert`"),
        (files.cert.clone(), empty, "`http.tls_key`"),
        (files.cert.clone(), others.key, "`http.tls_key`"),
        (files.cert, Default::default(), "`http.tls_key`"),
    ] {
        let mut settings = settings();
        settings.tls = Some(TlsFiles { cert, key });
        let error = Http::bind(settings, server.handler()).unwrap_err();
        assert!(matches!(error, HttpError::Tls(_)), "{error}");
        assert!(error.to_string().contains(setting), "{error}");
    }
}
