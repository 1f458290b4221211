//! Files that clients send: what becomes of them, of those that break off, and
//! of names that want out.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::access::keys;
use crate::support::raw::{exchange, status};
use crate::support::{Answer, Call, LIMIT, Server};

fn hash(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What lies in `uploads/`, the journal aside.
/// Files that are there, once what is unfinished of a refused one is gone: it is
/// removed beside the answer.
#[expect(
    clippy::disallowed_methods,
    reason = "a directory says nothing when it changes"
)]
fn kept(server: &Server) -> Vec<String> {
    const LOOKS: usize = 1000;
    for _ in 0..LOOKS {
        if !listed(server).iter().any(|name| name.starts_with('.')) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    listed(server)
}

fn listed(server: &Server) -> Vec<String> {
    let Ok(entries) = fs::read_dir(server.workspace().join("uploads")) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != ".index").collect();
    names.sort();
    names
}

async fn send(server: &Server, path: &str, content: &[u8]) -> Answer {
    Call::put(path, content.to_vec()).send(server.address).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_kept_under_its_hash_and_tools_find_it() {
    let server = Server::start().await;
    let content: Vec<u8> = (0_u32..16 << 20).flat_map(u32::to_le_bytes).collect();
    let answer = send(&server, "/upload?name=..%2Fbig.bin", &content).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let (sha256, receipt) = (hash(&content), answer.message());
    assert_eq!(receipt["sha256"], sha256);
    assert_eq!(receipt["file_path"], format!("sha256:{sha256}"));
    assert_eq!(receipt["size"], 64 << 20);
    assert_eq!(receipt["name"], "big.bin");
    assert_eq!(receipt["path"], format!("uploads/{sha256}"));
    let on_disk = fs::read(server.workspace().join("uploads").join(&sha256)).unwrap();
    assert!(on_disk == content);
    assert_eq!(kept(&server), std::slice::from_ref(&sha256));

    let parsed = |file: &str| json!({"name": "run_yara", "arguments": {"file_path": "sha256:00", "rule_file": file}});
    // A tool refuses a name that is none, and opens the one that is.
    let bad = Call::modern("tools/call", &parsed("x"))
        .send(server.address)
        .await;
    let text = bad.result()["structuredContent"].to_string();
    assert!(text.contains("64 hexadecimal digits"), "{text}");
    let gone = json!({"name": "run_strings", "arguments": {"file_path": format!("sha256:{}", "0".repeat(64))}});
    let gone = Call::modern("tools/call", &gone).send(server.address).await;
    assert_eq!(
        gone.result()["structuredContent"]["error_code"],
        "FILE_NOT_FOUND"
    );
}

#[tokio::test]
async fn a_form_is_taken_as_well_as_a_body() {
    let server = Server::start().await;
    let form = "--b\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nhello\r\n\
                --b\r\ncontent-disposition: form-data; name=\"f\"; filename=\"C:\\\\x\\\\a.exe\"\r\n\
                content-type: application/octet-stream\r\n\r\nMZ\r\n\r\nrest\r\n--b--\r\n";
    let answer = Call::put("/upload", form.into())
        .header("content-type", "multipart/form-data; boundary=b")
        .send(server.address)
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.message()["sha256"], hash(b"MZ\r\n\r\nrest"));
    assert_eq!(answer.message()["name"], "a.exe");
    for (kind, body) in [
        ("multipart/form-data", form),
        ("multipart/form-data; boundary=b", "--b--\r\n"),
        ("multipart/form-data; boundary=b", "nonsense"),
        (
            "multipart/form-data; boundary=b",
            form.split_at(form.len() - 10).0,
        ),
    ] {
        let answer = Call::put("/upload", body.into())
            .header("content-type", kind)
            .send(server.address)
            .await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{kind} {body}: {answer:?}"
        );
    }
    assert_eq!(kept(&server).len(), 1);
}

#[tokio::test]
async fn limits_and_quotas_are_kept_and_a_deletion_makes_room() {
    let server = Server::with(|settings| {
        settings.uploads.file = 1000;
        settings.uploads.client = 1500;
        settings.uploads.total = 2200;
        settings.keys = keys(&[("alice", "key-a"), ("bob", "key-b")]);
    })
    .await;
    let send = async |key: &str, content: Vec<u8>| {
        let call = Call::put("/upload", content).header("x-api-key", key);
        let answer = call.send(server.address).await;
        let code = answer.message()["error_code"].as_str().map(str::to_owned);
        (answer.status.as_u16(), code.unwrap_or_default())
    };
    let quota = (413, "UPLOAD_QUOTA".to_owned());
    assert_eq!(
        send("key-a", vec![1; 1001]).await,
        (413, "UPLOAD_TOO_LARGE".to_owned())
    );
    assert_eq!(send("key-a", vec![1; 1000]).await.0, 201);
    assert_eq!(send("key-a", vec![1; 1000]).await, quota);
    assert_eq!(send("key-a", vec![2; 501]).await, quota);
    assert_eq!(send("key-b", vec![3; 1000]).await.0, 201);
    // All together.
    assert_eq!(send("key-b", vec![4; 300]).await, quota);
    let chunked = format!(
        "PUT /upload HTTP/1.1\r\nhost: localhost\r\nx-api-key: key-a\r\nconnection: close\r\n\
         transfer-encoding: chunked\r\n\r\n3e9\r\n{}\r\n0\r\n\r\n",
        "x".repeat(1001)
    );
    let answer = exchange(server.address, chunked.as_bytes()).await;
    assert_eq!(status(&answer), Some(413), "{answer}");
    assert_eq!(kept(&server).len(), 2);

    let first = hash(&[1; 1000]);
    let delete = async |key: &str| {
        let call = Call::delete_at(&format!("/files/{first}")).header("x-api-key", key);
        call.send(server.address).await.status
    };
    assert_eq!(delete("key-b").await, StatusCode::NOT_FOUND);
    assert_eq!(delete("key-a").await, StatusCode::NO_CONTENT);
    assert_eq!(delete("key-a").await, StatusCode::NOT_FOUND);
    assert_eq!(kept(&server), [hash(&[3; 1000])]);
    assert_eq!(send("key-a", vec![2; 501]).await.0, 201);
}

#[tokio::test]
async fn a_client_sees_its_own_files_page_by_page() {
    let server = Server::with(|settings| {
        settings.keys = keys(&[("alice", "key-a"), ("bob", "key-b")]);
    })
    .await;
    for number in 0..5_u8 {
        let call = Call::put(&format!("/upload?name=f{number}"), vec![number]);
        call.header("x-api-key", "key-a").send(server.address).await;
    }
    let get = async |key: &str, path: &str| {
        Call::get(path)
            .header("x-api-key", key)
            .send(server.address)
            .await
    };
    let (mut cursor, mut names) = (Value::from(0), Vec::new());
    while !cursor.is_null() {
        let page = get("key-a", &format!("/files?limit=2&cursor={cursor}"))
            .await
            .message();
        assert_eq!(page["total"], 5);
        for file in page["files"].as_array().unwrap() {
            names.push(file["name"].as_str().unwrap().to_owned());
        }
        cursor = page["next_cursor"].clone();
    }
    assert_eq!(names, ["f0", "f1", "f2", "f3", "f4"]);
    assert_eq!(get("key-b", "/files").await.message()["total"], 0);
    let path = format!("/files/sha256:{}", hash(&[3]));
    assert_eq!(get("key-a", &path).await.message()["name"], "f3");
    for suffix in ["", "/content"] {
        let status = get("key-b", &format!("{path}{suffix}")).await.status;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_range_of_a_file_is_served() {
    let server = Server::start().await;
    let content: Vec<u8> = (0..600_000)
        .map(|at| b'a' + u8::try_from(at % 26).unwrap())
        .collect();
    send(&server, "/upload", &content).await;
    let path = format!("/files/{}/content", hash(&content));
    let get = async |range: &str| {
        Call::get(&path)
            .header("range", range)
            .send(server.address)
            .await
    };
    let part = get("bytes=299999-300001").await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.body.as_bytes(), &content[299_999..300_002]);
    assert_eq!(
        part.header("content-range"),
        Some("bytes 299999-300001/600000")
    );
    let outside = get("bytes=600000-").await;
    assert_eq!(outside.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let whole = get("bytes=0-1,5-6").await;
    assert_eq!(whole.status, StatusCode::OK);
    assert!(whole.body.as_bytes() == content);
    assert_eq!(whole.header("content-disposition"), Some("attachment"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_nothing() {
    let server = Server::start().await;
    for encoding in ["content-length: 1000000", "transfer-encoding: chunked"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("PUT /upload HTTP/1.1\r\nhost: localhost\r\n{encoding}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(b"400\r\n").await.unwrap();
        stream.write_all(&[b'x'; 1000]).await.unwrap();
        let begun = async {
            while kept(&server).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, begun).await.unwrap();
        drop(stream);
        let gone = async {
            while !kept(&server).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, gone).await.unwrap();
    }
    let files = Call::get("/files").send(server.address).await;
    assert_eq!(files.message()["total"], 0);
}

#[tokio::test]
async fn what_was_uploaded_is_known_after_a_new_start_and_leftovers_are_not() {
    let server = Server::start().await;
    send(&server, "/upload?name=one", b"one").await;
    send(&server, "/upload?name=two", b"two").await;
    let directory = server.workspace().join("uploads");
    fs::write(directory.join(".partial-1-1"), "half").unwrap();
    // Cut off by a crash: it is not what its name says.
    fs::write(directory.join(hash(b"two")), "").unwrap();
    let mut journal = fs::read(directory.join(".index")).unwrap();
    journal.extend_from_slice(b"{\"change\":\"add\",\"own");
    fs::write(directory.join(".index"), journal).unwrap();
    let again = Server::on(server.workspace(), |_| {}).await;
    let files = Call::get("/files").send(again.address).await.message();
    assert_eq!(files["total"], 1, "{files}");
    assert_eq!(files["files"][0]["name"], "one");
    assert!(!directory.join(".partial-1-1").exists());
}

#[tokio::test]
async fn links_lead_nowhere() {
    // The directory itself is a link: nothing is written through it.
    let server = Server::start().await;
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), server.workspace().join("uploads")).unwrap();
    let answer = send(&server, "/upload", b"x").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    assert_eq!(answer.message()["error_code"], "UPLOADS_OFF");
    assert!(
        !answer.body.contains(outside.path().to_str().unwrap()),
        "{answer:?}"
    );
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);

    // A link in the place of the file: it is replaced, and not followed.
    let server = Server::start().await;
    let uploads = server.workspace().join("uploads");
    fs::create_dir(&uploads).unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let place = uploads.join(hash(b"x"));
    symlink(&secret, &place).unwrap();
    symlink(&secret, uploads.join(".partial-0-0")).unwrap();
    assert_eq!(
        send(&server, "/upload", b"x").await.status,
        StatusCode::CREATED
    );
    assert!(!Path::new(&place).symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
}

#[tokio::test]
async fn uploads_can_be_switched_off() {
    let server = Server::with(|settings| settings.uploads.file = 0).await;
    let answer = send(&server, "/upload", b"x").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(!server.workspace().join("uploads").exists());
}
