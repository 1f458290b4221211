//! The judge sees what is wrong, whatever a driver says of itself; and it finds
//! nothing wrong with our engine.
//!
//! Every miss is shown here by a driver that really misses (`broken.py`): a judge
//! that can't fail an engine proves nothing about one.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail like the tests themselves"
)]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use reversecore_conformance::judge::{
    CASES, Case, Report, Scale, Stage, Subject, Verdict, as_markdown, examine, subjects,
};
use reversecore_testkit::{fixture, processes};
use tempfile::TempDir;

fn stage() -> Stage {
    let driver = Path::new(env!("CARGO_BIN_EXE_engine-driver"));
    Stage::new(driver, &fixture("hostile")).unwrap()
}

fn cases(names: &[&str]) -> Vec<Case> {
    let found: Vec<Case> = CASES
        .into_iter()
        .filter(|case| names.contains(&case.name))
        .collect();
    assert_eq!(found.len(), names.len(), "{names:?}");
    found
}

async fn judged(subject: impl FnOnce(&Stage) -> Subject, names: &[&str]) -> Report {
    let stage = stage();
    let subject = subject(&stage);
    let report = examine(&stage, &subject, &cases(names), Scale::default())
        .await
        .unwrap();
    let rows: usize = cases(names).iter().map(|case| case.rows.len()).sum();
    assert_eq!(report.rows.len(), rows);
    report
}

/// `broken.py` where every user can read it.
struct Broken {
    directory: TempDir,
    how: &'static str,
}

impl Broken {
    fn new(how: &'static str) -> Self {
        let directory = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let script = include_str!("broken.py");
        std::fs::write(directory.path().join("broken.py"), script).unwrap();
        Self { directory, how }
    }

    /// With the Python that the judge has found for `asyncio`.
    fn subject(&self, stage: &Stage) -> Subject {
        let script = self.directory.path().join("broken.py");
        let mut subject = subjects(stage)
            .into_iter()
            .find(|subject| subject.name == "asyncio")
            .expect("the tests need Python 3");
        subject.name = self.how.to_owned();
        subject.arguments = vec![script.display().to_string(), self.how.to_owned()];
        subject
    }
}

async fn broken(how: &'static str, names: &[&str]) -> Report {
    let broken = Broken::new(how);
    judged(|stage| broken.subject(stage), names).await
}

/// The evidence of a row that must be missed.
#[track_caller]
fn seen<'a>(report: &'a Report, case: &str, what: &str) -> &'a str {
    match report.verdict(case, what) {
        Some(Verdict::Misses(evidence)) => evidence,
        other => panic!("{} {case} {what}: {other:?}", report.name),
    }
}

#[track_caller]
fn holds(report: &Report, case: &str, what: &str) {
    let verdict = report.verdict(case, what);
    assert!(
        matches!(verdict, Some(Verdict::Holds(_))),
        "{what}: {verdict:?}"
    );
}

#[tokio::test]
async fn ours_holds_the_quick_cases() {
    let ours = |stage: &Stage| subjects(stage).remove(0);
    let report = judged(ours, &["E3", "E4", "E5", "E6", "E8", "E9", "E11", "E12"]).await;
    for row in &report.rows {
        let fine = matches!(row.verdict, Verdict::Holds(_) | Verdict::Skipped(_));
        assert!(fine, "{row:?}");
    }
    let hello = report.hello.unwrap();
    assert_eq!(hello.engine, "reversecore-exec");
}

#[tokio::test]
async fn a_silent_or_dead_driver_is_not_waited_for() {
    for (how, evidence) in [
        ("silent", "no answer within"),
        ("dead", "the driver ended (on purpose)"),
    ] {
        let report = broken(how, &["E8", "E9"]).await;
        assert!(
            report
                .rows
                .iter()
                .all(|row| matches!(row.verdict, Verdict::Misses(_)))
        );
        let text = seen(&report, "E9", "text right, lossy only where the bytes are");
        assert!(text.contains(evidence), "{text}");
    }
}

#[tokio::test]
async fn a_driver_that_can_not_be_started_is_a_verdict() {
    let subject = |_: &Stage| Subject::parse("none=/no/such/driver with arguments").unwrap();
    let report = judged(subject, &["E9"]).await;
    assert!(report.hello.is_err());
    let text = seen(&report, "E9", "text right, lossy only where the bytes are");
    assert!(text.contains("/no/such/driver"), "{text}");
}

#[tokio::test]
async fn survivors_are_seen_and_ended() {
    let stage = stage();
    let broken = Broken::new("forgetful");
    let subject = broken.subject(&stage);
    let report = examine(
        &stage,
        &subject,
        &cases(&["E3", "E4", "E6"]),
        Scale::default(),
    )
    .await
    .unwrap();
    for what in ["timeout", "cancel", "drop of the future"] {
        let text = seen(&report, "E3", what);
        assert!(text.contains("setsid: 2 of 2 alive"), "{text}");
    }
    assert!(seen(&report, "E4", "SIGKILL of the server").contains("daemon: 2 of 2 alive"));
    assert!(seen(&report, "E6", "ignores SIGTERM").contains("alive a second later"));
    assert_eq!(
        report.verdict("E6", "asked to end before it is killed"),
        Some(&Verdict::NotOffered)
    );
    // The judge has ended what the driver left, without being told what that is.
    assert_eq!(processes::marked(stage.word()), [0; 0]);

    let table = as_markdown(&[report]);
    assert!(table.contains("| E3 | timeout | **no** (1) |"), "{table}");
    assert!(table.contains("| not offered |"), "{table}");
}

#[tokio::test]
async fn hoarded_output_and_changed_output_are_seen() {
    let report = broken("hoarder", &["E1"]).await;
    let text = seen(&report, "E1", "stdout floods, stderr quiet");
    assert!(
        text.starts_with("memory grew by") && !text.contains(';'),
        "{text}"
    );
    let report = broken("corrupt", &["E1"]).await;
    let text = seen(&report, "E1", "stdout floods, stderr quiet");
    assert!(text.contains("another SHA-256"), "{text}");
}

#[tokio::test]
async fn a_second_outcome_is_seen() {
    let report = broken("twice", &["E11"]).await;
    assert!(seen(&report, "E11", "running").contains("a second outcome of run"));
    assert_eq!(report.verdict("E11", "queued"), Some(&Verdict::NotOffered));
}

#[tokio::test]
async fn what_runs_leave_behind_is_counted() {
    let report = broken("leaking", &["E10"]).await;
    for what in ["no zombie", "no descriptor", "no directory"] {
        seen(&report, "E10", what);
    }
    holds(&report, "E10", "all end well");
}
