//! The loop with examiners that need no file: what is asked how often, and what is
//! left when it is ended in the middle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::examine::{Content, Examined, Expanded, Trouble, Verdict};
use crate::item::{Found, Item};
use crate::journal::Journal;
use crate::out::Format;
use crate::spec::{Recursion, ToolCall};
use crate::unrecorded::Unrecorded;

/// What is done is said by the name of the file: `NAME-CONTENT`.
#[derive(Debug, Default)]
struct Fake {
    asked: Mutex<BTreeMap<String, usize>>,
    /// The run is stopped when so many questions were asked.
    stop_after: Option<(usize, CancellationToken)>,
    total: AtomicUsize,
}

fn content_of(path: &str) -> Content {
    let last = path.rsplit('-').next().unwrap_or(path);
    let mut content = [0; 32];
    for (byte, letter) in content.iter_mut().zip(last.bytes()) {
        *byte = letter;
    }
    Content(content)
}

impl Examiner for Fake {
    async fn content(&self, item: &Item, _: &CancellationToken) -> Result<Content, Trouble> {
        if item.path.starts_with("gone") {
            return Err(Trouble::Unreadable("it is gone".to_owned()));
        }
        Ok(content_of(&item.path))
    }

    async fn examine(
        &self,
        item: &Item,
        content: Content,
        tool: &ToolCall,
        stop: &CancellationToken,
    ) -> Examined {
        let asked = {
            let mut asked = self.asked.lock().unwrap();
            let asked = asked
                .entry(format!("{} {}", item.path, tool.name))
                .or_default();
            *asked += 1;
            *asked
        };
        let total = self.total.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some((after, stop)) = &self.stop_after
            && total >= *after
        {
            stop.cancel();
        }
        tokio::task::yield_now().await;
        let verdict = match item.path.split('-').next().unwrap() {
            _ if stop.is_cancelled() => Verdict::Cancelled,
            "crash" => Verdict::Crashed {
                message: "SIGSEGV".to_owned(),
            },
            "flaky" if asked == 1 => Verdict::Crashed {
                message: "SIGSEGV".to_owned(),
            },
            "wrong" => Verdict::Failed {
                message: "no".to_owned(),
            },
            "moving" => Verdict::Changed,
            "busy" if asked < 3 => Verdict::Busy {
                after: Duration::from_millis(1),
            },
            _ => Verdict::Answered,
        };
        Examined {
            envelope: format!(
                r#"{{"status":"success","data":{{"findings":[{{"severity":"high","what":"w","evidence":"{}"}}]}},"metadata":{{"sha256":"{content}"}}}}"#,
                item.path
            ),
            verdict,
        }
    }

    async fn expand(
        &self,
        item: &Item,
        left: Recursion,
        _: &CancellationToken,
    ) -> Result<Expanded, Trouble> {
        let mut expanded = Expanded::default();
        if item.path.starts_with("archive") {
            for index in 0..left.files.min(3) {
                expanded.files.push(Found {
                    path: format!("{}/archive-{}{index}", item.path, item.depth),
                    place: Some(format!("/tmp/nowhere/{index}")),
                    size: 10,
                });
            }
            if left.files < 3 {
                expanded.notes.push("too many files".to_owned());
                expanded.bomb = true;
            }
        }
        Ok(expanded)
    }

    fn discard(&self, place: &str) {
        self.asked
            .lock()
            .unwrap()
            .insert(format!("discarded {place}"), 1);
    }
}

fn spec(tools: &[&str], recurse: Option<Recursion>) -> Spec {
    Spec {
        inputs: vec!["/x".to_owned()],
        tools: tools.iter().map(|tool| ToolCall::named(*tool)).collect(),
        depth: None,
        largest: None,
        limit: None,
        recurse,
        owner: None,
    }
}

fn listed(names: &[String]) -> Vec<Listed> {
    names
        .iter()
        .map(|name| {
            Listed::File(Found {
                path: name.clone(),
                place: None,
                size: 1,
            })
        })
        .collect()
}

struct Scene {
    directory: tempfile::TempDir,
    out: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out.jsonl");
        Self { directory, out }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn rows(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&self.out).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

async fn go<L: Ledger>(
    ledger: &mut L,
    out: Option<Out>,
    spec: &Spec,
    names: Option<&[String]>,
    fake: Fake,
    stop: CancellationToken,
) -> (bool, Arc<Fake>, Progress) {
    let (to, inputs) = mpsc::channel(10);
    if let Some(names) = names {
        to.send(listed(names)).await.unwrap();
    }
    drop(to);
    let fake = Arc::new(fake);
    let (progress, seen) = watch::channel(Progress::default());
    let task = Run {
        spec: spec.clone(),
        examiner: Arc::clone(&fake),
        concurrency: 4,
        inputs,
        stop,
        progress,
        runtime: Handle::current(),
    };
    let mut out = out;
    let complete = run(task, ledger, &mut out).await.unwrap();
    if let Some(out) = out.filter(|_| complete) {
        out.complete(&ledger.tally().unwrap()).unwrap();
    }
    (complete, fake, seen.borrow().clone())
}

fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn each_content_is_examined_once_and_each_file_has_a_row() {
    let scene = Scene::new();
    let journal = Journal::open(scene.path()).unwrap().journal;
    let spec = spec(&["triage", "other"], None);
    let out = Out::create(&scene.out, Format::JsonLines).unwrap();
    let mut batch = journal.begin(&spec, None).unwrap();
    let files = names(&[
        "a-1", "b-1", "c-2", "crash-3", "flaky-4", "wrong-5", "moving-6", "busy-7", "gone-8", "d-1",
    ]);
    let stop = CancellationToken::new();
    let (complete, fake, progress) = go(
        &mut batch,
        Some(out),
        &spec,
        Some(&files),
        Fake::default(),
        stop,
    )
    .await;
    assert!(complete);
    let states: BTreeMap<String, String> = scene
        .rows()
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("path"), text("state"))
        })
        .collect();
    let expected = [
        ("a-1", "done"),
        ("b-1", "done"),
        ("busy-7", "done"),
        ("c-2", "done"),
        ("crash-3", "poison"),
        ("d-1", "done"),
        ("flaky-4", "done"),
        ("gone-8", "failed"),
        ("moving-6", "failed"),
        ("wrong-5", "failed"),
    ];
    let expected = expected.map(|(path, state)| (path.to_owned(), state.to_owned()));
    assert_eq!(states, BTreeMap::from(expected));
    assert_eq!(scene.rows().len(), files.len());
    let asked = fake.asked.lock().unwrap();
    let of_one: usize = ["a-1 triage", "b-1 triage", "d-1 triage"]
        .iter()
        .filter_map(|key| asked.get(*key))
        .sum();
    assert_eq!(of_one, 1, "{asked:?}");
    assert_eq!(asked["crash-3 triage"], 2);
    assert_eq!(asked["busy-7 triage"], 3);
    assert_eq!(
        (
            progress.tally.done,
            progress.tally.failed,
            progress.tally.poison
        ),
        (6, 3, 1)
    );
    let sorted = |mut tally: Tally| {
        tally.worst.sort_by(|one, other| one.path.cmp(&other.path));
        tally.troubled.sort();
        tally
    };
    let written = sorted(batch.tally().unwrap());
    assert_eq!(sorted(progress.tally.clone()), written);
    assert_eq!(progress.tally.worst.len(), 8);
}

#[tokio::test]
async fn what_is_stopped_in_the_middle_is_gone_on_with_and_nothing_is_done_twice() {
    let scene = Scene::new();
    let spec = spec(&["triage", "other"], None);
    let files: Vec<String> = (0..200).map(|index| format!("f-{index}")).collect();
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    let out_name = scene.out.to_str().unwrap().to_owned();
    for round in 0..100 {
        let journal = Journal::open(scene.path()).unwrap().journal;
        let resumed = journal.resume(&spec, Some(&out_name)).unwrap();
        assert_eq!(resumed.is_some(), round > 0);
        let (mut batch, out) = match resumed {
            Some(batch) => {
                let (_, length) = batch.standing().unwrap();
                let out = Out::resume(&scene.out, Format::JsonLines, length).unwrap();
                (batch, out.unwrap())
            }
            None => (
                journal.begin(&spec, Some(&out_name)).unwrap(),
                Out::create(&scene.out, Format::JsonLines).unwrap(),
            ),
        };
        let (listed, _) = batch.standing().unwrap();
        let stop = CancellationToken::new();
        let fake = Fake {
            stop_after: Some((37, stop.clone())),
            ..Fake::default()
        };
        let inputs = (!listed).then_some(files.as_slice());
        let (complete, fake, _) = go(&mut batch, Some(out), &spec, inputs, fake, stop).await;
        // Somebody writes behind the last row that is vouched for.
        if !complete {
            let mut file = std::fs::OpenOptions::new()
                .append(true)
                .open(&scene.out)
                .unwrap();
            std::io::Write::write_all(&mut file, b"{\"path\":\"half").unwrap();
        }
        for (key, count) in fake.asked.lock().unwrap().iter() {
            *asked.entry(key.clone()).or_default() += count;
        }
        if complete {
            let rows = scene.rows();
            let paths: std::collections::BTreeSet<&str> = rows
                .iter()
                .map(|row| row["path"].as_str().unwrap())
                .collect();
            assert_eq!((rows.len(), paths.len()), (200, 200));
            assert!(
                rows.iter()
                    .all(|row| row["results"].as_object().unwrap().len() == 2)
            );
            assert!(round > 5, "it was never stopped");
            // What was asked in vain was in work when it was stopped: 4 at most.
            let again: usize = asked.values().filter(|count| **count > 1).count();
            assert!(again <= 4 * round, "{again}");
            return;
        }
    }
    panic!("it never ended");
}

#[tokio::test]
async fn archives_are_opened_within_the_budget_and_children_know_their_parents() {
    for recorded in [true, false] {
        let scene = Scene::new();
        let recursion = Recursion {
            depth: 2,
            files: 5,
            ..Recursion::default()
        };
        let spec = spec(&["triage"], Some(recursion));
        let out = Out::create(&scene.out, Format::JsonLines).unwrap();
        let files = names(&["archive-x"]);
        let stop = CancellationToken::new();
        let tally = if recorded {
            let journal = Journal::open(scene.path()).unwrap().journal;
            let mut batch = journal.begin(&spec, None).unwrap();
            go(
                &mut batch,
                Some(out),
                &spec,
                Some(&files),
                Fake::default(),
                stop,
            )
            .await;
            batch.tally().unwrap()
        } else {
            let mut ledger = Unrecorded::default();
            go(
                &mut ledger,
                Some(out),
                &spec,
                Some(&files),
                Fake::default(),
                stop,
            )
            .await;
            ledger.tally().unwrap()
        };
        let rows = scene.rows();
        assert_eq!(u64::try_from(rows.len()).unwrap(), tally.total);
        let children: Vec<_> = rows
            .iter()
            .filter(|row| row["parent"] == "archive-x")
            .collect();
        assert_eq!(children.len(), 3, "{rows:#?}");
        assert!(rows.iter().any(|row| {
            row["error"]
                .as_str()
                .is_some_and(|error| error.contains("too many files"))
        }));
        assert!(rows.len() > 4);
        assert!(tally.failed > 0, "{tally:?}");
    }
}

#[tokio::test]
async fn a_copy_of_an_archive_says_where_its_files_are_listed() {
    let scene = Scene::new();
    let recursion = Recursion {
        depth: 1,
        ..Recursion::default()
    };
    let spec = spec(&["triage"], Some(recursion));
    let journal = Journal::open(scene.path()).unwrap().journal;
    let mut batch = journal.begin(&spec, None).unwrap();
    let out = Out::create(&scene.out, Format::JsonLines).unwrap();
    let mut files = names(&["archive-x", "early-x"]);
    files.extend((0..40).map(|index| format!("other-o{index}")));
    files.push("late-x".to_owned());
    let fake = Fake::default();
    let stop = CancellationToken::new();
    go(&mut batch, Some(out), &spec, Some(&files), fake, stop).await;
    let rows = scene.rows();
    let error_of = |path: &str| {
        let row = rows.iter().find(|row| row["path"] == path).unwrap();
        (row["state"].clone(), row["error"].clone())
    };
    let elsewhere = "what is in it is listed under `archive-x`, which has the same content";
    for copy in ["early-x", "late-x"] {
        assert_eq!(error_of(copy), ("done".into(), elsewhere.into()), "{copy}");
    }
    assert_eq!(error_of("archive-x").1, serde_json::Value::Null);
    assert_eq!(error_of("other-o1").1, serde_json::Value::Null);
}
