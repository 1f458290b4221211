//! What is shipped beside the binary says nothing that the binary does not know: the
//! service, the container, the dashboard, the Debian package.

#![expect(
    clippy::disallowed_methods,
    reason = "the binary under test is a process of its own"
)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use reversecore_testkit::samples::Workspace;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn shipped(name: &str) -> String {
    let path = root().join("packaging").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The binary, with nothing of the test's environment.
fn reversecore(workspace: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reversecore"));
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("REVERSECORE_WORKSPACE", workspace)
        .env("LOG_LEVEL", "error")
        .current_dir(workspace);
    command
}

/// What the binary says to these words, in a place of its own.
fn asked(words: &[&str]) -> Output {
    let workspace = Workspace::with_ls();
    let mut command = reversecore(workspace.path());
    command.args(words).stdin(Stdio::null()).output().unwrap()
}

/// Asserts that the binary would take this command line: its help is asked for
/// behind it, and whatever is wrong before is complained of.
#[track_caller]
fn is_understood(words: &[&str]) {
    let words: Vec<&str> = words.iter().copied().chain(["--help"]).collect();
    let output = asked(&words);
    assert!(output.status.success(), "{words:?}: {output:?}");
}

#[test]
fn the_services_command_and_configuration_are_understood() {
    let unit = shipped("reversecore.service");
    let settings: Vec<(&str, &str)> = unit
        .lines()
        .filter(|line| !line.starts_with(['#', '[']) && !line.is_empty())
        .map(|line| line.split_once('=').expect("a setting has a value"))
        .collect();
    let value = |name: &str| {
        let mut values = settings.iter().filter(|(key, _)| *key == name);
        values.next().map(|(_, value)| *value)
    };
    let start = value("ExecStart").unwrap();
    let words: Vec<&str> = start.split(' ').collect();
    assert_eq!(words[0], "/usr/bin/reversecore");
    is_understood(&words[1..]);
    assert!(words.ends_with(&["--config", "/etc/reversecore/reversecore.toml"]));

    let file = root().join("packaging/reversecore.toml");
    let doctor = asked(&["doctor", "--json", "--config", file.to_str().unwrap()]);
    let findings: Value = serde_json::from_slice(&doctor.stdout)
        .unwrap_or_else(|error| panic!("{error}: {doctor:?}"));
    assert_eq!(findings["usable"], true, "{findings}");

    // Each of these takes away what the server confines its runs with, or the memory
    // that rules are compiled to.
    assert_eq!(value("Delegate"), Some("yes"));
    for harmful in [
        "MemoryDenyWriteExecute",
        "PrivateUsers",
        "ProcSubset",
        "ProtectControlGroups",
        "ProtectKernelLogs",
        "ProtectKernelTunables",
        "RestrictNamespaces",
        "RestrictSUIDSGID",
    ] {
        assert_eq!(value(harmful), None, "{harmful}");
        assert!(unit.contains(harmful), "the unit says why not {harmful}");
    }
}

#[test]
fn the_containers_commands_are_understood() {
    let dockerfile = shipped("Dockerfile");
    // Of instructions that are JSON lists.
    let list = |instruction: &str| -> Vec<String> {
        let mut lines = dockerfile.lines().map(str::trim);
        let words = lines.find_map(|line| line.strip_prefix(instruction));
        serde_json::from_str(words.unwrap_or_else(|| panic!("no {instruction}"))).unwrap()
    };
    assert_eq!(list("ENTRYPOINT"), ["reversecore"]);
    let health = list("CMD");
    assert_eq!(health[0], "reversecore");
    let served: Vec<String> = dockerfile
        .lines()
        .rfind(|line| line.starts_with("CMD"))
        .and_then(|line| serde_json::from_str(line.strip_prefix("CMD")?).ok())
        .unwrap();
    for words in [&health[1..], &served[..]] {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        is_understood(&words);
    }
    // It is for every address, so it must refuse to start without a key.
    let words: Vec<&str> = served.iter().map(String::as_str).collect();
    let output = asked(&words);
    assert!(!output.status.success(), "{output:?}");
    assert!(dockerfile.contains("\nUSER 10001:10001\n"));
}

/// A server over HTTP; ended when dropped.
struct Served {
    process: Child,
    port: u16,
    _workspace: Workspace,
}

impl Served {
    fn start() -> Self {
        let workspace = Workspace::with_ls();
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut command = reversecore(workspace.path());
        command.args(["serve", "--http", &port.to_string()]);
        let process = command.stdin(Stdio::null()).spawn().unwrap();
        Self {
            process,
            port,
            _workspace: workspace,
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let host = format!("127.0.0.1:{}", self.port);
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        answer
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Names in a text that look like ours.
fn names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("reversecore_"))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn the_dashboards_metrics_are_those_of_a_server() {
    let server = Served::start();
    let ready = asked(&[
        "health",
        "--wait",
        "--seconds",
        "60",
        "--url",
        &server.url(),
    ]);
    assert!(ready.status.success(), "{ready:?}");
    assert_eq!(ready.stdout, b"ready\n");
    // Families have members when there is something to count: an answer, an error,
    // and one that is remembered, which begins when the file is a second old.
    let url = format!("{}/mcp", server.url());
    let call = |file: &str| {
        let arguments = format!("{{\"file_path\":\"{file}\"}}");
        let load = ["bench", "load", "--tool", "run_file", "--calls", "1"];
        let rest = ["--concurrency", "1", "--args", &arguments, "--url", &url];
        asked(&[&load[..], &rest].concat()).status.success()
    };
    assert!(!call("missing"));
    let remembered = (0..2000).any(|_| {
        assert!(call("ls"));
        server.get("/metrics").contains("_tool_cached_total")
    });
    assert!(remembered);
    let known = names(&server.get("/metrics"));
    assert!(known.len() > 20, "{known:?}");

    let text = shipped("grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut wanted = names(&dashboard["templating"].to_string());
    let panels = dashboard["panels"].as_array().unwrap();
    for target in panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
    {
        for target in target {
            let used = names(target["expr"].as_str().unwrap());
            assert!(!used.is_empty(), "{target}");
            wanted.extend(used);
        }
    }
    // A family without a member has its name without the ending only.
    let is_known = |name: &String| {
        let family = name.trim_end_matches("_total");
        known.contains(name) || known.contains(family)
    };
    let unknown: Vec<_> = wanted.iter().filter(|name| !is_known(name)).collect();
    assert!(
        unknown.is_empty(),
        "no server has {unknown:?}; it has {known:?}"
    );
    // And nothing that is counted is forgotten. Of a histogram the buckets are enough.
    let shown = |name: &&String| {
        let stem = name.trim_end_matches("_sum").trim_end_matches("_count");
        let as_shown = ["_total", "_bucket"].map(|ending| format!("{stem}{ending}"));
        wanted.contains(*name) || as_shown.iter().any(|name| wanted.contains(name))
    };
    let described = |name: &&String| known.contains(&format!("{name}_total"));
    let of_histogram = |name: &&String| known.contains(&format!("{name}_bucket"));
    let forgotten: Vec<_> = known
        .iter()
        .filter(|name| !shown(name) && !described(name) && !of_histogram(name))
        .collect();
    assert!(forgotten.is_empty(), "not on the dashboard: {forgotten:?}");
}

#[test]
fn nobody_there_is_no_health() {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = free.local_addr().unwrap().to_string();
    // Somebody who accepts and says nothing.
    let output = asked(&["health", "--seconds", "1", "--url", &address]);
    assert!(!output.status.success(), "{output:?}");
    drop(free);
    let output = asked(&["health", "--url", &address]);
    assert!(!output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("failed to connect"));
}

#[test]
fn the_packages_files_are_there() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours = packages
        .iter()
        .find(|one| one["name"] == "reversecore")
        .unwrap();
    let deb = &ours["metadata"]["deb"];
    let script = fs::read_to_string(root().join("scripts/build-deb")).unwrap();
    let mut targets = BTreeSet::new();
    for asset in deb["assets"].as_array().unwrap() {
        let source = asset[0].as_str().unwrap();
        targets.insert(asset[1].as_str().unwrap());
        match source.strip_prefix("../../packaging/stage/") {
            // The script makes it in its stage.
            Some(made) => {
                let made = made.trim_end_matches("/*.1");
                assert!(script.contains(&format!("$stage/{made}")), "{source}");
            }
            None => assert!(ours_at(source).exists(), "{source}"),
        }
    }
    let conffile = "etc/reversecore/";
    assert!(targets.contains(conffile), "{targets:?}");
    let scripts = deb["maintainer-scripts"].as_str().unwrap();
    assert!(ours_at(scripts).is_dir(), "{scripts}");
    let unit = ours_at(deb["systemd-units"]["unit-scripts"].as_str().unwrap());
    assert!(unit.join("reversecore.service").exists());
    // The user that the unit runs as is the one that the package makes.
    let sysusers = shipped("debian/reversecore.sysusers");
    assert!(sysusers.contains("\nu reversecore "));
    assert!(shipped("reversecore.service").contains("\nUser=reversecore\n"));
}

fn ours_at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The allocator reads its settings before `main`, and prints them at the end.
#[test]
fn the_allocator_has_the_settings_of_this_program() {
    let workspace = Workspace::with_ls();
    let mut command = reversecore(workspace.path());
    command.env("_RJEM_MALLOC_CONF", "stats_print:true");
    let output = command.arg("--version").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    for setting in ["opt.narenas: 2", "opt.dirty_decay_ms: 5000"] {
        assert!(said.contains(setting), "{said}");
    }
}
