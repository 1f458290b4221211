//! The cases. Each gives one verdict a row, in the order of its rows; what they
//! mean stands in `docs/process-engine.md`.

mod containment;
mod ends;
mod limits;
mod many;
mod output;
mod start;

use std::io;
use std::pin::Pin;
use std::time::Duration;

use super::Scale;
use super::driver::{Answer, Driver};
use super::stage::Stage;
use super::subject::Subject;
use super::verdict::Verdict;
use crate::protocol::{Hello, Offer, Run};

/// How much longer than its own times a run may take before an engine counts as
/// stuck: a busy machine is not an engine's fault.
const PATIENCE: Duration = Duration::from_secs(4);

type Verdicts<'a> = Pin<Box<dyn Future<Output = Result<Vec<Verdict>, String>> + 'a>>;

/// One of the cases.
#[derive(Clone, Copy)]
pub struct Case {
    /// `E1` to `E12`.
    pub name: &'static str,
    /// What is looked at, a row of the table each.
    pub rows: &'static [&'static str],
    judge: for<'a> fn(&'a Bench<'a>) -> Verdicts<'a>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All cases, in their order.
pub const CASES: [Case; 12] = [
    Case {
        name: "E1",
        rows: output::E1,
        judge: |bench| Box::pin(output::e1(bench)),
    },
    Case {
        name: "E2",
        rows: output::E2,
        judge: |bench| Box::pin(output::e2(bench)),
    },
    Case {
        name: "E3",
        rows: containment::E3,
        judge: |bench| Box::pin(containment::e3(bench)),
    },
    Case {
        name: "E4",
        rows: containment::E4,
        judge: |bench| Box::pin(containment::e4(bench)),
    },
    Case {
        name: "E5",
        rows: containment::E5,
        judge: |bench| Box::pin(containment::e5(bench)),
    },
    Case {
        name: "E6",
        rows: ends::E6,
        judge: |bench| Box::pin(ends::e6(bench)),
    },
    Case {
        name: "E7",
        rows: limits::E7,
        judge: |bench| Box::pin(limits::e7(bench)),
    },
    Case {
        name: "E8",
        rows: start::E8,
        judge: |bench| Box::pin(start::e8(bench)),
    },
    Case {
        name: "E9",
        rows: output::E9,
        judge: |bench| Box::pin(output::e9(bench)),
    },
    Case {
        name: "E10",
        rows: many::E10,
        judge: |bench| Box::pin(many::e10(bench)),
    },
    Case {
        name: "E11",
        rows: ends::E11,
        judge: |bench| Box::pin(ends::e11(bench)),
    },
    Case {
        name: "E12",
        rows: ends::E12,
        judge: |bench| Box::pin(ends::e12(bench)),
    },
];

impl Case {
    /// One verdict a row, whatever happens: where the driver failed, that is it.
    pub(super) async fn judge(&self, bench: &Bench<'_>) -> Vec<Verdict> {
        match (self.judge)(bench).await {
            Ok(verdicts) => {
                assert_eq!(verdicts.len(), self.rows.len(), "a verdict a row: {self:?}");
                verdicts
            }
            Err(fault) => vec![Verdict::Misses(fault); self.rows.len()],
        }
    }
}

/// What every case works with.
pub(super) struct Bench<'a> {
    pub(super) stage: &'a Stage,
    subject: &'a Subject,
    pub(super) scale: Scale,
}

impl<'a> Bench<'a> {
    pub(super) fn new(stage: &'a Stage, subject: &'a Subject, scale: Scale) -> Self {
        Self {
            stage,
            subject,
            scale,
        }
    }

    pub(super) async fn hello(&self) -> Result<Hello, String> {
        self.driver().await.map(|(_, hello)| hello)
    }

    /// A driver of its own, so that no case inherits from another.
    pub(super) async fn driver(&self) -> Result<(Driver, Hello), String> {
        self.driver_with(&[], false).await
    }

    pub(super) async fn driver_with(
        &self,
        more: &[&str],
        as_user: bool,
    ) -> Result<(Driver, Hello), String> {
        let start = |error: io::Error| {
            let program = self.subject.program.display();
            format!("failed to start the driver `{program}`: {error}")
        };
        let driver = Driver::start(self.stage, self.subject, more, as_user).map_err(start)?;
        let hello = driver.hello().await?;
        Ok((driver, hello))
    }

    /// A run of the hostile program.
    pub(super) fn hostile(&self, args: &[&str]) -> Run {
        Run {
            program: self.stage.hostile(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            timeout_ms: 10_000,
            grace_ms: 200,
            keep: 4096,
            ..Run::default()
        }
    }

    /// The same, with a mark by which it is found.
    pub(super) fn marked(&self, args: &[&str]) -> (Run, String) {
        let mark = self.stage.mark();
        let mut run = self.hostile(args);
        run.args.push(mark.clone());
        (run, mark)
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn offers(hello: &Hello, offer: Offer) -> bool {
    hello.offers.contains(&offer)
}

/// What a run said about its end, for evidence.
fn describe(answer: &Answer) -> String {
    let ended = &answer.ended;
    let mut text = serde_json::to_string(&ended.ending).unwrap_or_default();
    text.retain(|character| character != '"');
    for (name, value) in [("code", ended.code), ("signal", ended.signal)] {
        if let Some(value) = value {
            text.push_str(&format!(", {name} {value}"));
        }
    }
    if let Some(limit) = &ended.limit {
        text.push_str(&format!(", {limit}"));
    }
    if let Some(message) = &ended.message {
        text.push_str(&format!(", `{message}`"));
    }
    text.push_str(&format!(", after {} ms", answer.took.as_millis()));
    text
}
