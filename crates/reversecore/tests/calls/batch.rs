//! Batches of a client: begun, looked at, paged through, ended, gone on with.

use reversecore_testkit::samples::{Workspace, system_binary};
use serde_json::{Value, json};

use crate::support::{Session, refused, reversecore};

fn files(count: usize) -> Workspace {
    let workspace = Workspace::new();
    let program = system_binary("ls");
    for index in 0..count {
        let mut content = program[..20_000].to_vec();
        content.extend(index.to_le_bytes());
        workspace.write(format!("f{index:04}"), &content);
    }
    workspace.write(
        "same",
        &[&program[..20_000], &0_usize.to_le_bytes()].concat(),
    );
    workspace
}

/// The same, and a file that is never done.
fn files_and_one_for_ever(count: usize) -> Workspace {
    let workspace = files(count);
    workspace.write("zlarge", &system_binary("ls")[..40_000]);
    workspace
}

/// What is quick with all files but that one.
fn slow_with_large() -> Value {
    let rules = "rule slow { condition: filesize > 30000 and for all i in (0..1000000000000) : (uint8(i % 1000) != 1000) }";
    json!([{"name": "run_yara", "arguments": {"rules": rules, "timeout": 300}}])
}

fn session(workspace: &Workspace, data: &Workspace) -> Session {
    Session::start_as(reversecore(workspace.path()).env("REVERSECORE_DATA_DIR", data.path()))
}

/// Looks at the batch until its state is another than `running`.
#[track_caller]
fn ended(session: &mut Session, job: &Value) -> Value {
    loop {
        let envelope = session.call("get_job", &json!({"job_id": job}));
        let data = &envelope["data"];
        if data["state"] != "running" {
            return data.clone();
        }
        let ended = data["done"].as_u64().unwrap() + data["failed"].as_u64().unwrap();
        assert!(ended <= data["total"].as_u64().unwrap(), "{data}");
    }
}

#[test]
fn a_batch_is_looked_at_and_paged_through() {
    let (workspace, data) = (files(30), Workspace::new());
    let mut session = session(&workspace, &data);
    let submit = json!({"paths": ["f*", "same", "nowhere"],
                        "tools": ["run_file", {"name": "triage", "arguments": {}}]});
    let begun = session.call("submit_batch", &submit);
    let job = begun["data"]["job_id"].clone();
    assert_eq!(begun["data"]["resumed"], false, "{begun}");
    let done = ended(&mut session, &job);
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(
        (&done["total"], &done["done"], &done["failed"]),
        (&32.into(), &31.into(), &1.into())
    );

    let mut seen = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let mut page = json!({"job_id": job, "limit": 7, "full": true});
        if !cursor.is_null() {
            page["cursor"] = cursor;
        }
        let envelope = session.call("get_batch_results", &page);
        for file in envelope["data"]["files"].as_array().unwrap() {
            if file["state"] == "done" {
                assert_eq!(file["results"]["run_file"]["status"], "success", "{file}");
                assert_eq!(file["results"]["triage"]["status"], "success", "{file}");
            }
            seen.push(file["path"].as_str().unwrap().to_owned());
        }
        cursor = envelope["metadata"]["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((count, seen.len()), (32, 32));
    let failed = session.call(
        "get_batch_results",
        &json!({"job_id": job, "only": "failed"}),
    );
    let failed = failed["data"]["files"].as_array().unwrap();
    assert_eq!(failed.len(), 1);
    assert!(
        failed[0]["error"]
            .as_str()
            .unwrap()
            .contains("does not exist")
    );
}

#[test]
fn a_batch_that_is_cancelled_or_cut_off_keeps_what_is_done() {
    let (workspace, data) = (files_and_one_for_ever(40), Workspace::new());
    let submit = json!({"paths": ["."], "tools": slow_with_large()});
    let job = {
        let mut session = session(&workspace, &data);
        let job = session.call("submit_batch", &submit)["data"]["job_id"].clone();
        while session.call("get_job", &json!({"job_id": job}))["data"]["done"] == 0 {}
        // The server is killed with the session.
        job
    };
    let mut session = session(&workspace, &data);
    let cut_off = session.call("get_job", &json!({"job_id": job}));
    assert_eq!(cut_off["data"]["state"], "interrupted", "{cut_off}");
    let before = cut_off["data"]["done"].as_u64().unwrap();
    let again = session.call("submit_batch", &submit);
    assert_eq!(
        (&again["data"]["job_id"], &again["data"]["resumed"]),
        (&job, &true.into())
    );
    let cancelled = session.call("cancel_job", &json!({"job_id": job}));
    assert_eq!(cancelled["data"]["cancelled"], true, "{cancelled}");
    let state = session.call("get_job", &json!({"job_id": job}));
    assert_eq!(state["data"]["state"], "cancelled", "{state}");
    assert!(state["data"]["done"].as_u64().unwrap() >= before, "{state}");
    let kept = session.call("get_batch_results", &json!({"job_id": job, "limit": 1}));
    assert_eq!(kept["data"]["files"][0]["state"], "done", "{kept}");
    // The same once more is another batch.
    let other = session.call("submit_batch", &submit);
    assert_ne!(other["data"]["job_id"], job);
}

#[test]
fn a_batch_is_waited_for_with_progress() {
    let (workspace, data) = (files_and_one_for_ever(3), Workspace::new());
    let mut session = session(&workspace, &data);
    let submit = json!({"paths": ["."], "tools": slow_with_large(), "wait": 600});
    let waiting = session.begin("submit_batch", &submit);
    // Said every three seconds.
    let said = |session: &Session| {
        session.notifications.iter().any(|notification| {
            let message = notification["params"]["message"].as_str();
            message.is_some_and(|message| message.contains("4 of 5 files"))
        })
    };
    let mut looks = 0;
    while !said(&session) {
        looks += 1;
        assert!(looks < 100_000, "{:?}", session.notifications);
        session.call("get_server_health", &json!({}));
    }
    session.call("cancel_job", &json!({"job_id": "batch-1"}));
    let over = session.answer(waiting);
    let batch = &over["data"]["batch"];
    assert_eq!(
        (&batch["state"], &batch["done"], &batch["total"]),
        (&"cancelled".into(), &4.into(), &5.into()),
        "{over}"
    );
}

#[test]
fn what_can_not_be_a_batch_is_refused() {
    let (workspace, data) = (files(1), Workspace::new());
    let mut session = session(&workspace, &data);
    for given in [
        json!({"paths": []}),
        json!({"paths": ["["]}),
        json!({"paths": ["."], "tools": ["list_workspace"]}),
        json!({"paths": ["."], "tools": [{"name": "triage", "arguments": {"x": 1}}]}),
        json!({"paths": ["."], "limit": 0}),
    ] {
        let envelope = session.call("submit_batch", &given);
        refused(&envelope, &["VALIDATION_ERROR"], "ls", workspace.path());
    }
    for tool in ["get_job", "cancel_job", "get_batch_results"] {
        let envelope = session.call(tool, &json!({"job_id": "batch-4711"}));
        refused(&envelope, &["VALIDATION_ERROR"], "ls", workspace.path());
    }
    // What leads outside is no file of the batch, and says so.
    let job = session.call("submit_batch", &json!({"paths": ["/etc/passwd", "../*"]}));
    let done = ended(&mut session, &job["data"]["job_id"]);
    assert_eq!(
        (&done["done"], &done["failed"]),
        (&0.into(), &2.into()),
        "{done}"
    );
}

#[test]
fn batches_beside_each_other_all_come_to_their_end() {
    let (workspace, data) = (files(20), Workspace::new());
    let mut session = session(&workspace, &data);
    let submit = |length: usize| {
        let tools = json!([{"name": "run_strings", "arguments": {"min_length": length}}]);
        json!({"paths": ["f*"], "tools": tools})
    };
    let jobs: Vec<Value> = (4..8)
        .map(|length| {
            let begun = session.call("submit_batch", &submit(length));
            assert_eq!(begun["status"], "success", "{begun}");
            begun["data"]["job_id"].clone()
        })
        .collect();
    for job in &jobs {
        let done = ended(&mut session, job);
        assert_eq!(
            (&done["state"], &done["done"]),
            (&"done".into(), &20.into()),
            "{done}"
        );
    }
    // There is room again.
    let begun = session.call("submit_batch", &submit(8));
    assert_eq!(begun["status"], "success", "{begun}");
}
