//! What a radare2 command could do if it got past the command policy: nothing.
//! The policy is switched off here, so that confinement stands alone; the
//! escapes are those that really work in an unconfined radare2.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of a test: a failure here is a failure of the test"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use reversecore_exec::{Engine, EngineConfig, PoolConfig, SandboxMode, WorkerPool};
use reversecore_jobs::Client;
use reversecore_testkit::{escapes, samples::Workspace as Files};
use reversecore_tools::{
    Caller, Catalogue, PolicyMode, ProgramSettings, Programs, Services, Workspace,
    WorkspaceSettings,
};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

fn catalogue(files: &Path, scratch: &Path, sandbox: SandboxMode) -> Catalogue {
    let mut engine = EngineConfig::new(env!("CARGO_BIN_EXE_reversecore"), scratch);
    engine.launcher_args = vec!["__launcher".into()];
    engine.sandbox = sandbox;
    let workspace = WorkspaceSettings {
        root: files.to_owned(),
        read_dirs: Vec::new(),
        rule_dirs: Vec::new(),
    };
    let engine = Engine::start(engine).unwrap();
    let mut workers = PoolConfig::new("/bin/cat");
    workers.min = 0;
    let workers = WorkerPool::start(&engine, workers).unwrap();
    Catalogue::new(Arc::new(Services {
        programs: Programs::new(ProgramSettings {
            search: vec!["/usr/local/bin".into(), "/usr/bin".into()],
            ..ProgramSettings::default()
        }),
        radare2_policy: PolicyMode::Off,
        ..Services::new(engine, workers, Workspace::open(&workspace).unwrap())
    }))
}

async fn run(catalogue: &Catalogue, command: &str) -> Value {
    let given = json!({"file_path": "ls", "r2_command": command, "timeout": 5});
    let Value::Object(given) = given else {
        return Value::Null;
    };
    let given: Map<String, Value> = given;
    let reply = catalogue
        .call(
            "run_radare2",
            given,
            &Caller::new(Client::new("test")),
            &CancellationToken::new(),
        )
        .await
        .unwrap();
    serde_json::from_str(&reply.json).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_escape_past_the_policy_gains_nothing() {
    let files = Files::with_ls();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "the-secret-text").unwrap();
    let mark = outside.path().join("mark");
    let before = fs::read(files.join("ls")).unwrap();
    let catalogue = catalogue(files.path(), outside.path(), SandboxMode::Auto);
    for template in escapes::all() {
        let command = template
            .replace("MARK", mark.to_str().unwrap())
            .replace("SECRET", secret.to_str().unwrap());
        let envelope = run(&catalogue, &command).await.to_string();
        assert!(
            !envelope.contains("the-secret-text"),
            "{template}: {envelope}"
        );
        assert!(!mark.exists(), "{template}: {envelope}");
    }
    assert_eq!(fs::read(files.join("ls")).unwrap(), before);
}

/// Shows that the test above can fail: without the sandbox the same commands
/// reach both files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_sandbox_the_same_escapes_work() {
    let files = Files::with_ls();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "the-secret-text").unwrap();
    let mark = outside.path().join("mark");
    let catalogue = catalogue(files.path(), outside.path(), SandboxMode::Off);
    let write = format!("px 16 > {}", mark.display());
    run(&catalogue, &write).await;
    assert!(mark.exists());
    let read = format!("cat {}", secret.display());
    let envelope = run(&catalogue, &read).await.to_string();
    assert!(envelope.contains("the-secret-text"), "{envelope}");
}
