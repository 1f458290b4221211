//! Calls as jobs: seen, cancelled, shared, refused, told about.

use reversecore_testkit::samples::Workspace;
use serde_json::{Value, json};

use crate::support::{Session, reversecore};

/// A call that runs until it is cancelled, or for the rounds that it is given.
fn slow(rounds: u64) -> Value {
    let rules = format!(
        "rule slow {{ condition: for all i in (0..{rounds}) : (uint8(i % 1000) != 1000) }}"
    );
    json!({"file_path": "ls", "rules": rules, "timeout": 100})
}

const FOR_EVER: u64 = 1_000_000_000_000;
const A_MOMENT: u64 = 30_000_000;

fn session(workspace: &Workspace, configuration: &str) -> Session {
    let file = workspace.write("my.toml", configuration.as_bytes());
    Session::start_as(reversecore(workspace.path()).env("REVERSECORE_CONFIG", file))
}

/// The jobs in this state, once there are so many.
pub(crate) fn jobs(session: &mut Session, state: &str, count: usize) -> Vec<Value> {
    for _ in 0..5000 {
        let envelope = session.call("list_jobs", &json!({}));
        let all = envelope["data"]["jobs"].as_array().unwrap().clone();
        let these: Vec<Value> = all
            .into_iter()
            .filter(|job| job["state"] == state)
            .collect();
        if these.len() == count {
            return these;
        }
        std::thread::yield_now();
    }
    panic!("never {count} jobs are {state}");
}

#[test]
fn a_running_job_is_seen_and_cancelled() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let call = session.begin("run_yara", &slow(FOR_EVER));
    let job = jobs(&mut session, "running", 1).remove(0);
    assert_eq!(
        (&job["tool"], &job["subject"]),
        (&json!("run_yara"), &json!("ls"))
    );
    assert_eq!(job["client"], "stdio");
    let id = json!({"job_id": job["id"]});
    let seen = session.call("get_job", &id);
    assert_eq!(seen["data"]["state"], "running", "{seen}");
    let cancelled = session.call("cancel_job", &id);
    assert_eq!(cancelled["data"]["cancelled"], true, "{cancelled}");
    assert_eq!(session.answer(call)["error_code"], "CANCELLED");
    let ended = jobs(&mut session, "ended", 1).remove(0);
    assert_eq!(ended["ending"], "cancelled", "{ended}");
    let again = session.call("cancel_job", &id);
    assert_eq!(again["data"]["cancelled"], false, "{again}");
    let unknown = session.call("get_job", &json!({"job_id": 99999}));
    assert_eq!(unknown["error_code"], "VALIDATION_ERROR");
}

#[test]
fn equal_calls_share_a_run_and_one_may_leave() {
    let workspace = Workspace::with_ls();
    let mut session = Session::start(workspace.path());
    let (first, second) = (
        session.begin("run_yara", &slow(A_MOMENT)),
        session.begin("run_yara", &slow(A_MOMENT)),
    );
    let running = jobs(&mut session, "running", 1);
    assert_eq!(running[0]["tool"], "run_yara");
    let shared = (0..5000).any(|_| session.call("list_jobs", &json!({}))["data"]["sharing"] == 1);
    assert!(shared);
    session.give_up(first);
    let envelope = session.answer(second);
    assert_eq!(envelope["metadata"]["total"], 1, "{envelope}");
    assert_eq!(jobs(&mut session, "ended", 1)[0]["ending"], "succeeded");
}

#[test]
fn a_full_queue_is_an_answer_and_a_waiting_job_says_why() {
    let workspace = Workspace::with_ls();
    let mut session = session(
        &workspace,
        "[execution]\nmax_concurrent_requests = 1\nrequest_queue_size = 1\n",
    );
    let running = session.begin("run_yara", &slow(FOR_EVER));
    jobs(&mut session, "running", 1);
    let waiting = session.begin("run_yara", &slow(FOR_EVER + 1));
    let job = jobs(&mut session, "queued", 1).remove(0);
    assert_eq!(
        (&job["position"], &job["waits_for"]),
        (&json!(0), &json!("slot")),
        "{job}"
    );
    assert!(job["predicted_start_ms"].as_f64().unwrap() > 0.0, "{job}");
    let refused = session.call("run_yara", &slow(FOR_EVER + 2));
    assert_eq!(refused["error_code"], "QUEUE_FULL", "{refused}");
    assert!(
        refused["retry_after_ms"].as_u64().unwrap() >= 100,
        "{refused}"
    );
    // What answers from memory is not kept waiting, and both can be cancelled.
    assert_eq!(
        session.call("get_server_health", &json!({}))["data"]["waiting"],
        1
    );
    for (call, state) in [(waiting, "queued"), (running, "running")] {
        let id = jobs(&mut session, state, 1)[0]["id"].clone();
        session.call("cancel_job", &json!({"job_id": id}));
        assert_eq!(session.answer(call)["error_code"], "CANCELLED");
    }
}

#[test]
fn a_call_that_waits_too_long_is_refused() {
    let workspace = Workspace::with_ls();
    let mut session = session(
        &workspace,
        "[execution]\nmax_concurrent_requests = 1\nlongest_wait_seconds = 1\n",
    );
    let running = session.begin("run_yara", &slow(FOR_EVER));
    jobs(&mut session, "running", 1);
    let refused = session.call("run_strings", &json!({"file_path": "ls"}));
    assert_eq!(refused["error_code"], "DEADLINE_EXCEEDED", "{refused}");
    session.give_up(running);
}

#[test]
fn both_modes_give_the_same_reports() {
    let workspace = Workspace::with_ls();
    let mut asynchronous = Session::start(workspace.path());
    let mut synchronous =
        Session::start_as(reversecore(workspace.path()).env("ENABLE_ASYNC_EXECUTION", "false"));
    for tool in crate::FILE_TOOLS {
        for engine in ["embedded", "external"] {
            let mut given = crate::arguments(tool, "ls");
            if ["run_file", "run_strings", "run_binwalk", "run_yara"].contains(&tool) {
                given["engine"] = engine.into();
            }
            let [one, other] = [&mut asynchronous, &mut synchronous].map(|session| {
                let envelope = session.call(tool, &given);
                assert_eq!(envelope["status"], "success", "{tool}: {envelope}");
                envelope["data"].to_string()
            });
            assert_eq!(one, other, "{tool} {engine}");
        }
    }
    // One after the other, however many are asked for.
    let calls: Vec<_> = (0..4)
        .map(|number| synchronous.begin("run_yara", &slow(A_MOMENT / 10 + number)))
        .collect();
    assert_eq!(
        synchronous.call("list_jobs", &json!({}))["data"]["slots"],
        1
    );
    for call in calls {
        assert_eq!(synchronous.answer(call)["status"], "success");
    }
}

#[test]
fn long_work_says_how_far_it_has_got() {
    let workspace = Workspace::new();
    workspace.sparse("huge", 64 << 30);
    let mut session = Session::start(workspace.path());
    let envelope = session.call("run_strings", &json!({"file_path": "huge", "timeout": 5}));
    assert_eq!(envelope["metadata"]["coverage"], "timed_out", "{envelope}");
    let said: Vec<_> = session
        .notifications
        .iter()
        .filter(|message| message["method"] == "notifications/progress")
        .map(|message| message["params"].clone())
        .collect();
    let last = said.last().unwrap();
    let message = last["message"].as_str().unwrap();
    assert!(
        message.contains("searching for strings") && message.contains('%'),
        "{last}"
    );
    assert!(
        last["total"].as_f64().unwrap() > last["progress"].as_f64().unwrap(),
        "{last}"
    );
}
