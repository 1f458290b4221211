//! Which paths are opened, and which are refused with which code.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::error::ErrorCode;

struct Tree {
    base: TempDir,
    workspace: Workspace,
}

/// A workspace, a read-only directory and a rule directory, beside a secret.
fn tree() -> Tree {
    let base = tempfile::tempdir().unwrap();
    let path = base.path();
    for directory in ["work/sub", "read", "rules", "secret", "work-not"] {
        fs::create_dir_all(path.join(directory)).unwrap();
    }
    for (file, text) in [
        ("work/a.bin", "a"),
        ("work/sub/b.bin", "b"),
        ("work/empty", ""),
        ("work/-n --help", "dash"),
        ("work/$(id)", "dollar"),
        ("work/with space", "space"),
        ("work/new\nline", "line"),
        ("read/r.bin", "r"),
        ("rules/r.yar", "y"),
        ("secret/s", "secret"),
        ("work-not/x", "secret"),
    ] {
        fs::write(path.join(file), text).unwrap();
    }
    let odd = path.join("work").join(OsStr::from_bytes(b"odd\xff"));
    fs::write(odd, "odd").unwrap();
    symlink("../secret/s", path.join("work/out")).unwrap();
    symlink(path.join("secret"), path.join("work/outdir")).unwrap();
    symlink("a.bin", path.join("work/in")).unwrap();
    symlink("loop", path.join("work/loop")).unwrap();
    symlink("/proc/self/fd/0", path.join("work/magic")).unwrap();
    let mode = Mode::from_raw_mode(0o644);
    mknodat(CWD, path.join("work/fifo"), FileType::Fifo, mode, 0).unwrap();
    drop(UnixListener::bind(path.join("work/socket")).unwrap());
    let workspace = Workspace::open(&WorkspaceSettings {
        root: path.join("work"),
        read_dirs: vec![path.join("read")],
        rule_dirs: vec![path.join("rules")],
    })
    .unwrap();
    Tree { base, workspace }
}

impl Tree {
    fn read(&self, given: &str, scope: Scope) -> Result<String, ErrorCode> {
        let text = |mut file: File| {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            text
        };
        let read = self
            .workspace
            .open_file(given, scope)
            .map(text)
            .map_err(|refused| refused.into_tool_error("file_path", given).code);
        // The short way opens the same, or nothing.
        if let Some(at_hand) = self.workspace.open_at_hand(given) {
            assert_eq!(Ok(&text(at_hand)), read.as_ref(), "{given}");
        }
        read
    }

    fn absolute(&self, path: &str) -> String {
        self.base.path().join(path).to_str().unwrap().to_owned()
    }
}

#[test]
fn an_uploaded_file_is_named_by_its_content_and_by_nothing_else() {
    let tree = tree();
    let hash = "0f".repeat(32);
    fs::create_dir(tree.base.path().join("work/uploads")).unwrap();
    fs::write(tree.base.path().join("work/uploads").join(&hash), "up").unwrap();
    for given in [
        format!("sha256:{hash}"),
        format!("sha256:{}", hash.to_uppercase()),
        format!("uploads/{hash}"),
    ] {
        assert_eq!(tree.read(&given, Scope::Files).unwrap(), "up", "{given}");
    }
    let other = format!("sha256:{}", "0e".repeat(32));
    assert_eq!(
        tree.read(&other, Scope::Files),
        Err(ErrorCode::FileNotFound)
    );
    let long = format!("sha256:{hash}0");
    for given in ["sha256:", "sha256:../../a.bin", "sha256:a.bin", &long] {
        let read = tree.read(given, Scope::Files);
        assert_eq!(read, Err(ErrorCode::ValidationError), "{given}");
    }
}

#[test]
fn files_beneath_the_roots_are_opened_whatever_their_names() {
    let tree = tree();
    for (given, text) in [
        ("a.bin", "a"),
        ("./sub/../a.bin", "a"),
        ("sub/b.bin", "b"),
        ("empty", ""),
        ("-n --help", "dash"),
        ("$(id)", "dollar"),
        ("with space", "space"),
        ("new\nline", "line"),
        ("odd%FF", "odd"),
        ("in", "a"),
        (&tree.absolute("work/a.bin"), "a"),
        (&tree.absolute("read/r.bin"), "r"),
    ] {
        assert_eq!(
            tree.read(given, Scope::Files).as_deref(),
            Ok(text),
            "{given}"
        );
    }
    assert_eq!(tree.read("r.yar", Scope::Rules).as_deref(), Ok("y"));
    assert!(tree.read("r.yar", Scope::Files).is_err());
}

#[test]
fn what_is_in_memory_is_opened_the_short_way_where_the_file_system_allows() {
    let tree = tree();
    let prompt = tree.workspace.inner.roots.iter().all(|root| root.prompt);
    assert_eq!(tree.read("sub/b.bin", Scope::Files).unwrap(), "b");
    let opened = tree.workspace.open_at_hand("sub/b.bin");
    assert_eq!(opened.is_some(), prompt);
    for not_so in ["fifo", "socket", "sub", "absent", "out", "magic", ""] {
        assert!(tree.workspace.open_at_hand(not_so).is_none(), "{not_so}");
    }
}

#[test]
fn bad_paths_are_refused_with_the_right_code() {
    use ErrorCode::{FileNotFound, PathNotAllowed, ValidationError};
    let tree = tree();
    for (given, code) in [
        ("", ValidationError),
        ("a\0b", ValidationError),
        (&*"x/".repeat(3000), ValidationError),
        (&*"x".repeat(300), ValidationError),
        ("..", PathNotAllowed),
        ("../secret/s", PathNotAllowed),
        ("sub/../../secret/s", PathNotAllowed),
        ("out", PathNotAllowed),
        ("outdir/s", PathNotAllowed),
        ("magic", PathNotAllowed),
        ("loop", PathNotAllowed),
        ("/etc/passwd", PathNotAllowed),
        ("/proc/self/mem", PathNotAllowed),
        (&*tree.absolute("secret/s"), PathNotAllowed),
        (&*tree.absolute("work-not/x"), PathNotAllowed),
        (&*tree.absolute("rules/r.yar"), PathNotAllowed),
        (&*tree.absolute("work/../secret/s"), PathNotAllowed),
        ("absent", FileNotFound),
        ("a.bin/x", FileNotFound),
        (".", FileNotFound),
        ("sub", FileNotFound),
        ("fifo", FileNotFound),
        ("socket", FileNotFound),
        ("r.bin", FileNotFound),
    ] {
        assert_eq!(tree.read(given, Scope::Files), Err(code), "{given:?}");
    }
}

#[test]
fn a_device_is_refused_and_never_opened() {
    let workspace = Workspace::open(&WorkspaceSettings {
        root: "/dev".into(),
        read_dirs: Vec::new(),
        rule_dirs: Vec::new(),
    })
    .unwrap();
    let refused = workspace.open_file("null", Scope::Files).unwrap_err();
    let error = refused.into_tool_error("file_path", "null");
    assert_eq!(error.code, ErrorCode::FileNotFound);
    assert_eq!(
        error.message,
        "`null` is a character device, not a regular file"
    );
}

#[test]
fn a_link_put_in_place_after_a_first_call_leads_nowhere() {
    let tree = tree();
    assert!(tree.read("sub/b.bin", Scope::Files).is_ok());
    let work = tree.base.path().join("work");
    fs::rename(work.join("sub"), work.join("was")).unwrap();
    symlink("../secret", work.join("sub")).unwrap();
    fs::write(tree.base.path().join("secret/b.bin"), "secret").unwrap();
    assert_eq!(
        tree.read("sub/b.bin", Scope::Files),
        Err(ErrorCode::PathNotAllowed)
    );
    fs::remove_file(work.join("a.bin")).unwrap();
    symlink("../secret/s", work.join("a.bin")).unwrap();
    assert_eq!(
        tree.read("a.bin", Scope::Files),
        Err(ErrorCode::PathNotAllowed)
    );
}

#[test]
fn includes_stay_beneath_the_roots() {
    let tree = tree();
    fs::write(tree.base.path().join("work/sub/beside.yar"), "1").unwrap();
    let open = |name: &str, including| {
        tree.workspace
            .open_included(name, including)
            .map(|(_, name)| name)
    };
    assert_eq!(
        open("beside.yar", Some("sub/main.yar")).as_deref(),
        Ok("sub/beside.yar")
    );
    assert_eq!(open("r.yar", Some("sub/main.yar")).as_deref(), Ok("r.yar"));
    for name in ["../secret/s", "/etc/passwd", "../../secret/s", "out"] {
        assert_eq!(
            open(name, Some("sub/main.yar")),
            Err(Refused::Outside),
            "{name}"
        );
    }
    assert_eq!(open("absent", None), Err(Refused::Absent));
}

#[test]
fn messages_hold_the_path_as_given_and_no_other() {
    let tree = tree();
    for given in ["absent\n", "out", "fifo", "../x"] {
        let shown = crate::text::quoted(given);
        let refused = tree.workspace.open_file(given, Scope::Files).unwrap_err();
        let error = refused.into_tool_error("file_path", &shown);
        let base = tree.base.path().to_str().unwrap();
        assert!(error.message.contains(&shown), "{error}");
        assert!(!format!("{error:?}").contains(base), "{error:?}");
    }
}

#[test]
fn a_missing_root_is_named() {
    let error = Workspace::open(&WorkspaceSettings {
        root: "/nonexistent/workspace".into(),
        read_dirs: Vec::new(),
        rule_dirs: Vec::new(),
    })
    .unwrap_err();
    assert!(error.to_string().contains("/nonexistent/workspace"));
}

#[tokio::test]
async fn a_file_that_changes_during_the_run_is_noticed() {
    let tree = tree();
    let cancel = CancellationToken::new();
    let soon = || tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    let mut same = tree
        .workspace
        .target("file_path", "a.bin", &cancel)
        .await
        .unwrap();
    same.start_hashing(&tree.workspace);
    let hash = same.settle(soon(), &cancel).await.unwrap().unwrap();
    assert_eq!(
        &*hash,
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    );
    let mut target = tree
        .workspace
        .target("file_path", "a.bin", &cancel)
        .await
        .unwrap();
    fs::write(tree.base.path().join("work/a.bin"), "longer").unwrap();
    let error = target.settle(soon(), &cancel).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::FileChanged);
}

#[tokio::test]
async fn a_file_that_was_just_written_is_hashed_anew() {
    let tree = tree();
    let cancel = CancellationToken::new();
    let file = tree.base.path().join("work/a.bin");
    let mut hashes = Vec::new();
    for text in ["one", "two"] {
        // In place and of the same size: perhaps within one step of the clock.
        fs::write(&file, text).unwrap();
        let mut target = tree
            .workspace
            .target("file_path", "a.bin", &cancel)
            .await
            .unwrap();
        target.start_hashing(&tree.workspace);
        let soon = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        hashes.push(target.settle(soon, &cancel).await.unwrap().unwrap());
    }
    assert_ne!(hashes[0], hashes[1]);
}

#[test]
fn a_listing_is_sorted_spelled_and_follows_no_link() {
    let tree = tree();
    let list = |recursive| {
        let walk = Walk {
            path: ".".into(),
            pattern: None,
            recursive,
            scope: Scope::Files,
        };
        tree.workspace.list(&walk).unwrap()
    };
    let flat = list(false);
    let names: Vec<&str> = flat.entries.iter().map(|entry| &*entry.path).collect();
    assert_eq!(
        names,
        [
            "$(id)",
            "-n --help",
            "a.bin",
            "empty",
            "fifo",
            "in",
            "loop",
            "magic",
            "new\nline",
            "odd%FF",
            "out",
            "outdir",
            "socket",
            "sub",
            "with space"
        ]
    );
    let kind = |name: &str| {
        flat.entries
            .iter()
            .find(|entry| entry.path == name)
            .map(|entry| entry.kind)
    };
    assert_eq!(kind("a.bin"), Some(Kind::File));
    assert_eq!(kind("sub"), Some(Kind::Directory));
    assert_eq!(kind("outdir"), Some(Kind::Symlink));
    assert_eq!(kind("fifo"), Some(Kind::Other));
    let deep = list(true);
    assert!(deep.entries.iter().any(|entry| entry.path == "sub/b.bin"));
    assert!(
        !deep
            .entries
            .iter()
            .any(|entry| entry.path.starts_with("outdir/"))
    );
    assert!(!deep.cut);
}

#[test]
fn a_listing_outside_is_refused() {
    let tree = tree();
    for path in ["..", "outdir", "/etc", "a.bin"] {
        let walk = Walk {
            path: path.into(),
            pattern: None,
            recursive: true,
            scope: Scope::Files,
        };
        assert!(tree.workspace.list(&walk).is_err(), "{path}");
    }
}

#[test]
fn what_is_written_down_of_uploads_is_no_file_of_the_workspace() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("uploads")).unwrap();
    std::fs::write(directory.path().join("uploads/.index"), "secret").unwrap();
    let workspace = Workspace::open(&WorkspaceSettings {
        root: directory.path().to_owned(),
        read_dirs: Vec::new(),
        rule_dirs: Vec::new(),
    })
    .unwrap();
    for given in [
        "uploads/.index",
        "./uploads/./.index",
        "uploads/../uploads/.index",
    ] {
        let refused = workspace.open_file(given, Scope::Files);
        assert!(matches!(refused, Err(Refused::Absent)), "{given}");
    }
}
