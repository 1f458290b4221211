//! A batch call that has to make room stands still, goes on, goes, and is run
//! again: with real workers, on a real file.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of a test: a failure here is a failure of the test"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tasks of a test are awaited in it"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reversecore_exec::{Engine, EngineConfig, PoolConfig, WorkerPool};
use reversecore_jobs::{Act, Client, Ending, JobId, Lane, Scheduler, StateView};
use reversecore_testkit::samples::Workspace as Files;
use reversecore_tools::{Caller, Catalogue, Reply, Services, Workspace, WorkspaceSettings};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(2);

fn services(files: &Path, scratch: &Path) -> Arc<Services> {
    let mut engine = EngineConfig::new(env!("CARGO_BIN_EXE_reversecore"), scratch);
    engine.launcher_args = vec!["__launcher".into()];
    let workspace = WorkspaceSettings {
        root: files.to_owned(),
        read_dirs: Vec::new(),
        rule_dirs: Vec::new(),
    };
    let engine = Engine::start(engine).unwrap();
    let mut workers = PoolConfig::new(env!("CARGO_BIN_EXE_reversecore"));
    workers.args = vec!["__worker".into()];
    let workers = WorkerPool::start(&engine, workers).unwrap();
    let workspace = Workspace::open(&workspace).unwrap();
    Arc::new(Services::new(engine, workers, workspace))
}

/// Waits until a batch job runs, and a later one than `after`.
async fn runs(scheduler: &Scheduler, after: u64) -> JobId {
    loop {
        if let Some(id) = scheduler.batch().into_iter().find(|id| id.0 > after) {
            return id;
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn ending(scheduler: &Scheduler, id: JobId) -> Ending {
    match scheduler.job(id).unwrap().state {
        StateView::Ended { ending, .. } => ending,
        other @ (StateView::Queued { .. } | StateView::Running { .. }) => panic!("{other:?}"),
    }
}

fn call(services: &Arc<Services>) -> tokio::task::JoinHandle<Reply> {
    let catalogue = Catalogue::new(Arc::clone(services));
    let given = json!({"file_path": "large.bin"})
        .as_object()
        .unwrap()
        .clone();
    let mut caller = Caller::new(Client::new("test"));
    caller.lane = Some(Lane::Batch);
    tokio::spawn(async move {
        let cancel = CancellationToken::new();
        let reply = catalogue.call("get_file_info", given, &caller, &cancel);
        reply.await.unwrap()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_call_that_makes_room_is_run_again_once() {
    let (files, scratch) = (Files::with_ls(), tempfile::tempdir().unwrap());
    files.write("large.bin", &vec![0x5a; 96 << 20]);
    let services = services(files.path(), scratch.path());
    let scheduler = &services.schedule.scheduler;

    let reply = call(&services);
    let first = runs(scheduler, 0).await;
    scheduler.act(Act::Hold(first));
    scheduler.act(Act::Release(first));
    scheduler.act(Act::Hold(first));
    scheduler.act(Act::Evict(first));
    let second = runs(scheduler, first.0).await;
    let reply = reply.await.unwrap();
    assert!(!reply.is_error, "{}", reply.text);
    assert_eq!(ending(scheduler, first), Ending::Evicted);
    assert_eq!(ending(scheduler, second), Ending::Succeeded);
    let envelope: Value = serde_json::from_str(&reply.json).unwrap();
    assert_eq!(envelope["data"]["size"], 96 << 20, "{envelope}");

    // Twice is enough: it says why.
    let reply = call(&services);
    let third = runs(scheduler, second.0).await;
    scheduler.act(Act::Evict(third));
    let fourth = runs(scheduler, third.0).await;
    scheduler.act(Act::Evict(fourth));
    let reply = reply.await.unwrap();
    assert!(reply.json.contains("RESOURCE_LIMIT"), "{}", reply.json);
    assert_eq!(ending(scheduler, fourth), Ending::Evicted);
    let stats = scheduler.stats();
    assert_eq!((stats.holds, stats.evictions, stats.running), (2, 3, 0));
}
