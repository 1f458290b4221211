//! A journal that is damaged, held by another, from another time; and what is left
//! of a batch whose process was killed.

use rusqlite::Connection;

use super::*;
use crate::examine::Content;
use crate::item::{Found, Listed};
use crate::ledger::{Ledger as _, Sum};
use crate::spec::ToolCall;

fn spec(input: &str) -> Spec {
    Spec {
        inputs: vec![input.to_owned()],
        tools: vec![ToolCall::named("triage")],
        depth: None,
        largest: None,
        limit: None,
        recurse: None,
        owner: None,
    }
}

fn file(path: &str) -> Listed {
    Listed::File(Found {
        path: path.to_owned(),
        place: None,
        size: 7,
    })
}

#[test]
fn what_was_not_committed_is_done_again_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let spec = spec("/x");
    {
        let journal = Journal::open(directory.path()).unwrap().journal;
        let mut batch = journal.begin(&spec, None).unwrap();
        batch
            .add(&[file("a"), file("b"), file("c"), file("a")])
            .unwrap();
        batch.listed().unwrap();
        let items = batch.next(2).unwrap();
        batch.commit(0).unwrap();
        for (item, content) in items.into_iter().zip([Content([1; 32]), Content([2; 32])]) {
            let item = crate::item::Item {
                content: Some(content),
                ..item
            };
            batch.result(&item, 0, "{}").unwrap();
            batch
                .finish(&Sum {
                    item: &item,
                    state: State::Done,
                    evidence: None,
                    findings: &[],
                    children: &[],
                    holder: None,
                })
                .unwrap();
            if content.0[0] == 1 {
                batch.commit(17).unwrap();
            }
        }
        // The second is not committed; this is where the process is killed.
    }
    let journal = Journal::open(directory.path()).unwrap().journal;
    assert!(journal.resume(&self::spec("/y"), None).unwrap().is_none());
    let mut batch = journal.resume(&spec, None).unwrap().unwrap();
    assert_eq!(batch.standing().unwrap(), (true, 17));
    let tally = batch.tally().unwrap();
    assert_eq!((tally.total, tally.done), (3, 1));
    let left = batch.next(9).unwrap();
    let paths: Vec<(&str, u32)> = left
        .iter()
        .map(|item| (item.path.as_str(), item.attempts))
        .collect();
    assert_eq!(paths, [("b", 2), ("c", 1)]);
    let first = batch.ended(Content([1; 32])).unwrap().unwrap();
    assert_eq!(batch.results(first.holder).unwrap(), [(0, "{}".to_owned())]);
    assert!(batch.ended(Content([2; 32])).unwrap().is_none());
    assert_eq!(batch.results(left[0].id).unwrap(), []);
}

#[test]
fn rows_are_owed_when_they_go_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap().journal;
    let mut batch = journal.begin(&spec("/x"), Some("/a.jsonl")).unwrap();
    batch.add(&[file("a")]).unwrap();
    let item = batch.next(1).unwrap().remove(0);
    let sum = Sum {
        item: &item,
        state: State::Failed,
        evidence: Some("why"),
        findings: &[],
        children: &[],
        holder: None,
    };
    batch.finish(&sum).unwrap();
    batch.commit(5).unwrap();
    assert!(batch.owed(0, 9).unwrap().is_empty());
    drop(batch);
    let mut batch = journal
        .resume(&spec("/x"), Some("/b.jsonl"))
        .unwrap()
        .unwrap();
    assert_eq!(batch.standing().unwrap(), (false, 0));
    let owed = batch.owed(0, 9).unwrap();
    assert_eq!(owed[0].evidence.as_deref(), Some("why"));
    batch.wrote(&[owed[0].item.id]).unwrap();
    batch.commit(9).unwrap();
    assert!(batch.owed(0, 9).unwrap().is_empty());
}

#[test]
fn a_damaged_journal_is_set_aside_and_a_later_one_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    std::fs::write(&path, "this is no database, and never was one").unwrap();
    let opened = Journal::open(directory.path()).unwrap();
    let (aside, _) = opened.set_aside.unwrap();
    assert!(
        std::fs::read_to_string(aside)
            .unwrap()
            .starts_with("this is no")
    );
    {
        let mut batch = opened.journal.begin(&spec("/x"), None).unwrap();
        let many: Vec<Listed> = (0..5000).map(|index| file(&index.to_string())).collect();
        batch.add(&many).unwrap();
        batch.commit(0).unwrap();
    }
    drop(opened.journal);
    // A page in the middle is overwritten.
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x55);
    std::fs::write(&path, &bytes).unwrap();
    let opened = Journal::open(directory.path()).unwrap();
    assert!(opened.set_aside.is_some());
    assert!(opened.journal.resume(&spec("/x"), None).unwrap().is_none());
    drop(opened.journal);

    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let refused = Journal::open(directory.path()).unwrap_err();
    assert!(matches!(refused, JournalError::Later { .. }), "{refused}");
}

#[test]
fn old_batches_are_forgotten_and_unfinished_ones_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap().journal;
    drop(journal.begin(&spec("/unfinished"), None).unwrap());
    for index in 0..KEPT + 5 {
        let mut batch = journal.begin(&spec(&index.to_string()), None).unwrap();
        batch.add(&[file("a")]).unwrap();
        batch.close(true).unwrap();
    }
    assert!(
        journal
            .resume(&spec("/unfinished"), None)
            .unwrap()
            .is_some()
    );
    assert!(journal.resume(&spec("0"), None).unwrap().is_none());
    let last = (KEPT + 4).to_string();
    assert!(journal.resume(&spec(&last), None).unwrap().is_some());
}

#[test]
fn who_waits_to_write_comes_before_who_writes_again() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap().journal;
    let (busy, waiting) = (spec("busy"), spec("waiting"));
    let mut batch = journal.begin(&busy, None).unwrap();
    batch.add(&[file("/a")]).unwrap();
    let beginner = std::thread::spawn({
        let (journal, waiting) = (journal.clone(), waiting.clone());
        move || journal.begin(&waiting, None).map(drop)
    });
    while journal.turns.waiting() == 0 && !beginner.is_finished() {
        std::thread::yield_now();
    }
    assert_eq!(journal.unfinished(&waiting).unwrap(), None);
    batch.commit(0).unwrap();
    batch.add(&[file("/b")]).unwrap();
    assert!(journal.unfinished(&waiting).unwrap().is_some());
    batch.commit(0).unwrap();
    beginner.join().unwrap().unwrap();
}

#[test]
fn who_reads_waits_for_nobody_who_writes() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(directory.path()).unwrap().journal;
    let mut batch = journal.begin(&spec("busy"), None).unwrap();
    let id = batch.id();
    // The turn is never over: whoever needed one would wait for ever.
    batch.add(&[file("/a")]).unwrap();
    let read = std::thread::spawn(move || {
        journal.unfinished(&spec("busy")).unwrap();
        let reader = journal.reader().unwrap();
        reader.page(id, 0, Filter::Ended, 10).unwrap();
        reader.batch(id).unwrap().is_some()
    });
    assert!(read.join().unwrap());
    drop(batch);
}
