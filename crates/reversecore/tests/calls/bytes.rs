//! `read_bytes` through the real binary: against the file itself, and against what
//! Python wrapped.

use std::process::Command;

use reversecore_testkit::samples::Workspace;
use serde_json::{Value, json};

use crate::code::data;
use crate::support::{Session, refused, reversecore};

/// The bytes of a dump's lines, and where the first line says that it lies.
fn bytes_of(data: &Value) -> (u64, Vec<u8>) {
    let mut first = None;
    let mut bytes = Vec::new();
    for line in data["dump"].as_array().unwrap() {
        let (place, rest) = line.as_str().unwrap().split_once("  ").unwrap();
        let (hex, _) = rest.split_once('|').unwrap();
        first.get_or_insert(u64::from_str_radix(place, 16).unwrap());
        bytes.extend(
            hex.split_whitespace()
                .map(|byte| u8::from_str_radix(byte, 16).unwrap()),
        );
    }
    (first.unwrap(), bytes)
}

#[test]
fn the_bytes_are_those_of_the_file_wherever_they_are_asked_for() {
    let workspace = Workspace::with_ls();
    let file = std::fs::read(workspace.join("ls")).unwrap();
    let mut session = Session::start(workspace.path());
    let parts = json!({"file_path": "ls", "parts": ["sections"]});
    let parsed = data(&mut session, "parse_binary", &parts);
    let sections = parsed["images"][0]["sections"].as_array().unwrap();
    let text = sections
        .iter()
        .find(|section| section["name"] == ".text")
        .unwrap();
    let (address, offset) = (
        text["address"].as_u64().unwrap(),
        text["offset"].as_u64().unwrap(),
    );

    let asked = json!({"file_path": "ls", "address": format!("{address:#x}"), "length": 100});
    let found = data(&mut session, "read_bytes", &asked);
    let from = usize::try_from(offset).unwrap();
    assert_eq!(bytes_of(&found), (address, file[from..from + 100].to_vec()));
    assert_eq!(
        found["start"],
        json!({"offset": offset, "address": address})
    );
    assert_eq!(
        (&found["section"], &found["next_skip"]),
        (&json!(".text"), &json!(100))
    );

    let asked =
        json!({"file_path": "ls", "offset": offset.to_string(), "length": 4096, "skip": 100});
    let found = data(&mut session, "read_bytes", &asked);
    let rest = file[from + 100..from + 4196].to_vec();
    assert_eq!(bytes_of(&found), (offset + 100, rest));

    let end = json!({"file_path": "ls", "offset": format!("{:#x}", file.len() - 8)});
    let found = data(&mut session, "read_bytes", &end);
    assert_eq!(
        (&found["end"], &found["next_skip"]),
        (&json!("file"), &Value::Null)
    );

    for (given, what) in [
        (
            json!({"file_path": "ls", "offset": "0xffffffffff"}),
            "outside the file",
        ),
        (
            json!({"file_path": "ls", "address": "0x7f0000000000"}),
            "no bytes in the file",
        ),
        (
            json!({"file_path": "ls", "address": "0x1", "offset": "1"}),
            "together with",
        ),
        (json!({"file_path": "ls", "decode": ["xor:1"]}), "xor:1"),
        (json!({"file_path": "ls", "length": 4097}), "from 1 to 4096"),
    ] {
        let envelope = session.call("read_bytes", &given);
        refused(&envelope, &["VALIDATION_ERROR"], "ls", workspace.path());
        assert!(
            envelope["message"].as_str().unwrap().contains(what),
            "{envelope}"
        );
    }
}

/// Text, packed as malware packs its configuration, in the middle of other things.
const WRAP: &str = r#"
import base64, gzip, sys, zlib
text = "".join(f"[server {n}] host=c2-{n}.example.org key=\u00fc\n" for n in range(200)).encode()
sys.stdout.buffer.write(text)
packed = bytes(b ^ k for b, k in zip(zlib.compress(text), bytes.fromhex("deadbe") * 10000))
open("wrapped", "wb").write(b"\0" * 64 + base64.encodebytes(packed) + b'"; eval();\n' + gzip.compress(text)[:-9])
"#;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "Python is who wraps, and the command line who is asked"
)]
fn what_python_wrapped_is_unwrapped_on_the_command_line_too() {
    let workspace = Workspace::with_ls();
    let wrapped = Command::new("python3")
        .args(["-c", WRAP])
        .current_dir(workspace.path())
        .output()
        .unwrap();
    assert!(wrapped.status.success(), "{wrapped:?}");
    let text = String::from_utf8(wrapped.stdout).unwrap();
    let mut session = Session::start(workspace.path());
    let mut skip = 0;
    let mut found = String::new();
    loop {
        let asked = json!({"file_path": "wrapped", "offset": "64", "length": 1000, "skip": skip,
                           "decode": ["base64", "xor:deadbe", "zlib"]});
        let page = data(&mut session, "read_bytes", &asked);
        found.push_str(page["text"].as_str().unwrap());
        let Some(next) = page["next_skip"].as_u64() else {
            assert_eq!(page["end"], "decoded");
            break;
        };
        skip = next;
    }
    assert_eq!(found.replace("\\n", "\n"), text);

    let file = std::fs::read(workspace.join("wrapped")).unwrap();
    let gzip = file
        .windows(3)
        .position(|three| three == b"\x1f\x8b\x08")
        .unwrap();
    let asked = json!({"file_path": "wrapped", "offset": gzip.to_string(), "length": 4096, "skip": text.len() - 10,
                       "decode": ["gzip"]});
    let envelope = session.call("read_bytes", &asked);
    assert_eq!(envelope["data"]["end"], "damaged", "{envelope}");
    assert_eq!(envelope["metadata"]["coverage"], "partial", "{envelope}");
    let warning = envelope["metadata"]["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("gzip: it can't go on after "),
        "{warning}"
    );

    let output = reversecore(workspace.path())
        .args([
            "run",
            "read_bytes",
            "wrapped",
            "--offset",
            "0x40",
            "--length",
            "32",
        ])
        .args([
            "--decode",
            "base64",
            "--decode",
            "xor:deadbe",
            "--decode",
            "zlib",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("offset 0x40, base64, xor:deadbe, zlib, 32 bytes\n"),
        "{said}"
    );
    assert!(said.contains("[server 0] host=c2-0.example.org"), "{said}");
    assert!(said.contains("[continue with skip=32]"), "{said}");
}
